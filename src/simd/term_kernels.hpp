// Kernels that add up quantised contributions of terms. Chosen with the table of kernels.hpp. Included by the
// ISA files: plain C only.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "simd/kernels.hpp"

namespace vecstore::simd {

/// Codes may be read so many bytes past their end.
inline constexpr size_t kTermCodePadding = 64;

/// What a code adds: the same number under every ISA, >= 1 for codes from 1 on when the weight is at least
/// kLeastTermWeight.
inline uint16_t term_contribution(uint8_t code, uint16_t weight) {
  return (uint16_t)((uint32_t)code * weight >> 8);
}
inline constexpr uint16_t kLeastTermWeight = 256;

/// A term whose documents are a bitmap; a code for each bit set, in their order.
struct DenseTerm {
  const uint64_t* bits;
  const uint8_t* codes;
  uint16_t weight;
};

struct TermKernels {
  /// A term pays as a bitmap where at least one document in so many has it.
  uint32_t dense_share;
  /// sums[ids[i]] += term_contribution(codes[i], weight). `ids` are distinct.
  void (*add_sparse)(const uint16_t* ids, const uint8_t* codes, size_t count, uint16_t weight,
                     uint16_t* sums);
  /// For each term and each bit i set: sums[i] += term_contribution(its code, weight).
  void (*add_dense)(const DenseTerm* terms, size_t count, size_t words, uint16_t* sums);
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
