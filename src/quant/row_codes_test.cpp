#include "quant/row_codes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "quant/norms.hpp"

namespace vecstore {
namespace {

constexpr Metric kMetrics[] = {Metric::kCosine, Metric::kDot, Metric::kEuclidean};

using Bytes = std::unique_ptr<std::uint8_t, decltype(&std::free)>;
Bytes aligned(std::size_t size) {
  return {static_cast<std::uint8_t*>(std::aligned_alloc(64, size)), &std::free};
}

// The score that the f32 kernels give, and the one of exact arithmetic.
struct Scores {
  float computed;
  double exact;
};

Scores score(Metric metric, const std::vector<float>& q, const std::vector<float>& x) {
  const std::size_t dim = q.size();
  double dot = 0, l2 = 0;
  for (std::size_t i = 0; i < dim; ++i) {
    dot += static_cast<double>(q[i]) * x[i];
    l2 += (static_cast<double>(q[i]) - x[i]) * (static_cast<double>(q[i]) - x[i]);
  }
  float f = 0;
  if (metric == Metric::kEuclidean) {
    simd::kernels().squared_l2(q.data(), x.data(), 0, 1, dim, &f);
    return {-std::sqrt(f), -std::sqrt(l2)};
  }
  simd::kernels().dot(q.data(), x.data(), 0, 1, dim, &f);
  if (metric == Metric::kDot) return {f, dot};
  const float inverse = inverse_norm(x.data(), dim);
  return {f * inverse, norm_in_double(x.data(), dim) > 0 ? dot / norm_in_double(x.data(), dim) : 0};
}

std::vector<float> random_vector(std::size_t dim, std::mt19937& rng) {
  std::normal_distribution<float> normal;
  std::vector<float> x(dim);
  const int kind = static_cast<int>(rng() % 6);
  const float scale = std::ldexp(1.0f, static_cast<int>(rng() % 40) - 20);
  for (float& v : x) {
    v = normal(rng);
    if (kind == 1) v = std::abs(v);
    if (kind == 2) v = v * v * v * v * v;      // a few large components
    if (kind == 3) v = rng() % 20 ? 0.0f : v;  // mostly zeros
    if (kind == 4) v = 1.0f;
    v *= scale;
  }
  return x;
}

// Sets `upper_gap` to the bound's distance relative to the lengths, so that the test also sees a bound that
// is useless.
void check_row(Metric metric, std::vector<float> q, const std::vector<float>& x, double* gap) {
  const std::size_t dim = q.size();
  if (metric == Metric::kCosine) {
    const double length = norm_in_double(q.data(), dim);
    for (float& v : q) v = static_cast<float>(v / length);
  }
  if (!RowCodeQuery::usable(q)) return;
  Bytes group = aligned(code_group_bytes(metric, dim));
  std::memset(group.get(), 0, code_group_bytes(metric, dim));
  RowEncoder encoder(metric, dim);
  encoder.encode(x.data(), inverse_norm(x.data(), dim), group.get(), 11);
  const RowCodeQuery query(metric, q);
  float values[16];
  ASSERT_EQ(simd::kernels().scan_codes(query.code_query(), group.get(), 0, 1, -INFINITY, values), 0u);
  const ScoreBounds b = query.bounds(group.get(), 11, values[11]);
  const Scores s = score(metric, q, x);
  SCOPED_TRACE(std::string(to_string(metric)) + " dim " + std::to_string(dim));
  EXPECT_GE(b.upper, s.computed);
  EXPECT_LE(b.lower, s.computed);
  EXPECT_GE(b.upper, s.exact);
  EXPECT_LE(b.lower, s.exact);
  // The kernel's own bound must not hide the row either. Other lanes hold zeros; give them no chance.
  float* side = reinterpret_cast<float*>(group.get() + code_quads(dim) * 64);
  for (int lane = 0; lane < 16; ++lane) {
    if (lane != 11) side[16 + lane] = -INFINITY;
  }
  for (simd::Isa isa : {simd::Isa::kScalar, simd::Isa::kAvx2, simd::Isa::kAvx512}) {
    if (const simd::Kernels* k = simd::kernels_for(isa)) {
      EXPECT_EQ(k->scan_codes(query.code_query(), group.get(), 0, 1, s.computed, values), 0u);
    }
  }
  double lengths = norm_in_double(q.data(), dim);
  if (metric == Metric::kDot) lengths *= norm_in_double(x.data(), dim);
  if (metric == Metric::kEuclidean) lengths += norm_in_double(x.data(), dim);
  if (lengths > 0) *gap = std::max(*gap, (b.upper - s.exact) / lengths);
}

TEST(RowCodes, TheScoreLiesBetweenTheBounds) {
  std::mt19937 rng(99);
  for (Metric metric : kMetrics) {
    double gap = 0;
    for (int i = 0; i < 4000; ++i) {
      const std::size_t dim = i % 10 == 0 ? 1 + rng() % 1600 : 1 + rng() % 70;
      std::vector<float> q = random_vector(dim, rng), x = random_vector(dim, rng);
      if (i % 7 == 0) x = q;  // distance 0, cosine 1
      if (i % 11 == 0) std::transform(q.begin(), q.end(), x.begin(), [](float v) { return -3 * v; });
      check_row(metric, q, x, &gap);
      if (HasFatalFailure()) return;
    }
    EXPECT_LT(gap, 0.5) << to_string(metric);
  }
}

TEST(RowCodes, OrdinaryVectorsHaveTightBounds) {
  std::mt19937 rng(5);
  std::normal_distribution<float> normal;
  for (Metric metric : kMetrics) {
    double gap = 0;
    for (int i = 0; i < 200; ++i) {
      std::vector<float> q(384), x(384);
      for (float& v : q) v = normal(rng);
      for (float& v : x) v = normal(rng);
      check_row(metric, q, x, &gap);
    }
    EXPECT_LT(gap, 0.02) << to_string(metric);
  }
}

TEST(RowCodes, ZeroHugeAndTinyRowsAreNeverHidden) {
  std::mt19937 rng(6);
  for (Metric metric : kMetrics) {
    for (float magnitude : {0.0f, 1e-45f, 1e-39f, 1e-30f, 1e-13f, 1e12f, 1e13f, 1e20f, 3e38f}) {
      for (std::size_t dim : {1u, 3u, 64u}) {
        std::vector<float> q = random_vector(dim, rng), x(dim, magnitude);
        if (metric == Metric::kCosine) {
          const double length = norm_in_double(q.data(), dim);
          for (float& v : q) v = length > 0 ? static_cast<float>(v / length) : 0;
        }
        if (!RowCodeQuery::usable(q)) continue;
        Bytes group = aligned(code_group_bytes(metric, dim));
        RowEncoder encoder(metric, dim);
        for (std::size_t lane = 0; lane < 16; ++lane) {
          encoder.encode(x.data(), inverse_norm(x.data(), dim), group.get(), lane);
        }
        const RowCodeQuery query(metric, q);
        float values[16];
        const double exact = score(metric, q, x).exact;
        const float limit = static_cast<float>(std::clamp(exact, -3e38, 3e38));
        EXPECT_EQ(simd::kernels().scan_codes(query.code_query(), group.get(), 0, 1, limit, values), 0u)
            << to_string(metric) << " " << magnitude;
        const ScoreBounds b = query.bounds(group.get(), 3, values[3]);
        EXPECT_FALSE(b.upper < limit);
        EXPECT_FALSE(b.lower > limit);
      }
    }
  }
}

}  // namespace
}  // namespace vecstore
