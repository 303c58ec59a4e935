#include "index/vector/flat_index.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <thread>

#include "base/executor.hpp"
#include "index/vector/exact_scorer.hpp"
#include "index/vector/vector_fixture.hpp"

namespace vecstore {
namespace {

using testing_vectors::gaussian;
using testing_vectors::RandomBlocks;

constexpr Metric kMetrics[] = {Metric::kCosine, Metric::kDot, Metric::kEuclidean};

struct SetFilter final : RowFilter {
  std::set<std::uint64_t> rows;
  bool known = true;
  bool contains(std::uint64_t row) const override { return rows.contains(row); }
  std::optional<std::uint64_t> count() const override {
    return known ? std::optional(rows.size()) : std::nullopt;
  }
  std::uint64_t next(std::uint64_t row) const override {
    if (!known) return row;
    const auto it = rows.lower_bound(row);
    return it == rows.end() ? kNoRow : *it;
  }
};

struct Descending final : RowOrder {
  bool before(std::uint64_t a, std::uint64_t b) const override { return a > b; }
};

// The slow twin: every row scored in double, sorted; scores compared with a tolerance, rows by the index's
// own score.
double exact_score(Metric metric, std::span<const float> q, const float* x) {
  double dot = 0, qq = 0, xx = 0, l2 = 0;
  for (std::size_t i = 0; i < q.size(); ++i) {
    const double a = q[i], b = x[i];
    dot += a * b, qq += a * a, xx += b * b, l2 += (a - b) * (a - b);
  }
  if (metric == Metric::kEuclidean) return -std::sqrt(l2);
  if (metric == Metric::kDot) return dot;
  return qq > 0 && xx > 0 ? dot / std::sqrt(qq) / std::sqrt(xx) : 0;
}

std::vector<RowScore> brute_force(const RandomBlocks& data, const VectorQuery& query, std::uint64_t end_row,
                                  const RowOrder* order) {
  const ExactScorer scorer(query.metric, query.vector);
  std::vector<RowScore> all;
  for (std::size_t i = 0; i < data.all_rows.size(); ++i) {
    const std::uint64_t row = data.all_rows[i];
    if (row >= end_row || (query.filter && !query.filter->contains(row))) continue;
    const float inverse = inverse_norm(data.vectors[i], data.dim);
    float score = 0;
    scorer.score({data.vectors[i], data.dim * 4, 1, row, nullptr, i % 2 ? &inverse : nullptr}, 0, 1, &score);
    const double exact = exact_score(query.metric, query.vector, data.vectors[i]);
    EXPECT_NEAR(score, exact, 1e-5 * (1 + std::abs(exact)));
    if (!query.score_threshold || score >= *query.score_threshold) all.push_back({row, score});
  }
  std::sort(all.begin(), all.end(), [order](const RowScore& a, const RowScore& b) {
    if (a.score != b.score) return a.score > b.score;
    return order ? order->before(a.row, b.row) : a.row < b.row;
  });
  if (all.size() > query.k) all.resize(query.k);
  return all;
}

std::vector<RowScore> run(const FlatIndex& index, const VectorQuery& query, const RowOrder* order = nullptr,
                          Counters* counters = nullptr) {
  Context context;
  TopK out = make_collector(query, order);
  index.search(query, context, out);
  if (counters) *counters = context.counters;
  return out.take();
}

TEST(FlatIndex, EveryWayGivesTheSameRowsAndBits) {
  const std::uint32_t seed = 4711;
  std::mt19937 rng(seed);
  Executor executor(3);
  const ParallelFor parallel = [&](std::size_t n, const std::function<void(std::size_t)>& fn) {
    executor.parallel_for(n, 0, fn);
  };
  const Descending descending;
  for (int round = 0; round < 90; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + " round " + std::to_string(round));
    const std::size_t dim = 1 + rng() % (round % 5 ? 40 : 400);
    const std::size_t count = round % 9 == 0 ? 9000 : rng() % 1500;
    RandomBlocks data(dim, count, round % 3 ? 200 : 3, rng);
    const Metric metric = kMetrics[round % 3];
    CodeStore store(metric, dim);
    const std::size_t coded = rng() % 4 ? data.blocks.size() : rng() % (data.blocks.size() + 1);
    for (std::size_t i = 0; i < coded; ++i) store.append(data.blocks[i]);
    const FlatIndex plain(metric, data.list), two_pass(metric, data.list, store.view());

    for (int q = 0; q < 6; ++q) {
      std::vector<float> vector = gaussian(dim, rng);
      if (q == 1 && count) std::copy_n(data.vectors[rng() % count], dim, vector.data());
      if (q == 2) std::fill(vector.begin(), vector.end(), 0.0f);
      SetFilter filter;
      VectorQuery query{.vector = vector, .metric = metric, .k = q == 3 ? rng() % 2000 : rng() % 20};
      if (q >= 3) {
        const unsigned keep = q == 3 ? 2 : 1 + rng() % 60;
        for (std::uint64_t row : data.all_rows) {
          if (rng() % keep == 0) filter.rows.insert(row);
        }
        filter.known = rng() % 2;
        query.filter = &filter;
      }
      const RowOrder* order = rng() % 2 ? &descending : nullptr;
      if (rng() % 3 == 0) {
        const auto best = brute_force(data, query, kNoRow, order);
        if (!best.empty()) query.score_threshold = best[best.size() / 2].score;
      }
      const auto expected = brute_force(data, query, kNoRow, order);
      EXPECT_EQ(run(plain, query, order), expected);
      EXPECT_EQ(run(two_pass, query, order), expected);
      query.parallel = &parallel;
      query.threads = 4;
      EXPECT_EQ(run(plain, query, order), expected);
      EXPECT_EQ(run(two_pass, query, order), expected);
    }
    if (HasFailure()) return;
  }
}

TEST(FlatIndex, TheTwoPassesReadFewVectors) {
  if (!CodeStore::useful()) GTEST_SKIP() << "codes are not used under this ISA";
  std::mt19937 rng(8);
  const std::size_t dim = 96, count = 20000;
  for (Metric metric : kMetrics) {
    RandomBlocks data(dim, count, 400, rng);
    CodeStore store(metric, dim);
    for (const VectorBlock& b : data.blocks) store.append(b);
    const FlatIndex index(metric, data.list, store.view());
    const std::vector<float> vector = gaussian(dim, rng);
    Counters counters;
    const VectorQuery query{.vector = vector, .metric = metric, .k = 10};
    EXPECT_EQ(run(index, query, nullptr, &counters), brute_force(data, query, kNoRow, nullptr));
    EXPECT_GE(counters.rows_rescored, 10u);
    // 2% of the rows are zero vectors, which tie as the nearest ones.
    EXPECT_LE(counters.rows_rescored, metric == Metric::kEuclidean ? 600u : 200u) << to_string(metric);
    EXPECT_GE(counters.rows_scanned, count);
    EXPECT_LE(counters.bytes_read, count * (dim + 32));
  }
}

TEST(FlatIndex, AFilterWithFewMatchesReadsTheirVectorsOnly) {
  std::mt19937 rng(9);
  RandomBlocks data(64, 5000, 100, rng);
  CodeStore store(Metric::kCosine, 64);
  for (const VectorBlock& b : data.blocks) store.append(b);
  SetFilter filter;
  for (std::size_t i = 0; i < data.all_rows.size(); i += 250) filter.rows.insert(data.all_rows[i]);
  filter.rows.insert(data.all_rows.back() + 1000);  // a row that the source does not have
  const std::vector<float> vector = gaussian(64, rng);
  const VectorQuery query{.vector = vector, .k = 7, .filter = &filter};
  const FlatIndex plain(Metric::kCosine, data.list), two_pass(Metric::kCosine, data.list, store.view());
  for (const FlatIndex* index : {&plain, &two_pass}) {
    Counters counters;
    EXPECT_EQ(run(*index, query, nullptr, &counters), brute_force(data, query, kNoRow, nullptr));
    EXPECT_EQ(counters.rows_scanned, 20u);
    EXPECT_EQ(counters.bytes_read, 20u * 64 * 4);
    EXPECT_EQ(counters.rows_matched, 20u);
  }
}

TEST(FlatIndex, AThresholdThatNothingReachesReadsNoVector) {
  std::mt19937 rng(10);
  RandomBlocks data(64, 4000, 100, rng);
  CodeStore store(Metric::kCosine, 64);
  for (const VectorBlock& b : data.blocks) store.append(b);
  const std::vector<float> vector = gaussian(64, rng);
  const VectorQuery query{.vector = vector, .k = 100, .score_threshold = 0.99f};
  Counters counters;
  const FlatIndex index(Metric::kCosine, data.list, store.view());
  EXPECT_TRUE(run(index, query, nullptr, &counters).empty());
  EXPECT_EQ(counters.rows_rescored, 0u);
}

TEST(FlatIndex, CodesNewerThanTheViewAreLeftOut) {
  std::mt19937 rng(11);
  RandomBlocks data(32, 3000, 50, rng);
  CodeStore store(Metric::kDot, 32);
  for (const VectorBlock& b : data.blocks) store.append(b);
  BlockList older(32);
  for (std::size_t i = 0; i < data.blocks.size() / 2; ++i) older.add(data.blocks[i]);
  const std::vector<float> vector = gaussian(32, rng);
  const VectorQuery query{.vector = vector, .metric = Metric::kDot, .k = 10};
  EXPECT_EQ(run(FlatIndex(Metric::kDot, older, store.view()), query),
            brute_force(data, query, older.end_row(), nullptr));
}

TEST(FlatIndex, CodesWithoutVectorsDoNotHideOtherRows) {
  std::mt19937 rng(12);
  RandomBlocks data(32, 3000, 50, rng), kept(32, 0, 1, rng);
  CodeStore store(Metric::kDot, 32);
  for (const VectorBlock& b : data.blocks) store.append(b);
  const std::vector<float> vector = gaussian(32, rng);
  const VectorQuery query{.vector = vector, .metric = Metric::kDot, .k = 10};
  const std::uint64_t best = brute_force(data, query, kNoRow, nullptr)[0].row;
  BlockList damaged(32);
  SetFilter others;
  for (const VectorBlock& b : data.blocks) {
    if (b.first_row <= best && best <= b.last_row()) continue;
    damaged.add(b);
    for (std::uint32_t i = 0; i < b.count; ++i) others.rows.insert(b.row(i));
  }
  VectorQuery filtered = query;
  filtered.filter = &others;
  EXPECT_EQ(run(FlatIndex(Metric::kDot, damaged, store.view()), query),
            brute_force(data, filtered, kNoRow, nullptr));
}

TEST(FlatIndex, GoesOnFromWhatTheCollectorHolds) {
  std::mt19937 rng(13);
  RandomBlocks data(48, 4000, 100, rng);
  for (Metric metric : kMetrics) {
    CodeStore store(metric, 48);
    BlockList first(48), second(48);
    for (std::size_t i = 0; i < data.blocks.size(); ++i)
      (i < data.blocks.size() / 3 ? first : second).add(data.blocks[i]);
    for (std::size_t i = data.blocks.size() / 3; i < data.blocks.size(); ++i) store.append(data.blocks[i]);
    const std::vector<float> vector = gaussian(48, rng);
    const VectorQuery query{.vector = vector, .metric = metric, .k = 25};
    Context context;
    TopK out = make_collector(query);
    FlatIndex(metric, first).search(query, context, out);
    FlatIndex(metric, second, store.view()).search(query, context, out);
    EXPECT_EQ(out.take(), brute_force(data, query, kNoRow, nullptr));
  }
}

TEST(FlatIndex, ExtremeVectorsHaveFiniteScores) {
  const std::vector<float> magnitudes = {0, 1e-45f, 1e-38f, 1e-25f, 1, 1e15f, 1e19f, 1e25f, 3.4e38f};
  std::vector<std::vector<float>> vectors;
  for (float m : magnitudes) {
    vectors.push_back({m, -m, m, m, m});
    vectors.push_back({-m, m, m, 0, -m});
  }
  for (Metric metric : kMetrics) {
    for (const std::vector<float>& q : vectors) {
      const ExactScorer scorer(metric, q);
      for (const std::vector<float>& x : vectors) {
        float score = NAN;
        scorer.score({x.data(), 20, 1, 0, nullptr, nullptr}, 0, 1, &score);
        ASSERT_TRUE(std::isfinite(score));
        constexpr double kLargest = std::numeric_limits<float>::max();
        // Subnormal components count as zero.
        const double subnormal = 10 * 1.2e-38 * (std::abs(q[1]) + std::abs(x[1]));
        const double exact = std::clamp(exact_score(metric, q, x.data()), -kLargest, kLargest);
        EXPECT_NEAR(score, exact, 1e-5 * std::abs(exact) + 1e-18 + subnormal)
            << to_string(metric) << q[0] << " " << x[0];
      }
    }
  }
}

TEST(FlatIndex, SearchesOfExtremeVectorsAgree) {
  std::mt19937 rng(14);
  for (Metric metric : kMetrics) {
    std::vector<float> data = gaussian(4000 * 8, rng);
    for (std::size_t i = 0; i < 4000; ++i) {
      const float m = std::ldexp(1.0f, i % 3 ? 0 : static_cast<int>(rng() % 240) - 120);
      for (std::size_t j = 0; j < 8; ++j) data[i * 8 + j] *= m;
    }
    BlockList list(8);
    CodeStore store(metric, 8);
    const VectorBlock block{data.data(), 32, 4000, 0, nullptr, nullptr};
    list.add(block);
    store.append(block);
    for (int exponent : {-120, -45, -39, 0, 39, 45, 120}) {
      std::vector<float> q = gaussian(8, rng);
      for (float& v : q) v = std::ldexp(v, exponent);
      const VectorQuery query{.vector = q, .metric = metric, .k = 40};
      EXPECT_EQ(run(FlatIndex(metric, list, store.view()), query), run(FlatIndex(metric, list), query))
          << exponent;
    }
  }
}

TEST(FlatIndex, RefusesWhatDoesNotFit) {
  std::mt19937 rng(15);
  RandomBlocks data(8, 100, 10, rng);
  const FlatIndex index(Metric::kCosine, data.list);
  const auto code_of = [&](std::vector<float> v, Metric metric) {
    try {
      run(index, {.vector = v, .metric = metric});
    } catch (const Error& e) {
      return e.code();
    }
    return ErrorCode::kClosed;
  };
  EXPECT_EQ(code_of(std::vector<float>(7), Metric::kCosine), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(std::vector<float>(8), Metric::kDot), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(std::vector<float>(8, NAN), Metric::kCosine), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(std::vector<float>(8, INFINITY), Metric::kCosine), ErrorCode::kInvalidArgument);
  CodeStore other(Metric::kDot, 8);
  for (const VectorBlock& b : data.blocks) {
    if (b.count) other.append(b);
  }
  EXPECT_THROW(FlatIndex(Metric::kCosine, data.list, other.view()), Error);
  EXPECT_THROW(other.append(0, data.vectors[0], 1), Error);
}

TEST(FlatIndex, EndsAtTheDeadlineAndWhenStopped) {
  std::mt19937 rng(16);
  RandomBlocks data(16, 20000, 1, rng);
  CodeStore store(Metric::kCosine, 16);
  for (const VectorBlock& b : data.blocks) store.append(b);
  const std::vector<float> vector = gaussian(16, rng);
  const FlatIndex plain(Metric::kCosine, data.list), two_pass(Metric::kCosine, data.list, store.view());

  // A filter that stops the search from inside: the scan may go on for at most 1,024 rows and what they cost.
  struct Stopper final : RowFilter {
    std::stop_source* source;
    mutable std::atomic<int> calls{0};
    bool contains(std::uint64_t) const override {
      if (++calls == 100) source->request_stop();
      return true;
    }
  };
  for (const FlatIndex* index : {&plain, &two_pass}) {
    std::stop_source source;
    Stopper stopper;
    stopper.source = &source;
    const VectorQuery query{.vector = vector, .k = 600, .filter = &stopper};
    Context context{.stop = source.get_token()};
    TopK out = make_collector(query);
    try {
      index->search(query, context, out);
      FAIL() << "not cancelled";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kCancelled);
    }
    EXPECT_LE(context.counters.rows_scanned, 2048u);
    Context late{.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1)};
    EXPECT_THROW(index->search(query, late, out), Error);
  }
}

