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

/// Documents that share a bound of what their sums can be.
inline constexpr size_t kTermBlock = 64;
/// Blocks of a window.
inline constexpr size_t kTermBlocks = 128;

inline constexpr uint32_t kNoTermPosting = 0xffffffffu;

/// A term whose documents are a bitmap; a code for each bit set, in their order.
struct DenseTerm {
  const uint64_t* bits;
  const uint8_t* codes;
  uint16_t weight;
  const uint32_t* ranks;  ///< Codes before each word of `bits`; for add_dense_blocks.
};

struct TermKernels {
  /// A term pays as a bitmap where at least one document in so many has it.
  uint32_t dense_share;
  /// Leaving out blocks pays for so many terms at most, and where at most one block in so many is wanted.
  uint32_t most_block_terms, block_share;
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

  /// bounds[i] += term_contribution(maxima[i], weight). `count` is a multiple of 64 here and below.
  void (*add_maxima)(const uint8_t* maxima, size_t count, uint16_t weight, uint16_t* bounds);
  /// A bit for each value that is at least `limit` (>= 1); returns their number.
  size_t (*find_at_least)(const uint16_t* values, size_t count, uint16_t limit, uint64_t* bits);
  /// limits[b]: a term's codes up to it cannot lift a document of block b to `threshold`: all other terms
  /// give bounds[b] - term_contribution(maxima[b], weight) at most. 255 in blocks that are not wanted.
  /// `maxima` is nullptr when they are not known: 0 in the wanted blocks.
  void (*code_limits)(const uint8_t* maxima, const uint16_t* bounds, size_t count, uint16_t threshold,
                      uint16_t weight, const uint64_t* wanted, uint8_t* limits);
  /// Adds up the blocks that are wanted, each in 64 sums of its own: for each window w, the postings from
  /// starts[w] to starts[w + 1], b = 128 * w + ids[i] / 64 % 128 and codes[i] > limits[b]:
  /// sums[64 * slots[b] + ids[i] % 64] += term_contribution(codes[i], weight).
  void (*add_sparse_blocks)(const uint16_t* ids, const uint8_t* codes, const uint32_t* starts, size_t windows,
                            uint16_t weight, const uint64_t* wanted, const uint8_t* limits,
                            const uint16_t* slots, uint16_t* sums);
  /// add_dense for words that are not neighbours: blocks[i] goes to the 64 sums from 64 * i on.
  void (*add_dense_blocks)(const DenseTerm* terms, size_t count, const uint32_t* blocks, size_t block_count,
                           uint16_t* sums);
  /// postings[i]: the place of documents[i] in a list, kNoTermPosting when it is not there. A document is in
  /// window documents[i] / 8192, whose ids (its low 16 bits) are those from its start to the next one.
  void (*find_documents)(const uint16_t* ids, const uint32_t* starts, const uint32_t* documents, size_t count,
                         uint32_t* postings);
};

/// The table that belongs to kernels(): the same instruction set.
const TermKernels& term_kernels();
/// nullptr when this CPU lacks the ISA.
const TermKernels* term_kernels_for(Isa isa);

extern const TermKernels kScalarTermKernels;
extern const TermKernels kAvx2TermKernels;
extern const TermKernels kAvx512TermKernels;

}  // namespace vecstore::simd
