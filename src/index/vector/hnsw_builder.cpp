#include "index/vector/hnsw_builder.hpp"

#include <algorithm>
#include <numeric>

#include "base/error.hpp"

namespace vecstore::hnsw {

namespace {

constexpr std::size_t kFirstRows = 256;          // inserted one after the other
constexpr std::size_t kRowsPerPart = 64;         // that a thread takes at a time
constexpr std::uint32_t kExpanded = 0x80000000;  // beyond every node
constexpr std::size_t kProbes = 3;               // pivots whose buckets are looked at, entries that are used
constexpr std::size_t kMostEqual = 12;           // rows at distance 0 among the near rows of a row

bool nearer(const Near& a, const Near& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.node < b.node;
}

}  // namespace

class GraphBuilder::Lock {
 public:
  explicit Lock(std::atomic_flag& flag) : flag_(flag) {
    while (flag_.test_and_set(std::memory_order_acquire)) {
      while (flag_.test(std::memory_order_relaxed)) {
      }
    }
  }
  ~Lock() { flag_.clear(std::memory_order_release); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  std::atomic_flag& flag_;
};

// What one thread needs for its walks.
struct GraphBuilder::Scratch {
  Scratch(const ByteCodes& codes, std::size_t ef, std::size_t capacity)
      : visited(codes.rows(), 0), links(capacity), distances(capacity) {
    pool.reserve(ef + 1);
  }

  bool visit(std::uint32_t node) {
    if (visited[node] == epoch) return false;
    visited[node] = epoch;
    return true;
  }
  void new_epoch() {
    if (++epoch == 0) {
      std::fill(visited.begin(), visited.end(), 0);
      epoch = 1;
    }
  }

