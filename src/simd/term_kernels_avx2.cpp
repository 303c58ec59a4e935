// Term kernels for AVX2 and BMI2.
#if defined(__AVX2__)
#include <immintrin.h>

#include "simd/term_kernels.hpp"
#include "simd/term_kernels_scalar.hpp"

namespace vecstore::simd {
namespace {

// 8 documents at a time: codes are spread to their places by two deposits of bits.
inline size_t add_byte(uint32_t mask, const uint8_t* codes, __m128i weight, uint16_t* sums) {
  uint64_t packed;
  __builtin_memcpy(&packed, codes, sizeof packed);
  const uint64_t lanes = _pdep_u64(mask, 0x0101010101010101ull) * 255;
  const __m128i high =
      _mm_unpacklo_epi8(_mm_setzero_si128(), _mm_cvtsi64_si128((long long)_pdep_u64(packed, lanes)));
  __m128i sum = _mm_loadu_si128((const __m128i*)sums);
  sum = _mm_add_epi16(sum, _mm_mulhi_epu16(high, weight));
  _mm_storeu_si128((__m128i*)sums, sum);
  return (size_t)__builtin_popcount(mask);
}

void add_dense(const DenseTerm* terms, size_t count, size_t words, uint16_t* sums) {
  for (size_t t = 0; t < count; ++t) {
    const __m128i weights = _mm_set1_epi16((short)terms[t].weight);
    const uint8_t* codes = terms[t].codes;
    for (size_t w = 0; w < words; ++w) {
      const uint64_t word = terms[t].bits[w];
      if (__builtin_popcountll(word) < 20) {
        codes += add_bits(word, codes, terms[t].weight, sums + 64 * w);
        continue;
      }
      for (size_t i = 0; i < 8; ++i)
        codes += add_byte((uint32_t)(word >> (8 * i) & 255), codes, weights, sums + 64 * w + 8 * i);
    }
  }
}

size_t collect(uint16_t* sums, size_t words, uint16_t threshold, const uint64_t* allowed, uint16_t* places,
               uint16_t* values) {
  const __m256i limit = _mm256_set1_epi16((short)threshold), zero = _mm256_setzero_si256();
  size_t found = 0;
  for (size_t w = 0; w < words; ++w, sums += 64) {
    uint64_t hits = 0;
    for (int i = 0; i < 4; ++i) {
      const __m256i v = _mm256_loadu_si256((const __m256i*)(sums + 16 * i));
      const __m256i over = _mm256_cmpeq_epi16(_mm256_max_epu16(v, limit), v);
      const uint32_t pairs = (uint32_t)_mm256_movemask_epi8(over);
      hits |= (uint64_t)_pext_u32(pairs, 0x55555555u) << (16 * i);
    }
    if (allowed) hits &= allowed[w];
    for (; hits; hits &= hits - 1) {
      const int at = __builtin_ctzll(hits);
      places[found] = (uint16_t)(64 * w + (size_t)at);
      values[found++] = sums[at];
    }
    for (int i = 0; i < 4; ++i) _mm256_storeu_si256((__m256i*)(sums + 16 * i), zero);
  }
  return found;
}

}  // namespace

const TermKernels kAvx2TermKernels = {4, add_sparse, add_dense, collect};

}  // namespace vecstore::simd
#endif
