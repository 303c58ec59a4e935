#include "quant/nibble_codes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "quant/byte_codes.hpp"

namespace vecstore {
namespace {

constexpr std::uint32_t kSeed = 99;

double exact(Metric metric, const float* q, const float* x, std::size_t dim) {
  double dot = 0, qq = 0, xx = 0, l2 = 0;
  for (std::size_t i = 0; i < dim; ++i) {
    dot += double(q[i]) * x[i];
    qq += double(q[i]) * q[i];
    xx += double(x[i]) * x[i];
    l2 += (double(q[i]) - x[i]) * (double(q[i]) - x[i]);
  }
  if (metric == Metric::kDot) return dot;
  if (metric == Metric::kEuclidean) return -std::sqrt(l2);
  return qq > 0 && xx > 0 ? dot / std::sqrt(qq * xx) : 0;
}

double length(const float* x, std::size_t dim) { return std::sqrt(exact(Metric::kDot, x, x, dim)); }

struct Rows {
  Rows(std::size_t n, std::size_t dimension, float scale, std::mt19937& random)
      : dim(dimension), values(n * dim) {
    std::normal_distribution<float> normal;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < dim; ++j)
        values[i * dim + j] =
            scale * (normal(random) * (1 + static_cast<float>(j % 3)) + static_cast<float>(j % 2));
    }
  }
  const float* row(std::size_t i) const { return values.data() + i * dim; }
  std::size_t dim;
  std::vector<float> values;
};

TEST(NibbleCodes, ScoresComeNearWithFourBitsAndNearerWithTwelve) {
  std::mt19937 random(kSeed);
  for (Metric metric : {Metric::kCosine, Metric::kDot, Metric::kEuclidean}) {
    for (std::size_t dim : {1u, 3u, 63u, 64u, 65u, 130u, 384u}) {
      for (float scale : {1e-6f, 1.0f, 3e5f}) {
        const Rows rows(300, dim, scale, random), queries(10, dim, scale, random);
        const auto coder =
            NibbleCoder::fit(metric, dim, 300, [&](std::uint32_t i) { return rows.row(i); }, Context());
        std::vector<std::uint8_t> code(NibbleCoder::code_bytes(dim)),
            residual(NibbleCoder::residual_bytes(dim));
        NibbleQuery query;
        double coarse = 0, fine = 0, size = 0;
        for (std::uint32_t i = 0; i < 300; ++i) {
          const NibbleSide side = coder.encode(rows.row(i), code.data(), residual.data());
          for (std::size_t q = 0; q < 10; ++q) {
            query.assign(coder, {queries.row(q), dim});
            // What errors are relative to.
            const double qq = length(queries.row(q), dim), xx = length(rows.row(i), dim);
            const double unit = metric == Metric::kCosine ? 1 : metric == Metric::kDot ? qq * xx : qq + xx;
            const double want = exact(metric, queries.row(q), rows.row(i), dim);
            coarse += std::pow((query.score(code.data(), nullptr, side) - want) / unit, 2);
            const double error = (query.score(code.data(), residual.data(), side) - want) / unit;
            fine += error * error;
            size += 1;
            ASSERT_LT(std::abs(error), 0.02) << to_string(metric) << ' ' << dim << ' ' << scale;
          }
        }
        coarse = std::sqrt(coarse / size);
        fine = std::sqrt(fine / size);
        EXPECT_LT(coarse, 0.2) << to_string(metric) << ' ' << dim << ' ' << scale;
        EXPECT_LT(fine, 0.0015) << to_string(metric) << ' ' << dim << ' ' << scale;
        if (dim >= 63) {
          EXPECT_LT(coarse, 0.03);
          EXPECT_LT(fine, 0.0006) << to_string(metric) << ' ' << dim << ' ' << scale;
        }
      }
    }
  }
}

