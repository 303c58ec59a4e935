// Kernels that look for values in columns of unsigned integers, and for sets of rows of which some have no
// place in a column. Chosen with the table of kernels.hpp. Included by the ISA files: plain C only.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "simd/kernels.hpp"

namespace vecstore::simd {

/// in_range_n: sets bit i of `words` where values[i] - first < count (modulo the width); leaves the other
/// bits. Reads `size` values of 1, 2 or 4 bytes. in_set_8: the same where bit values[i] of the 256 of `set`
/// is set.
///
/// `present` has a bit for each row, set where it has a place in the column; places follow each other.
/// spread_bits sets the bits of the rows whose place is set in `places`, gather_bits those of the places
/// whose row is set in `rows`; both leave the other bits. `words` are those of the rows; places have as many
/// bits as `present`.
struct ColumnKernels {
  void (*in_range_8)(const uint8_t* values, size_t size, uint8_t first, uint8_t count, uint64_t* words);
  void (*in_range_16)(const uint16_t* values, size_t size, uint16_t first, uint16_t count, uint64_t* words);
  void (*in_range_32)(const uint32_t* values, size_t size, uint32_t first, uint32_t count, uint64_t* words);
  void (*in_set_8)(const uint8_t* values, size_t size, const uint64_t* set, uint64_t* words);
  void (*spread_bits)(const uint64_t* places, const uint64_t* present, size_t words, uint64_t* rows);
  void (*gather_bits)(const uint64_t* rows, const uint64_t* present, size_t words, uint64_t* places);
};

/// The table that belongs to kernels(): the same instruction set.
const ColumnKernels& column_kernels();
/// nullptr when this CPU lacks the ISA.
const ColumnKernels* column_kernels_for(Isa isa);

extern const ColumnKernels kScalarColumnKernels;
extern const ColumnKernels kAvx2ColumnKernels;
extern const ColumnKernels kAvx512ColumnKernels;

}  // namespace vecstore::simd
