// Searches of HnswIndex: a walk on 4-bit codes, then the best nodes scored with the rescoring copy.
#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "base/count_bits.hpp"
#include "base/error.hpp"
#include "index/vector/hnsw_index.hpp"
#include "index/vector/hnsw_parts.hpp"

namespace vecstore {

namespace {

constexpr std::uint32_t kCandidates = 8192;
constexpr std::uint32_t kStepsPerCheck = 512;
constexpr std::uint32_t kFewestHits = 20;
constexpr float kGuard = 0.75f;  // of the gap
// A walk over results costs as much as looking at so many codes one after the other.
constexpr std::uint64_t kMostScanned = 20'000;
constexpr std::uint32_t kWantedNeighbours = 32;

struct Found {
  float estimate;
  std::uint32_t node;
};

bool all_finite(std::span<const float> values) {
  constexpr std::uint32_t kExponent = 0x7f800000;
  bool finite = true;
  for (float v : values) finite &= (std::bit_cast<std::uint32_t>(v) & kExponent) != kExponent;
  return finite;
}

bool better(const Found& a, const Found& b) {
  return a.estimate != b.estimate ? a.estimate < b.estimate : a.node < b.node;
}

/// Leaves the `count` best scores. Of equal ones those that come first: far from all rows, floats cannot tell
/// apart what estimates can.
void keep_best(std::size_t count, std::vector<float>& scores, std::vector<HnswHit>& hits) {
  scores.clear();
  for (const HnswHit& h : hits) scores.push_back(h.score);
  const auto last = scores.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(scores.begin(), last, scores.end(), std::greater<>());
  const float least = *last;
  auto room = static_cast<std::ptrdiff_t>(count) -
              std::count_if(scores.begin(), last, [=](float s) { return s > least; });
  std::erase_if(hits, [&](const HnswHit& h) { return h.score < least || (h.score == least && room-- <= 0); });
}

}  // namespace

struct HnswScratch::Arrays {
  NibbleQuery query;
  std::vector<std::uint64_t> visited;  // all zero between searches
  std::vector<float> best;
  std::vector<float> distances;
  std::vector<std::uint32_t> nodes;
  std::vector<float> done_distances;
  std::vector<std::uint32_t> done_nodes;
  std::vector<std::uint32_t> touched;
  std::vector<Found> found;
  std::vector<float> scores;
  simd::WalkState state{};
  float known_estimate = 0;

  void prepare(std::uint32_t size, const HnswIndex::Limits& limits) {
    if (visited.size() < size / 64 + 1) visited.resize(size / 64 + 1);
    best.resize(std::max<std::size_t>(best.size(), limits.kept + 1));
    const std::uint32_t capacity = std::max(kCandidates, 4 * limits.kept);
    distances.resize(std::max<std::size_t>(distances.size(), capacity + 64));
    nodes.resize(distances.size());
    done_distances.resize(std::max<std::size_t>(done_distances.size(), limits.most_expanded + 1));
    done_nodes.resize(done_distances.size());
    touched.resize(16384);
    state = {};
    state.visited = visited.data();
    state.best = best.data();
    state.distances = distances.data();
    state.nodes = nodes.data();
    state.capacity = capacity;
    state.done_distances = done_distances.data();
    state.done_nodes = done_nodes.data();
    state.touched = touched.data();
    state.touched_capacity = touched.size();
  }

