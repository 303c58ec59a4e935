// The walk over a graph, written once over a class V of an ISA file. Internal linkage throughout.
//
// V has: score(graph, query, ids, count, out): the estimates of `count` codes (ids and out have room for
// three more); least(values, count, &place): the least of count >= 1 values, with room for 15 more behind;
// append(values, ids, count, bound, out_values, out_ids): copies the pairs whose value is below the bound and
// returns how many, may write up to 16 pairs more.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "simd/code_kernels.hpp"

namespace vecstore::simd {
namespace {

constexpr float kFar = 3e38f;

inline float smaller(float a, float b) { return a < b ? a : b; }
inline float larger(float a, float b) { return a > b ? a : b; }

inline bool may_be_result(const WalkState& s, uint32_t node) {
  if (s.retired && (s.retired[node >> 6] >> (node & 63) & 1)) return false;
  return !s.admitted || (s.admitted[node >> 6] >> (node & 63) & 1);
}

// Where few nodes are admitted, the k-th best of them lies so far out that the walk looks at much more than
// their surroundings anyhow: the gap shrinks with the root of their share. Where only those near the query
// are not, it does not; where only those are, it does not either.
inline float gap_factor(const WalkState& s) {
  if (s.met == 0) return 1;
  const float here = static_cast<float>(s.met_admitted) / static_cast<float>(s.met);
  return __builtin_sqrtf(larger(here, s.share));
}

inline void update_bound(WalkState& s) {
  if (s.best_count < s.kept) return;  // everything is worth a look
  const float kth = s.best[s.k - 1], factor = gap_factor(s);
  const float bound = smaller(kth + s.gap * factor, larger(s.shared_bound, kth + s.guard * factor));
  s.bound = larger(bound, s.best[s.kept - 1]);
}

inline void add_best(WalkState& s, float value) {
  uint32_t i = s.best_count < s.kept ? s.best_count++ : s.kept - 1;
  for (; i > 0 && s.best[i - 1] > value; --i) s.best[i] = s.best[i - 1];
  s.best[i] = value;
}

inline float worst_best(const WalkState& s) { return s.best_count < s.kept ? kFar : s.best[s.kept - 1]; }

inline void touch(WalkState& s, const uint32_t* ids, size_t count) {
  if (s.touched_count + count <= s.touched_capacity) {
    for (size_t i = 0; i < count; ++i) s.touched[s.touched_count + i] = ids[i];
  }
  s.touched_count += count;
}

inline bool mark(WalkState& s, uint32_t node) {
  const uint64_t word = s.visited[node >> 6], bit = uint64_t{1} << (node & 63);
  s.visited[node >> 6] = word | bit;
  return !(word & bit);
}

// Drops candidates beyond the bound; when that leaves too many, the farther half as well.
inline void make_room(WalkState& s) {
  float limit = s.bound;
  for (int round = 0;; ++round) {
    uint32_t kept = 0;
    double sum = 0;
    float least = kFar;
    for (uint32_t i = 0; i < s.candidate_count; ++i) {
      if (!(s.distances[i] < limit) && i != s.next) continue;
      if (i == s.next) s.next = kept;
      least = smaller(least, s.distances[i]);
      sum += s.distances[i];
      s.distances[kept] = s.distances[i];
      s.nodes[kept++] = s.nodes[i];
    }
    s.candidate_count = kept;
    if (kept <= s.capacity / 2) return;
    const float mean = static_cast<float>(sum / kept);
    limit = round < 20 ? least + (mean - least) * 0.9f : -kFar;
  }
}

// The few best of a scan.
struct Nearest {
  float value[kMaxProbes];
  uint32_t place[kMaxProbes];
  uint32_t count = 0;
  uint32_t most;

