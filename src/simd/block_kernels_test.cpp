#include "simd/block_kernels.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <vector>

namespace vecstore::simd {
namespace {

constexpr std::uint32_t kSeed = 77;

std::vector<std::pair<Isa, const BlockKernels*>> available() {
  std::vector<std::pair<Isa, const BlockKernels*>> out;
  for (Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (const BlockKernels* k = block_kernels_for(isa)) out.emplace_back(isa, k);
  }
  return out;
}

struct Free {
  void operator()(void* p) const { std::free(p); }
};
using Bytes = std::unique_ptr<std::uint8_t[], Free>;
Bytes aligned(std::size_t bytes) { return Bytes(static_cast<std::uint8_t*>(std::aligned_alloc(64, bytes))); }

TEST(BlockKernels, DotsAreThoseOfAPlainLoop) {
  std::mt19937 random(kSeed);
  for (const auto& [isa, kernels] : available()) {
    for (std::size_t bytes : {64u, 128u, 384u}) {
      for (std::size_t columns : {1u, 15u, 16u, 17u, 70u, 100u}) {
        for (std::size_t rows : {1u, 2u, 3u, 4u, 5u, 9u}) {
          SCOPED_TRACE(testing::Message() << to_string(isa) << ", " << bytes << " bytes, " << columns << " x "
                                          << rows << ", seed " << kSeed);
          constexpr std::size_t kCodes = 40;
          const bool extreme = columns == 70;
          std::vector<std::uint8_t> codes(kCodes * bytes);
          for (auto& c : codes) c = static_cast<std::uint8_t>(extreme ? random() % 2 * 255 : random());
          std::vector<std::uint32_t> column_ids(columns), row_ids(rows);
          for (auto& id : column_ids) id = random() % kCodes;
          for (auto& id : row_ids) id = random() % kCodes;
          const std::size_t tiles = (columns + kTileRows - 1) / kTileRows, width = tiles * kTileRows + 3;
          const Bytes packed = aligned(tiles * kTileRows * bytes);
          for (std::size_t t = 0; t < tiles; ++t)
            kernels->pack_tile(codes.data(), bytes, bytes, column_ids.data() + t * kTileRows,
                               std::min(kTileRows, columns - t * kTileRows),
                               packed.get() + t * kTileRows * bytes);
          std::vector<std::int32_t> out(rows * width);
          kernels->dots(packed.get(), tiles, bytes, codes.data(), bytes, row_ids.data(), rows, out.data(),
                        width);
          for (std::size_t i = 0; i < rows; ++i) {
            for (std::size_t c = 0; c < tiles * kTileRows; ++c) {
              const std::uint32_t column = column_ids[c < columns ? c : c / kTileRows * kTileRows];
              std::int32_t sum = 0;
              for (std::size_t j = 0; j < bytes; ++j)
                sum += codes[column * bytes + j] * (codes[row_ids[i] * bytes + j] - 128);
              ASSERT_EQ(out[i * width + c], sum) << i << ", " << c;
            }
          }
        }
      }
    }
  }
}

TEST(BlockKernels, DistancesAreThoseOfTheFormula) {
  std::mt19937 random(kSeed + 1);
  std::uniform_real_distribution<float> uniform(0.1f, 2.0f);
  constexpr std::size_t kRoom = 48;
  std::vector<float> scales(kRoom), squares(kRoom), lifts(kRoom), out(kRoom);
  std::vector<std::int32_t> dots(kRoom);
  for (std::size_t i = 0; i < kRoom; ++i) {
    scales[i] = 0.01f * uniform(random);
    squares[i] = uniform(random);
    lifts[i] = i % 3 ? uniform(random) : 0.0f;
    dots[i] = static_cast<std::int32_t>(random() % 20000) - 10000;
  }
  const BlockSide own{0.01f, 1.25f, 0.0f};
  // Equal codes: nothing is left, however the last bits fall.
  scales[5] = own.scale, squares[5] = own.square, lifts[5] = 0, dots[5] = 12500 + 7;
  for (const auto& [isa, kernels] : available()) {
    for (std::size_t count : {1u, 8u, 15u, 16u, 33u, 48u}) {
      kernels->distances(dots.data(), count, 7, own, {scales.data(), squares.data(), lifts.data()},
                         out.data());
      for (std::size_t i = 0; i < count; ++i) {
        const double sum = static_cast<double>(own.square) + squares[i];
        const double inner = static_cast<double>(own.scale) * scales[i] * (dots[i] - 7);
        const double square = sum - 2 * inner, lift = static_cast<double>(own.lift) - lifts[i];
        EXPECT_NEAR(out[i], (square > 5e-7 * sum ? square : 0) + lift * lift, 2e-6 * (sum + std::abs(inner)))
            << to_string(isa) << " " << i;
      }
      if (count > 5) {
        EXPECT_EQ(out[5], 0.0f);
      }
    }
  }
}

TEST(BlockKernels, PlacesBelowABoundStandInOrder) {
  std::mt19937 random(kSeed + 2);
  for (const auto& [isa, kernels] : available()) {
    for (int round = 0; round < 200; ++round) {
      const std::size_t count = random() % 100, room = (count / kTileRows + 1) * kTileRows;
      std::vector<float> values(room, -1.0f);  // what lies behind the end is not looked at
      for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(random() % 10);
      if (count) values[random() % count] = std::numeric_limits<float>::infinity();
      const float bound = static_cast<float>(random() % 12);
      std::vector<std::uint32_t> want, out(room);
      for (std::uint32_t i = 0; i < count; ++i) {
        if (values[i] < bound) want.push_back(i);
      }
      out.resize(kernels->places_below(values.data(), count, bound, out.data()));
      ASSERT_EQ(out, want) << to_string(isa) << " round " << round << " of seed " << kSeed + 2;
    }
  }
}

}  // namespace
}  // namespace vecstore::simd