  std::uint32_t row = 0;  // the one that is inserted
  std::vector<std::uint8_t> visited;
  std::uint8_t epoch = 0;
  std::vector<std::uint32_t> links;
  std::vector<float> distances;
  std::vector<Near> pool;  // the nearest so far, in order
  std::vector<Near> list;
  std::vector<Near> chosen;
  std::vector<Near> rest;
  std::vector<std::uint32_t> chosen_ids;
  std::vector<std::uint32_t> ids;
  std::vector<std::uint32_t> more_ids;
};

GraphBuilder::GraphBuilder(const ByteCodes& codes, const BuildOptions& options, Context& context,
                           const std::function<void(std::uint64_t)>& progress)
    : codes_(codes),
      options_(options),
      degree_((2 * options.m + 3) / 4 * 4),
      capacity_(2 * degree_),
      context_(context),
      progress_(progress),
      locks_(std::make_unique<std::atomic_flag[]>(codes.rows())),
      counts_(codes.rows(), 0),
      ids_(std::size_t{codes.rows()} * capacity_),
      distances_(ids_.size()) {
  const std::size_t threads = options_.parallel ? std::max<std::size_t>(options_.threads, 1) : 1;
  for (std::size_t i = 0; i < threads; ++i)
    scratch_.push_back(std::make_unique<Scratch>(codes_, options_.ef_construction, capacity_));
}

GraphBuilder::~GraphBuilder() = default;

void GraphBuilder::parallel(std::size_t count,
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

void GraphBuilder::report(std::uint64_t done) {
  const std::uint64_t now = done_ += done;
  if (!progress_) return;
  const std::lock_guard lock(mutex_);
  progress_(now);
}

void GraphBuilder::take_over(const Graph& graph, const std::vector<std::uint32_t>& number) {
  constexpr std::uint32_t kPart = 512;
  parallel((graph.nodes + kPart - 1) / kPart, [&](std::size_t part, Scratch& s, Context& context) {
    context.check();
    const auto begin = static_cast<std::uint32_t>(part * kPart);
    for (std::uint32_t node = begin; node < std::min(graph.nodes, begin + kPart); ++node) {
      if (number[node] != kNone) take_over_node(graph, number, node, s);
    }
  });
}

void GraphBuilder::take_over_node(const Graph& graph, const std::vector<std::uint32_t>& number,
                                  std::uint32_t node, Scratch& s) {
  constexpr std::uint32_t kOffered = 8;  // neighbours of a lost one, the nearest of them
  std::vector<std::uint32_t>& kept = s.ids;
  std::vector<std::uint32_t>& others = s.more_ids;
  kept.clear();
  others.clear();
  std::size_t lost = 0;
  for (std::uint32_t i = 0; i < graph.degree && graph.of(node)[i] != node; ++i) {
    const std::uint32_t to = graph.of(node)[i];
    if (number[to] != kNone) {
      kept.push_back(number[to]);
      continue;
    }
    ++lost;
    for (std::uint32_t j = 0, offered = 0; j < graph.degree && offered < kOffered; ++j) {
      const std::uint32_t next = graph.of(to)[j];
      if (next == node || number[next] == kNone) continue;
      others.push_back(number[next]);
      ++offered;
    }
  }
  const std::uint32_t self = number[node];
  measure(self, kept, s);
  std::vector<Near> list = s.list;
  if (lost) {
    std::sort(others.begin(), others.end());
    others.erase(std::unique(others.begin(), others.end()), others.end());
    std::erase_if(others,
                  [&](std::uint32_t o) { return std::find(kept.begin(), kept.end(), o) != kept.end(); });
    measure(self, others, s);
    s.chosen_ids = kept;
    s.rest.clear();
    for (const Near& c : s.list) {
      if (lost > 0 && none_nearer(c, s)) {
        list.push_back(c);
        s.chosen_ids.push_back(c.node);
        --lost;
      } else {
        s.rest.push_back(c);
      }
    }
    for (std::size_t i = 0; i < s.rest.size() && lost > 0; ++i, --lost) list.push_back(s.rest[i]);
    std::sort(list.begin(), list.end(), nearer);
  }
  if (list.size() > degree_) select(list, s);
  store(self, list);
}

// Fills the scratch's list with `links` of a node and their distances, nearest first.
void GraphBuilder::measure(std::uint32_t node, const std::vector<std::uint32_t>& links, Scratch& s) const {
  s.distances.resize(std::max(s.distances.size(), links.size()));
  codes_.distances(node, links.data(), links.size(), s.distances.data());
  s.list.clear();
  for (std::size_t i = 0; i < links.size(); ++i) s.list.push_back({s.distances[i], links[i]});
  std::sort(s.list.begin(), s.list.end(), nearer);
}

// Whether no chosen one is much nearer to a candidate than the node itself is.
bool GraphBuilder::none_nearer(const Near& candidate, Scratch& s) const {
  for (std::size_t j = 0; j < s.chosen_ids.size(); j += 4) {
    float d[4];
    const std::size_t n = std::min<std::size_t>(4, s.chosen_ids.size() - j);
    codes_.distances(candidate.node, s.chosen_ids.data() + j, n, d);
    for (std::size_t k = 0; k < n; ++k) {
      if (!(options_.alpha * d[k] > candidate.distance)) return false;
    }
  }
  return true;
}

void GraphBuilder::insert_all(std::vector<std::uint32_t> present, const std::vector<std::uint32_t>& rows) {
  // In rounds that double what is there: walks begin at rows of earlier rounds, whose lists are complete.
  std::size_t begin = 0;
  if (present.empty() && !rows.empty()) {
    present.push_back(rows[0]);
    begin = 1;
  }
  while (begin < rows.size()) {
    const std::size_t most = present.size() < kFirstRows ? 16 : present.size();
    const std::size_t end = std::min(rows.size(), begin + most);
    entries_ = make_entries(codes_, present, context_);
    if (present.size() < kFirstRows) {
      for (std::size_t i = begin; i < end; ++i) insert(rows[i], *scratch_[0]);
      context_.check();
      report(end - begin);
    } else {
      insert_range(rows.data() + begin, end - begin);
    }
    present.insert(present.end(), rows.begin() + static_cast<std::ptrdiff_t>(begin),
                   rows.begin() + static_cast<std::ptrdiff_t>(end));
    begin = end;
  }
}

void GraphBuilder::insert_range(const std::uint32_t* rows, std::size_t count) {
  parallel((count + kRowsPerPart - 1) / kRowsPerPart, [&](std::size_t part, Scratch& s, Context& context) {
    const std::size_t begin = part * kRowsPerPart, end = std::min(count, begin + kRowsPerPart);
    for (std::size_t i = begin; i < end; ++i) {
      if ((i & 15) == 0) context.check();
      insert(rows[i], s);
    }
    report(end - begin);
  });
}

// Scores nodes begin .. end - 1 of the entries and keeps the nearest in the pool; by their places.
void GraphBuilder::offer_entries(Scratch& s, std::uint32_t begin, std::uint32_t end, std::size_t keep) {
  const std::uint32_t count = end - begin;
  s.distances.resize(std::max<std::size_t>(s.distances.size(), count));
  const std::uint32_t* nodes = entries_.nodes.data() + begin;
  codes_.distances(s.row, nodes, count, s.distances.data());
  for (std::uint32_t i = 0; i < count; ++i) {
    const Near near{s.distances[i], begin + i};
    if (s.pool.size() == keep) {
      if (!nearer(near, s.pool.back())) continue;
      s.pool.pop_back();
    }
    s.pool.insert(std::upper_bound(s.pool.begin(), s.pool.end(), near, nearer), near);
  }
}

// Puts the nearest entries into the pool.
void GraphBuilder::enter(Scratch& s) {
  s.pool.clear();
  offer_entries(s, 0, entries_.pivots(), kProbes);
  const std::vector<Near> pivots = s.pool;
  for (const Near& pivot : pivots)
    offer_entries(s, entries_.begins[pivot.node], entries_.begins[pivot.node + 1], kProbes);
  for (Near& near : s.pool) {
    near.node = entries_.nodes[near.node];
    s.visit(near.node);
  }
  std::sort(s.pool.begin(), s.pool.end(), nearer);
}

void GraphBuilder::walk(Scratch& s) {
  s.new_epoch();
  enter(s);
  std::size_t equal = 0;
  for (std::size_t at = 0; at < s.pool.size();) {
    if (s.pool[at].node & kExpanded) {
      ++at;
      continue;
    }
    const std::uint32_t node = s.pool[at].node;
    s.pool[at].node |= kExpanded;
    const std::size_t count = copy_links(node, s.links.data());
    std::size_t fresh = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!s.visit(s.links[i])) continue;
      codes_.prefetch(s.links[i]);
      s.links[fresh++] = s.links[i];
    }
    codes_.distances(s.row, s.links.data(), fresh, s.distances.data());
    for (std::size_t i = 0; i < fresh; ++i) {
      const Near near{s.distances[i], s.links[i]};
      // Thousands of equal rows must not be all that a row is linked to.
      if (near.distance == 0 && ++equal > kMostEqual) continue;
      at = std::min(at, offer(s.pool, near));
    }
  }
  for (Near& near : s.pool) near.node &= ~kExpanded;
}

// Puts `near` into its place, unless the pool is full of nearer ones. Returns the place, the pool's size if
// there is none.
std::size_t GraphBuilder::offer(std::vector<Near>& pool, const Near& near) const {
  if (pool.size() < options_.ef_construction) {
    pool.push_back(near);
  } else if (near.distance < pool.back().distance) {
    pool.back() = near;
  } else {
    return pool.size();
  }
  std::size_t low = 0, high = pool.size() - 1;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (pool[middle].distance <= near.distance)
      low = middle + 1;
    else
      high = middle;
  }
  std::copy_backward(pool.begin() + static_cast<std::ptrdiff_t>(low), pool.end() - 1, pool.end());
  pool[low] = near;
  return low;
}

