// Block kernels in plain C++.
#include "simd/block_kernels.hpp"

namespace vecstore::simd {

namespace {

void pack_tile(const uint8_t* codes, size_t stride, size_t bytes, const uint32_t* ids, size_t count,
               uint8_t* tile) {
  for (size_t r = 0; r < kTileRows; ++r) {
    const uint8_t* code = codes + ids[r < count ? r : 0] * stride;
    for (size_t j = 0; j < bytes; ++j) tile[j / 4 * 4 * kTileRows + r * 4 + j % 4] = code[j];
  }
}

void dots(const uint8_t* tiles, size_t tile_count, size_t bytes, const uint8_t* rows, size_t stride,
          const uint32_t* ids, size_t count, int32_t* out, size_t out_stride) {
  for (size_t t = 0; t < tile_count; ++t) {
    const uint8_t* tile = tiles + t * bytes * kTileRows;
    for (size_t i = 0; i < count; ++i) {
      const uint8_t* row = rows + ids[i] * stride;
      int32_t sums[kTileRows] = {};
      for (size_t j = 0; j < bytes; ++j) {
        const int32_t value = static_cast<int32_t>(row[j]) - 128;
        const uint8_t* column = tile + j / 4 * 4 * kTileRows + j % 4;
        for (size_t r = 0; r < kTileRows; ++r) sums[r] += value * column[r * 4];
      }
      for (size_t r = 0; r < kTileRows; ++r) out[i * out_stride + t * kTileRows + r] = sums[r];
    }
  }
}

void distances(const int32_t* dots, size_t count, int32_t offset, const BlockSide& own,
               const BlockSides& others, float* out) {
  for (size_t i = 0; i < count; ++i) {
    const float inner = own.scale * others.scales[i] * static_cast<float>(dots[i] - offset);
    const float sum = own.square + others.squares[i];
    const float square = sum - 2 * inner, lift = own.lift - others.lifts[i];
    out[i] = (square > kBlockRounding * sum ? square : 0.0f) + lift * lift;
  }
}

size_t places_below(const float* values, size_t count, float bound, uint32_t* out) {
  size_t found = 0;
  for (size_t i = 0; i < count; ++i) {
    out[found] = static_cast<uint32_t>(i);
    found += values[i] < bound;
  }
  return found;
}

}  // namespace

const BlockKernels kScalarBlockKernels = {pack_tile, dots, distances, places_below};

}  // namespace vecstore::simd
