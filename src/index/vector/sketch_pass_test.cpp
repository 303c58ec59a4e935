#include "index/vector/sketch_pass.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <set>
#include <thread>

namespace vecstore {
namespace {

constexpr unsigned kSeed = 20241124;
constexpr std::size_t kDimension = 192;

struct Rows {
  std::vector<std::uint64_t> numbers;
  std::vector<std::vector<float>> vectors;
};

/// Rows around some centres, of various lengths, with gaps between their numbers.
Rows make(std::size_t count, std::mt19937& rng) {
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> centres(50, std::vector<float>(kDimension));
  for (auto& c : centres) {
    for (float& x : c) x = normal(rng);
  }
  Rows out;
  std::uint64_t row = 5;
  for (std::size_t i = 0; i < count; ++i) {
    row += 1 + rng() % 3;
    const auto& centre = centres[rng() % centres.size()];
    const float length = 0.5f + static_cast<float>(rng() % 100) / 100;
    std::vector<float> v(kDimension);
    for (std::size_t j = 0; j < kDimension; ++j) v[j] = length * (centre[j] + 0.8f * normal(rng));
    out.numbers.push_back(row);
    out.vectors.push_back(std::move(v));
  }
  return out;
}

double score(Metric metric, const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return metric == Metric::kDot ? ab : ab / std::sqrt(aa * bb);
}

float inverse_norm(const std::vector<float>& v) {
  double square = 0;
  for (float x : v) square += static_cast<double>(x) * x;
  return static_cast<float>(1 / std::sqrt(square));
}

class OddRows final : public RowFilter {
 public:
  bool contains(std::uint64_t row) const override { return row % 2 == 1; }
};

TEST(SketchPass, FindsWhatComparingEveryRowFinds) {
  std::printf("seed %u\n", kSeed);
  std::mt19937 rng(kSeed);
  const Rows rows = make(6'000, rng);
  constexpr std::size_t kTop = 10;
  const OddRows odd;
  for (const Metric metric : {Metric::kCosine, Metric::kDot}) {
    SketchStore store(kDimension, metric == Metric::kDot);
    for (std::size_t i = 0; i < rows.numbers.size(); ++i)
      store.append(rows.numbers[i], rows.vectors[i].data(), inverse_norm(rows.vectors[i]));
    const SketchView view = store.view();
    ASSERT_EQ(view.end_row, rows.numbers.back() + 1);  // 6,000 rows are whole groups
    std::size_t found = 0, wanted = 0, candidates = 0;
    for (int turn = 0; turn < 60; ++turn) {
      const std::vector<float> q = rows.vectors[rng() % rows.vectors.size()];
      const std::uint64_t from = turn % 3 == 1 ? rows.numbers[1'500] : 0;
      const std::uint64_t to = turn % 3 == 2 ? rows.numbers[4'000] : kNoRow;
      const RowFilter* filter = turn % 2 == 1 ? &odd : nullptr;
      std::vector<std::pair<double, std::uint64_t>> best;
      for (std::size_t i = 0; i < rows.numbers.size(); ++i) {
        const std::uint64_t row = rows.numbers[i];
        if (row < from || row >= to || (filter && !filter->contains(row))) continue;
        best.emplace_back(-score(metric, q, rows.vectors[i]), row);
      }
      std::partial_sort(best.begin(), best.begin() + kTop, best.end());
      // With the bound that another index would give, and without.
      const float bound =
          turn % 4 < 2 ? static_cast<float>(-best[kTop - 1].first) : -std::numeric_limits<float>::infinity();
      const SketchSearch search(store.rotation(), metric, q);
      ReachedScores reached(kTop, bound);
      SketchPass pass(search, reached, filter);
      Context context;
      for (const SketchRun& run : view.runs) pass.run(run, from, to, context);
      std::set<std::uint64_t> got;
      for (const Candidate& c : pass.take()) {
        EXPECT_TRUE(got.insert(c.row).second);
        EXPECT_TRUE(c.row >= from && c.row < to && (!filter || filter->contains(c.row)));
      }
      candidates += got.size();
      for (std::size_t i = 0; i < kTop; ++i) found += got.contains(best[i].second);
      wanted += kTop;
    }
    EXPECT_GE(static_cast<double>(found), 0.985 * static_cast<double>(wanted)) << to_string(metric);
    EXPECT_LT(candidates / 60, 100u) << to_string(metric);
  }
}

/// The best first, as (-score, row).
std::vector<std::pair<double, std::uint64_t>> ranked(const Rows& rows, Metric metric,
                                                     const std::vector<float>& q) {
  std::vector<std::pair<double, std::uint64_t>> out;
  for (std::size_t i = 0; i < rows.numbers.size(); ++i)
    out.emplace_back(-score(metric, q, rows.vectors[i]), rows.numbers[i]);
  std::sort(out.begin(), out.end());
  return out;
}

TEST(ReachedScores, BoundIsTheKthLargest) {
  std::mt19937 rng(kSeed);
  for (const std::size_t k : {0u, 1u, 3u, 10u}) {
    ReachedScores reached(k, -0.5f);
    std::vector<float> all;
    for (int i = 0; i < 60; ++i) {
      all.push_back(static_cast<float>(rng() % 100) / 50 - 1);
      reached.add(all.back());
      std::sort(all.begin(), all.end(), std::greater<>());
      const float want = k > 0 && all.size() >= k ? std::max(-0.5f, all[k - 1]) : -0.5f;
      ASSERT_EQ(reached.bound(), want);
    }
  }
}

// Two passes that share what they reached drop no more than one pass over everything would.
TEST(SketchPass, SeveralPassesShareABound) {
  std::printf("seed %u\n", kSeed);
  std::mt19937 rng(kSeed);
  const Rows rows = make(6'000, rng);
  constexpr std::size_t kTop = 10;
  SketchStore store(kDimension, false);
  for (std::size_t i = 0; i < rows.numbers.size(); ++i)
    store.append(rows.numbers[i], rows.vectors[i].data(), inverse_norm(rows.vectors[i]));
  const SketchView view = store.view();
  std::size_t found = 0, wanted = 0, apart = 0, shared = 0;
  for (int turn = 0; turn < 60; ++turn) {
    const auto& q = rows.vectors[rng() % rows.vectors.size()];
    const SketchSearch search(store.rotation(), Metric::kCosine, q);
    ReachedScores reached(kTop, -std::numeric_limits<float>::infinity());
    std::set<std::uint64_t> got;
    for (const SketchRun& run : view.runs) {
      Context context;
      ReachedScores own(kTop, -std::numeric_limits<float>::infinity());
      SketchPass alone(search, own, nullptr);
      alone.run(run, 0, kNoRow, context);
      apart += alone.take().size();
      SketchPass pass(search, reached, nullptr);
      pass.run(run, 0, kNoRow, context);
      for (const Candidate& c : pass.take()) got.insert(c.row);
    }
    shared += got.size();
    std::vector<std::pair<double, std::uint64_t>> best;
    for (std::size_t i = 0; i < rows.numbers.size(); ++i)
      best.emplace_back(-score(Metric::kCosine, q, rows.vectors[i]), rows.numbers[i]);
    std::partial_sort(best.begin(), best.begin() + kTop, best.end());
    for (std::size_t i = 0; i < kTop; ++i) found += got.contains(best[i].second);
    wanted += kTop;
  }
  EXPECT_GE(static_cast<double>(found), 0.985 * static_cast<double>(wanted));
  EXPECT_LT(shared, apart);
}

// Where every score is negative, rows near the right angle are the best, and the estimate errs most there.
TEST(SketchPass, FindsTheBestOfNegativeScores) {
  std::printf("seed %u\n", kSeed);
  std::mt19937 rng(kSeed);
  Rows rows = make(6'000, rng);
  for (auto& v : rows.vectors) {
    for (float& x : v) x += 1.2f;
  }
  constexpr std::size_t kTop = 10;
  for (const Metric metric : {Metric::kCosine, Metric::kDot}) {
    SketchStore store(kDimension, metric == Metric::kDot);
    for (std::size_t i = 0; i < rows.numbers.size(); ++i)
      store.append(rows.numbers[i], rows.vectors[i].data(), inverse_norm(rows.vectors[i]));
    const SketchView view = store.view();
    std::size_t found = 0, wanted = 0;
    for (int turn = 0; turn < 90; ++turn) {
      std::vector<float> q = rows.vectors[rng() % rows.vectors.size()];
      for (float& x : q) x = -x;
      const auto best = ranked(rows, metric, q);
      ASSERT_LT(-best[0].first, 0);
      const float bounds[] = {-std::numeric_limits<float>::infinity(),
                              static_cast<float>(-best[kTop - 1].first),
                              static_cast<float>(-best[500].first)};
      const SketchSearch search(store.rotation(), metric, q);
      ReachedScores reached(kTop, bounds[turn % 3]);
      SketchPass pass(search, reached, nullptr);
      Context context;
      for (const SketchRun& run : view.runs) pass.run(run, 0, kNoRow, context);
      std::set<std::uint64_t> got;
      for (const Candidate& c : pass.take()) got.insert(c.row);
      for (std::size_t i = 0; i < kTop; ++i) found += got.contains(best[i].second);
      wanted += kTop;
    }
    EXPECT_GE(static_cast<double>(found), 0.985 * static_cast<double>(wanted)) << to_string(metric);
  }
}

// However many others are nearly equal.
TEST(SketchPass, EveryRowIsFoundByItsOwnVector) {
  std::printf("seed %u\n", kSeed);
  std::mt19937 rng(kSeed);
  std::normal_distribution<float> normal;
  Rows rows = make(40, rng);
  for (std::size_t i = 0; i < 40 * 60; ++i) {
    std::vector<float> v = rows.vectors[i % 40];
    for (float& x : v) x += 0.01f * normal(rng);
    rows.vectors.push_back(std::move(v));
  }
  for (std::size_t i = 0; i < kDimension; ++i) {
    rows.vectors.emplace_back(kDimension);
    rows.vectors.back()[i] = 0.3f + static_cast<float>(i);
  }
  SketchStore store(kDimension, false);
  for (std::size_t i = 0; i < rows.vectors.size(); ++i)
    store.append(i, rows.vectors[i].data(), inverse_norm(rows.vectors[i]));
  const SketchView view = store.view();
  ASSERT_EQ(view.end_row, rows.vectors.size());
  for (std::size_t i = 0; i < rows.vectors.size(); ++i) {
    const SketchSearch search(store.rotation(), Metric::kCosine, rows.vectors[i]);
    for (const float bound : {-std::numeric_limits<float>::infinity(), 1.0f, 1.000001f}) {
      ReachedScores reached(1, bound);
      SketchPass pass(search, reached, nullptr);
      Context context;
      for (const SketchRun& run : view.runs) pass.run(run, 0, kNoRow, context);
      const auto got = pass.take();
      const auto own = std::find_if(got.begin(), got.end(), [&](const Candidate& c) { return c.row == i; });
      ASSERT_NE(own, got.end()) << i << " with bound " << bound;
      ASSERT_GE(own->upper, 1.0f);
    }
  }
}

TEST(SketchStore, RowsThatHaveNoSketchAreNamedAndOldOnesAreDropped) {
  std::mt19937 rng(kSeed);
  const Rows rows = make(3'000, rng);
  SketchStore store(kDimension, false);
  for (std::size_t i = 0; i < rows.numbers.size(); ++i)
    store.append(rows.numbers[i], rows.vectors[i].data(), i % 700 == 3 ? 0.0f : 1.0f);
  const SketchView all = store.view();
  EXPECT_EQ(all.apart.size(), 5u);
  EXPECT_EQ(all.runs.size(), 3u);
  std::size_t groups = 0;
  for (const SketchRun& r : all.runs) groups += r.group_count;
  EXPECT_EQ(groups, 2995 / simd::kSketchRows);
  store.drop_before(rows.numbers[1'500]);
  const SketchView left = store.view();
  EXPECT_EQ(left.runs.size(), 2u);
  EXPECT_EQ(left.apart.size(), 2u);
  EXPECT_EQ(left.end_row, all.end_row);
  EXPECT_LE(left.runs[0].rows[0], rows.numbers[1'500]);
  EXPECT_EQ(all.runs[0].rows[0], rows.numbers[0]);  // what was seen before stays
  EXPECT_THROW(store.append(rows.numbers[0], rows.vectors[0].data(), 1.0f), Error);
}

TEST(SketchStore, ViewsStandWhileRowsAreAppended) {
  std::mt19937 rng(kSeed);
  const Rows rows = make(4'000, rng);
  SketchStore store(kDimension, true);
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  std::atomic<std::uint64_t> passes{0};
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (!done || passes < 4) {
        const SketchView view = store.view();
        const SketchSearch search(store.rotation(), Metric::kDot, rows.vectors[7]);
        ReachedScores reached(5, -std::numeric_limits<float>::infinity());
        SketchPass pass(search, reached, nullptr);
        Context context;
        for (const SketchRun& run : view.runs) pass.run(run, 0, view.end_row, context);
        for (const Candidate& c : pass.take()) ASSERT_LT(c.row, view.end_row);
        ++passes;
      }
    });
  }
  for (std::size_t i = 0; i < rows.numbers.size(); ++i) {
    store.append(rows.numbers[i], rows.vectors[i].data(), inverse_norm(rows.vectors[i]));
    if (i % 1'000 == 0 && i > 0) store.drop_before(rows.numbers[i - 900]);
  }
  done = true;
  for (auto& t : readers) t.join();
}

}  // namespace
}  // namespace vecstore