  void offer(float v, uint32_t at) {
    if (count == most && !(v < value[count - 1])) return;
    uint32_t i = count < most ? count++ : count - 1;
    for (; i > 0 && value[i - 1] > v; --i) {
      value[i] = value[i - 1];
      place[i] = place[i - 1];
    }
    value[i] = v;
    place[i] = at;
  }
};

// Offers the entries begin to end - 1; `results`: only those that may be results.
template <class V>
void scan_entries(const WalkGraph& sample, const WalkQuery& q, uint32_t begin, uint32_t end, Nearest& nearest,
                  const WalkState* results = nullptr) {
  constexpr uint32_t kBatch = 64;
  alignas(64) uint32_t ids[kBatch + 16];
  alignas(64) float out[kBatch + 16];
  for (; begin < end; begin += kBatch) {
    const uint32_t n = end - begin < kBatch ? end - begin : kBatch;
    for (uint32_t i = 0; i < n; ++i) ids[i] = begin + i;
    V::score(sample, q, ids, n, out);
    for (uint32_t i = 0; i < n; ++i) {
      if (results && !may_be_result(*results, sample.entries[begin + i])) continue;
      nearest.offer(out[i], begin + i);
    }
  }
}

template <class V>
void enter(const WalkGraph& g, const WalkQuery& q, WalkState& s) {
  WalkGraph sample = g;  // in the numbering of the entries
  sample.codes = g.entry_codes;
  sample.scales = g.entry_scales;
  sample.terms = g.entry_terms;
  Nearest pivots;
  pivots.most = s.probes;
  scan_entries<V>(sample, q, 0, g.pivots, pivots);
  Nearest nearest = pivots;
  const WalkState* const results = s.wanted_neighbours > 0 ? &s : nullptr;
  if (results) nearest.count = 0;
  s.scored += g.pivots;
  for (uint32_t i = 0; i < pivots.count; ++i) {
    const uint32_t begin = g.bucket_begins[pivots.place[i]], end = g.bucket_begins[pivots.place[i] + 1];
    scan_entries<V>(sample, q, begin, end, nearest, results);
    s.scored += end - begin;
  }
  // No result is near: the walk begins at the nearest of all entries that are.
  if (results && nearest.count == 0) {
    const uint32_t all = g.bucket_begins[g.pivots];
    scan_entries<V>(sample, q, 0, all, nearest, results);
    s.scored += all;
  }
  for (uint32_t i = 0; i < nearest.count; ++i) {
    const uint32_t node = g.entries[nearest.place[i]];
    if (!mark(s, node)) continue;
    touch(s, &node, 1);
    s.distances[s.candidate_count] = nearest.value[i];
    s.nodes[s.candidate_count++] = node;
    if (nearest.value[i] < worst_best(s) && may_be_result(s, node)) add_best(s, nearest.value[i]);
  }
  s.next = 0;
  s.bound = kFar;
  update_bound(s);
}

inline void prefetch_links(const WalkGraph& g, uint32_t node) {
  const uint32_t* links = g.links + static_cast<size_t>(node) * g.degree;
  for (uint32_t i = 0; i < g.degree; i += 16) __builtin_prefetch(links + i);
}

inline void prefetch_code(const WalkGraph& g, uint32_t node) {
  const uint8_t* code = g.codes + node * g.code_bytes;
  for (size_t b = 0; b < g.code_bytes; b += 64) __builtin_prefetch(code + b);
  if (g.scales) __builtin_prefetch(g.scales + node);
  if (g.terms) __builtin_prefetch(g.terms + node);
}

// Marks the neighbours of `node` and collects those that are new.
inline uint32_t fresh_neighbours(const WalkGraph& g, WalkState& s, uint32_t node, uint32_t* out) {
  const uint32_t* links = g.links + static_cast<size_t>(node) * g.degree;
  uint32_t count = 0;
  for (uint32_t i = 0; i < g.degree; ++i) {
    out[count] = links[i];
    count += mark(s, links[i]);
  }
  for (uint32_t i = 0; i < count; ++i) prefetch_code(g, out[i]);
  touch(s, out, count);
  return count;
}

// The same for walks over results: neighbours that are none lead to their own neighbours.
inline uint32_t fresh_results(const WalkGraph& g, WalkState& s, uint32_t node, uint32_t* out) {
  uint32_t others[kMaxDegree];
  uint32_t count = 0, passed = 0;
  const uint32_t* links = g.links + static_cast<size_t>(node) * g.degree;
  for (uint32_t i = 0; i < g.degree; ++i) {
    const uint32_t next = links[i];
    if (!mark(s, next)) continue;
    touch(s, &next, 1);
    if (may_be_result(s, next)) {
      out[count++] = next;
    } else {
      others[passed++] = next;
      prefetch_links(g, next);
    }
  }
  for (uint32_t p = 0; p < passed && count < s.wanted_neighbours; ++p) {
    if (g.admit_links) g.admit_links(g.admit_context, others[p]);
    links = g.links + static_cast<size_t>(others[p]) * g.degree;
    for (uint32_t i = 0; i < g.degree; ++i) {
      const uint32_t next = links[i];
      if (!may_be_result(s, next) || !mark(s, next)) continue;
      touch(s, &next, 1);
      out[count++] = next;
    }
  }
  for (uint32_t i = 0; i < count; ++i) prefetch_code(g, out[i]);
  return count;
}

inline void collect_best(WalkState& s, const float* values, const uint32_t* ids, uint32_t count) {
  float limit = worst_best(s);
  for (uint32_t i = 0; i < count; ++i) {
    if (!(values[i] < limit)) continue;
    ++s.met;
    if (!may_be_result(s, ids[i])) continue;
    ++s.met_admitted;
    add_best(s, values[i]);
    limit = worst_best(s);
  }
  update_bound(s);
}

template <class V>
bool walk(const WalkGraph& g, const WalkQuery& q, WalkState& s) {
  if (s.best_count == 0 && s.candidate_count == 0 && s.done_count == 0) enter<V>(g, q, s);
  alignas(64) uint32_t fresh[2 * kMaxDegree + 16];
  alignas(64) float values[2 * kMaxDegree + 16];
  for (uint32_t steps = 0; s.candidate_count > 0; ++steps) {
    const float value = s.distances[s.next];
    const uint32_t node = s.nodes[s.next];
    if (!(value < s.bound) || s.done_count >= s.most_expanded) break;
    if (steps >= s.pause_after) return false;
    if (g.admit_links) g.admit_links(g.admit_context, node);
    s.done_distances[s.done_count] = value;
    s.done_nodes[s.done_count++] = node;
    --s.candidate_count;
    s.distances[s.next] = s.distances[s.candidate_count];
    s.nodes[s.next] = s.nodes[s.candidate_count];

    const uint32_t count =
        s.wanted_neighbours > 0 ? fresh_results(g, s, node, fresh) : fresh_neighbours(g, s, node, fresh);
    // What is likely to be expanded next is fetched while these codes are scored.
    float least = kFar;
    uint32_t next = 0;
    if (s.candidate_count > 0) {
      least = V::least(s.distances, s.candidate_count, &next);
      prefetch_links(g, s.nodes[next]);
    }
    if (g.admit_codes) g.admit_codes(g.admit_context, fresh, count);
    V::score(g, q, fresh, count, values);
    s.scored += count;
    collect_best(s, values, fresh, count);
    const uint32_t before = s.candidate_count;
    s.candidate_count += V::append(values, fresh, count, s.bound, s.distances + before, s.nodes + before);
    for (uint32_t i = before; i < s.candidate_count; ++i) {
      if (s.distances[i] < least) {
        least = s.distances[i];
        next = i;
      }
    }
    s.next = next;
    if (s.candidate_count + 2 * kMaxDegree > s.capacity) make_room(s);
  }
  return true;
}

}  // namespace
}  // namespace vecstore::simd
