#include "index/vector/hnsw_leaves.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "index/vector/hnsw_keys.hpp"
#include "simd/block_kernels.hpp"

namespace vecstore::hnsw {

namespace {

constexpr std::size_t kRowsAtOnce = 32;  // against all of a leaf
constexpr std::size_t kFanOut = 3;       // leaves of a row in each round
constexpr std::size_t kLeastLeaf = 256;  // about as many rows, and up to three times as many
constexpr std::size_t kRowsOfFarLink = 2;
constexpr std::size_t kMostPivots = 1024;
constexpr std::size_t kEffortOfRound = 10;  // of ef_construction
constexpr std::size_t kFewestRounds = 2, kMostRounds = 40;
constexpr float kUnbounded = std::numeric_limits<float>::infinity();

std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

}  // namespace

LeafBuilder::LeafBuilder(const ByteCodes& codes, const BuildOptions& options, Context& context,
                         const std::function<void(std::uint64_t)>& progress)
    : codes_(codes),
      options_(options),
      degree_((2 * options.m + 3) / 4 * 4),
      kept_(2 * degree_),
      most_equal_(std::min<std::size_t>(kMostEqual, kept_ / 4)),
      rounds_(std::clamp<std::size_t>(options.ef_construction / kEffortOfRound, kFewestRounds, kMostRounds)),
      context_(context),
      progress_(progress),
      locks_(std::make_unique<std::atomic_flag[]>(codes.rows())),
      keys_(std::size_t{codes.rows()} * kept_),
      counts_(codes.rows(), 0),
      back_counts_(codes.rows(), 0) {
  const std::size_t threads = options_.parallel ? std::max<std::size_t>(options_.threads, 1) : 1;
  for (std::size_t i = 0; i < threads; ++i) scratch_.push_back(std::make_unique<Scratch>());
}

LeafBuilder::~LeafBuilder() = default;

void LeafBuilder::parallel(std::size_t count,
                           const std::function<void(std::size_t, Scratch&, Context&)>& fn) {
  if (scratch_.size() == 1 || count < 2) {
    for (std::size_t i = 0; i < count; ++i) fn(i, *scratch_[0], context_);
    return;
  }
  std::atomic<std::size_t> next{0};
  (*options_.parallel)(scratch_.size(), [&](std::size_t thread) {
    Context context = context_.child();
    for (std::size_t i; (i = next.fetch_add(1)) < count;) fn(i, *scratch_[thread], context);
  });
}

// Of all work, in rows.
void LeafBuilder::report(std::uint64_t work) {
  if (!progress_) return;
  const std::lock_guard lock(mutex_);
  work_ += work;
  const std::uint64_t rows = codes_.rows();
  const std::uint64_t done = std::min<std::uint64_t>(rows, work_ / (rounds_ + 2));
  if (done <= reported_) return;
  reported_ = done;
  progress_(done);
}

void LeafBuilder::find_near() {
  for (std::uint32_t round = 0; round < rounds_; ++round) {
    const std::vector<Rows> leaves = partition(round);
    std::size_t members = 0;
    for (const Rows& leaf : leaves) members += leaf.size();
    const std::size_t times = std::max<std::size_t>(1, members / rows_.size());
    parallel(leaves.size(), [&](std::size_t i, Scratch& s, Context& context) {
      context.check();
      compare(leaves[i], s, context);
      report(leaves[i].size() / times);
    });
    if (leaves.size() == 1) break;  // everything has been compared with everything
  }
}

std::vector<LeafBuilder::Rows> LeafBuilder::partition(std::uint32_t round) {
  const std::size_t most = 3 * std::max<std::size_t>(kLeastLeaf, 4 * kept_);
  std::vector<Rows> open{rows_}, leaves;
  std::uint64_t seed = std::uint64_t{round} << 32;
  for (std::size_t fan_out = kFanOut; !open.empty(); fan_out = 1) {
    const Rows rows = std::move(open.back());
    open.pop_back();
    if (rows.size() <= most) {
      leaves.push_back(rows);
      continue;
    }
    for (Rows& part : split(rows, ++seed, fan_out)) {
      if (part.size() <= rows.size() / 8 * 7) {
        if (part.size() > 1) open.push_back(std::move(part));
        continue;
      }
      // No pivot tells these apart.
      for (std::size_t i = 0; i < part.size(); i += most)
        leaves.emplace_back(part.begin() + static_cast<std::ptrdiff_t>(i),
                            part.begin() + static_cast<std::ptrdiff_t>(std::min(part.size(), i + most)));
    }
  }
  return leaves;
}

// Each row goes to its nearest pivots, which are some of the rows.
std::vector<LeafBuilder::Rows> LeafBuilder::split(const Rows& rows, std::uint64_t seed, std::size_t fan_out) {
  const std::size_t target = std::max<std::size_t>(kLeastLeaf, 4 * kept_);
  const std::size_t wanted = std::clamp<std::size_t>(rows.size() / target, 4, kMostPivots);
  Rows pivots;
  for (std::size_t i = 0; i < wanted; ++i) pivots.push_back(rows[mixed(seed << 16 | i) % rows.size()]);
  std::sort(pivots.begin(), pivots.end());
  pivots.erase(std::unique(pivots.begin(), pivots.end()), pivots.end());
  fan_out = std::min(fan_out, pivots.size());
  ByteCodes::Block block;
  codes_.pack(pivots.data(), pivots.size(), block);
  link_pivots(pivots, block);
  std::vector<std::uint32_t> nearest(rows.size() * fan_out);
  constexpr std::size_t kPart = 512;
  parallel((rows.size() + kPart - 1) / kPart, [&](std::size_t part, Scratch& s, Context& context) {
    context.check();
    const std::size_t end = std::min(rows.size(), (part + 1) * kPart);
    for (std::size_t i = part * kPart; i < end; i += kRowsAtOnce)
      nearest_pivots(rows.data() + i, std::min(kRowsAtOnce, end - i), block, fan_out, s,
                     nearest.data() + i * fan_out);
  });
  std::vector<Rows> out(pivots.size());
  for (std::size_t i = 0; i < nearest.size(); ++i) out[nearest[i]].push_back(rows[i / fan_out]);
  // Some rows are linked to one of their farthest leaf, so that links lead into every group.
  for (std::size_t i = 0; i < rows.size() && fan_out > 1; ++i) {
    if (i % 1024 == 0) context_.check();
    const std::uint64_t random = mixed(rows[i]);
    if (random % (kRowsOfFarLink * rounds_) != seed >> 32) continue;
    const Rows& leaf = out[nearest[(i + 1) * fan_out - 1]];
    const std::uint32_t other = leaf[(random >> 32) % leaf.size()];
    float distance;
    codes_.distances(rows[i], &other, 1, &distance);
    if (other != rows[i]) far_links_.push_back({rows[i], key_of(distance, other, rows[i])});
  }
  return out;
}

void LeafBuilder::link_pivots(const Rows& pivots, const ByteCodes::Block& block) {
  const std::size_t wanted = std::min<std::size_t>(degree_ / 4, pivots.size() - 1);
  std::vector<float> distances(block.width());
  std::vector<std::uint64_t> near;
  for (std::uint32_t row : pivots) {
    context_.check();
    codes_.distances(&row, 1, block, distances.data());
    near.clear();
    for (std::size_t c = 0; c < pivots.size(); ++c) {
      if (pivots[c] != row) near.push_back(key_of(distances[c], pivots[c], row));
    }
    const auto end = near.begin() + static_cast<std::ptrdiff_t>(wanted);
    std::partial_sort(near.begin(), end, near.end());
    for (auto it = near.begin(); it != end; ++it) far_links_.push_back({row, *it});
  }
}

void LeafBuilder::nearest_pivots(const std::uint32_t* rows, std::size_t count, const ByteCodes::Block& pivots,
                                 std::size_t fan_out, Scratch& s, std::uint32_t* out) const {
  s.distances.resize(std::max(s.distances.size(), count * pivots.width()));
  codes_.distances(rows, count, pivots, s.distances.data());
  for (std::size_t r = 0; r < count; ++r, out += fan_out) {
    const float* d = s.distances.data() + r * pivots.width();
    float best[kFanOut];
    std::size_t found = 0;
    for (std::uint32_t c = 0; c < pivots.size(); ++c) {
      if (found == fan_out && !(d[c] < best[fan_out - 1])) continue;
      std::size_t at = found < fan_out ? found++ : fan_out - 1;
      for (; at > 0 && best[at - 1] > d[c]; --at) {
        best[at] = best[at - 1];
        out[at] = out[at - 1];
      }
      best[at] = d[c];
      out[at] = c;
    }
  }
}

void LeafBuilder::compare(const Rows& leaf, Scratch& s, const Context& context) {
  codes_.pack(leaf.data(), leaf.size(), s.block);
  const std::size_t width = s.block.width();
  s.distances.resize(std::max(s.distances.size(), kRowsAtOnce * width));
  s.places.resize(std::max(s.places.size(), width));
  s.usual = kUnbounded;
  for (std::size_t i = 0; i < leaf.size(); i += kRowsAtOnce) {
    context.check();
    const std::size_t n = std::min(kRowsAtOnce, leaf.size() - i);
    codes_.distances(leaf.data() + i, n, s.block, s.distances.data());
    for (std::size_t r = 0; r < n; ++r) {
      if (i + r + 2 < leaf.size()) {
        const std::uint64_t* next = keys(leaf[i + r + 2]);
        for (std::size_t k = 0; k < kept_; k += 8) __builtin_prefetch(next + k, 1);
      }
      offer_leaf(leaf, leaf[i + r], s.distances.data() + r * width, s);
    }
  }
}

// `distances`: from `row` to each of the leaf.
void LeafBuilder::offer_leaf(const Rows& leaf, std::uint32_t row, const float* distances, Scratch& s) {
  constexpr float kMore = 1.2f;
  const RowLock lock(locks_[row]);
  // Where the list is empty yet, what was enough for the rows before should do; else all are looked at.
  const bool full = counts_[row] == kept_;
  bool guessed = !full && counts_[row] == 0 && s.usual < kUnbounded;
  float bound = full ? std::nextafter(distance_of(keys(row)[kept_ - 1]), kUnbounded) : kUnbounded;
  while (true) {
    const std::size_t found = simd::block_kernels().places_below(
        distances, leaf.size(), guessed ? kMore * s.usual : bound, s.places.data());
    if (guessed && found <= kept_) {
      guessed = false;
      continue;
    }
    s.fresh.clear();
    std::size_t equal = 0;
    for (std::size_t f = 0; f < found; ++f) {
      const std::uint32_t other = leaf[s.places[f]];
      if (other == row) continue;
      s.fresh.push_back(key_of(distances[s.places[f]], other, row));
      equal += s.fresh.back() >> 32 == 0;
    }
    if (guessed && s.fresh.size() - equal < kept_) {
      guessed = false;
      continue;
    }
    break;
  }
  merge(row, s);
  if (counts_[row] == kept_) s.usual = distance_of(keys(row)[kept_ - 1]);
}

// The nearest of the list and of s.fresh become the list, which others may have a part in.
void LeafBuilder::merge(std::uint32_t row, Scratch& s) {
  std::uint64_t* own = keys(row);
  // Of those at distance 0 only some may stay: they must not take the room of others.
  const auto others =
      std::partition(s.fresh.begin(), s.fresh.end(), [](std::uint64_t key) { return key >> 32 == 0; });
  const auto most = static_cast<std::ptrdiff_t>(kept_);
  if (s.fresh.end() - others > most) {
    std::nth_element(others, others + most, s.fresh.end());
    s.fresh.erase(others + most, s.fresh.end());
  }
  std::sort(s.fresh.begin(), s.fresh.end());
  s.merged.clear();
  std::size_t a = 0, b = 0, equal = 0;
  const std::size_t count = counts_[row];
  while (s.merged.size() < kept_ && (a < count || b < s.fresh.size())) {
    std::uint64_t key;
    if (b == s.fresh.size() || (a < count && own[a] <= s.fresh[b])) {
      key = own[a++];
      if (b < s.fresh.size() && s.fresh[b] == key) ++b;
    } else {
      key = s.fresh[b++];
    }
    if (key >> 32 == 0 && ++equal > most_equal_) continue;
    s.merged.push_back(key);
  }
  std::copy(s.merged.begin(), s.merged.end(), own);
  counts_[row] = static_cast<std::uint16_t>(s.merged.size());
}

}  // namespace vecstore::hnsw
