// Code kernels in plain C.
#include "simd/code_kernels.hpp"

namespace vecstore::simd {
namespace {

void byte_dots(const int8_t* query, const uint8_t* codes, size_t stride, size_t bytes, const uint32_t* ids,
               size_t count, int32_t* out) {
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* code = codes + ids[i] * stride;
    int32_t sum = 0;
    for (size_t j = 0; j < bytes; ++j) sum += code[j] * query[j];
    out[i] = sum;
  }
}

}  // namespace

const CodeKernels kScalarCodeKernels = {byte_dots};

}  // namespace vecstore::simd
