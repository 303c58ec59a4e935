// Kernels over sketches: one bit per component. Chosen with the table of kernels.hpp. Included by the ISA
// files: plain C only.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "simd/kernels.hpp"

namespace vecstore::simd {

/// Sketches are scanned in groups of 8 rows: word w of row r of a group is its number 8 w + r.
inline constexpr size_t kSketchRows = 8;
/// At most so many words of 64 bits per row.
inline constexpr size_t kMostSketchWords = 1024;

/// A row that a scan found: its number among the groups scanned, 8 group + r, and how many bits differ.
struct SketchHit {
  uint32_t row;
  uint32_t distance;
};

struct SketchKernels {
  /// values = Hadamard matrix * (signs * values), the latter component by component. `count` is a power of
  /// two, 64 at least. The same bits under every ISA.
  void (*hadamard)(float* values, const float* signs, size_t count);
  /// Sets row `lane` of `group` to the signs of 64 * words values: a bit is set unless its value's sign is.
  void (*set_signs)(const float* values, uint64_t* group, size_t lane, size_t words);
  /// Two further bits of each of 64 * words values beside its sign, all as a number of 3 bits (sign's first)
  /// that counts steps from -4 on: planes[w] has the middle bits of word w, planes[words + w] the last ones.
  /// `planes` has no alignment. Returns the sum of |value| * inverse_step * |number + 0.5|, with some
  /// rounding.
  float (*set_planes)(const float* values, float inverse_step, uint64_t* planes, size_t words);
  /// Writes the rows among `count` groups (64-byte aligned) in which at most `limit` bits are not the query's
  /// to `hits`, ascending, and returns their number. `hits` has room for all rows.
  size_t (*scan)(const uint64_t* query, const uint64_t* groups, size_t words, size_t count, uint32_t limit,
                 SketchHit* hits);
  /// sums[i] = the sum of those of `query`'s 64 * words values whose bit is set in the row of hits[i].
  void (*sums)(const int8_t* query, const uint64_t* groups, size_t words, const SketchHit* hits, size_t count,
               int32_t* sums);
  /// The same of a row's planes: twice the first one's sum plus the second one's.
  int32_t (*plane_sum)(const int8_t* query, const uint64_t* planes, size_t words);
};

/// The table that belongs to kernels(): the same instruction set.
const SketchKernels& sketch_kernels();
/// nullptr when this CPU lacks the ISA.
const SketchKernels* sketch_kernels_for(Isa isa);

extern const SketchKernels kScalarSketchKernels;
extern const SketchKernels kAvx2SketchKernels;
extern const SketchKernels kAvx512SketchKernels;

}  // namespace vecstore::simd
