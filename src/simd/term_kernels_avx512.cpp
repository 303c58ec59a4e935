// Term kernels for AVX-512 (F, BW, DQ, VL) with VBMI2, which term_kernels_for asks the CPU for.
#if defined(__AVX512F__) && defined(__AVX512BW__)
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12 warns about its own _mm512_undefined
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "simd/term_kernels.hpp"
#include "simd/term_kernels_scalar.hpp"

namespace vecstore::simd {
namespace {

__attribute__((target("avx512vbmi2"))) size_t add_dense(const uint64_t* bits, size_t words,
                                                        const uint8_t* codes, uint16_t weight,
                                                        uint16_t* sums) {
  const __m512i weights = _mm512_set1_epi16((short)weight), one = _mm512_set1_epi16(1);
  const uint8_t* next = codes;
  for (size_t w = 0; w < words; ++w, sums += 64) {
    const uint64_t mask = bits[w];
    const __m512i spread = _mm512_maskz_expand_epi8(mask, _mm512_loadu_si512(next));
    next += __builtin_popcountll(mask);
    // Widened in the order of the documents, each code in the upper half of its lane.
    const __m512i low = _mm512_slli_epi16(_mm512_cvtepu8_epi16(_mm512_castsi512_si256(spread)), 8);
    const __m512i high = _mm512_slli_epi16(_mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(spread, 1)), 8);
    __m512i a = _mm512_loadu_si512(sums), b = _mm512_loadu_si512(sums + 32);
    a = _mm512_add_epi16(a, _mm512_mulhi_epu16(low, weights));
    b = _mm512_add_epi16(b, _mm512_mulhi_epu16(high, weights));
    _mm512_storeu_si512(sums, _mm512_mask_add_epi16(a, (__mmask32)mask, a, one));
    _mm512_storeu_si512(sums + 32, _mm512_mask_add_epi16(b, (__mmask32)(mask >> 32), b, one));
  }
  return (size_t)(next - codes);
}

size_t collect(uint16_t* sums, size_t words, uint16_t threshold, const uint64_t* allowed, uint16_t* places,
               uint16_t* values) {
  const __m512i limit = _mm512_set1_epi16((short)threshold), zero = _mm512_setzero_si512();
  size_t found = 0;
  for (size_t w = 0; w < words; ++w, sums += 64) {
    const __m512i a = _mm512_loadu_si512(sums), b = _mm512_loadu_si512(sums + 32);
    uint64_t hits = (uint64_t)_mm512_cmpge_epu16_mask(b, limit) << 32 | _mm512_cmpge_epu16_mask(a, limit);
    if (allowed) hits &= allowed[w];
    for (; hits; hits &= hits - 1) {
      const int at = __builtin_ctzll(hits);
      places[found] = (uint16_t)(64 * w + (size_t)at);
      values[found++] = sums[at];
    }
    _mm512_storeu_si512(sums, zero);
    _mm512_storeu_si512(sums + 32, zero);
  }
  return found;
}

}  // namespace

const TermKernels kAvx512TermKernels = {16, add_sparse, add_dense, collect};

}  // namespace vecstore::simd
#endif
