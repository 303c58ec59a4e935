// Kernels that add up quantised contributions of terms. Chosen with the table of kernels.hpp. Included by the
// ISA files: plain C only.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "simd/kernels.hpp"

namespace vecstore::simd {

/// Codes may be read so many bytes past their end.
inline constexpr size_t kTermCodePadding = 64;

/// What a code adds: the same number under every ISA, >= 1.
inline uint16_t term_contribution(uint8_t code, uint16_t weight) {
  return (uint16_t)(((uint32_t)code * weight >> 8) + 1);
}

struct TermKernels {
  /// A term pays as a bitmap where at least one document in so many has it.
  uint32_t dense_share;
  /// sums[ids[i]] += contributions[codes[i]]. `ids` are distinct.
  void (*add_sparse)(const uint16_t* ids, const uint8_t* codes, size_t count, const uint16_t* contributions,
                     uint16_t* sums);
  /// sums[i] += term_contribution(next code, weight) for each bit i set. Returns the number of codes used.
  size_t (*add_dense)(const uint64_t* bits, size_t words, const uint8_t* codes, uint16_t weight,
                      uint16_t* sums);
  /// Writes places and sums of those of the 64 * words sums that are at least `threshold` (>= 1) and whose
  /// bit in `allowed` is set (nullptr: all), in ascending order, and clears all sums. Room for 64 * words
  /// each.
  size_t (*collect)(uint16_t* sums, size_t words, uint16_t threshold, const uint64_t* allowed,
                    uint16_t* places, uint16_t* values);
};

/// The table that belongs to kernels(): the same instruction set.
const TermKernels& term_kernels();
/// nullptr when this CPU lacks the ISA.
const TermKernels* term_kernels_for(Isa isa);

extern const TermKernels kScalarTermKernels;
extern const TermKernels kAvx2TermKernels;
extern const TermKernels kAvx512TermKernels;

}  // namespace vecstore::simd
