// Kernels for AVX-512 (F, BW, DQ, VL, VNNI).
#if defined(__AVX512F__) && defined(__AVX512VNNI__)
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12 warns about its own _mm512_undefined_ps
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/f32_rows.hpp"
#include "simd/kernels.hpp"

namespace vecstore::simd {
namespace {

struct Avx512 {
  using Reg = __m512;
  static constexpr size_t kWidth = 16;
  static constexpr bool kFourRows = false;
  static Reg zero() { return _mm512_setzero_ps(); }
  static Reg load(const float* p) { return _mm512_loadu_ps(p); }
  static Reg load_tail(const float* p, size_t n) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
  }
  static Reg add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
  static Reg sub(Reg a, Reg b) { return _mm512_sub_ps(a, b); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
  static float sum(Reg a) {
    const __m256 wide = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 half = _mm_add_ps(_mm256_castps256_ps128(wide), _mm256_extractf128_ps(wide, 1));
    const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
  }
};

inline __m512i four_values(const int8_t* p) {
  int32_t four;
  __builtin_memcpy(&four, p, 4);
  return _mm512_set1_epi32(four);
}

inline __mmask16 rows_above(const CodeQuery& q, const float* side, __m512 values, __m512 threshold) {
  const __m512 inner = _mm512_mul_ps(_mm512_mul_ps(_mm512_set1_ps(q.step), _mm512_load_ps(side)), values);
  const __m512 error = _mm512_load_ps(side + 16);
  const __m512 weight = _mm512_set1_ps(q.norm_weight);
  __m512 bound;
  if (q.form == BoundForm::kDistance) {
    const __m512 square = _mm512_fnmadd_ps(
        _mm512_set1_ps(2.0f), inner, _mm512_add_ps(_mm512_set1_ps(q.square), _mm512_load_ps(side + 32)));
    // max_ps returns its second operand when one is NaN: the order keeps the NaN.
    const __m512 distance = _mm512_sqrt_ps(_mm512_max_ps(_mm512_setzero_ps(), square));
    bound = _mm512_fnmadd_ps(_mm512_set1_ps(q.shrink), distance, _mm512_add_ps(error, weight));
  } else {
    const __m512 fixed =
        q.form == BoundForm::kUnit ? weight : _mm512_mul_ps(_mm512_load_ps(side + 32), weight);
    bound = _mm512_add_ps(inner, _mm512_fmadd_ps(error, _mm512_set1_ps(q.error_weight), fixed));
  }
  return _mm512_cmp_ps_mask(bound, threshold, _CMP_NLT_UQ);
}

size_t scan_codes(const CodeQuery& q, const uint8_t* groups, size_t first, size_t last, float threshold,
                  float* values) {
  const FlushDenormals guard;
  const size_t bytes = group_bytes(q.quads, q.form);
  const __m512 limit = _mm512_set1_ps(threshold);
  for (size_t g = first; g < last; ++g) {
    const uint8_t* codes = groups + g * bytes;
    __m512i high0 = _mm512_setzero_si512(), low0 = high0, high1 = high0, low1 = high0;
    size_t j = 0;
    for (; j + 2 <= q.quads; j += 2) {
      const uint8_t* line = codes + j * 64;
      _mm_prefetch(line + 4096, _MM_HINT_T0);
      _mm_prefetch(line + 4160, _MM_HINT_T0);
      const __m512i c0 = _mm512_load_si512(line), c1 = _mm512_load_si512(line + 64);
      high0 = _mm512_dpbusd_epi32(high0, c0, four_values(q.high + j * 4));
      low0 = _mm512_dpbusd_epi32(low0, c0, four_values(q.low + j * 4));
      high1 = _mm512_dpbusd_epi32(high1, c1, four_values(q.high + j * 4 + 4));
      low1 = _mm512_dpbusd_epi32(low1, c1, four_values(q.low + j * 4 + 4));
    }
    if (j < q.quads) {
      const __m512i c0 = _mm512_load_si512(codes + j * 64);
      high0 = _mm512_dpbusd_epi32(high0, c0, four_values(q.high + j * 4));
      low0 = _mm512_dpbusd_epi32(low0, c0, four_values(q.low + j * 4));
    }
    const __m512i high = _mm512_sub_epi32(_mm512_add_epi32(high0, high1), _mm512_set1_epi32(q.high_offset));
    const __m512i low = _mm512_sub_epi32(_mm512_add_epi32(low0, low1), _mm512_set1_epi32(q.low_offset));
    const __m512 v =
        _mm512_fmadd_ps(_mm512_cvtepi32_ps(high), _mm512_set1_ps(128.0f), _mm512_cvtepi32_ps(low));
    if (rows_above(q, reinterpret_cast<const float*>(codes + q.quads * 64), v, limit)) {
      _mm512_storeu_ps(values, v);
      return g;
    }
  }
  return last;
}

}  // namespace

const Kernels kAvx512Kernels = {Isa::kAvx512,
                                true,
                                score_all_rows<Avx512, DotOp>,
                                score_all_rows<Avx512, SquaredL2Op>,
                                square_all_rows<Avx512>,
                                scan_codes};

}  // namespace vecstore::simd
#endif
