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

// How many bits are set in each byte.
inline __m512i byte_counts(__m512i x) {
  const __m512i table = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  const __m512i low = _mm512_set1_epi8(15);
  return _mm512_add_epi8(_mm512_shuffle_epi8(table, _mm512_and_si512(x, low)),
                         _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(x, 4), low)));
}

size_t scan(const uint64_t* query, const uint64_t* groups, size_t words, size_t first, size_t last,
            uint32_t limit, uint32_t* distances) {
  constexpr size_t kMostWords = 31;  // so many counts of 8 fit a byte
  constexpr size_t kAhead = 4096;    // bytes
  const __m512i zero = _mm512_setzero_si512();
  const __m512i most = _mm512_set1_epi64((long long)limit);
  for (size_t g = first; g < last; ++g) {
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
    if (_mm512_cmple_epi64_mask(sums, most) == 0) continue;
    _mm256_storeu_si256((__m256i*)distances, _mm512_cvtepi64_epi32(sums));
    return g;
  }
  return last;
}

int32_t sum_set(const int8_t* query, const uint64_t* group, size_t lane, size_t words) {
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i sums = _mm512_setzero_si512();
  for (size_t w = 0; w < words; ++w) {
    const __m512i q = _mm512_maskz_loadu_epi8(group[w * kSketchRows + lane], query + w * 64);
    sums = _mm512_dpbusd_epi32(sums, ones, q);
  }
  return _mm512_reduce_add_epi32(sums);
}

}  // namespace

const SketchKernels kAvx512SketchKernels = {hadamard, set_signs, scan, sum_set};

}  // namespace vecstore::simd
#endif