TEST(CodeStore, ReadersSeeWholeGroupsWhileAWriterAppends) {
  std::mt19937 rng(17);
  const std::size_t dim = 24, count = 12000;
  RandomBlocks data(dim, count, 30, rng);
  CodeStore store(Metric::kEuclidean, dim);
  std::thread writer([&] {
    for (const VectorBlock& b : data.blocks) store.append(b);
  });
  const std::vector<float> vector = gaussian(dim, rng);
  const VectorQuery query{.vector = vector, .metric = Metric::kEuclidean, .k = 5};
  const auto expected = run(FlatIndex(Metric::kEuclidean, data.list), query);
  for (int i = 0; i < 60; ++i) {
    const CodeView view = store.view();
    EXPECT_EQ(view.row_count() % simd::kGroupRows, 0u);
    EXPECT_EQ(run(FlatIndex(Metric::kEuclidean, data.list, view), query), expected);
  }
  writer.join();
  EXPECT_EQ(store.view().row_count(), count / 16 * 16);
  EXPECT_GE(store.memory_bytes(), count * dim);
}

TEST(BlockList, SplitsAndSeeks) {
  std::mt19937 rng(18);
  RandomBlocks data(4, 1000, 20, rng);
  for (std::size_t parts : {1u, 2u, 3u, 7u, 5000u}) {
    const auto cuts = data.list.split(parts);
    EXPECT_LT(cuts.size(), parts);
    EXPECT_TRUE(std::is_sorted(cuts.begin(), cuts.end()));
    if (parts == 7) {
      EXPECT_EQ(cuts.size(), 6u);
    }
  }
  const auto cursor = data.list.cursor();
  VectorBlock block;
  for (std::uint64_t row : data.all_rows) {
    ASSERT_TRUE(cursor->seek(row, block));
    EXPECT_LE(block.first_row, row);
    EXPECT_GE(block.last_row(), row);
  }
  EXPECT_FALSE(cursor->seek(data.list.end_row(), block));
  EXPECT_THROW(data.list.add(data.blocks[0]), Error);
  EXPECT_EQ(BlockList(4).end_row(), 0u);
}

}  // namespace
}  // namespace vecstore