std::size_t GraphBuilder::copy_links(std::uint32_t node, std::uint32_t* out) {
  const Lock lock(locks_[node]);
  const std::size_t count = counts_[node];
  std::copy_n(ids_.data() + std::size_t{node} * capacity_, count, out);
  return count;
}

// Leaves at most degree_ of the candidates (in order): those that no chosen one is much nearer to, then the
// nearest of the others.
void GraphBuilder::select(std::vector<Near>& candidates, Scratch& s) const {
  s.chosen.clear();
  s.chosen_ids.clear();
  s.rest.clear();
  for (std::size_t i = 0; i < candidates.size() && s.chosen.size() < degree_; ++i) {
    const Near& c = candidates[i];
    if (none_nearer(c, s)) {
      s.chosen.push_back(c);
      s.chosen_ids.push_back(c.node);
    } else {
      s.rest.push_back(c);
    }
  }
  for (std::size_t i = 0; i < s.rest.size() && s.chosen.size() < degree_; ++i) s.chosen.push_back(s.rest[i]);
  candidates.swap(s.chosen);
}

void GraphBuilder::store(std::uint32_t node, const std::vector<Near>& list) {
  const std::size_t at = std::size_t{node} * capacity_;
  for (std::size_t i = 0; i < list.size(); ++i) {
    ids_[at + i] = list[i].node;
    distances_[at + i] = list[i].distance;
  }
  counts_[node] = static_cast<std::uint32_t>(list.size());
}

