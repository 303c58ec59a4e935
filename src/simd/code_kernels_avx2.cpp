// Code kernels for AVX2.
#if defined(__AVX2__)
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/code_kernels.hpp"
#include "simd/graph_walk.hpp"

namespace vecstore::simd {
namespace {

inline int32_t sum_lanes(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
  return _mm_cvtsi128_si32(s);
}

// Products of full bytes do not fit maddubs's 16 bits, so both sides are widened first.
inline __m256i add_products(__m256i sum, const uint8_t* code, const uint8_t* query) {
  const __m256i c = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(code)));
  const __m256i q = _mm256_sub_epi16(
      _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(query))), _mm256_set1_epi16(128));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(c, q));
}

void byte_dots(const uint8_t* query, const uint8_t* codes, size_t stride, size_t bytes, const uint32_t* ids,
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

inline __m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

// Adds the products of unsigned and signed bytes; sums of two of them must fit 16 bits.
inline __m256i add_small(__m256i sum, __m256i codes, __m256i query) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(codes, query), _mm256_set1_epi16(1)));
}

inline __m256i low_halves(__m256i codes) { return _mm256_and_si256(codes, _mm256_set1_epi8(15)); }
inline __m256i high_halves(__m256i codes) { return low_halves(_mm256_srli_epi16(codes, 4)); }

struct Avx2 {
  // Four products of 4 bits and 8 bits (at most 4 * 15 * 127 in a lane of 16 bits) are summed before
  // widening.
  static int32_t dot(const uint8_t* code, size_t bytes, const int8_t* values) {
    __m256i sum = _mm256_setzero_si256();
    for (size_t line = 0; line < bytes; line += 64) {
      __m256i pairs = _mm256_setzero_si256();
      for (size_t half = 0; half < 64; half += 32) {
        const __m256i c = load(code + line + half);
        const int8_t* v = values + 2 * line + half;
        pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(low_halves(c), load(v)));
        pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(high_halves(c), load(v + 64)));
      }
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    return sum_lanes(sum);
  }

  static void score(const WalkGraph& g, const WalkQuery& q, uint32_t* ids, uint32_t count, float* out) {
    for (uint32_t i = 0; i < count; ++i) {
      const int32_t sum = dot(g.codes + ids[i] * g.code_bytes, g.code_bytes, q.values);
      const float inner = q.weight * (q.offset + q.step * static_cast<float>(sum));
      out[i] =
          (g.terms ? q.term_weight * g.terms[ids[i]] : 0.0f) - (g.scales ? g.scales[ids[i]] : 1.0f) * inner;
    }
  }

  static float least(const float* values, uint32_t count, uint32_t* place) {
    __m256 low = _mm256_set1_ps(kFar);
    for (uint32_t i = 0; i < count; i += 8) low = _mm256_min_ps(low, tail(values, i, count));
    __m128 half = _mm_min_ps(_mm256_castps256_ps128(low), _mm256_extractf128_ps(low, 1));
    half = _mm_min_ps(half, _mm_movehl_ps(half, half));
    half = _mm_min_ss(half, _mm_movehdup_ps(half));
    const float best = _mm_cvtss_f32(half);
    for (uint32_t i = 0; i < count; i += 8) {
      const int equal =
          _mm256_movemask_ps(_mm256_cmp_ps(tail(values, i, count), _mm256_set1_ps(best), _CMP_EQ_OQ));
      if (equal) {
        *place = i + static_cast<uint32_t>(__builtin_ctz(static_cast<unsigned>(equal)));
        return best;
      }
    }
    *place = 0;  // all lie beyond kFar
    return values[0];
  }

  // Values i .. i + 7, kFar behind the end.
  static __m256 tail(const float* values, uint32_t i, uint32_t count) {
    const __m256 v = _mm256_loadu_ps(values + i);
    if (i + 8 <= count) return v;
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i inside = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count - i)), lane);
    return _mm256_blendv_ps(_mm256_set1_ps(kFar), v, _mm256_castsi256_ps(inside));
  }

  static uint32_t append(const float* values, const uint32_t* ids, uint32_t count, float bound,
                         float* out_values, uint32_t* out_ids) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i += 8) {
      const int in_range = count - i >= 8 ? 0xff : (1 << (count - i)) - 1;
      int mask = in_range & _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(values + i),
                                                             _mm256_set1_ps(bound), _CMP_LT_OQ));
      for (; mask; mask &= mask - 1) {
        const uint32_t at = i + static_cast<uint32_t>(__builtin_ctz(static_cast<unsigned>(mask)));
        out_values[kept] = values[at];
        out_ids[kept++] = ids[at];
      }
    }
    return kept;
  }
};

void rescore(const RescoreQuery& q, const uint8_t* code, size_t bytes, const uint8_t* residual,
             size_t residual_bytes, int32_t* out) {
  __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
  for (size_t line = 0; line < bytes; line += 64) {
    for (size_t half = 0; half < 64; half += 32) {
      const __m256i c = load(code + line + half);
      const size_t at = 2 * line + half;
      s0 = add_small(add_small(s0, low_halves(c), load(q.high + at)), high_halves(c), load(q.high + at + 64));
      s1 = add_small(add_small(s1, low_halves(c), load(q.low + at)), high_halves(c), load(q.low + at + 64));
    }
  }
  for (size_t j = 0; j < residual_bytes; j += 32) {
    const __m256i c = load(residual + j);
    s2 = add_small(s2, c, load(q.high + j));
    s3 = add_small(s3, c, load(q.low + j));
  }
  out[0] = sum_lanes(s0);
  out[1] = sum_lanes(s1);
  out[2] = sum_lanes(s2);
  out[3] = sum_lanes(s3);
}

}  // namespace

const CodeKernels kAvx2CodeKernels = {byte_dots, walk<Avx2>, Avx2::score, rescore};

}  // namespace vecstore::simd
#endif
