// Code kernels for AVX2.
#if defined(__AVX2__)
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/code_kernels.hpp"

namespace vecstore::simd {
namespace {

inline int32_t sum_lanes(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
  return _mm_cvtsi128_si32(s);
}

// Products of full bytes do not fit maddubs's 16 bits, so both sides are widened first.
inline __m256i add_products(__m256i sum, const uint8_t* code, const int8_t* query) {
  const __m256i c = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(code)));
  const __m256i q = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(query)));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(c, q));
}

void byte_dots(const int8_t* query, const uint8_t* codes, size_t stride, size_t bytes, const uint32_t* ids,
               size_t count, int32_t* out) {
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* code = codes + ids[i] * stride;
    if (i + 4 < count) _mm_prefetch(codes + ids[i + 4] * stride, _MM_HINT_T0);
    __m256i even = _mm256_setzero_si256(), odd = even;
    for (size_t j = 0; j < bytes; j += 32) {
      even = add_products(even, code + j, query + j);
      odd = add_products(odd, code + j + 16, query + j + 16);
    }
    out[i] = sum_lanes(_mm256_add_epi32(even, odd));
  }
}

}  // namespace

const CodeKernels kAvx2CodeKernels = {byte_dots};

}  // namespace vecstore::simd
#endif
