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

struct SketchKernels {
  /// values = Hadamard matrix * (signs * values), the latter component by component. `count` is a power of
  /// two, 64 at least. The same bits under every ISA.
  void (*hadamard)(float* values, const float* signs, size_t count);
  /// Sets row `lane` of `group` to the signs of 64 * words values: a bit is set unless its value's sign is.
  void (*set_signs)(const float* values, uint64_t* group, size_t lane, size_t words);
  /// Looks at groups first .. last - 1 of `groups` (64-byte aligned) and returns the first that has a row
  /// whose number of bits different from the query's is at most `limit`, with these numbers of all its rows
  /// in `distances`; `last` when there is none.
  size_t (*scan)(const uint64_t* query, const uint64_t* groups, size_t words, size_t first, size_t last,
                 uint32_t limit, uint32_t* distances);
  /// The sum of those of `query`'s 64 * words values whose bit is set in row `lane` of `group`.
  int32_t (*sum_set)(const int8_t* query, const uint64_t* group, size_t lane, size_t words);
};

/// The table that belongs to kernels(): the same instruction set.
const SketchKernels& sketch_kernels();
/// nullptr when this CPU lacks the ISA.
const SketchKernels* sketch_kernels_for(Isa isa);

extern const SketchKernels kScalarSketchKernels;
extern const SketchKernels kAvx2SketchKernels;
extern const SketchKernels kAvx512SketchKernels;

}  // namespace vecstore::simd
