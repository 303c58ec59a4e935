// Searches of HnswIndex: a walk on 4-bit codes, then the best nodes scored with the rescoring copy.
#include <algorithm>
#include <bit>
#include <chrono>
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
constexpr float kGuard = 0.75f;              // of the gap
constexpr std::uint32_t kStepsPerLook = 64;  // of a walk that another way may take over
constexpr std::uint32_t kWantedNeighbours = 32;
constexpr std::uint32_t kMeasuredCodes = 1024;
constexpr float kLeastUnit = 0.01f;  // nanoseconds
constexpr float kMostRatio = 30;
constexpr double kMostSteps = 8192;
constexpr double kCodesPerStep = 6;  // that a walk comes to at least, usually
constexpr double kEndless = std::numeric_limits<double>::infinity();

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

// Of the entries, which lie together.
constexpr std::uint64_t kEntryCodes = 520;

/// How many other codes a walk is expected to look at where this share of the nodes is admitted.
double expected_codes(const HnswIndex::Limits& limits, double share) {
  const double kept = limits.kept, plain = 28 * kept + 680 * std::max(0.0, double{limits.gap});
  return plain + 109 * std::sqrt(kept) * (std::pow(share, -0.75) - 1);
}

class Stopwatch {
 public:
  float nanoseconds() const {
    return std::chrono::duration<float, std::nano>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

void fetch_code(const simd::WalkGraph& graph, std::uint32_t node) {
  const std::uint8_t* code = graph.codes + node * graph.code_bytes;
  for (std::size_t b = 0; b < graph.code_bytes; b += 64) __builtin_prefetch(code + b);
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
  float share = 1;  // of the nodes that may be results

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

/// What a search is going to do, and what it expects. Costs are in nanoseconds.
struct HnswIndex::Choice {
  HnswWay way = HnswWay::kWalk;
  bool filtered = false;  // another way may take over
  bool measured = false;  // what it takes corrects the costs
  Limits walk;            // of a walk over all nodes
  double scan_cost = 0, results_cost = 0;
  double most_codes =
      kEndless;  // a walk that has looked at so many has cost as much as a scan: it is given up
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
  const Choice choice = choose(query, limits, matches, a, context);
  HnswWay way = choice.way;
  if (way == HnswWay::kWalk) {
    const Stopwatch time;
    const bool ended = walk(query, choice.walk, 0, choice.most_codes, a, context);
    if (choice.measured) {
      const float entering = static_cast<float>(kEntryCodes) * costs_.units().scan;
      costs_.walked(time.nanoseconds() - entering, a.state.scored - std::min(a.state.scored, kEntryCodes));
    }
    // What is nearest and does not match fills the walk: those that match lie behind it.
    if (choice.filtered && (!ended || a.state.done_count >= choice.walk.most_expanded))
      way = ended && choice.results_cost < choice.scan_cost ? HnswWay::kResults : HnswWay::kScan;
    ++context.counters.graph_walks;
  }
  if (way == HnswWay::kResults) {
    const bool again = query.way == HnswWay::kChosen;
    count_work(a.state, context);
    walk(query, again ? limits_of(4 * query.ef, query.k) : limits, kWantedNeighbours, kEndless, a, context);
    ++context.counters.result_walks;
  }
  // What matches may lie where no walk from here comes to.
  const simd::WalkState& s = a.state;
  if (way == HnswWay::kScan || (s.best_count < query.k && s.best_count < nodes_)) {
    const Stopwatch time;
    scan_admitted(query, limits, a, context);
    if (choice.measured) costs_.scanned(time.nanoseconds(), matches);
    ++context.counters.graph_scans;
  } else {
    take_walked(a, query);
  }
  count_work(s, context);
  collect(a, query, limits, context, out);
}

void HnswIndex::count_work(const simd::WalkState& s, Context& context) const {
  context.counters.rows_scanned += s.scored;
  context.counters.bytes_read += s.scored * code_bytes_ + s.done_count * degree_ * sizeof(std::uint32_t);
}

const simd::WalkGraph& HnswIndex::graph_now() const {
  const simd::WalkGraph* walk = walk_.load(std::memory_order_acquire);
  return walk ? *walk : cold_;
}

bool HnswIndex::walk(const HnswQuery& query, const Limits& limits, std::uint32_t wanted_neighbours,
                     double most_codes, HnswScratch::Arrays& a, Context& context) const {
  a.prepare(nodes_, limits);
  simd::WalkState& s = a.state;
  s.k = query.k;
  s.kept = std::max(query.k, limits.kept);
  s.most_expanded = limits.most_expanded;
  s.pause_after = most_codes < kEndless ? kStepsPerLook : kStepsPerCheck;
  s.probes = limits.probes;
  s.share = a.share;
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
  while (!simd::code_kernels().walk(graph_now(), a.query.walk_query(), s)) {
    context.check();
    if (static_cast<double>(s.scored) > most_codes) return false;
  }
  return true;
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

HnswIndex::Choice HnswIndex::choose(const HnswQuery& query, const Limits& limits, std::uint64_t matches,
                                    HnswScratch::Arrays& a, Context& context) const {
  Choice c;
  c.way = query.way == HnswWay::kChosen ? HnswWay::kWalk : query.way;
  c.walk = limits;
  const double share = static_cast<double>(std::max<std::uint64_t>(matches, 1)) / nodes_;
  const double codes = expected_codes(limits, share);
  a.share = 1;
  if (query.way == HnswWay::kChosen && (query.admitted || query.retired)) {
    c.filtered = true;
    // A file that is read for the first time takes longer.
    c.measured = query.admitted && warm() && nodes_ >= kMeasuredCodes;
    if (c.measured && !costs_.known()) measure_costs(query, limits, a, context);
    const auto units = c.measured ? costs_.units() : hnsw::SearchCosts::kUnknown;
    const double scan = units.scan, walk = units.walk, entering = kEntryCodes * scan;
    c.scan_cost = scan * static_cast<double>(matches);
    c.results_cost = entering + 2 * walk * expected_codes(limits_of(4 * query.ef, query.k), 1);
    if (query.admitted) c.most_codes = kEntryCodes + std::max(0.0, c.scan_cost - entering) / walk;
    // A walk comes to admitted nodes as rarely as there are any, so it needs more room.
    c.walk.most_expanded = std::max(limits.most_expanded,
                                    static_cast<std::uint32_t>(std::min(codes / kCodesPerStep, kMostSteps)));
    if (query.admitted && c.scan_cost <= entering + walk * codes) c.way = HnswWay::kScan;
    if (c.way == HnswWay::kScan && c.measured && c.scan_cost * kMostRatio > entering + walk * codes &&
        costs_.walk_is_stale())
      measure_walk(query, limits, a, context);
  }
  a.share = static_cast<float>(share);
  context.counters.rows_expected +=
      c.way == HnswWay::kScan ? matches : kEntryCodes + static_cast<std::uint64_t>(codes);
  return c;
}

// Of a walk without a filter. The fastest of three: the first one fills the caches, and the thread may have
// had to wait.
void HnswIndex::measure_walk(const HnswQuery& query, const Limits& limits, HnswScratch::Arrays& a,
                             Context& context) const {
  HnswQuery plain = query;
  plain.admitted = plain.retired = nullptr;
  a.share = 1;
  float time = std::numeric_limits<float>::max();
  for (int round = 0; round < 3; ++round) {
    const Stopwatch walking;
    walk(plain, limits, 0, kEndless, a, context);
    time = std::min(time, walking.nanoseconds());
  }
  const std::uint64_t codes = a.state.scored - std::min(a.state.scored, kEntryCodes);
  const auto units = costs_.units();
  const float entering = static_cast<float>(kEntryCodes) * units.scan;
  if (units.walk > 0) {
    costs_.walked(time - entering, codes);
  } else {
    // Here all of it lay in the caches.
    const float unit = (time - entering) / static_cast<float>(std::max<std::uint64_t>(codes, 1));
    costs_.set({units.scan, std::clamp(unit, units.scan, kMostRatio * units.scan)});
  }
  a.prepare(nodes_, limits);
}

void HnswIndex::measure_costs(const HnswQuery& query, const Limits& limits, HnswScratch::Arrays& a,
                              Context& context) const {
  std::uint32_t ids[kMeasuredCodes + 3];
  float estimates[kMeasuredCodes + 3];
  float scan = std::numeric_limits<float>::max();
  for (int round = 0; round < 3; ++round) {
    const Stopwatch scanning;
    for (std::uint32_t i = 0; i < kMeasuredCodes; ++i) {
      ids[i] = static_cast<std::uint32_t>(std::uint64_t{i} * nodes_ / kMeasuredCodes);
      fetch_code(graph_now(), ids[i]);
    }
    simd::code_kernels().estimates(graph_now(), a.query.walk_query(), ids, kMeasuredCodes, estimates);
    scan = std::min(scan, scanning.nanoseconds() / kMeasuredCodes);
  }
  costs_.set({std::max(scan, kLeastUnit), 0});
  measure_walk(query, limits, a, context);
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
      fetch_code(graph, node);
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
