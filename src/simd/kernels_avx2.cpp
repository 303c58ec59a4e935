// Kernels for AVX2 + FMA.
#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/f32_rows.hpp"
#include "simd/kernels.hpp"

namespace vecstore::simd {
namespace {

alignas(32) constexpr int32_t kTailMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

struct Avx2 {
  using Reg = __m256;
  static constexpr size_t kWidth = 8;
  static constexpr bool kFourRows = false;
  static Reg zero() { return _mm256_setzero_ps(); }
  static Reg load(const float* p) { return _mm256_loadu_ps(p); }
  static Reg load_tail(const float* p, size_t n) {
    return _mm256_maskload_ps(p, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kTailMask + 8 - n)));
  }
  static Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  static Reg sub(Reg a, Reg b) { return _mm256_sub_ps(a, b); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  static float sum(Reg a) {
    const __m128 half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
  }
};

struct Sums {
  __m256i high, low;
};

inline __m256i add_products(__m256i sum, __m256i codes, const int8_t* four_values) {
  int32_t four;
  __builtin_memcpy(&four, four_values, 4);
  const __m256i pairs = _mm256_maddubs_epi16(codes, _mm256_set1_epi32(four));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// The values v of eight rows.
inline __m256 to_values(const CodeQuery& q, const Sums& s) {
  const __m256 high = _mm256_cvtepi32_ps(_mm256_sub_epi32(s.high, _mm256_set1_epi32(q.high_offset)));
  const __m256 low = _mm256_cvtepi32_ps(_mm256_sub_epi32(s.low, _mm256_set1_epi32(q.low_offset)));
  return _mm256_fmadd_ps(high, _mm256_set1_ps(128.0f), low);
}

inline int rows_above(const CodeQuery& q, const float* side, __m256 values, __m256 threshold) {
  const __m256 inner = _mm256_mul_ps(_mm256_mul_ps(_mm256_set1_ps(q.step), _mm256_load_ps(side)), values);
  const __m256 error = _mm256_load_ps(side + 16);
  const __m256 weight = _mm256_set1_ps(q.norm_weight);
  __m256 bound;
  if (q.form == BoundForm::kDistance) {
    const __m256 square = _mm256_fnmadd_ps(
        _mm256_set1_ps(2.0f), inner, _mm256_add_ps(_mm256_set1_ps(q.square), _mm256_load_ps(side + 32)));
    // max_ps returns its second operand when one is NaN: the order keeps the NaN.
    const __m256 distance = _mm256_sqrt_ps(_mm256_max_ps(_mm256_setzero_ps(), square));
    bound = _mm256_fnmadd_ps(_mm256_set1_ps(q.shrink), distance, _mm256_add_ps(error, weight));
  } else {
    const __m256 fixed =
        q.form == BoundForm::kUnit ? weight : _mm256_mul_ps(_mm256_load_ps(side + 32), weight);
    bound = _mm256_add_ps(inner, _mm256_fmadd_ps(error, _mm256_set1_ps(q.error_weight), fixed));
  }
  return _mm256_movemask_ps(_mm256_cmp_ps(bound, threshold, _CMP_NLT_UQ));
}

size_t scan_codes(const CodeQuery& q, const uint8_t* groups, size_t first, size_t last, float threshold,
                  float* values) {
  const FlushDenormals guard;
  const size_t bytes = group_bytes(q.quads, q.form);
  const __m256 limit = _mm256_set1_ps(threshold);
  for (size_t g = first; g < last; ++g) {
    const uint8_t* codes = groups + g * bytes;
    Sums a = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    Sums b = a;
    for (size_t j = 0; j < q.quads; ++j) {
      const __m256i* line = reinterpret_cast<const __m256i*>(codes + j * 64);
      _mm_prefetch(reinterpret_cast<const char*>(line) + 4096, _MM_HINT_T0);
      const __m256i c0 = _mm256_load_si256(line), c1 = _mm256_load_si256(line + 1);
      a.high = add_products(a.high, c0, q.high + j * 4);
      a.low = add_products(a.low, c0, q.low + j * 4);
      b.high = add_products(b.high, c1, q.high + j * 4);
      b.low = add_products(b.low, c1, q.low + j * 4);
    }
    const float* side = reinterpret_cast<const float*>(codes + q.quads * 64);
    const __m256 v0 = to_values(q, a), v1 = to_values(q, b);
    if (rows_above(q, side, v0, limit) | rows_above(q, side + 8, v1, limit)) {
      _mm256_storeu_ps(values, v0);
      _mm256_storeu_ps(values + 8, v1);
      return g;
    }
  }
  return last;
}

}  // namespace

const Kernels kAvx2Kernels = {
    Isa::kAvx2, true, score_all_rows<Avx2, DotOp>, score_all_rows<Avx2, SquaredL2Op>, square_all_rows<Avx2>,
    scan_codes};

}  // namespace vecstore::simd
#endif
