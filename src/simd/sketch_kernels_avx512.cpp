// Sketch kernels for AVX-512 (F, BW, DQ, VL, VNNI).
#if defined(__AVX512F__) && defined(__AVX512VNNI__)
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12 warns about its own _mm512_undefined_ps
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/sketch_kernels.hpp"

namespace vecstore::simd {
namespace {

inline __m512 flip(__m512 v, uint32_t lanes) {
  return _mm512_castsi512_ps(_mm512_mask_xor_epi32(_mm512_castps_si512(v), (__mmask16)lanes,
                                                   _mm512_castps_si512(v), _mm512_set1_epi32(1 << 31)));
}

// [x0 + x1, x0 - x1] for every two halves of distance 1, 2, 4, 8 in a register.
inline __m512 within(__m512 v) {
  v = _mm512_add_ps(_mm512_permute_ps(v, 0xb1), flip(v, 0xaaaa));
  v = _mm512_add_ps(_mm512_permute_ps(v, 0x4e), flip(v, 0xcccc));
  v = _mm512_add_ps(_mm512_shuffle_f32x4(v, v, 0xb1), flip(v, 0xf0f0));
  return _mm512_add_ps(_mm512_shuffle_f32x4(v, v, 0x4e), flip(v, 0xff00));
}

// So many registers at once: their butterflies need no memory.
constexpr size_t kRegisters = 8;

inline void mix_registers(float* values, const float* signs) {
  __m512 v[kRegisters];
#pragma GCC unroll 8
  for (size_t i = 0; i < kRegisters; ++i)
    v[i] = within(_mm512_mul_ps(_mm512_loadu_ps(values + 16 * i), _mm512_loadu_ps(signs + 16 * i)));
#pragma GCC unroll 3
  for (size_t half = 1; half < kRegisters; half *= 2) {
#pragma GCC unroll 8
    for (size_t i = 0; i < kRegisters; ++i) {
      if (i & half) continue;
      const __m512 a = v[i], b = v[i + half];
      v[i] = _mm512_add_ps(a, b);
      v[i + half] = _mm512_sub_ps(a, b);
    }
  }
#pragma GCC unroll 8
  for (size_t i = 0; i < kRegisters; ++i) _mm512_storeu_ps(values + 16 * i, v[i]);
}

void hadamard(float* values, const float* signs, size_t count) {
  size_t half = 16 * kRegisters;
  if (count < half) {
    for (size_t i = 0; i < count; i += 16)
      _mm512_storeu_ps(values + i,
                       within(_mm512_mul_ps(_mm512_loadu_ps(values + i), _mm512_loadu_ps(signs + i))));
    half = 16;
  } else {
    for (size_t i = 0; i < count; i += half) mix_registers(values + i, signs + i);
  }
  for (; half < count; half *= 2) {
    for (size_t begin = 0; begin < count; begin += 2 * half) {
      for (size_t i = begin; i < begin + half; i += 16) {
        const __m512 a = _mm512_loadu_ps(values + i), b = _mm512_loadu_ps(values + i + half);
        _mm512_storeu_ps(values + i, _mm512_add_ps(a, b));
        _mm512_storeu_ps(values + i + half, _mm512_sub_ps(a, b));
      }
    }
  }
}

void set_signs(const float* values, uint64_t* group, size_t lane, size_t words) {
  for (size_t w = 0; w < words; ++w) {
    uint64_t signs = 0;
    for (size_t i = 0; i < 4; ++i) {
      const __m512i v = _mm512_loadu_si512(values + w * 64 + i * 16);
      signs |= (uint64_t)_mm512_movepi32_mask(v) << (16 * i);
    }
    group[w * kSketchRows + lane] = ~signs;
  }
}

float set_planes(const float* values, float inverse_step, uint64_t* planes, size_t words) {
  const __m512 inverse = _mm512_set1_ps(inverse_step), half = _mm512_set1_ps(0.5f);
  __m512 sum = _mm512_setzero_ps();
  for (size_t w = 0; w < words; ++w) {
    uint64_t middle = 0, last = 0;
    for (size_t i = 0; i < 4; ++i) {
      const __m512 v = _mm512_loadu_ps(values + w * 64 + i * 16);
      const uint64_t negative = _mm512_movepi32_mask(_mm512_castps_si512(v));
      const __m512 steps = _mm512_mul_ps(_mm512_abs_ps(v), inverse);
      const __mmask16 one = _mm512_cmp_ps_mask(steps, _mm512_set1_ps(1), _CMP_GE_OQ);
      const __mmask16 two = _mm512_cmp_ps_mask(steps, _mm512_set1_ps(2), _CMP_GE_OQ);
      const __mmask16 three = _mm512_cmp_ps_mask(steps, _mm512_set1_ps(3), _CMP_GE_OQ);
      middle |= (two ^ negative) << (16 * i);
      last |= ((uint64_t)(one ^ two ^ three) ^ negative) << (16 * i);
      __m512 level = _mm512_mask_mov_ps(half, one, _mm512_set1_ps(1.5f));
      level = _mm512_mask_mov_ps(level, two, _mm512_set1_ps(2.5f));
      level = _mm512_mask_mov_ps(level, three, _mm512_set1_ps(3.5f));
      sum = _mm512_fmadd_ps(steps, level, sum);
    }
    planes[w] = middle;
    planes[words + w] = last;
  }
  return _mm512_reduce_add_ps(sum);
}

// How many bits are set in each byte.
inline __m512i byte_counts(__m512i x) {
  const __m512i table = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  const __m512i low = _mm512_set1_epi8(15);
  return _mm512_add_epi8(_mm512_shuffle_epi8(table, _mm512_and_si512(x, low)),
                         _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(x, 4), low)));
}