TEST(NibbleCodes, DecodingGivesTheVectorBack) {
  std::mt19937 random(kSeed + 1);
  const std::size_t dim = 200;
  const Rows rows(100, dim, 2.0f, random);
  for (Metric metric : {Metric::kCosine, Metric::kEuclidean}) {
    const auto coder =
        NibbleCoder::fit(metric, dim, 100, [&](std::uint32_t i) { return rows.row(i); }, Context());
    std::vector<std::uint8_t> code(NibbleCoder::code_bytes(dim)), residual(NibbleCoder::residual_bytes(dim));
    std::vector<float> back(dim);
    for (std::uint32_t i = 0; i < 100; ++i) {
      const NibbleSide side = coder.encode(rows.row(i), code.data(), residual.data());
      coder.decode(code.data(), residual.data(), side, back.data());
      if (metric == Metric::kCosine) {
        EXPECT_GT(exact(metric, back.data(), rows.row(i), dim), 0.99999);
      } else {
        EXPECT_GT(exact(metric, back.data(), rows.row(i), dim), -0.2);  // of a length of about 40
      }
    }
  }
}

TEST(NibbleCodes, OddRowsHaveFiniteScores) {
  const std::size_t dim = 70;
  std::mt19937 random(kSeed + 2);
  Rows rows(8, dim, 1.0f, random);
  std::fill_n(rows.values.data() + dim, dim, 0.0f);        // zero
  std::fill_n(rows.values.data() + 2 * dim, dim, 1e-40f);  // subnormal
  std::fill_n(rows.values.data() + 3 * dim, dim, 3e37f);   // nearly too large
  std::fill_n(rows.values.data() + 4 * dim, dim, 0.0f);
  rows.values[4 * dim + 5] = 1;  // one component
  for (Metric metric : {Metric::kCosine, Metric::kDot, Metric::kEuclidean}) {
    for (std::uint32_t fitted : {1u, 8u}) {  // fitted to one row, no component varies
      const auto coder =
          NibbleCoder::fit(metric, dim, fitted, [&](std::uint32_t i) { return rows.row(i); }, Context());
      std::vector<std::uint8_t> code(NibbleCoder::code_bytes(dim)),
          residual(NibbleCoder::residual_bytes(dim));
      NibbleQuery query;
      for (std::uint32_t i = 0; i < 8; ++i) {
        const NibbleSide side = coder.encode(rows.row(i), code.data(), residual.data());
        for (std::uint32_t q = 0; q < 8; ++q) {
          query.assign(coder, {rows.row(q), dim});
          const float score = query.score(code.data(), residual.data(), side);
          EXPECT_FALSE(std::isnan(score)) << to_string(metric) << ' ' << i << ' ' << q;
          if (metric == Metric::kCosine && fitted == 8) {
            EXPECT_NEAR(score, exact(metric, rows.row(q), rows.row(i), dim), 0.05) << i << ' ' << q;
          }
        }
      }
    }
  }
}

// What all rows have in common must not drown what tells them apart.
TEST(NibbleCodes, RowsFarFromTheOriginKeepTheirPrecision) {
  std::mt19937 random(kSeed + 4);
  const std::size_t dim = 64, n = 300;
  for (float offset : {10.0f, 100.0f}) {
    Rows rows(n, dim, 1.0f, random), queries(10, dim, 1.0f, random);
    for (float& v : rows.values) v += offset;
    for (float& v : queries.values) v += offset;
    for (Metric metric : {Metric::kCosine, Metric::kDot, Metric::kEuclidean}) {
      const auto coder =
          NibbleCoder::fit(metric, dim, n, [&](std::uint32_t i) { return rows.row(i); }, Context());
      EXPECT_EQ(coder.centre().size(), dim);
      EXPECT_TRUE(coder.has_scales() && coder.has_terms());
      std::vector<std::uint8_t> code(NibbleCoder::code_bytes(dim)),
          residual(NibbleCoder::residual_bytes(dim));
      NibbleQuery query;
      for (std::size_t q = 0; q < 10; ++q) {
        query.assign(coder, {queries.row(q), dim});
        double coarse = 0, fine = 0, sum = 0, squares = 0;
        for (std::uint32_t i = 0; i < n; ++i) {
          const NibbleSide side = coder.encode(rows.row(i), code.data(), residual.data());
          const double want = exact(metric, queries.row(q), rows.row(i), dim);
          coarse += std::pow(query.score(code.data(), nullptr, side) - want, 2);
          fine += std::pow(query.score(code.data(), residual.data(), side) - want, 2);
          sum += want;
          squares += want * want;
        }
        const double deviation = std::sqrt(std::max(0.0, squares / n - sum / n * sum / n));
        EXPECT_LT(std::sqrt(coarse / n), 0.2 * deviation) << to_string(metric) << ' ' << offset;
        EXPECT_LT(std::sqrt(fine / n), 0.02 * deviation) << to_string(metric) << ' ' << offset;
      }
    }
  }
}

