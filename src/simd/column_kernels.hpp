// Kernels that look for values in columns of unsigned integers. Chosen with the table of kernels.hpp.
// Included by the ISA files: plain C only.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "simd/kernels.hpp"

namespace vecstore::simd {

/// Sets bit i of `words` where values[i] - first < count (modulo the width); leaves the other bits. Reads
/// `size` values of 1, 2 or 4 bytes.
struct ColumnKernels {
  void (*in_range_8)(const uint8_t* values, size_t size, uint8_t first, uint8_t count, uint64_t* words);
  void (*in_range_16)(const uint16_t* values, size_t size, uint16_t first, uint16_t count, uint64_t* words);
  void (*in_range_32)(const uint32_t* values, size_t size, uint32_t first, uint32_t count, uint64_t* words);
};

/// The table that belongs to kernels(): the same instruction set.
const ColumnKernels& column_kernels();
/// nullptr when this CPU lacks the ISA.
const ColumnKernels* column_kernels_for(Isa isa);

extern const ColumnKernels kScalarColumnKernels;
extern const ColumnKernels kAvx2ColumnKernels;
extern const ColumnKernels kAvx512ColumnKernels;

}  // namespace vecstore::simd