  // Also when the walk ended with an exception.
  void clear_visited() {
    if (state.touched_count > touched.size()) {
      std::fill(visited.begin(), visited.end(), 0);
    } else {
      for (std::size_t i = 0; i < state.touched_count; ++i) visited[touched[i] >> 6] = 0;
    }
  }
};

HnswScratch::HnswScratch() : arrays_(std::make_unique<Arrays>()) {}
HnswScratch::~HnswScratch() = default;

HnswIndex::Limits HnswIndex::limits_of(std::uint32_t ef, std::uint32_t k) {
  const float doublings = std::log2(static_cast<float>(std::max(ef, 1u)) / 32);
  Limits limits;
  limits.gap = doublings > 0 ? 0.364f + 0.34f * doublings : 0.364f * std::exp2(doublings);
  limits.kept = std::max(k, ef / 4);
  limits.most_expanded = 128 + 8 * std::max(ef, k);
  limits.margin = std::clamp(3 + 1.5f * doublings, 2.5f, 10.0f);
  limits.most_rescored = std::max(4 * k, 64 + 2 * ef);
  limits.probes = ef < 12 ? 1 : std::clamp(2 + ef / 128, 3u, simd::kMaxProbes);
  // The least effort is a walk that goes on only while it finds better rows.
  if (ef < 16) limits.gap = ef > 8 ? 0.182f * static_cast<float>(ef - 8) / 8 : 0.0f;
  return limits;
}

void HnswIndex::search(const HnswQuery& query, HnswScratch& scratch, Context& context,
                       std::vector<HnswHit>& out) const {
  search(query, limits_of(std::max(query.ef, 1u), std::max(query.k, 1u)), scratch, context, out);
}

void HnswIndex::search(const HnswQuery& query, const Limits& limits, HnswScratch& scratch, Context& context,
                       std::vector<HnswHit>& out) const {
  if (query.vector.size() != dimension())
    invalid("the query has ", query.vector.size(), " components, the index has ", dimension());
  if (query.k < 1) invalid("k is 0; it must be at least 1");
  if (!all_finite(query.vector)) invalid("the query has a component that is not finite");
  context.check();
  HnswScratch::Arrays& a = *scratch.arrays_;
  a.query.assign(coder_, query.vector);
  a.known_estimate = std::numeric_limits<float>::infinity();
  for (const auto& score : {query.score_threshold, query.known_score}) {
    if (score) a.known_estimate = std::min(a.known_estimate, a.query.estimate_of(*score));
  }
  a.found.clear();
  a.prepare(nodes_, limits);
  const std::uint64_t matches = admitted_nodes(query);
  HnswWay way = query.way;
  if (way == HnswWay::kChosen) way = prefer_scan(query, matches, limits) ? HnswWay::kScan : HnswWay::kWalk;
  if (way == HnswWay::kWalk) {
    walk(query, limits, 0, a, context);
    // What is nearest and does not match fills the walk: those that match lie behind it.
    const bool filtered = query.admitted || query.retired;
    if (filtered && a.state.done_count >= limits.most_expanded && query.way == HnswWay::kChosen)
      way = matches > kMostScanned ? HnswWay::kResults : HnswWay::kScan;
  }
  if (way == HnswWay::kResults) {
    const bool again = query.way == HnswWay::kChosen;
    walk(query, again ? limits_of(4 * query.ef, query.k) : limits, kWantedNeighbours, a, context);
  }
  // What matches may lie where no walk from here comes to.
  const simd::WalkState& s = a.state;
  if (way == HnswWay::kScan || (s.best_count < query.k && s.best_count < nodes_))
    scan_admitted(query, limits, a, context);
  else
    take_walked(a, query);
  context.counters.rows_scanned += s.scored;
  context.counters.bytes_read += s.scored * code_bytes_ + s.done_count * degree_ * sizeof(std::uint32_t);
  collect(a, query, limits, context, out);
}

const simd::WalkGraph& HnswIndex::graph_now() const {
  const simd::WalkGraph* walk = walk_.load(std::memory_order_acquire);
  return walk ? *walk : cold_;
}

void HnswIndex::walk(const HnswQuery& query, const Limits& limits, std::uint32_t wanted_neighbours,
                     HnswScratch::Arrays& a, Context& context) const {
  a.prepare(nodes_, limits);
  simd::WalkState& s = a.state;
  s.k = query.k;
  s.kept = std::max(query.k, limits.kept);
  s.most_expanded = limits.most_expanded;
  s.pause_after = kStepsPerCheck;
  s.probes = limits.probes;
  s.admitted = query.admitted;
  s.retired = query.retired;
  s.wanted_neighbours = wanted_neighbours;
  s.gap = static_cast<float>(limits.gap * gap_unit_ * a.query.gap_scale());
  s.guard = kGuard * s.gap;
  s.shared_bound = a.known_estimate + s.gap;
  struct Clear {
    HnswScratch::Arrays& arrays;
    ~Clear() { arrays.clear_visited(); }
  } clear{a};
  while (!simd::code_kernels().walk(graph_now(), a.query.walk_query(), s)) context.check();
}

std::uint64_t HnswIndex::admitted_nodes(const HnswQuery& query) const {
  if (!query.admitted && !query.retired) return nodes_;
  const std::size_t words = (std::size_t{nodes_} + 63) / 64;
  if (!query.admitted) return nodes_ - count_bits({query.retired, words});
  if (!query.retired) return count_bits({query.admitted, words});
  std::uint64_t matches = 0;
  for (std::size_t i = 0; i < words; ++i)
    matches += static_cast<std::uint64_t>(std::popcount(query.admitted[i] & ~query.retired[i]));
  return matches;
}

// A walk meets an admitted node as rarely as there are any; below some share, looking at all of them is
// faster.
bool HnswIndex::prefer_scan(const HnswQuery& query, std::uint64_t matches, const Limits& limits) const {
  if (!query.admitted) return false;
  const double walked = 1000 + 20.0 * limits.kept + 1240.0 * limits.gap;  // codes, without a filter
  return static_cast<double>(matches) * static_cast<double>(matches) <= walked * nodes_;
}

void HnswIndex::scan_admitted(const HnswQuery& query, const Limits& limits, HnswScratch::Arrays& a,
                              Context& context) const {
  constexpr std::uint32_t kBatch = 512;
  const simd::WalkGraph& graph = graph_now();
  simd::WalkState& s = a.state;
  std::uint32_t ids[kBatch + 64 + 4];
  float estimates[kBatch + 64 + 4];
  std::uint32_t count = 0;
  s.best_count = 0;
  const float margin = static_cast<float>(limits.margin * error_unit_ * a.query.gap_scale());
  const auto flush = [&] {
    context.check();
    if (graph.admit_codes) graph.admit_codes(graph.admit_context, ids, count);
    simd::code_kernels().estimates(graph, a.query.walk_query(), ids, count, estimates);
    for (std::uint32_t i = 0; i < count; ++i) {
      const bool full = s.best_count == query.k;  // else everything is worth a look
      if (full && !(estimates[i] <= s.best[query.k - 1] + margin)) continue;
      a.found.push_back({estimates[i], ids[i]});
      if (full && !(estimates[i] < s.best[query.k - 1])) continue;
      std::uint32_t at = full ? query.k - 1 : s.best_count++;
      for (; at > 0 && s.best[at - 1] > estimates[i]; --at) s.best[at] = s.best[at - 1];
      s.best[at] = estimates[i];
    }
    s.scored += count;
    count = 0;
  };
  for (std::uint32_t word = 0; word < (nodes_ + 63) / 64; ++word) {
    std::uint64_t bits = query.admitted ? query.admitted[word] : ~std::uint64_t{0};
    if (query.retired) bits &= ~query.retired[word];
    for (; bits; bits &= bits - 1) {
      const std::uint32_t node = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
      if (node >= nodes_) break;
      const std::uint8_t* code = graph.codes + node * code_bytes_;
      for (std::size_t b = 0; b < code_bytes_; b += 64) __builtin_prefetch(code + b);
      ids[count++] = node;
    }
    if (count >= kBatch) flush();
  }
  if (count) flush();
}

void HnswIndex::take_walked(HnswScratch::Arrays& a, const HnswQuery& query) const {
  const simd::WalkState& s = a.state;
  const auto add = [&](const float* estimates, const std::uint32_t* nodes, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t node = nodes[i];
      if (query.retired && (query.retired[node >> 6] >> (node & 63) & 1)) continue;
      if (query.admitted && !(query.admitted[node >> 6] >> (node & 63) & 1)) continue;
      a.found.push_back({estimates[i], node});
    }
  };
  add(s.done_distances, s.done_nodes, s.done_count);
  add(s.distances, s.nodes, s.candidate_count);
}

