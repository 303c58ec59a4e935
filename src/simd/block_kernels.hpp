// Kernels that compare many 8-bit codes with many others at once, chosen with the table of kernels.hpp.
// Included by the ISA files: plain C only.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "simd/kernels.hpp"

namespace vecstore::simd {

/// Codes that are compared with at once lie in tiles: 4 components of one code, then the same of the next.
inline constexpr size_t kTileRows = 16;

/// What turns the sum of the products of two codes' values into a squared distance:
///   max(0, a.square + b.square - 2 * a.scale * b.scale * sum) + (a.lift - b.lift)^2,
/// where the first term is 0 too when it is within the rounding of the squares.
struct BlockSide {
  float scale;
  float square;
  float lift;
};

/// The same, of all codes of some tiles: one array each, tile_count * kTileRows long.
struct BlockSides {
  const float* scales;
  const float* squares;
  const float* lifts;
};

/// The first term of a distance counts as 0 up to this part of the sum of the squares.
inline constexpr float kBlockRounding = 5e-7f;

struct BlockKernels {
  /// Writes codes[ids[0]], codes[ids[1]], ... into a tile, bytes * kTileRows long and aligned to 64 bytes. A
  /// tile of fewer than kTileRows codes is filled up with its first one. `bytes` is a multiple of 64.
  void (*pack_tile)(const uint8_t* codes, size_t stride, size_t bytes, const uint32_t* ids, size_t count,
                    uint8_t* tile);
  /// out[i * out_stride + c] = sum over j < bytes of byte j of code c of the tiles times (byte j of row
  /// ids[i]
  /// - 128); exact, `bytes` is at most 2^16.
  void (*dots)(const uint8_t* tiles, size_t tile_count, size_t bytes, const uint8_t* rows, size_t stride,
               const uint32_t* ids, size_t count, int32_t* out, size_t out_stride);
  /// out[i] = the distance that belongs to dots[i] - offset, for i < count; dots, sides and out have room
  /// for count rounded up to kTileRows.
  void (*distances)(const int32_t* dots, size_t count, int32_t offset, const BlockSide& own,
                    const BlockSides& others, float* out);
  /// Writes the places of the values below `bound`, in order, and returns how many they are; `out` has room
  /// for `count` rounded up to kTileRows.
  size_t (*places_below)(const float* values, size_t count, float bound, uint32_t* out);
};

/// The table that belongs to kernels(): the same instruction set.
const BlockKernels& block_kernels();
/// nullptr when this CPU lacks the ISA.
const BlockKernels* block_kernels_for(Isa isa);

extern const BlockKernels kScalarBlockKernels;
extern const BlockKernels kAvx2BlockKernels;
extern const BlockKernels kAvx512BlockKernels;

}  // namespace vecstore::simd
