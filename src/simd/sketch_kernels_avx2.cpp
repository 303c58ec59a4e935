// Sketch kernels for AVX2.
#if defined(__AVX2__)
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/sketch_kernels.hpp"

namespace vecstore::simd {
namespace {

// [x0 + x1, x0 - x1] for every two halves of distance 1, 2, 4 in a register.
inline __m256 within(__m256 v) {
  const __m256 one = _mm256_castsi256_ps(_mm256_set_epi32(1 << 31, 0, 1 << 31, 0, 1 << 31, 0, 1 << 31, 0));
  const __m256 two = _mm256_castsi256_ps(_mm256_set_epi32(1 << 31, 1 << 31, 0, 0, 1 << 31, 1 << 31, 0, 0));
  const __m256 four = _mm256_castsi256_ps(_mm256_set_epi32(1 << 31, 1 << 31, 1 << 31, 1 << 31, 0, 0, 0, 0));
  v = _mm256_add_ps(_mm256_permute_ps(v, 0xb1), _mm256_xor_ps(v, one));
  v = _mm256_add_ps(_mm256_permute_ps(v, 0x4e), _mm256_xor_ps(v, two));
  return _mm256_add_ps(_mm256_permute2f128_ps(v, v, 1), _mm256_xor_ps(v, four));
}

void hadamard(float* values, const float* signs, size_t count) {
  for (size_t i = 0; i < count; i += 8) {
    const __m256 v = _mm256_mul_ps(_mm256_loadu_ps(values + i), _mm256_loadu_ps(signs + i));
    _mm256_storeu_ps(values + i, within(v));
  }
  for (size_t half = 8; half < count; half *= 2) {
    for (size_t begin = 0; begin < count; begin += 2 * half) {
      for (size_t i = begin; i < begin + half; i += 8) {
        const __m256 a = _mm256_loadu_ps(values + i), b = _mm256_loadu_ps(values + i + half);
        _mm256_storeu_ps(values + i, _mm256_add_ps(a, b));
        _mm256_storeu_ps(values + i + half, _mm256_sub_ps(a, b));
      }
    }
  }
}

void set_signs(const float* values, uint64_t* group, size_t lane, size_t words) {
  for (size_t w = 0; w < words; ++w) {
    uint64_t signs = 0;
    for (size_t i = 0; i < 8; ++i)
      signs |= (uint64_t)(uint32_t)_mm256_movemask_ps(_mm256_loadu_ps(values + w * 64 + i * 8)) << (8 * i);
    group[w * kSketchRows + lane] = ~signs;
  }
}

float set_planes(const float* values, float inverse_step, uint64_t* planes, size_t words) {
  const __m256 inverse = _mm256_set1_ps(inverse_step), half = _mm256_set1_ps(0.5f);
  const __m256 no_sign = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  __m256 sum = _mm256_setzero_ps();
  for (size_t w = 0; w < words; ++w) {
    uint64_t middle = 0, last = 0;
    for (size_t i = 0; i < 8; ++i) {
      const __m256 v = _mm256_loadu_ps(values + w * 64 + i * 8);
      const __m256 steps = _mm256_mul_ps(_mm256_and_ps(v, no_sign), inverse);
      const __m256 one = _mm256_cmp_ps(steps, _mm256_set1_ps(1), _CMP_GE_OQ);
      const __m256 two = _mm256_cmp_ps(steps, _mm256_set1_ps(2), _CMP_GE_OQ);
      const __m256 three = _mm256_cmp_ps(steps, _mm256_set1_ps(3), _CMP_GE_OQ);
      const __m256 odd = _mm256_xor_ps(_mm256_xor_ps(one, two), three);
      middle |= (uint64_t)(uint32_t)_mm256_movemask_ps(_mm256_xor_ps(two, v)) << (8 * i);
      last |= (uint64_t)(uint32_t)_mm256_movemask_ps(_mm256_xor_ps(odd, v)) << (8 * i);
      // A comparison that holds is -1 as an integer.
      const __m256i whole = _mm256_add_epi32(
          _mm256_add_epi32(_mm256_castps_si256(one), _mm256_castps_si256(two)), _mm256_castps_si256(three));
      sum = _mm256_fmadd_ps(steps, _mm256_sub_ps(half, _mm256_cvtepi32_ps(whole)), sum);
    }
    planes[w] = middle;
    planes[words + w] = last;
  }
  float parts[8], out = 0;
  _mm256_storeu_ps(parts, sum);
  for (size_t i = 0; i < 8; ++i) out += parts[i];
  return out;
}

// How many bits are set in each byte.
inline __m256i byte_counts(__m256i x) {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2,
                                         3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i low = _mm256_set1_epi8(15);
  return _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(x, low)),
                         _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(x, 4), low)));
}

