// Block kernels for AVX2.
#if defined(__AVX2__)
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd/block_kernels.hpp"

namespace vecstore::simd {

namespace {

void pack_tile(const uint8_t* codes, size_t stride, size_t bytes, const uint32_t* ids, size_t count,
               uint8_t* tile) {
  for (size_t r = 0; r < kTileRows; ++r) {
    const uint8_t* code = codes + ids[r < count ? r : 0] * stride;
    for (size_t j = 0; j < bytes; j += 4) memcpy(tile + j * kTileRows + r * 4, code + j, 4);
  }
}

inline __m256i four_values(const uint8_t* p) {
  int32_t word;
  memcpy(&word, p, 4);
  return _mm256_broadcastq_epi64(
      _mm_sub_epi16(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(word)), _mm_set1_epi16(128)));
}

// Of kR rows with one tile. Products of full bytes do not fit maddubs's 16 bits, so both sides are widened.
template <size_t kR>
inline void dots_of(const uint8_t* tile, size_t bytes, const uint8_t* const* rows, int32_t* out,
                    size_t out_stride) {
  __m256i sums[kR][4];
#pragma GCC unroll 8
  for (size_t r = 0; r < kR; ++r) {
#pragma GCC unroll 8
    for (size_t c = 0; c < 4; ++c) sums[r][c] = _mm256_setzero_si256();
  }
  for (size_t j = 0; j < bytes; j += 4) {
    __m256i columns[4];  // of four codes each
#pragma GCC unroll 8
    for (size_t c = 0; c < 4; ++c)
      columns[c] = _mm256_cvtepu8_epi16(
          _mm_load_si128(reinterpret_cast<const __m128i*>(tile + j * kTileRows + 16 * c)));
#pragma GCC unroll 8
    for (size_t r = 0; r < kR; ++r) {
      const __m256i row = four_values(rows[r] + j);
#pragma GCC unroll 8
      for (size_t c = 0; c < 4; ++c)
        sums[r][c] = _mm256_add_epi32(sums[r][c], _mm256_madd_epi16(columns[c], row));
    }
  }
#pragma GCC unroll 8
  for (size_t r = 0; r < kR; ++r) {
#pragma GCC unroll 8
    for (size_t c = 0; c < 4; c += 2) {
      const __m256i pair = _mm256_permute4x64_epi64(_mm256_hadd_epi32(sums[r][c], sums[r][c + 1]), 0xd8);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + r * out_stride + 4 * c), pair);
    }
  }
}

void dots(const uint8_t* tiles, size_t tile_count, size_t bytes, const uint8_t* rows, size_t stride,
          const uint32_t* ids, size_t count, int32_t* out, size_t out_stride) {
  constexpr size_t kRows = 2;  // at once
  for (size_t t = 0; t < tile_count; ++t) {
    const uint8_t* tile = tiles + t * bytes * kTileRows;
    int32_t* to = out + t * kTileRows;
    size_t i = 0;
    for (; i + kRows <= count; i += kRows) {
      const uint8_t* p[kRows] = {rows + ids[i] * stride, rows + ids[i + 1] * stride};
      dots_of<kRows>(tile, bytes, p, to + i * out_stride, out_stride);
    }
    if (i < count) {
      const uint8_t* p = rows + ids[i] * stride;
      dots_of<1>(tile, bytes, &p, to + i * out_stride, out_stride);
    }
  }
}

void distances(const int32_t* dots, size_t count, int32_t offset, const BlockSide& own,
               const BlockSides& others, float* out) {
  const __m256 scale = _mm256_set1_ps(own.scale), square = _mm256_set1_ps(own.square),
               lift = _mm256_set1_ps(own.lift);
  for (size_t i = 0; i < count; i += 8) {
    const __m256i dot = _mm256_sub_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(dots + i)),
                                         _mm256_set1_epi32(offset));
    const __m256 inner =
        _mm256_mul_ps(_mm256_mul_ps(scale, _mm256_loadu_ps(others.scales + i)), _mm256_cvtepi32_ps(dot));
    const __m256 sum = _mm256_add_ps(square, _mm256_loadu_ps(others.squares + i));
    const __m256 d = _mm256_sub_ps(sum, _mm256_add_ps(inner, inner));
    const __m256 up = _mm256_sub_ps(lift, _mm256_loadu_ps(others.lifts + i));
    const __m256 more = _mm256_cmp_ps(d, _mm256_mul_ps(sum, _mm256_set1_ps(kBlockRounding)), _CMP_GT_OQ);
    _mm256_storeu_ps(out + i, _mm256_add_ps(_mm256_and_ps(more, d), _mm256_mul_ps(up, up)));
  }
}

size_t places_below(const float* values, size_t count, float bound, uint32_t* out) {
  const __m256 limit = _mm256_set1_ps(bound);
  size_t found = 0, i = 0;
  for (; i + 8 <= count; i += 8) {
    int mask = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(values + i), limit, _CMP_LT_OQ));
    for (; mask; mask &= mask - 1)
      out[found++] =
          static_cast<uint32_t>(i) + static_cast<uint32_t>(__builtin_ctz(static_cast<unsigned>(mask)));
  }
  for (; i < count; ++i) {
    if (values[i] < bound) out[found++] = static_cast<uint32_t>(i);
  }
  return found;
}

}  // namespace

const BlockKernels kAvx2BlockKernels = {pack_tile, dots, distances, places_below};

}  // namespace vecstore::simd

#endif