TEST(ByteCodes, ACentreKeepsThePrecisionOfRowsFarFromTheOrigin) {
  std::mt19937 random(kSeed + 5);
  const std::size_t dim = 48;
  Rows rows(60, dim, 1.0f, random);
  for (float& v : rows.values) v += 1000;
  std::vector<float> centre(dim, 1000.0f), unit(dim, 1 / std::sqrt(static_cast<float>(dim)));
  std::vector<std::uint32_t> ids(60);
  for (std::uint32_t i = 0; i < 60; ++i) ids[i] = i;
  std::vector<float> out(60);
  for (Metric metric : {Metric::kCosine, Metric::kDot, Metric::kEuclidean}) {
    ByteCodes codes(metric, dim, 60, metric == Metric::kCosine ? unit : centre);
    for (std::uint32_t i = 0; i < 60; ++i) codes.set(i, rows.row(i));
    codes.finish();
    for (std::uint32_t i = 0; i < 60; ++i) {
      codes.distances(i, ids.data(), 60, out.data());
      for (std::uint32_t j = 0; j < 60; ++j) {
        const double l2 = std::pow(exact(Metric::kEuclidean, rows.row(i), rows.row(j), dim), 2);
        const double want =
            metric == Metric::kCosine ? 2 - 2 * exact(metric, rows.row(i), rows.row(j), dim) : l2;
        if (i == j) {
          EXPECT_EQ(out[j], 0);
        } else if (metric == Metric::kDot) {
          EXPECT_GT(out[j], 0.9 * want);  // and the difference of the lifts
        } else {
          EXPECT_NEAR(out[j] / want, 1, 0.1) << to_string(metric);
        }
      }
    }
  }
}

TEST(ByteCodes, DistancesComeNearTheTrueOnes) {
  std::mt19937 random(kSeed + 3);
  for (std::size_t dim : {1u, 64u, 100u, 384u}) {
    const Rows rows(60, dim, 5.0f, random);
    for (Metric metric : {Metric::kCosine, Metric::kDot, Metric::kEuclidean}) {
      ByteCodes codes(metric, dim, 60);
      for (std::uint32_t i = 0; i < 60; ++i) codes.set(i, rows.row(i));
      codes.finish();
      std::vector<std::uint32_t> ids(60);
      for (std::uint32_t i = 0; i < 60; ++i) ids[i] = 59 - i;
      std::vector<float> out(60);
      double largest = 0;
      for (std::uint32_t i = 0; i < 60; ++i)
        largest = std::max(largest, std::pow(length(rows.row(i), dim), 2));
      for (std::uint32_t i = 0; i < 60; ++i) {
        codes.distances(i, ids.data(), 60, out.data());
        for (std::uint32_t j = 0; j < 60; ++j) {
          const float* a = rows.row(i);
          const float* b = rows.row(ids[j]);
          double want = std::pow(exact(Metric::kEuclidean, a, b, dim), 2), unit = largest;
          if (metric == Metric::kCosine) {
            want = 2 - 2 * exact(metric, a, b, dim);
            unit = 1;
          } else if (metric == Metric::kDot) {
            const double aa = exact(metric, a, a, dim), bb = exact(metric, b, b, dim);
            want = 2 * largest - 2 * (exact(metric, a, b, dim) +
                                      std::sqrt(std::max(0.0, largest - aa) * std::max(0.0, largest - bb)));
          }
          EXPECT_NEAR(out[j] / unit, want / unit, 0.06) << to_string(metric) << ' ' << dim;
          if (i == ids[j]) {
            EXPECT_EQ(out[j], 0);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace vecstore
