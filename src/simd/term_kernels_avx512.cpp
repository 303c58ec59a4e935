// Term kernels for AVX-512 (F, BW, DQ, VL) with VBMI and VBMI2, which term_kernels_for asks the CPU for.
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

/// Sums of documents of even and odd number, into their places.
inline void add_even_odd(__m512i even, __m512i odd, uint16_t* sums) {
  const __m512i order = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7,
                                         38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i order_high = _mm512_add_epi16(order, _mm512_set1_epi16(16));
  const __m512i low = _mm512_permutex2var_epi16(even, order, odd);
  const __m512i high = _mm512_permutex2var_epi16(even, order_high, odd);
  _mm512_storeu_si512(sums, _mm512_add_epi16(_mm512_loadu_si512(sums), low));
  _mm512_storeu_si512(sums + 32, _mm512_add_epi16(_mm512_loadu_si512(sums + 32), high));
}

// N terms at a time: their sums stay in registers, documents of even and of odd number apart, because a code
// gets into the upper half of its lane by one shift or one mask that way.
template <size_t N>
__attribute__((target("avx512vbmi2"))) void add_terms(const DenseTerm* terms, size_t words, uint16_t* sums) {
  const __m512i upper = _mm512_set1_epi16((short)0xff00);
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
    add_even_odd(even, odd, sums);
  }
}

void add_dense(const DenseTerm* terms, size_t count, size_t words, uint16_t* sums) {
  for (; count >= 4; count -= 4, terms += 4) add_terms<4>(terms, words, sums);
  if (count == 3) add_terms<3>(terms, words, sums);
  if (count == 2) add_terms<2>(terms, words, sums);
  if (count == 1) add_terms<1>(terms, words, sums);
}

// Each block with all terms: sums stay in registers here, too.
__attribute__((target("avx512vbmi2"))) void add_dense_blocks(const DenseTerm* terms, size_t count,
                                                             const uint32_t* blocks, size_t block_count,
                                                             uint16_t* sums) {
  const __m512i upper = _mm512_set1_epi16((short)0xff00);
  for (size_t i = 0; i < block_count && count > 0; ++i) {
    const size_t b = blocks[i];
    __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
    for (size_t t = 0; t < count; ++t) {
      const __m512i weight = _mm512_set1_epi16((short)terms[t].weight);
      const __m512i codes = _mm512_loadu_si512(terms[t].codes + terms[t].ranks[b]);
      const __m512i spread = _mm512_maskz_expand_epi8(terms[t].bits[b], codes);
      even = _mm512_add_epi16(even, _mm512_mulhi_epu16(_mm512_slli_epi16(spread, 8), weight));
      odd = _mm512_add_epi16(odd, _mm512_mulhi_epu16(_mm512_and_si512(spread, upper), weight));
    }
    add_even_odd(even, odd, sums + 64 * i);
  }
}

inline uint64_t at_least(const uint16_t* values, __m512i limit) {
  const __m512i a = _mm512_loadu_si512(values), b = _mm512_loadu_si512(values + 32);
  return (uint64_t)_mm512_cmpge_epu16_mask(b, limit) << 32 | _mm512_cmpge_epu16_mask(a, limit);
}

/// Of word w, whose sums are given.
inline size_t collect_word(uint16_t* sums, size_t w, __m512i limit, const uint64_t* allowed, uint16_t* places,
                           uint16_t* values) {
  uint64_t hits = at_least(sums, limit);
  if (allowed) hits &= allowed[w];
  size_t found = 0;
  for (; hits; hits &= hits - 1) {
    const int at = __builtin_ctzll(hits);
    places[found] = (uint16_t)(64 * w + (size_t)at);
    values[found++] = sums[at];
  }
  _mm512_storeu_si512(sums, _mm512_setzero_si512());
  _mm512_storeu_si512(sums + 32, _mm512_setzero_si512());
  return found;
}

size_t collect(uint16_t* sums, size_t words, uint16_t threshold, const uint64_t* allowed, uint16_t* places,
               uint16_t* values) {
  const __m512i limit = _mm512_set1_epi16((short)threshold);
  size_t found = 0;
  for (size_t w = 0; w < words; ++w)
    found += collect_word(sums + 64 * w, w, limit, allowed, places + found, values + found);
  return found;
}

void add_maxima(const uint8_t* maxima, size_t count, uint16_t weight, uint16_t* bounds) {
  const __m512i weights = _mm512_set1_epi16((short)weight);
  for (size_t i = 0; i < count; i += 32) {
    const __m512i codes = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i*)(maxima + i)));
    const __m512i more = _mm512_mulhi_epu16(_mm512_slli_epi16(codes, 8), weights);
    _mm512_storeu_si512(bounds + i, _mm512_add_epi16(_mm512_loadu_si512(bounds + i), more));
  }
}

size_t find_at_least(const uint16_t* values, size_t count, uint16_t limit, uint64_t* bits) {
  const __m512i limits = _mm512_set1_epi16((short)limit);
  size_t found = 0;
  for (size_t i = 0; i < count; i += 64) {
    bits[i / 64] = at_least(values + i, limits);
    found += (size_t)__builtin_popcountll(bits[i / 64]);
  }
  return found;
}

