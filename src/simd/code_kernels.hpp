// Kernels over small codes that graphs are built and walked with, chosen with the table of kernels.hpp.
// Included by the ISA files: plain C only.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "simd/kernels.hpp"

namespace vecstore::simd {

/// Codes and queries of these kernels are padded with zeros to a multiple of this many bytes.
inline constexpr size_t kCodeBytes = 64;

struct CodeKernels {
  /// out[i] = sum over j < bytes of codes[ids[i] * stride + j] * query[j], for `count` rows; exact.
  /// `bytes` is a multiple of kCodeBytes and at most 2^16; query values lie in [-127, 127].
  void (*byte_dots)(const int8_t* query, const uint8_t* codes, size_t stride, size_t bytes,
                    const uint32_t* ids, size_t count, int32_t* out);
};

/// The table that belongs to kernels(): the same instruction set.
const CodeKernels& code_kernels();
/// nullptr when this CPU lacks the ISA.
const CodeKernels* code_kernels_for(Isa isa);

extern const CodeKernels kScalarCodeKernels;
extern const CodeKernels kAvx2CodeKernels;
extern const CodeKernels kAvx512CodeKernels;

}  // namespace vecstore::simd
