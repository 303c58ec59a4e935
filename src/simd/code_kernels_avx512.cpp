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
#include "simd/graph_walk.hpp"

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

// Bytes minus 128.
inline __m512i centred(const uint8_t* p) {
  return _mm512_xor_si512(_mm512_loadu_si512(p), _mm512_set1_epi8(static_cast<char>(0x80)));
}

void byte_dots(const uint8_t* query, const uint8_t* codes, size_t stride, size_t bytes, const uint32_t* ids,
               size_t count, int32_t* out) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const uint8_t* p[4];
    for (size_t k = 0; k < 4; ++k) p[k] = codes + ids[i + k] * stride;
    __m512i s0 = _mm512_setzero_si512(), s1 = s0, s2 = s0, s3 = s0;
    for (size_t j = 0; j < bytes; j += 64) {
      const __m512i q = centred(query + j);
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
      s = _mm512_dpbusd_epi32(s, _mm512_loadu_si512(p + j), centred(query + j));
    out[i] = _mm512_reduce_add_epi32(s);
  }
}

inline __m512i low_halves(__m512i codes) { return _mm512_and_si512(codes, _mm512_set1_epi8(15)); }
inline __m512i high_halves(__m512i codes) { return low_halves(_mm512_srli_epi16(codes, 4)); }

inline __mmask16 first_lanes(uint32_t n) { return static_cast<__mmask16>(n >= 16 ? 0xffff : (1u << n) - 1); }

struct Avx512 {
  // kLines > 0: the number of lines of a code, known at compile time.
  template <size_t kLines>
  static __m512i dot(const uint8_t* code, size_t bytes, const int8_t* values) {
    const size_t end = kLines ? kLines * 64 : bytes;
    __m512i even = _mm512_setzero_si512(), odd = even;
#pragma GCC unroll 6
    for (size_t line = 0; line < end; line += 64) {
      const __m512i c = _mm512_load_si512(code + line);
      even = _mm512_dpbusd_epi32(even, low_halves(c), _mm512_load_si512(values + 2 * line));
      odd = _mm512_dpbusd_epi32(odd, high_halves(c), _mm512_load_si512(values + 2 * line + 64));
    }
    return _mm512_add_epi32(even, odd);
  }

