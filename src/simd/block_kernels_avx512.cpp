// Block kernels for AVX-512 (F, BW, DQ, VL, VNNI).
#if defined(__AVX512F__) && defined(__AVX512VNNI__)
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12 warns about its own _mm512_undefined_epi32
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd/block_kernels.hpp"

namespace vecstore::simd {

namespace {

constexpr size_t kTiles = 4;  // at once
constexpr size_t kRows = 4;

// 16 x 16 words of 4 bytes are turned over: row r's word w becomes word r of line w.
inline void turn(const uint8_t* const* rows, size_t at, uint8_t* out) {
  __m512i a[16], b[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) a[i] = _mm512_loadu_si512(rows[i] + at);
#pragma GCC unroll 16
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
  }
  // a[i + w]: word w of each 128-bit lane, of the rows i .. i + 3.
#pragma GCC unroll 16
  for (int i = 0; i < 16; i += 4) {
    a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
    a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
    a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
    a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
  }
#pragma GCC unroll 16
  for (int w = 0; w < 4; ++w) {
    const __m512i p = _mm512_shuffle_i32x4(a[w], a[w + 4], 0x88);  // lanes 0, 2 of rows 0-3, 4-7
    const __m512i q = _mm512_shuffle_i32x4(a[w], a[w + 4], 0xdd);  // lanes 1, 3
    const __m512i r = _mm512_shuffle_i32x4(a[w + 8], a[w + 12], 0x88);
    const __m512i s = _mm512_shuffle_i32x4(a[w + 8], a[w + 12], 0xdd);
    _mm512_store_si512(out + 64 * w, _mm512_shuffle_i32x4(p, r, 0x88));
    _mm512_store_si512(out + 64 * (w + 4), _mm512_shuffle_i32x4(q, s, 0x88));
    _mm512_store_si512(out + 64 * (w + 8), _mm512_shuffle_i32x4(p, r, 0xdd));
    _mm512_store_si512(out + 64 * (w + 12), _mm512_shuffle_i32x4(q, s, 0xdd));
  }
}

void pack_tile(const uint8_t* codes, size_t stride, size_t bytes, const uint32_t* ids, size_t count,
               uint8_t* tile) {
  const uint8_t* rows[kTileRows];
  for (size_t r = 0; r < kTileRows; ++r) rows[r] = codes + ids[r < count ? r : 0] * stride;
  for (size_t j = 0; j < bytes; j += 64) turn(rows, j, tile + j * kTileRows);
}

inline __m512i four_values(const uint8_t* p) {
  int32_t word;
  memcpy(&word, p, 4);
  return _mm512_set1_epi32(word ^ static_cast<int32_t>(0x80808080u));
}

template <size_t kR, size_t kT>
inline void dots_of(const uint8_t* tiles, size_t bytes, const uint8_t* const* rows, int32_t* out,
                    size_t out_stride) {
  __m512i sums[kR][kT];
#pragma GCC unroll 8
  for (size_t r = 0; r < kR; ++r) {
#pragma GCC unroll 8
    for (size_t t = 0; t < kT; ++t) sums[r][t] = _mm512_setzero_si512();
  }
  const size_t tile_bytes = bytes * kTileRows;
  for (size_t j = 0; j < bytes; j += 4) {
    __m512i columns[kT];
#pragma GCC unroll 8
    for (size_t t = 0; t < kT; ++t) columns[t] = _mm512_load_si512(tiles + t * tile_bytes + j * kTileRows);
#pragma GCC unroll 8
    for (size_t r = 0; r < kR; ++r) {
      const __m512i row = four_values(rows[r] + j);
#pragma GCC unroll 8
      for (size_t t = 0; t < kT; ++t) sums[r][t] = _mm512_dpbusd_epi32(sums[r][t], columns[t], row);
    }
  }
#pragma GCC unroll 8
  for (size_t r = 0; r < kR; ++r) {
#pragma GCC unroll 8
    for (size_t t = 0; t < kT; ++t) _mm512_storeu_si512(out + r * out_stride + t * kTileRows, sums[r][t]);
  }
}

template <size_t kT>
void dots_of_tiles(const uint8_t* tiles, size_t bytes, const uint8_t* rows, size_t stride,
                   const uint32_t* ids, size_t count, int32_t* out, size_t out_stride) {
  size_t i = 0;
  for (; i + kRows <= count; i += kRows) {
    const uint8_t* p[kRows];
    for (size_t r = 0; r < kRows; ++r) p[r] = rows + ids[i + r] * stride;
    dots_of<kRows, kT>(tiles, bytes, p, out + i * out_stride, out_stride);
  }
  for (; i < count; ++i) {
    const uint8_t* p = rows + ids[i] * stride;
    dots_of<1, kT>(tiles, bytes, &p, out + i * out_stride, out_stride);
  }
}

void dots(const uint8_t* tiles, size_t tile_count, size_t bytes, const uint8_t* rows, size_t stride,
          const uint32_t* ids, size_t count, int32_t* out, size_t out_stride) {
  size_t t = 0;
  for (; t + kTiles <= tile_count; t += kTiles)
    dots_of_tiles<kTiles>(tiles + t * bytes * kTileRows, bytes, rows, stride, ids, count, out + t * kTileRows,
                          out_stride);
  for (; t < tile_count; ++t)
    dots_of_tiles<1>(tiles + t * bytes * kTileRows, bytes, rows, stride, ids, count, out + t * kTileRows,
                     out_stride);
}

void distances(const int32_t* dots, size_t count, int32_t offset, const BlockSide& own,
               const BlockSides& others, float* out) {
  const __m512 scale = _mm512_set1_ps(own.scale), square = _mm512_set1_ps(own.square),
               lift = _mm512_set1_ps(own.lift);
  for (size_t i = 0; i < count; i += 16) {
    const __m512 dot =
        _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_loadu_si512(dots + i), _mm512_set1_epi32(offset)));
    const __m512 inner = _mm512_mul_ps(_mm512_mul_ps(scale, _mm512_loadu_ps(others.scales + i)), dot);
    const __m512 sum = _mm512_add_ps(square, _mm512_loadu_ps(others.squares + i));
    const __m512 d = _mm512_sub_ps(sum, _mm512_add_ps(inner, inner));
    const __m512 up = _mm512_sub_ps(lift, _mm512_loadu_ps(others.lifts + i));
    const __mmask16 more =
        _mm512_cmp_ps_mask(d, _mm512_mul_ps(sum, _mm512_set1_ps(kBlockRounding)), _CMP_GT_OQ);
    _mm512_storeu_ps(out + i, _mm512_add_ps(_mm512_maskz_mov_ps(more, d), _mm512_mul_ps(up, up)));
  }
}

size_t places_below(const float* values, size_t count, float bound, uint32_t* out) {
  const __m512 limit = _mm512_set1_ps(bound);
  __m512i place = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  size_t found = 0;
  for (size_t i = 0; i < count; i += 16) {
    const __mmask16 inside = static_cast<__mmask16>(count - i >= 16 ? 0xffff : (1u << (count - i)) - 1);
    const __mmask16 below =
        _mm512_mask_cmp_ps_mask(inside, _mm512_maskz_loadu_ps(inside, values + i), limit, _CMP_LT_OQ);
    // Compressing in a register and storing all of it is much faster than a compressing store.
    if (below) {
      _mm512_storeu_si512(out + found, _mm512_maskz_compress_epi32(below, place));
      found += static_cast<size_t>(__builtin_popcount(below));
    }
    place = _mm512_add_epi32(place, _mm512_set1_epi32(16));
  }
  return found;
}

}  // namespace

const BlockKernels kAvx512BlockKernels = {pack_tile, dots, distances, places_below};

}  // namespace vecstore::simd

#endif