// Without a branch per group: of hard queries many groups have hits, which cannot be foreseen.
size_t scan(const uint64_t* query, const uint64_t* groups, size_t words, size_t count, uint32_t limit,
            SketchHit* hits) {
  constexpr size_t kMostWords = 31;  // so many counts of 8 fit a byte
  constexpr size_t kAhead = 4096;    // bytes
  const __m512i zero = _mm512_setzero_si512();
  const __m512i most = _mm512_set1_epi64((long long)limit);
  const __m512i eight = _mm512_set1_epi64(kSketchRows);
  __m512i rows = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
  size_t found = 0;
  for (size_t g = 0; g < count; ++g) {
    const uint64_t* group = groups + g * words * kSketchRows;
    __m512i sums = zero;
    for (size_t w = 0; w < words;) {
      __m512i bytes = zero;
      for (const size_t end = words - w < kMostWords ? words : w + kMostWords; w < end; ++w) {
        const uint64_t* line = group + w * kSketchRows;
        _mm_prefetch((const char*)line + kAhead, _MM_HINT_T0);
        const __m512i x = _mm512_xor_si512(_mm512_load_si512(line), _mm512_set1_epi64((long long)query[w]));
        bytes = _mm512_add_epi8(bytes, byte_counts(x));
      }
      sums = _mm512_add_epi64(sums, _mm512_sad_epu8(bytes, zero));
    }
    const __mmask8 near = _mm512_cmple_epi64_mask(sums, most);
    const __m512i all = _mm512_or_si512(rows, _mm512_slli_epi64(sums, 32));
    // At most 8 hits per group so far: all eight lanes fit.
    _mm512_storeu_si512(hits + found, _mm512_maskz_compress_epi64(near, all));
    found += (size_t)__builtin_popcount(near);
    rows = _mm512_add_epi64(rows, eight);
  }
  return found;
}

inline int32_t sum_set(const int8_t* query, const uint64_t* words_of_row, size_t stride, size_t words) {
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i sums = _mm512_setzero_si512();
  for (size_t w = 0; w < words; ++w) {
    const __m512i q = _mm512_maskz_loadu_epi8(words_of_row[w * stride], query + w * 64);
    sums = _mm512_dpbusd_epi32(sums, ones, q);
  }
  return _mm512_reduce_add_epi32(sums);
}

void sums(const int8_t* query, const uint64_t* groups, size_t words, const SketchHit* hits, size_t count,
          int32_t* out) {
  for (size_t i = 0; i < count; ++i) {
    const size_t g = hits[i].row / kSketchRows, r = hits[i].row % kSketchRows;
    out[i] = sum_set(query, groups + g * words * kSketchRows + r, kSketchRows, words);
  }
}

int32_t plane_sum(const int8_t* query, const uint64_t* planes, size_t words) {
  return 2 * sum_set(query, planes, 1, words) + sum_set(query, planes + words, 1, words);
}

}  // namespace

const SketchKernels kAvx512SketchKernels = {hadamard, set_signs, set_planes, scan, sums, plane_sum};

}  // namespace vecstore::simd
#endif
