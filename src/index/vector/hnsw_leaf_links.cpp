// LeafBuilder: from near rows to links, and what becomes of equal rows.
#include <algorithm>
#include <functional>
#include <numeric>

#include "index/vector/hnsw_builder.hpp"
#include "index/vector/hnsw_keys.hpp"

namespace vecstore::hnsw {

namespace {

constexpr std::size_t kRowsPerPart = 256;

}  // namespace

Graph LeafBuilder::build() {
  set_equals_apart();
  find_near();
  each_row([this](std::uint32_t row, Scratch& s) {
    const std::uint64_t* own = keys(row);
    s.candidates.assign(own, own + counts_[row]);
    select(row, degree_, s);
  });
  std::sort(far_links_.begin(), far_links_.end());
  each_row([this](std::uint32_t row, Scratch&) { link_back(row); });
  each_row([this](std::uint32_t row, Scratch& s) { join_back(row, s); });
  Graph graph;
  graph.nodes = codes_.rows();
  graph.degree = degree_;
  graph.links.resize(std::size_t{graph.nodes} * degree_);
  for (std::uint32_t row = 0; row < graph.nodes; ++row) {
    std::uint32_t* out = graph.of(row);
    for (std::size_t i = 0; i < degree_; ++i) out[i] = i < counts_[row] ? other_of(keys(row)[i], row) : row;
  }
  link_equals(graph);
  link_unreachable(graph, codes_, context_);
  report((rounds_ + 2) * std::uint64_t{codes_.rows()});  // all, also where there was less to do
  return graph;
}

void LeafBuilder::each_row(const std::function<void(std::uint32_t, Scratch&)>& fn) {
  parallel(
      (rows_.size() + kRowsPerPart - 1) / kRowsPerPart, [&](std::size_t part, Scratch& s, Context& context) {
        context.check();
        const std::size_t begin = part * kRowsPerPart, end = std::min(rows_.size(), begin + kRowsPerPart);
        for (std::size_t i = begin; i < end; ++i) fn(rows_[i], s);
        report((end - begin) * 2 / 3);
      });
}

void LeafBuilder::set_equals_apart() {
  struct Hashed {
    std::uint64_t hash;
    std::uint32_t row;
    bool operator<(const Hashed& o) const { return hash != o.hash ? hash < o.hash : row < o.row; }
  };
  rows_.resize(codes_.rows());
  std::iota(rows_.begin(), rows_.end(), 0u);
  std::vector<Hashed> hashed(rows_.size());
  each_row([&](std::uint32_t row, Scratch&) { hashed[row] = {codes_.hash(row), row}; });
  std::sort(hashed.begin(), hashed.end());
  std::vector<std::uint32_t> apart;
  for (std::size_t begin = 0, end; begin < hashed.size(); begin = end) {
    for (end = begin + 1; end < hashed.size() && hashed[end].hash == hashed[begin].hash;) ++end;
    if (end - begin <= most_equal_ + 1) continue;
    Rows equal;
    for (std::size_t i = begin; i < end; ++i) {
      if (codes_.equal(hashed[begin].row, hashed[i].row)) equal.push_back(hashed[i].row);
    }
    if (equal.size() <= most_equal_ + 1) continue;
    apart.insert(apart.end(), equal.begin() + static_cast<std::ptrdiff_t>(most_equal_ + 1), equal.end());
    equals_.push_back(std::move(equal));
  }
  std::sort(apart.begin(), apart.end());
  std::erase_if(rows_,
                [&](std::uint32_t row) { return std::binary_search(apart.begin(), apart.end(), row); });
}

// Of the scratch's candidates (ascending) at most `most` become the row's list: those that no chosen one is
// much nearer to than the row itself is, then the nearest of the others. Each chosen one strikes out what it
// is near to, so that only what may still be chosen is compared.
void LeafBuilder::select(std::uint32_t row, std::size_t most, Scratch& s) {
  const std::size_t count = s.candidates.size();
  s.taken.assign(count, false);
  s.open.resize(count);
  s.open_places.resize(count);
  s.between.resize(std::max(s.between.size(), count));
  for (std::uint32_t i = 0; i < count; ++i) {
    s.open[i] = other_of(s.candidates[i], row);
    s.open_places[i] = i;
  }
  std::size_t chosen = 0;
  for (std::size_t at = 0, open = count; at < open && chosen < most;) {
    const std::uint32_t other = s.open[at];
    s.taken[s.open_places[at++]] = true;
    if (++chosen == most) break;
    codes_.distances(other, s.open.data() + at, open - at, s.between.data());
    std::size_t left = at;
    for (std::size_t i = at; i < open; ++i) {
      s.open[left] = s.open[i];
      s.open_places[left] = s.open_places[i];
      left += options_.alpha * s.between[i - at] > distance_of(s.candidates[s.open_places[i]]);
    }
    open = left;
  }
  for (std::size_t i = 0; i < count && chosen < most; ++i) {
    chosen += !s.taken[i];
    s.taken[i] = true;
  }
  std::uint64_t* out = keys(row);
  for (std::size_t i = 0; i < count; ++i) {
    if (s.taken[i]) *out++ = s.candidates[i];
  }
  counts_[row] = static_cast<std::uint16_t>(chosen);
}

void LeafBuilder::link_back(std::uint32_t row) {
  for (std::size_t i = 0; i < counts_[row]; ++i) {
    const std::uint64_t key = keys(row)[i];
    const std::uint32_t to = other_of(key, row);
    offer_back(to, key_of(distance_of(key), row, to));
  }
}

// The nearest of those that link here, in whatever order they come.
void LeafBuilder::offer_back(std::uint32_t to, std::uint64_t key) {
  std::uint64_t* own = keys(to);
  std::uint64_t* back = own + counts_[to];
  if (std::binary_search(own, back, key)) return;
  const RowLock lock(locks_[to]);
  std::uint64_t* end = back + back_counts_[to];
  if (end < own + kept_) {
    *end = key;
    std::push_heap(back, end + 1);
    ++back_counts_[to];
  } else if (key < *back) {
    std::pop_heap(back, end);
    end[-1] = key;
    std::push_heap(back, end);
  }
}

void LeafBuilder::join_back(std::uint32_t row, Scratch& s) {
  std::uint64_t* own = keys(row);
  const std::size_t count = counts_[row] + std::size_t{back_counts_[row]};
  std::sort(own, own + count);
  s.candidates.assign(own, own + count);
  const std::size_t far = far_links_of(row, s);
  if (count + far > degree_)
    select(row, degree_ - far, s);
  else
    counts_[row] = static_cast<std::uint16_t>(count);
  std::copy_n(s.fresh.begin(), far, own + counts_[row]);
  counts_[row] = static_cast<std::uint16_t>(counts_[row] + far);
}

// Those that are not among the candidates, into s.fresh.
std::size_t LeafBuilder::far_links_of(std::uint32_t row, Scratch& s) const {
  s.fresh.clear();
  auto it = std::lower_bound(far_links_.begin(), far_links_.end(), FarLink{row, 0});
  for (; it != far_links_.end() && it->row == row && s.fresh.size() < degree_ / 2; ++it) {
    // By its number: the same distance may have been rounded differently elsewhere.
    const std::uint32_t other = other_of(it->key, row);
    const auto same = [&](std::uint64_t key) { return other_of(key, row) == other; };
    if (std::none_of(s.candidates.begin(), s.candidates.end(), same) &&
        std::none_of(s.fresh.begin(), s.fresh.end(), same))
      s.fresh.push_back(it->key);
  }
  return s.fresh.size();
}

// Each of them to the next of them, around, and to what one that was compared with others is linked to.
void LeafBuilder::link_equals(Graph& graph) const {
  for (const Rows& equal : equals_) {
    context_.check();
    const std::size_t compared = most_equal_ + 1;
    const std::size_t next = std::min<std::size_t>(most_equal_, degree_ / 2);
    std::vector<Rows> outside(compared);
    for (std::size_t i = 0; i < compared; ++i) {
      for (std::uint32_t k = 0; k < degree_; ++k) {
        const std::uint32_t to = graph.of(equal[i])[k];
        if (!std::binary_search(equal.begin(), equal.end(), to)) outside[i].push_back(to);
      }
    }
    for (std::size_t i = 0; i < equal.size(); ++i) {
      if (i % 1024 == 0) context_.check();
      std::uint32_t* out = graph.of(equal[i]);
      std::uint32_t* const end = out + degree_;
      for (std::size_t k = 1; k <= next; ++k) *out++ = equal[(i + k) % equal.size()];
      const Rows& others = outside[i % compared];
      out = std::copy_n(others.begin(), std::min<std::ptrdiff_t>(end - out, std::ssize(others)), out);
      std::fill(out, end, equal[i]);
    }
  }
}

}  // namespace vecstore::hnsw