void GraphBuilder::insert(std::uint32_t row, Scratch& s) {
  s.row = row;
  walk(s);
  std::erase_if(s.pool, [row](const Near& near) { return near.node == row; });
  s.list = s.pool;
  select(s.list, s);
  {
    const Lock lock(locks_[row]);  // nobody links to this row before it links to others
    store(row, s.list);
  }
  const std::vector<Near> own = s.list;
  for (const Near& near : own) link_back(near.node, {near.distance, row}, s);
}

void GraphBuilder::link_back(std::uint32_t node, Near to, Scratch& s) {
  const Lock lock(locks_[node]);
  const std::size_t at = std::size_t{node} * capacity_;
  std::uint32_t& count = counts_[node];
  // Two rows that are inserted at the same time may choose each other.
  if (std::find(ids_.begin() + static_cast<std::ptrdiff_t>(at),
                ids_.begin() + static_cast<std::ptrdiff_t>(at + count),
                to.node) != ids_.begin() + static_cast<std::ptrdiff_t>(at + count))
    return;
  if (count == capacity_) {
    s.list.clear();
    for (std::size_t i = 0; i < count; ++i) s.list.push_back({distances_[at + i], ids_[at + i]});
    std::sort(s.list.begin(), s.list.end(), nearer);
    select(s.list, s);
    store(node, s.list);
  }
  ids_[at + count] = to.node;
  distances_[at + count] = to.distance;
  ++count;
}

void GraphBuilder::prune_all() {
  constexpr std::size_t kPart = 1024;
  parallel((codes_.rows() + kPart - 1) / kPart, [&](std::size_t part, Scratch& s, Context& context) {
    context.check();
    const std::uint32_t end =
        static_cast<std::uint32_t>(std::min<std::size_t>(codes_.rows(), (part + 1) * kPart));
    for (std::uint32_t node = static_cast<std::uint32_t>(part * kPart); node < end; ++node) {
      const std::size_t at = std::size_t{node} * capacity_;
      s.list.clear();
      for (std::size_t i = 0; i < counts_[node]; ++i) s.list.push_back({distances_[at + i], ids_[at + i]});
      std::sort(s.list.begin(), s.list.end(), nearer);
      if (s.list.size() > degree_) select(s.list, s);
      store(node, s.list);
    }
  });
}

Graph GraphBuilder::finish(std::uint32_t root) {
  prune_all();
  Graph graph;
  graph.nodes = codes_.rows();
  graph.degree = degree_;
  graph.root = root;
  graph.links.resize(std::size_t{graph.nodes} * degree_);
  for (std::uint32_t node = 0; node < graph.nodes; ++node) {
    std::uint32_t* out = graph.of(node);
    const std::uint32_t* in = ids_.data() + std::size_t{node} * capacity_;
    std::fill(std::copy_n(in, counts_[node], out), out + degree_, node);
  }
  link_unreachable(graph, codes_, context_);
  return graph;
}

}  // namespace vecstore::hnsw
