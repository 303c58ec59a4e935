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

inline size_t add_word(uint64_t word, const uint8_t* codes, uint16_t weight, uint16_t* sums) {
  if (__builtin_popcountll(word) < 20) return add_bits(word, codes, weight, sums);
  const uint8_t* next = codes;
  const __m128i weights = _mm_set1_epi16((short)weight);
  for (size_t i = 0; i < 8; ++i)
    next += add_byte((uint32_t)(word >> (8 * i) & 255), next, weights, sums + 8 * i);
  return (size_t)(next - codes);
}

void add_dense(const DenseTerm* terms, size_t count, size_t words, uint16_t* sums) {
  for (size_t t = 0; t < count; ++t) {
    const uint8_t* codes = terms[t].codes;
    for (size_t w = 0; w < words; ++w)
      codes += add_word(terms[t].bits[w], codes, terms[t].weight, sums + 64 * w);
  }
}

void add_dense_blocks(const DenseTerm* terms, size_t count, const uint32_t* blocks, size_t block_count,
                      uint16_t* sums) {
  for (size_t t = 0; t < count; ++t) {
    for (size_t i = 0; i < block_count; ++i)
      add_word(terms[t].bits[blocks[i]], terms[t].codes + terms[t].ranks[blocks[i]], terms[t].weight,
               sums + 64 * i);
  }
}

inline uint64_t at_least(const uint16_t* values, __m256i limit) {
  uint64_t hits = 0;
  for (int i = 0; i < 4; ++i) {
    const __m256i v = _mm256_loadu_si256((const __m256i*)(values + 16 * i));
    const __m256i over = _mm256_cmpeq_epi16(_mm256_max_epu16(v, limit), v);
    const uint32_t pairs = (uint32_t)_mm256_movemask_epi8(over);
    hits |= (uint64_t)_pext_u32(pairs, 0x55555555u) << (16 * i);
  }
  return hits;
}

/// Of word w, whose sums are given.
inline size_t collect_word(uint16_t* sums, size_t w, __m256i limit, const uint64_t* allowed, uint16_t* places,
                           uint16_t* values) {
  uint64_t hits = at_least(sums, limit);
  if (allowed) hits &= allowed[w];
  size_t found = 0;
  for (; hits; hits &= hits - 1) {
    const int at = __builtin_ctzll(hits);
    places[found] = (uint16_t)(64 * w + (size_t)at);
    values[found++] = sums[at];
  }
  for (int i = 0; i < 4; ++i) _mm256_storeu_si256((__m256i*)(sums + 16 * i), _mm256_setzero_si256());
  return found;
}

size_t collect(uint16_t* sums, size_t words, uint16_t threshold, const uint64_t* allowed, uint16_t* places,
               uint16_t* values) {
  const __m256i limit = _mm256_set1_epi16((short)threshold);
  size_t found = 0;
  for (size_t w = 0; w < words; ++w)
    found += collect_word(sums + 64 * w, w, limit, allowed, places + found, values + found);
  return found;
}

void add_maxima(const uint8_t* maxima, size_t count, uint16_t weight, uint16_t* bounds) {
  const __m256i weights = _mm256_set1_epi16((short)weight);
  for (size_t i = 0; i < count; i += 16) {
    const __m256i codes = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i*)(maxima + i)));
    const __m256i more = _mm256_mulhi_epu16(_mm256_slli_epi16(codes, 8), weights);
    __m256i* to = (__m256i*)(bounds + i);
    _mm256_storeu_si256(to, _mm256_add_epi16(_mm256_loadu_si256(to), more));
  }
}

size_t find_at_least(const uint16_t* values, size_t count, uint16_t limit, uint64_t* bits) {
  const __m256i limits = _mm256_set1_epi16((short)limit);
  size_t found = 0;
  for (size_t i = 0; i < count; i += 64) {
    bits[i / 64] = at_least(values + i, limits);
    found += (size_t)__builtin_popcountll(bits[i / 64]);
  }
  return found;
}

void code_limits(const uint8_t* maxima, const uint16_t* bounds, size_t count, uint16_t threshold,
                 uint16_t weight, const uint64_t* wanted, uint8_t* limits) {
  const __m128i factor = _mm_set1_epi16((short)limit_factor(weight)), one = _mm_set1_epi16(1);
  const __m128i least = _mm_set1_epi16((short)threshold), most = _mm_set1_epi16(255);
  for (size_t i = 0; i < count; i += 8) {
    const uint32_t mask = (uint32_t)(wanted[i / 64] >> (i % 64) & 255);
    const uint64_t others = ~(_pdep_u64(mask, 0x0101010101010101ull) * 255);
    uint64_t lanes = 0;
    if (maxima && mask) {
      const __m128i bound = _mm_loadu_si128((const __m128i*)(bounds + i));
      const __m128i slack = _mm_adds_epu16(_mm_subs_epu16(bound, least), one);
      __m128i less = _mm_add_epi16(_mm_mulhi_epu16(slack, factor), one);
      less = _mm_min_epu16(less, most);
      const __m128i bytes =
          _mm_subs_epu8(_mm_loadl_epi64((const __m128i*)(maxima + i)), _mm_packus_epi16(less, less));
      lanes = (uint64_t)_mm_cvtsi128_si64(bytes);
    }
    lanes |= others;
    __builtin_memcpy(limits + i, &lanes, sizeof lanes);
  }
}

}  // namespace

const TermKernels kAvx2TermKernels = {4,
                                      6,
                                      4,
                                      add_sparse,
                                      add_dense,
                                      collect,
                                      add_maxima,
                                      find_at_least,
                                      code_limits,
                                      add_sparse_blocks_plainly,
                                      add_dense_blocks,
                                      find_documents};

}  // namespace vecstore::simd
#endif
