// HnswIndex on data that codes find hard: far from the origin, of very different scales, with outliers, many
// equal rows, few dimensions. The twin is a scan in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "index/vector/hnsw_index.hpp"

namespace vecstore {
namespace {

constexpr std::uint32_t kSeed = 4711;
constexpr std::uint32_t kRows = 5000, kFewRows = 2000, kQueries = 40;

struct Rows {
  std::size_t dim;
  std::vector<float> values;

  std::uint32_t size() const { return static_cast<std::uint32_t>(values.size() / dim); }
  const float* row(std::size_t i) const { return values.data() + i * dim; }
  float* row(std::size_t i) { return values.data() + i * dim; }
};

// `value(random, row, component)` for each component.
Rows make(std::uint32_t n, std::size_t dim, std::uint32_t seed,
          const std::function<float(std::mt19937&, std::uint32_t, std::size_t)>& value) {
  Rows rows{dim, {}};
  std::mt19937 random(seed);
  for (std::uint32_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < dim; ++j) rows.values.push_back(value(random, i, j));
  }
  return rows;
}

float normal(std::mt19937& random) { return std::normal_distribution<float>()(random); }

double score(Metric metric, const float* q, const float* x, std::size_t dim) {
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

HnswOptions options_for(Metric metric, std::size_t dim) {
  HnswOptions options;
  options.metric = metric;
  options.dimension = dim;
  return options;
}

std::shared_ptr<const HnswIndex> build(Metric metric, const Rows& rows) {
  Context context;
  return HnswIndex::build(
      options_for(metric, rows.dim), rows.size(), [&](std::uint32_t i) { return rows.row(i); }, context);
}

double check(const HnswIndex& index, const Rows& rows) {
  Context context;
  return index
      .sample([&](std::uint32_t i) { return rows.row(i); }, options_for(index.metric(), rows.dim), context)
      .recall;
}

// The share of the ten best that is among the hits, which are scored with full vectors afterwards; a row as
// good as the tenth counts.
double recall(const HnswIndex& index, const Rows& rows, const Rows& queries) {
  HnswScratch scratch;
  Context context;
  std::vector<HnswHit> hits;
  std::size_t found = 0;
  for (std::uint32_t q = 0; q < queries.size(); ++q) {
    std::vector<double> all;
    for (std::uint32_t i = 0; i < rows.size(); ++i)
      all.push_back(score(index.metric(), queries.row(q), rows.row(i), rows.dim));
    std::vector<double> order = all;
    std::nth_element(order.begin(), order.begin() + 9, order.end(), std::greater());
    HnswQuery query;
    query.vector = {queries.row(q), queries.dim};
    query.ef = 64;
    index.search(query, scratch, context, hits);
    std::size_t good = 0;
    for (const HnswHit& hit : hits) {
      EXPECT_TRUE(std::isfinite(hit.score));
      good += all[hit.node] >= order[9];
    }
    found += std::min<std::size_t>(good, 10);
  }
  return static_cast<double>(found) / (10.0 * queries.size());
}

double recall_of(Metric metric, const Rows& rows, const Rows& queries) {
  const auto index = build(metric, rows);
  EXPECT_GE(check(*index, rows), HnswIndex::Sampled::kLeastRecall);
  return recall(*index, rows, queries);
}

TEST(HnswData, DistanceFromTheOriginCostsNoRecall) {
  const auto gaussian = [](float offset) {
    return [offset](std::mt19937& random, std::uint32_t, std::size_t) { return offset + normal(random); };
  };
  double at_origin = 0;
  for (float offset : {0.0f, 10.0f, 100.0f, 1e4f}) {
    const Rows rows = make(kRows, 16, kSeed, gaussian(offset));
    const Rows queries = make(kQueries, 16, kSeed + 1, gaussian(offset));
    const double found = recall_of(Metric::kEuclidean, rows, queries);
    if (offset == 0) at_origin = found;
    EXPECT_GT(found, 0.97) << offset;
    EXPECT_GT(found, at_origin - 0.02) << offset;
    if (offset != 100) continue;  // beyond, floats do not tell the cosines apart
    EXPECT_GT(recall_of(Metric::kCosine, rows, queries), 0.97);
    EXPECT_GT(recall_of(Metric::kDot, rows, queries), 0.9);
  }
}

TEST(HnswData, UnitVectorsAroundOneDirectionAreToldApartByAllMetrics) {
  const auto around = [](std::uint32_t n, std::uint32_t seed) {
    Rows rows = make(n, 32, seed, [](std::mt19937& random, std::uint32_t, std::size_t j) {
      return (j == 3 ? 12.0f : 0.0f) + normal(random);
    });
    for (std::uint32_t i = 0; i < n; ++i) {
      const auto length = static_cast<float>(std::sqrt(score(Metric::kDot, rows.row(i), rows.row(i), 32)));
      for (std::size_t j = 0; j < 32; ++j) rows.row(i)[j] /= length;
    }
    return rows;
  };
  const Rows rows = around(kFewRows, kSeed + 2), queries = around(kQueries, kSeed + 3);
  for (Metric metric : {Metric::kCosine, Metric::kDot, Metric::kEuclidean})
    EXPECT_GT(recall_of(metric, rows, queries), 0.92) << to_string(metric);
}

TEST(HnswData, QueriesMayLieFarFromTheRows) {
  const auto gaussian = [](std::mt19937& random, std::uint32_t, std::size_t) { return 5 + normal(random); };
  const Rows rows = make(kFewRows, 16, kSeed + 4, gaussian);
  const auto euclidean = build(Metric::kEuclidean, rows), dot = build(Metric::kDot, rows);
  for (float factor : {0.0f, -1.0f, 100.0f, 1e6f}) {
    Rows queries = make(kQueries, 16, kSeed + 5, gaussian);
    for (float& v : queries.values) v *= factor;
    EXPECT_GT(recall(*euclidean, rows, queries), 0.8) << factor;
    if (factor != 0) {
      EXPECT_GT(recall(*dot, rows, queries), 0.8) << factor;
    }
  }
}

TEST(HnswData, ClustersIntegersAndScales) {
  std::mt19937 random(kSeed + 6);
  std::vector<float> centres(60 * 128);
  for (float& v : centres) v = normal(random);
  const auto clusters = [&](std::mt19937& r, std::uint32_t i, std::size_t j) {
    return 50 + centres[i % 60 * 128 + j] + 0.4f * normal(r);
  };
  const auto integers = [&](std::mt19937& r, std::uint32_t i, std::size_t j) {
    return std::min(255.0f, std::round(std::abs(60 * (centres[i % 60 * 128 + j] + 0.4f * normal(r)))));
  };
  const auto scales = [](std::mt19937& r, std::uint32_t, std::size_t j) {
    return std::pow(10.0f, 3 - static_cast<float>(j) * 6 / 31) * normal(r);
  };
  const auto check_all = [&](const char* what, std::size_t dim, const auto& value) {
    const Rows rows = make(kRows, dim, kSeed + 7, value), queries = make(kQueries, dim, kSeed + 8, value);
    EXPECT_GT(recall_of(Metric::kEuclidean, rows, queries), 0.95) << what;
  };
  check_all("clusters", 128, clusters);
  check_all("integers", 128, integers);
  check_all("scales", 32, scales);
}

TEST(HnswData, FewDimensions) {
  const auto gaussian = [](std::mt19937& random, std::uint32_t, std::size_t) { return 7 + normal(random); };
  for (std::size_t dim : {1u, 2u, 3u}) {
    const Rows rows = make(kRows, dim, kSeed + 9, gaussian),
               queries = make(kQueries, dim, kSeed + 10, gaussian);
    EXPECT_GT(recall_of(Metric::kEuclidean, rows, queries), dim == 2 ? 0.85 : 0.95) << dim;
  }
}

TEST(HnswData, OneOutlierChangesNothingForTheOthers) {
  const auto gaussian = [](std::mt19937& random, std::uint32_t, std::size_t) { return normal(random); };
  const Rows queries = make(kQueries, 16, kSeed + 12, gaussian);
  for (float outlier : {1e20f, -1e30f}) {
    Rows rows = make(kRows, 16, kSeed + 11, gaussian);
    // One of those that samples look at.
    std::fill_n(rows.row(0), 16, outlier);
    for (Metric metric : {Metric::kEuclidean, Metric::kDot, Metric::kCosine}) {
      const auto index = build(metric, rows);
      EXPECT_GE(check(*index, rows), HnswIndex::Sampled::kLeastRecall);
      EXPECT_GT(recall(*index, rows, queries), metric == Metric::kDot ? 0.9 : 0.97)
          << to_string(metric) << ' ' << outlier;
      if (metric != Metric::kDot) continue;
      // It is the best row for half of the queries, and is found.
      HnswScratch scratch;
      Context context;
      std::vector<HnswHit> hits;
      for (std::uint32_t q = 0; q < kQueries; ++q) {
        HnswQuery query;
        query.vector = {queries.row(q), 16};
        index->search(query, scratch, context, hits);
        EXPECT_TRUE(score(metric, queries.row(q), rows.row(0), 16) < 0 || hits[0].node == 0);
      }
    }
  }
}

TEST(HnswData, ZeroAndEqualRows) {
  for (float offset : {0.0f, 30.0f}) {
    const auto gaussian = [offset](std::mt19937& random, std::uint32_t, std::size_t) {
      return offset + normal(random);
    };
    Rows rows = make(kFewRows, 16, kSeed + 13, gaussian);
    const Rows queries = make(kQueries, 16, kSeed + 14, gaussian);
    for (std::uint32_t i = 0; i < kFewRows; ++i) {
      if (i % 100 == 0) std::fill_n(rows.row(i), 16, 0.0f);
      if (i % 10 > 2) std::copy_n(rows.row(1), 16, rows.row(i));
    }
    for (Metric metric : {Metric::kEuclidean, Metric::kDot, Metric::kCosine})
      EXPECT_GT(recall_of(metric, rows, queries), 0.9) << to_string(metric) << ' ' << offset;
  }
  // Nothing but equal rows: a walk may end early, with fewer than k.
  const Rows equal = make(300, 8, 1, [](std::mt19937&, std::uint32_t, std::size_t j) { return float(j); });
  for (Metric metric : {Metric::kEuclidean, Metric::kDot, Metric::kCosine})
    EXPECT_GT(recall_of(metric, equal, equal), 0) << to_string(metric);
}

TEST(HnswData, RowsThatCodesCannotTellApartAreNoticed) {
  // Two groups of deviation 1 that lie 1e6 apart: 12 bits of the distance between them are 244.
  const Rows rows = make(kFewRows, 16, kSeed + 15, [](std::mt19937& random, std::uint32_t i, std::size_t j) {
    return (j == 0 ? (i % 2 ? 1e6f : -1e6f) : 0.0f) + normal(random);
  });
  const auto index = build(Metric::kEuclidean, rows);
  EXPECT_LT(check(*index, rows), HnswIndex::Sampled::kLeastRecall);
}

// All near rows of a row are of its group: too few links of leaves lead from group to group, and the index
// says so; a graph built by walks has them.
TEST(HnswData, ManySmallGroupsAreBuiltByWalks) {
  constexpr std::size_t kDim = 48;
  constexpr std::uint32_t kGroups = 400;
  const Rows centres = make(kGroups, kDim, 31, [](auto& random, auto, auto) { return normal(random); });
  const auto near = [&](std::mt19937& random, std::uint32_t i, std::size_t j) {
    return centres.row(i % kGroups)[j] + 0.02f * normal(random);
  };
  const Rows rows = make(kGroups * 40, kDim, 32, near), queries = make(kGroups, kDim, 33, near);
  Context context;
  HnswOptions options = options_for(Metric::kCosine, kDim);
  options.build.m = 8;
  const auto vectors = [&](std::uint32_t i) { return rows.row(i); };
  const auto in_group = [&](const HnswIndex& index) {
    HnswScratch scratch;
    std::vector<HnswHit> hits;
    int found = 0;
    for (std::uint32_t q = 0; q < queries.size(); ++q) {
      HnswQuery query;
      query.vector = std::span(queries.row(q), kDim);
      query.ef = 48;
      index.search(query, scratch, context, hits);
      found += !hits.empty() && hits[0].node % kGroups == q;
    }
    return static_cast<double>(found) / queries.size();
  };
  const auto leaves = HnswIndex::build(options, rows.size(), vectors, context);
  const HnswIndex::Sampled sampled = leaves->sample(vectors, options, context);
  options.build.by_walks = true;
  const auto walks = HnswIndex::build(options, rows.size(), vectors, context);
  std::printf("the right group: %.3f by leaves (astray %.3f), %.3f by walks (%.3f)\n", in_group(*leaves),
              sampled.astray, in_group(*walks), walks->sample(vectors, options, context).astray);
  EXPECT_GT(in_group(*walks), 0.95);
  if (in_group(*leaves) < 0.9) {
    EXPECT_GT(sampled.astray, HnswIndex::Sampled::kMostAstray);
  }
  EXPECT_LE(walks->sample(vectors, options, context).astray, HnswIndex::Sampled::kMostAstray);
}

}  // namespace
}  // namespace vecstore