  template <size_t kLines>
  static void score_lines(const WalkGraph& g, const WalkQuery& q, uint32_t* ids, uint32_t count, float* out) {
    const size_t bytes = kLines ? kLines * 64 : g.code_bytes;
    for (uint32_t i = count; i & 3; ++i) ids[i] = ids[count - 1];
    const __m128 step = _mm_set1_ps(q.step * q.weight), offset = _mm_set1_ps(q.offset * q.weight);
    const __m128 term_weight = _mm_set1_ps(q.term_weight);
    for (uint32_t i = 0; i < count; i += 4) {
      const __m128i sums = sum_four(dot<kLines>(g.codes + ids[i] * bytes, bytes, q.values),
                                    dot<kLines>(g.codes + ids[i + 1] * bytes, bytes, q.values),
                                    dot<kLines>(g.codes + ids[i + 2] * bytes, bytes, q.values),
                                    dot<kLines>(g.codes + ids[i + 3] * bytes, bytes, q.values));
      const __m128 inner = _mm_fmadd_ps(_mm_cvtepi32_ps(sums), step, offset);
      if (!g.scales) {
        _mm_storeu_ps(out + i, _mm_sub_ps(_mm_setzero_ps(), inner));
        continue;
      }
      const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(ids + i));
      const __m128 term =
          g.terms ? _mm_mul_ps(term_weight, _mm_i32gather_ps(g.terms, four, 4)) : _mm_setzero_ps();
      _mm_storeu_ps(out + i, _mm_fnmadd_ps(inner, _mm_i32gather_ps(g.scales, four, 4), term));
    }
  }

  static void score(const WalkGraph& g, const WalkQuery& q, uint32_t* ids, uint32_t count, float* out) {
    switch (g.code_bytes) {
      case 64:
        return score_lines<1>(g, q, ids, count, out);
      case 128:
        return score_lines<2>(g, q, ids, count, out);
      case 192:
        return score_lines<3>(g, q, ids, count, out);
      case 384:
        return score_lines<6>(g, q, ids, count, out);
      default:
        return score_lines<0>(g, q, ids, count, out);
    }
  }

  static float least(const float* values, uint32_t count, uint32_t* place) {
    __m512 low = _mm512_set1_ps(kFar);
    __m512i at = _mm512_setzero_si512();
    __m512i index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (uint32_t i = 0; i < count; i += 16) {
      const __m512 v = _mm512_loadu_ps(values + i);
      const __mmask16 less = _mm512_mask_cmp_ps_mask(first_lanes(count - i), v, low, _CMP_LT_OQ);
      low = _mm512_mask_mov_ps(low, less, v);
      at = _mm512_mask_mov_epi32(at, less, index);
      index = _mm512_add_epi32(index, _mm512_set1_epi32(16));
    }
    const float best = _mm512_reduce_min_ps(low);
    const unsigned lane = _mm512_cmp_ps_mask(low, _mm512_set1_ps(best), _CMP_EQ_OQ);
    alignas(64) uint32_t places[16];
    _mm512_store_si512(places, at);
    *place = places[lane ? __builtin_ctz(lane) : 0];
    return values[*place];
  }

  static uint32_t append(const float* values, const uint32_t* ids, uint32_t count, float bound,
                         float* out_values, uint32_t* out_ids) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i += 16) {
      const __m512 v = _mm512_loadu_ps(values + i);
      const __mmask16 keep =
          _mm512_mask_cmp_ps_mask(first_lanes(count - i), v, _mm512_set1_ps(bound), _CMP_LT_OQ);
      // Compressing in a register and storing all of it is much faster than a compressing store on some CPUs.
      _mm512_storeu_ps(out_values + kept, _mm512_maskz_compress_ps(keep, v));
      _mm512_storeu_si512(out_ids + kept, _mm512_maskz_compress_epi32(keep, _mm512_loadu_si512(ids + i)));
      kept += static_cast<uint32_t>(__builtin_popcount(keep));
    }
    return kept;
  }
};

void rescore(const RescoreQuery& q, const uint8_t* code, size_t bytes, const uint8_t* residual,
             size_t residual_bytes, int32_t* out) {
  __m512i s0 = _mm512_setzero_si512(), s1 = s0, s2 = s0, s3 = s0;
  for (size_t line = 0; line < bytes; line += 64) {
    const __m512i c = _mm512_loadu_si512(code + line);
    const __m512i low = low_halves(c), high = high_halves(c);
    s0 = _mm512_dpbusd_epi32(s0, low, _mm512_loadu_si512(q.high + 2 * line));
    s1 = _mm512_dpbusd_epi32(s1, low, _mm512_loadu_si512(q.low + 2 * line));
    s0 = _mm512_dpbusd_epi32(s0, high, _mm512_loadu_si512(q.high + 2 * line + 64));
    s1 = _mm512_dpbusd_epi32(s1, high, _mm512_loadu_si512(q.low + 2 * line + 64));
  }
  for (size_t j = 0; j < residual_bytes; j += 64) {
    const __m512i c = _mm512_loadu_si512(residual + j);
    s2 = _mm512_dpbusd_epi32(s2, c, _mm512_loadu_si512(q.high + j));
    s3 = _mm512_dpbusd_epi32(s3, c, _mm512_loadu_si512(q.low + j));
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), sum_four(s0, s1, s2, s3));
}

}  // namespace

const CodeKernels kAvx512CodeKernels = {byte_dots, walk<Avx512>, Avx512::score, rescore};

}  // namespace vecstore::simd
#endif
