// The AMX kernels as a template over the tile instructions, so that a test can run everything but the
// instructions themselves on any processor.
//
// `Tiles` holds four accumulators of 16 x 16 floats (2 x 2), two tiles of 16 x 32 bfloat16 from the left
// matrix and two of 32 x 16 from the right one, the latter in pairs of rows as packed panels have them.
#pragma once
#include "models/kernels_impl.hpp"

namespace vecstore::models {
namespace {

template <class Elements, class Tiles>
struct Amx : Elements {
  using Element = typename Elements::Element;
  using Session = typename Tiles::Session;
  static constexpr size_t kBlockRows = 32;
  static constexpr size_t kInnerPad = 32;
  static_assert(Elements::kColumns == 32 && Elements::kStep == 2);

  static void block(size_t rows, const Element* a, size_t lda, const Element* b, size_t steps, float* out) {
    constexpr size_t kTileSteps = 16;
    constexpr size_t kRowBytes = 32 * 2 * sizeof(Element);  // One step of a panel.
    const size_t a_stride = lda * sizeof(Element);
    if (rows > 16) {
      Tiles::zero();
      for (size_t s = 0; s < steps; s += kTileSteps, a += 2 * kTileSteps, b += kTileSteps * 64) {
        Tiles::load_b(b, b + 32, kRowBytes);
        Tiles::load_a(a, a + 16 * lda, a_stride);
        Tiles::multiply();
      }
      Tiles::store(out, out + 16, out + 16 * 32, out + 16 * 32 + 16, 32 * sizeof(float));
    } else {
      Tiles::zero_upper();
      for (size_t s = 0; s < steps; s += kTileSteps, a += 2 * kTileSteps, b += kTileSteps * 64) {
        Tiles::load_b(b, b + 32, kRowBytes);
        Tiles::load_a_upper(a, a_stride);
        Tiles::multiply_upper();
      }
      Tiles::store_upper(out, out + 16, 32 * sizeof(float));
    }
  }
};

}  // namespace
}  // namespace vecstore::models