void code_limits(const uint8_t* maxima, const uint16_t* bounds, size_t count, uint16_t threshold,
                 uint16_t weight, const uint64_t* wanted, uint8_t* limits) {
  const __m512i factor = _mm512_set1_epi16((short)limit_factor(weight)), one = _mm512_set1_epi16(1);
  const __m512i least = _mm512_set1_epi16((short)threshold), most = _mm512_set1_epi8((char)255);
  for (size_t b = 0; b < count; b += 64) {
    __m256i parts[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (size_t i = 0; i < 2 && maxima && wanted[b / 64]; ++i) {
      const size_t at = b + i * 32;
      const __m512i slack = _mm512_adds_epu16(_mm512_subs_epu16(_mm512_loadu_si512(bounds + at), least), one);
      const __m512i less = _mm512_add_epi16(_mm512_mulhi_epu16(slack, factor), one);
      parts[i] =
          _mm256_subs_epu8(_mm256_loadu_si256((const __m256i*)(maxima + at)), _mm512_cvtusepi16_epi8(less));
    }
    const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(parts[0]), parts[1], 1);
    _mm512_storeu_si512(limits + b, _mm512_mask_mov_epi8(most, wanted[b / 64], both));
  }
}

// 64 postings at a time; few pass.
__attribute__((target("avx512vbmi"))) void add_sparse_blocks(const uint16_t* ids, const uint8_t* codes,
                                                             const uint32_t* starts, size_t windows,
                                                             uint16_t weight, const uint64_t* wanted,
                                                             const uint8_t* limits, const uint16_t* slots,
                                                             uint16_t* sums) {
  const uint32_t w16 = weight;
  const size_t kAhead = 384;
  for (size_t w = 0; w < windows; ++w, limits += kTermBlocks, slots += kTermBlocks) {
    if ((wanted[2 * w] | wanted[2 * w + 1]) == 0) continue;
    const __m512i low = _mm512_loadu_si512(limits), high = _mm512_loadu_si512(limits + 64);
    const size_t end = starts[w + 1];
    for (size_t i = starts[w]; i < end; i += 64) {
      // Lists are taken up again and again, a little at a time: too short for the processor to see it coming.
      _mm_prefetch((const char*)(ids + i + kAhead), _MM_HINT_T0);
      _mm_prefetch((const char*)(ids + i + kAhead + 32), _MM_HINT_T0);
      _mm_prefetch((const char*)(codes + i + kAhead), _MM_HINT_T0);
      const uint64_t there = end - i >= 64 ? ~0ull : (1ull << (end - i)) - 1;
      const __m512i a = _mm512_maskz_loadu_epi16((__mmask32)there, ids + i);
      const __m512i b = _mm512_maskz_loadu_epi16((__mmask32)(there >> 32), ids + i + 32);
      const __m256i first = _mm512_cvtepi16_epi8(_mm512_srli_epi16(a, 6));
      const __m256i second = _mm512_cvtepi16_epi8(_mm512_srli_epi16(b, 6));
      const __m512i blocks = _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
      const __m512i limit = _mm512_permutex2var_epi8(low, blocks, high);
      const __m512i code = _mm512_loadu_si512(codes + i);
      for (uint64_t pass = _mm512_mask_cmpgt_epu8_mask(there, code, limit); pass; pass &= pass - 1) {
        const size_t at = i + (size_t)__builtin_ctzll(pass);
        const uint32_t id = ids[at];
        uint16_t* sum = sums + kTermBlock * slots[id / kTermBlock % kTermBlocks] + id % kTermBlock;
        *sum = (uint16_t)(*sum + (codes[at] * w16 >> 8));
      }
    }
  }
}

// A window has some hundreds mostly: comparing with all of them has no branches to guess. Of neighbours with
// the same terms it has thousands.
void find_in_windows(const uint16_t* ids, const uint32_t* starts, const uint32_t* documents, size_t count,
                     uint32_t* postings) {
  for (size_t i = 0; i < count; ++i) {
    const uint32_t window = documents[i] / (kTermBlock * kTermBlocks);
    const uint32_t end = starts[window + 1];
    if (end - starts[window] > 256) {
      find_documents(ids, starts, documents + i, 1, postings + i);
      continue;
    }
    const __m512i id = _mm512_set1_epi16((short)documents[i]);
    uint32_t found = kNoTermPosting;
    for (uint32_t at = starts[window]; at < end; at += 32) {
      const __mmask32 there = end - at >= 32 ? ~0u : (1u << (end - at)) - 1;
      const __mmask32 same =
          _mm512_mask_cmpeq_epi16_mask(there, _mm512_maskz_loadu_epi16(there, ids + at), id);
      if (same) found = at + (uint32_t)__builtin_ctz(same);
    }
    postings[i] = found;
  }
}

}  // namespace

const TermKernels kAvx512TermKernels = {16,
                                        8,
                                        2,
                                        add_sparse,
                                        add_dense,
                                        collect,
                                        add_maxima,
                                        find_at_least,
                                        code_limits,
                                        add_sparse_blocks,
                                        add_dense_blocks,
                                        find_in_windows};

}  // namespace vecstore::simd
#endif
