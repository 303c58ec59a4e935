// Kernels over small codes that graphs are built and walked with, chosen with the table of kernels.hpp.
// Included by the ISA files: plain C only.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "simd/kernels.hpp"

namespace vecstore::simd {

/// Codes and queries of these kernels are padded with zeros to a multiple of this many bytes.
inline constexpr size_t kCodeBytes = 64;
/// 4-bit codes: byte i of line l holds component 128 l + i in its low half and 128 l + 64 + i in its high
/// half.
inline constexpr size_t kNibblesPerLine = 128;
/// Degrees of graphs that walks accept: a multiple of 4, at most this.
inline constexpr uint32_t kMaxDegree = 128;
/// How many entries a walk may begin at.
inline constexpr uint32_t kMaxProbes = 32;

/// The codes and links of a graph's nodes, as a walk reads them. All numbers have been checked: links lie
/// below `nodes`. Where a node has fewer neighbours than `degree`, its own number fills the list.
struct WalkGraph {
  uint32_t nodes;
  uint32_t degree;
  const uint32_t* links;  ///< degree per node
  const uint8_t* codes;   ///< 4-bit codes, code_bytes per node; aligned to 64 bytes
  size_t code_bytes;      ///< a multiple of 64, at most 2^15
  const float* scales;    ///< per node; nullptr: 1
  const float* terms;     ///< per node; nullptr: 0
  /// A sample that a walk's beginning is chosen from: `pivots` nodes, then the nodes of each pivot's bucket;
  /// the bucket of pivot i is entries[bucket_begins[i]] .. entries[bucket_begins[i + 1] - 1].
  uint32_t pivots;
  const uint32_t* bucket_begins;
  const uint32_t* entries;
  const uint8_t* entry_codes;  ///< code_bytes per entry
  const float* entry_scales;   ///< as scales
  const float* entry_terms;    ///< as terms
  /// Called before a list or before codes are read, unless nullptr; may throw, which ends the walk.
  void (*admit_links)(const void* context, uint32_t node);
  void (*admit_codes)(const void* context, const uint32_t* nodes, size_t count);
  const void* admit_context;
};

/// The estimate of a node is
///   term_weight * terms[node] - weight * scales[node] * (offset + step * sum code_j * values_j):
/// smaller is better.
struct WalkQuery {
  const int8_t* values;  ///< 2 * code_bytes in [-127, 127], aligned to 64 bytes
  float step;
  float offset;
  float weight;
  float term_weight;
};

/// Where a walk stands. The caller prepares the arrays and the limits; a walk that paused goes on
/// with the same state.
struct WalkState {
  // Limits.
  uint32_t k;                ///< The bound hangs on the k-th best estimate found ...
  uint32_t kept;             ///< ... and on the kept-th best: k <= kept.
  float gap;                 ///< Candidates up to the k-th best + gap are expanded.
  float shared_bound;        ///< The k-th best estimate that is known from elsewhere (+ gap), or infinity ...
  float guard;               ///< ... replaces this graph's own, but own + guard is looked at in any case.
  uint32_t most_expanded;    ///< of all calls together
  uint32_t pause_after;      ///< expansions in one call
  uint32_t probes;           ///< 1 to kMaxProbes: buckets to look into, entries to begin at
  float share;               ///< of the nodes that may be results
  const uint64_t* admitted;  ///< bit per node: may be a result; nullptr: all
  const uint64_t* retired;   ///< bit per node: may not; nullptr: none
  /// Not 0: candidates are results only. Where a node has fewer fresh neighbours among them, those of the
  /// others are looked at as well, until there are so many. At most kMaxDegree.
  uint32_t wanted_neighbours;
  // Arrays of the caller.
  uint64_t* visited;        ///< nodes / 64 + 1 words, zero at the start
  float* best;              ///< kept + 1: estimates of admitted nodes, ascending
  float* distances;         ///< capacity + 64: candidates to expand, in no order ...
  uint32_t* nodes;          ///< ... and their numbers
  uint32_t capacity;        ///< at least 4 * kMaxDegree
  float* done_distances;    ///< most_expanded + 1: expanded nodes ...
  uint32_t* done_nodes;     ///< ... and their numbers
  uint32_t* touched;        ///< touched_capacity: what was marked in visited
  size_t touched_capacity;  ///< when it is exceeded, touched_count says so and visited is to be cleared whole
  // Progress; zero at the start.
  uint32_t best_count;
  uint32_t candidate_count;
  uint32_t done_count;
  uint32_t met;           ///< Nodes that were better than what had been found, and ...
  uint32_t met_admitted;  ///< ... how many of these may be results.
  size_t touched_count;
  uint64_t scored;
  uint32_t next;  ///< the candidate that is expanded next
  float bound;
};

struct RescoreQuery {
  const int8_t* high;  ///< 2 * code_bytes values in [-63, 63]
  const int8_t* low;   ///< likewise [-64, 63]; a component is 128 high + low
};

struct CodeKernels {
  /// out[i] = sum over j < bytes of codes[ids[i] * stride + j] * (query[j] - 128), for `count` rows; exact.
  /// `bytes` is a multiple of kCodeBytes and at most 2^16.
  void (*byte_dots)(const uint8_t* query, const uint8_t* codes, size_t stride, size_t bytes,
                    const uint32_t* ids, size_t count, int32_t* out);
  /// Begins (candidate_count, done_count and best_count are 0) or continues a walk; false when it paused.
  /// Afterwards the candidates and the expanded nodes are what was found; some of them may not be admitted.
  bool (*walk)(const WalkGraph& graph, const WalkQuery& query, WalkState& state);
  /// out[i] = the estimate of node ids[i]; ids and out have room for three more.
  void (*estimates)(const WalkGraph& graph, const WalkQuery& query, uint32_t* ids, uint32_t count,
                    float* out);
  /// Sums of a node's 4-bit code and of its 8-bit residual with both planes of the query, in this order:
  /// code high, code low, residual high, residual low. `bytes` of the code; the residual has up to twice as
  /// many (`residual_bytes`, a multiple of 64, may be 0).
  void (*rescore)(const RescoreQuery& query, const uint8_t* code, size_t bytes, const uint8_t* residual,
                  size_t residual_bytes, int32_t* out);
};

/// The table that belongs to kernels(): the same instruction set.
const CodeKernels& code_kernels();
/// nullptr when this CPU lacks the ISA.
const CodeKernels* code_kernels_for(Isa isa);

extern const CodeKernels kScalarCodeKernels;
extern const CodeKernels kAvx2CodeKernels;
extern const CodeKernels kAvx512CodeKernels;

}  // namespace vecstore::simd
