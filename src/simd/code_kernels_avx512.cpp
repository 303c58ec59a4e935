// Code kernels for AVX-512 (F, BW, DQ, VL, VNNI).
#if defined(__AVX512F__) && defined(__AVX512VNNI__)
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12 warns about its own _mm512_undefined_epi32
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/code_kernels.hpp"

namespace vecstore::simd {
namespace {

inline __m128i halve(__m512i v) {
  const __m256i s = _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
}

// The sums of four registers' lanes.
inline __m128i sum_four(__m512i a, __m512i b, __m512i c, __m512i d) {
  return _mm_hadd_epi32(_mm_hadd_epi32(halve(a), halve(b)), _mm_hadd_epi32(halve(c), halve(d)));
}

void byte_dots(const int8_t* query, const uint8_t* codes, size_t stride, size_t bytes, const uint32_t* ids,
               size_t count, int32_t* out) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const uint8_t* p[4];
    for (size_t k = 0; k < 4; ++k) p[k] = codes + ids[i + k] * stride;
    __m512i s0 = _mm512_setzero_si512(), s1 = s0, s2 = s0, s3 = s0;
    for (size_t j = 0; j < bytes; j += 64) {
      const __m512i q = _mm512_loadu_si512(query + j);
      s0 = _mm512_dpbusd_epi32(s0, _mm512_loadu_si512(p[0] + j), q);
      s1 = _mm512_dpbusd_epi32(s1, _mm512_loadu_si512(p[1] + j), q);
      s2 = _mm512_dpbusd_epi32(s2, _mm512_loadu_si512(p[2] + j), q);
      s3 = _mm512_dpbusd_epi32(s3, _mm512_loadu_si512(p[3] + j), q);
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), sum_four(s0, s1, s2, s3));
  }
  for (; i < count; ++i) {
    const uint8_t* p = codes + ids[i] * stride;
    __m512i s = _mm512_setzero_si512();
    for (size_t j = 0; j < bytes; j += 64)
      s = _mm512_dpbusd_epi32(s, _mm512_loadu_si512(p + j), _mm512_loadu_si512(query + j));
    out[i] = _mm512_reduce_add_epi32(s);
  }
}

}  // namespace

const CodeKernels kAvx512CodeKernels = {byte_dots};

}  // namespace vecstore::simd
#endif
