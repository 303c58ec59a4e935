#include "quant/byte_codes.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace vecstore {
namespace {

constexpr std::uint32_t kSeed = 4711;

TEST(ByteCodes, ABlockMeasuresWhatSingleRowsMeasure) {
  std::mt19937 random(kSeed);
  std::normal_distribution<float> normal;
  for (Metric metric : {Metric::kCosine, Metric::kDot, Metric::kEuclidean}) {
    for (std::size_t dim : {1u, 7u, 64u, 100u}) {
      SCOPED_TRACE(testing::Message() << to_string(metric) << ", " << dim << " components, seed " << kSeed);
      constexpr std::uint32_t kRows = 50;
      ByteCodes codes(metric, dim, kRows);
      std::vector<float> row(dim);
      for (std::uint32_t i = 0; i < kRows; ++i) {
        // Lengths differ; two rows are equal, two are zero.
        for (float& v : row) v = i % 20 == 3 ? 0.0f : (1.0f + static_cast<float>(i % 4)) * normal(random);
        if (i % 20 == 5) std::fill(row.begin(), row.end(), 1.5f);
        codes.set(i, row.data());
      }
      codes.finish();
      std::vector<std::uint32_t> columns(37), rows(5);
      for (auto& id : columns) id = random() % kRows;
      for (auto& id : rows) id = random() % kRows;
      columns[0] = rows[0];
      ByteCodes::Block block;
      codes.pack(columns.data(), columns.size(), block);
      EXPECT_EQ(block.size(), 37u);
      std::vector<float> got(rows.size() * block.width()), want(columns.size());
      codes.distances(rows.data(), rows.size(), block, got.data());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        codes.distances(rows[i], columns.data(), columns.size(), want.data());
        for (std::size_t c = 0; c < columns.size(); ++c) {
          const float size = codes.square(rows[i]) + codes.square(columns[c]);
          ASSERT_NEAR(got[i * block.width() + c], want[c], 1e-6f * size + 1e-6f * want[c]);
        }
      }
      EXPECT_EQ(got[0], 0.0f);
    }
  }
}

TEST(ByteCodes, EqualRowsAreKnownByTheirHash) {
  ByteCodes codes(Metric::kEuclidean, 3, 4);
  const float rows[4][3] = {{1, 2, 3}, {1, 2, 3}, {2, 4, 6}, {3, 2, 1}};
  for (std::uint32_t i = 0; i < 4; ++i) codes.set(i, rows[i]);
  codes.finish();
  EXPECT_EQ(codes.hash(0), codes.hash(1));
  EXPECT_TRUE(codes.equal(0, 1));
  for (std::uint32_t i : {2u, 3u}) {
    EXPECT_NE(codes.hash(0), codes.hash(i));
    EXPECT_FALSE(codes.equal(0, i));
  }
}

}  // namespace
}  // namespace vecstore