// The best by their estimates: all that the error of an estimate may have kept from the first k.
void HnswIndex::collect(HnswScratch::Arrays& a, const HnswQuery& query, const Limits& limits,
                        Context& context, std::vector<HnswHit>& out) const {
  const simd::WalkState& s = a.state;
  const std::size_t hits = query.hits ? query.hits : std::max(2 * query.k, kFewestHits);
  std::size_t wanted = hits;
  if (s.best_count >= query.k) {
    // What another index has found counts as if it were this one's.
    const float kth = std::min(s.best[query.k - 1], a.known_estimate);
    const float limit = kth + static_cast<float>(limits.margin * error_unit_ * a.query.gap_scale());
    const auto within = static_cast<std::size_t>(
        std::count_if(a.found.begin(), a.found.end(), [=](const Found& f) { return f.estimate <= limit; }));
    wanted = std::min<std::size_t>(within, std::max(limits.most_rescored, query.k));
    if (kth == s.best[query.k - 1]) wanted = std::max<std::size_t>({wanted, query.k, query.hits});
  }
  if (a.found.size() > wanted) {
    std::nth_element(a.found.begin(), a.found.begin() + static_cast<std::ptrdiff_t>(wanted), a.found.end(),
                     better);
    a.found.resize(wanted);
  }
  if (a.found.size() > hits) std::sort(a.found.begin(), a.found.end(), better);
  rescore(a, context, out);
  if (out.size() > hits) keep_best(hits, a.scores, out);
  std::sort(out.begin(), out.end(), [](const HnswHit& x, const HnswHit& y) {
    return x.score != y.score ? x.score > y.score : x.node < y.node;
  });
}

void HnswIndex::rescore(HnswScratch::Arrays& a, Context& context, std::vector<HnswHit>& out) const {
  const simd::WalkGraph* walk = walk_.load(std::memory_order_acquire);
  const std::uint8_t* codes = (walk ? walk : &cold_)->codes;
  for (const Found& f : a.found) {
    if (!residual_bytes_) break;
    const std::uint8_t* p = residuals_ + f.node * residual_bytes_;
    if (file_) file_->admit({reinterpret_cast<const std::byte*>(p), residual_bytes_});
    for (std::size_t b = 0; b < residual_bytes_; b += 64) __builtin_prefetch(p + b);
    __builtin_prefetch(residual_steps_ + f.node);
  }
  out.clear();
  for (const Found& f : a.found) {
    if (!walk)
      Checks::codes(this, &f.node, 1);  // an entry was scored by the copy of its code among the entries
    const std::uint8_t* residual = residual_bytes_ ? residuals_ + f.node * residual_bytes_ : nullptr;
    out.push_back({a.query.score(codes + f.node * code_bytes_, residual, side(f.node)), f.node});
  }
  context.counters.rows_rescored += out.size();
}

}  // namespace vecstore