size_t scan(const uint64_t* query, const uint64_t* groups, size_t words, size_t count, uint32_t limit,
            SketchHit* hits) {
  constexpr size_t kMostWords = 31;  // so many counts of 8 fit a byte
  const __m256i zero = _mm256_setzero_si256();
  const __m256i most = _mm256_set1_epi64x((long long)limit);
  size_t found = 0;
  for (size_t g = 0; g < count; ++g) {
    const uint64_t* group = groups + g * words * kSketchRows;
    __m256i sums0 = zero, sums1 = zero;
    for (size_t w = 0; w < words;) {
      __m256i bytes0 = zero, bytes1 = zero;
      for (const size_t end = words - w < kMostWords ? words : w + kMostWords; w < end; ++w) {
        const __m256i q = _mm256_set1_epi64x((long long)query[w]);
        const __m256i* line = (const __m256i*)(group + w * kSketchRows);
        bytes0 = _mm256_add_epi8(bytes0, byte_counts(_mm256_xor_si256(_mm256_load_si256(line), q)));
        bytes1 = _mm256_add_epi8(bytes1, byte_counts(_mm256_xor_si256(_mm256_load_si256(line + 1), q)));
      }
      sums0 = _mm256_add_epi64(sums0, _mm256_sad_epu8(bytes0, zero));
      sums1 = _mm256_add_epi64(sums1, _mm256_sad_epu8(bytes1, zero));
    }
    const __m256i above0 = _mm256_cmpgt_epi64(sums0, most), above1 = _mm256_cmpgt_epi64(sums1, most);
    if (_mm256_movemask_epi8(_mm256_and_si256(above0, above1)) == -1) continue;
    uint64_t out[kSketchRows];
    _mm256_storeu_si256((__m256i*)out, sums0);
    _mm256_storeu_si256((__m256i*)(out + 4), sums1);
    for (size_t r = 0; r < kSketchRows; ++r) {
      hits[found] = SketchHit{(uint32_t)(g * kSketchRows + r), (uint32_t)out[r]};
      found += out[r] <= limit;
    }
  }
  return found;
}

// 0xff in each byte whose bit is set.
inline __m256i spread(uint32_t bits) {
  const __m256i which = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2,
                                         2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
  const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), which);
  return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
}

inline int32_t sum_set(const int8_t* query, const uint64_t* words_of_row, size_t stride, size_t words) {
  const __m256i ones = _mm256_set1_epi8(1), short_ones = _mm256_set1_epi16(1);
  __m256i sums = _mm256_setzero_si256();
  for (size_t w = 0; w < words; ++w) {
    const uint64_t bits = words_of_row[w * stride];
    for (size_t half = 0; half < 2; ++half) {
      const __m256i q = _mm256_loadu_si256((const __m256i*)(query + w * 64 + half * 32));
      const __m256i set = _mm256_and_si256(q, spread((uint32_t)(bits >> (32 * half))));
      sums = _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_maddubs_epi16(ones, set), short_ones));
    }
  }
  const __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  const __m128i pair = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32(pair, 0xb1)));
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

const SketchKernels kAvx2SketchKernels = {hadamard, set_signs, set_planes, scan, sums, plane_sum};

}  // namespace vecstore::simd
#endif
