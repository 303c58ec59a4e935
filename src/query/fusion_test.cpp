// Fusion and autocut against a second, slow version of the table in <vecstore/query.hpp>.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "query/request.hpp"
#include "seed.hpp"
#include "vecstore/error.hpp"

namespace vecstore::query {
namespace {

using Lists = std::vector<std::vector<RowScore>>;

/// x of every row of the list, and of rows that are not in it.
std::pair<std::map<std::uint64_t, double>, double> scaled(const std::string& name,
                                                          const std::vector<RowScore>& list) {
  std::map<std::uint64_t, double> x;
  double least = 1e300, largest = -1e300, mean = 0, variance = 0;
  for (const auto& r : list) {
    least = std::min<double>(least, r.score), largest = std::max<double>(largest, r.score);
    mean += double(r.score) / double(list.size());
  }
  for (const auto& r : list) variance += std::pow(double(r.score) - mean, 2) / double(list.size());
  double rank = 0, absent = 0;
  for (const auto& r : list) {
    const double s = r.score;
    if (name == "rrf")
      x[r.row] = 1 / (60 + ++rank);
    else if (name == "z_score")
      x[r.row] = least == largest ? 0 : (s - mean) / std::sqrt(variance);
    else if (name == "distribution")
      x[r.row] = least == largest ? 0.5 : std::clamp((s - mean) / (6 * std::sqrt(variance)) + 0.5, 0.0, 1.0);
    else
      x[r.row] = least == largest ? 1 : (s - least) / (largest - least);
  }
  if (name == "z_score" && !list.empty())
    absent = least == largest ? -1 : (least - mean) / std::sqrt(variance);
  return {x, absent};
}

std::map<std::uint64_t, double> reference(const std::string& name, std::span<const float> w,
                                          const Lists& lists) {
  std::map<std::uint64_t, std::vector<std::pair<double, double>>> rows;  // x and weight in each list
  for (const auto& list : lists)
    for (const auto& r : list) rows[r.row];
  for (std::size_t l = 0; l < lists.size(); ++l) {
    const auto [x, absent] = scaled(name, lists[l]);
    for (auto& [row, parts] : rows) parts.emplace_back(x.contains(row) ? x.at(row) : absent, w[l]);
  }
  std::map<std::uint64_t, double> out;
  for (auto& [row, parts] : rows) {
    std::vector<double> products;
    double sum = 0, weights = 0, logs = 0, inverses = 0;
    bool zero = false;
    for (const auto& [x, weight] : parts) {
      sum += weight * x;
      if (weight == 0) continue;
      products.push_back(weight * x);
      weights += weight, zero |= x == 0;
      if (x != 0) logs += weight * std::log(x), inverses += weight / x;
    }
    if (name == "max")
      out[row] = *std::max_element(products.begin(), products.end());
    else if (name == "min")
      out[row] = *std::min_element(products.begin(), products.end());
    else if (name == "harmonic")
      out[row] = zero ? 0 : weights / inverses;
    else if (name == "geometric")
      out[row] = zero ? 0 : std::exp(logs / weights);
    else
      out[row] = sum;
  }
  return out;
}

constexpr const char* kAll[] = {"rrf", "relative_score", "z_score",  "distribution", "max",
                                "min", "harmonic",       "geometric"};

TEST(Fusion, EqualsTheReference) {
  const unsigned seed = test::seed();
  SCOPED_TRACE(seed);
  std::mt19937 rng(seed);
  const auto below = [&](unsigned n) { return static_cast<unsigned>(rng() % n); };
  for (int round = 0; round < 4000; ++round) {
    Lists lists(1 + below(3));
    std::vector<float> weights;
    for (auto& list : lists) {
      std::vector<std::uint64_t> rows(30);
      std::iota(rows.begin(), rows.end(), 0u);
      std::shuffle(rows.begin(), rows.end(), rng);
      const unsigned steps = 1 + below(20), size = below(25);
      for (unsigned i = 0; i < size; ++i)
        list.push_back({rows[i], static_cast<float>(below(steps)) * (below(2) ? 0.5f : 1.0f) - 3.0f});
      std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
      weights.push_back(static_cast<float>(below(5)) / 2);
    }
    if (std::accumulate(weights.begin(), weights.end(), 0.0f) == 0) weights[0] = 1;
    for (const char* name : kAll) {
      const auto expected = reference(name, weights, lists);
      const auto rows = fuse(Fusion::named(name), weights, lists);
      ASSERT_EQ(rows.size(), expected.size()) << name;
      for (const FusedRow& row : rows) {
        const double e = expected.at(row.row);
        ASSERT_NEAR(row.score, e, 2e-6 * std::max(1.0, std::abs(e))) << name << ", row " << row.row;
        for (std::size_t l = 0; l < lists.size(); ++l) {
          const auto at =
              std::find_if(lists[l].begin(), lists[l].end(), [&](auto& r) { return r.row == row.row; });
          ASSERT_EQ(row.ranks[l], at == lists[l].end() ? 0 : at - lists[l].begin() + 1);
          if (at != lists[l].end()) {
            ASSERT_EQ(row.scores[l], at->score);
          }
        }
      }
    }
  }
}

TEST(Fusion, NamesAreTheirOwn) {
  for (const char* name : kAll) EXPECT_EQ(Fusion::named(name).name(), name);
  EXPECT_EQ(Fusion::named("rrf").rank_constant(), 60);
  EXPECT_EQ(Fusion::weighted(0.25f).kind(), Fusion::Kind::kRelativeScore);
  EXPECT_THROW(Fusion::named(""), Error);
}

TEST(Autocut, CutsBeforeTheJump) {
  using Scores = std::vector<float>;
  const auto cut = [](const Scores& s, std::size_t n) { return hits_before_jump(s, n); };
  const Scores two_groups{.9f, .89f, .88f, .5f, .49f, .48f};
  EXPECT_EQ(cut(two_groups, 1), 3u);
  EXPECT_EQ(cut(two_groups, 2), 6u);
  EXPECT_EQ(cut(two_groups, 0), 6u);
  const Scores three_groups{1, .99f, .6f, .59f, .58f, .1f, .09f};
  EXPECT_EQ(cut(three_groups, 1), 2u);
  EXPECT_EQ(cut(three_groups, 2), 5u);
  EXPECT_EQ(cut(three_groups, 3), 7u);
  EXPECT_EQ(cut({1, .99f, .98f, .97f, .2f}, 1), 4u);  // the last one is far behind
  EXPECT_EQ(cut({1, .2f, .19f, .18f}, 1), 1u);
  EXPECT_EQ(cut({-1, -1.1f, -5, -5.1f}, 1), 2u);  // distances
  EXPECT_EQ(cut({.5f, .5f, .5f}, 1), 3u);
  EXPECT_EQ(cut({.5f}, 1), 1u);
  EXPECT_EQ(cut({}, 1), 0u);
}

}  // namespace
}  // namespace vecstore::query
