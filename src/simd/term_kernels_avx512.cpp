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

// N terms at a time: their sums stay in registers, documents of even and of odd number apart, because a code
// gets into the upper half of its lane by one shift or one mask that way.
template <size_t N>
__attribute__((target("avx512vbmi2"))) void add_terms(const DenseTerm* terms, size_t words, uint16_t* sums) {
  const __m512i upper = _mm512_set1_epi16((short)0xff00);
  const __m512i order = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7,
                                         38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i order_high = _mm512_add_epi16(order, _mm512_set1_epi16(16));
  const uint8_t* next[N];
  __m512i weights[N];
#pragma GCC unroll 4
  for (size_t t = 0; t < N; ++t) {
    next[t] = terms[t].codes;
    weights[t] = _mm512_set1_epi16((short)terms[t].weight);
  }
  for (size_t w = 0; w < words; ++w, sums += 64) {
    __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (size_t t = 0; t < N; ++t) {
      const uint64_t mask = terms[t].bits[w];
      const __m512i spread = _mm512_maskz_expand_epi8(mask, _mm512_loadu_si512(next[t]));
      next[t] += __builtin_popcountll(mask);
      even = _mm512_add_epi16(even, _mm512_mulhi_epu16(_mm512_slli_epi16(spread, 8), weights[t]));
      odd = _mm512_add_epi16(odd, _mm512_mulhi_epu16(_mm512_and_si512(spread, upper), weights[t]));
    }
    const __m512i low = _mm512_permutex2var_epi16(even, order, odd);
    const __m512i high = _mm512_permutex2var_epi16(even, order_high, odd);
    _mm512_storeu_si512(sums, _mm512_add_epi16(_mm512_loadu_si512(sums), low));
    _mm512_storeu_si512(sums + 32, _mm512_add_epi16(_mm512_loadu_si512(sums + 32), high));
  }
}

void add_dense(const DenseTerm* terms, size_t count, size_t words, uint16_t* sums) {
  for (; count >= 4; count -= 4, terms += 4) add_terms<4>(terms, words, sums);
  if (count == 3) add_terms<3>(terms, words, sums);
  if (count == 2) add_terms<2>(terms, words, sums);
  if (count == 1) add_terms<1>(terms, words, sums);
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
