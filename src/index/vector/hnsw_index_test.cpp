#include "index/vector/hnsw_index.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <stop_token>
#include <thread>

namespace vecstore {
namespace {

constexpr std::uint32_t kSeed = 777;
constexpr std::uint32_t kSection = 40;

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

// Rows around centres, of different lengths, some equal, some zero.
struct Data {
  Data(std::uint32_t n, std::size_t dimension, std::uint32_t seed)
      : rows(n), dim(dimension), values(n * dimension) {
    std::mt19937 random(seed), centre_random(5);
    std::normal_distribution<float> normal;
    std::vector<float> centres(60 * dim);
    for (float& v : centres) v = normal(centre_random);
    for (std::uint32_t i = 0; i < n; ++i) {
      float* x = values.data() + i * dim;
      const std::size_t c = random() % 60;
      const float length = 1 + 0.2f * normal(random);
      for (std::size_t j = 0; j < dim; ++j) x[j] = length * (centres[c * dim + j] + 0.6f * normal(random));
      if (random() % 100 == 0) std::fill_n(x, dim, 0.0f);
      if (i && random() % 50 == 0) std::copy_n(values.data() + (random() % i) * dim, dim, x);
    }
  }
  const float* row(std::size_t i) const { return values.data() + i * dim; }
  RowVectors vectors() const {
    return [this](std::uint32_t i) { return row(i); };
  }
  std::uint32_t rows;
  std::size_t dim;
  std::vector<float> values;
};

HnswOptions options_for(Metric metric, std::size_t dim) {
  HnswOptions o;
  o.metric = metric;
  o.dimension = dim;
  return o;
}

std::shared_ptr<const HnswIndex> build(Metric metric, const Data& data) {
  Context context;
  return HnswIndex::build(options_for(metric, data.dim), data.rows, data.vectors(), context);
}

bool bit(const std::vector<std::uint64_t>& words, std::uint32_t i) { return words[i / 64] >> (i % 64) & 1; }

// Share of the k best admitted rows found (a row as good as the k-th counts), with everything that must hold
// for any hit.
double recall(const HnswIndex& index, Metric metric, const Data& data, const Data& queries, HnswQuery query,
              const std::vector<std::uint64_t>* admitted = nullptr,
              const std::vector<std::uint64_t>* retired = nullptr) {
  HnswScratch scratch;
  Context context;
  std::vector<HnswHit> hits;
  std::size_t found = 0, wanted = 0;
  if (admitted) query.admitted = admitted->data();
  if (retired) query.retired = retired->data();
  for (std::uint32_t q = 0; q < queries.rows; ++q) {
    std::vector<double> truth;
    for (std::uint32_t i = 0; i < data.rows; ++i) {
      if ((admitted && !bit(*admitted, i)) || (retired && bit(*retired, i))) continue;
      truth.push_back(exact(metric, queries.row(q), data.row(i), data.dim));
    }
    std::sort(truth.rbegin(), truth.rend());
    truth.resize(std::min<std::size_t>(truth.size(), query.k));
    query.vector = {queries.row(q), queries.dim};
    index.search(query, scratch, context, hits);
    std::vector<bool> seen(data.rows);
    for (std::size_t i = 0; i < hits.size(); ++i) {
      const std::uint32_t node = hits[i].node;
      if (node >= data.rows || seen[node]) {
        ADD_FAILURE() << "node " << node << " is out of range or stands twice";
        return 0;
      }
      seen[node] = true;
      EXPECT_TRUE(!admitted || bit(*admitted, node));
      EXPECT_TRUE(!retired || !bit(*retired, node));
      const double want = exact(metric, queries.row(q), data.row(node), data.dim);
      EXPECT_NEAR(hits[i].score, want, 0.02 + 0.02 * std::abs(want));
      if (i > 0) {
        EXPECT_LE(hits[i].score, hits[i - 1].score);
      }
      if (i < truth.size() && want >= truth.back() - 1e-6) ++found;
    }
    wanted += truth.size();
  }
  return wanted ? static_cast<double>(found) / static_cast<double>(wanted) : 1;
}

TEST(HnswIndex, FindsWhatAnExactScanFinds) {
  for (Metric metric : {Metric::kCosine, Metric::kDot, Metric::kEuclidean}) {
    const Data data(3000, 48, kSeed), queries(50, 48, kSeed + 1);
    const auto index = build(metric, data);
    SCOPED_TRACE(testing::Message() << to_string(metric) << " seed " << kSeed);
    EXPECT_EQ(index->size(), 3000u);
    EXPECT_EQ(index->metric(), metric);
    double before = 0;
    HnswQuery query;
    for (std::uint32_t ef : {16u, 64u, 256u}) {
      query.ef = ef;
      const double now = recall(*index, metric, data, queries, query);
      EXPECT_GE(now, before - 0.01);
      before = now;
      if (ef == 64) {
        EXPECT_GT(now, 0.95);
      }
    }
    EXPECT_GT(before, 0.99);
    query.ef = 400;
    query.k = 100;
    EXPECT_GT(recall(*index, metric, data, queries, query), 0.98);
  }
}

TEST(HnswIndex, SmallIndexesAndOddDimensionsWork) {
  for (std::uint32_t rows : {1u, 2u, 7u, 40u, 300u}) {
    for (std::size_t dim : {1u, 2u, 65u, 129u}) {
      const Data data(rows, dim, kSeed + rows), queries(5, dim, kSeed + 2);
      for (Metric metric : {Metric::kCosine, Metric::kEuclidean}) {
        const auto index = build(metric, data);
        HnswQuery query;
        query.ef = 300;
        HnswScratch scratch;
        Context context;
        std::vector<HnswHit> hits;
        query.vector = {queries.row(0), dim};
        query.k = 5;
        query.hits = 5;
        index->search(query, scratch, context, hits);
        EXPECT_EQ(hits.size(), std::min(rows, 5u)) << rows << ' ' << dim;
      }
    }
  }
}

TEST(HnswIndex, FiltersOfEveryWidth) {
  const Data data(5000, 32, kSeed + 3), queries(40, 32, kSeed + 4);
  const auto index = build(Metric::kCosine, data);
  std::mt19937 random(kSeed);
  HnswQuery query;
  query.ef = 128;
  // 0 stands for three rows of four.
  for (std::uint32_t every : {0u, 1u, 2u, 5u, 10u, 100u, 2000u, 100000u}) {
    std::vector<std::uint64_t> admitted(5000 / 64 + 1), retired(5000 / 64 + 1);
    for (std::uint32_t i = 0; i < 5000; ++i) {
      if (every ? random() % every == 0 : random() % 4 != 0) admitted[i / 64] |= std::uint64_t{1} << (i % 64);
      if (random() % 4 == 0) retired[i / 64] |= std::uint64_t{1} << (i % 64);
    }
    EXPECT_GT(recall(*index, Metric::kCosine, data, queries, query, &admitted), 0.97) << every;
    EXPECT_GT(recall(*index, Metric::kCosine, data, queries, query, &admitted, &retired), 0.97) << every;
    EXPECT_GT(recall(*index, Metric::kCosine, data, queries, query, nullptr, &retired), 0.97);
  }
}

TEST(HnswIndex, EveryWayFindsWhatMatchesAndTheChosenOneIsCounted) {
  const Data data(6000, 16, kSeed + 40), queries(40, 16, kSeed + 41);
  const auto index = build(Metric::kCosine, data);
  std::mt19937 random(kSeed + 42);
  for (std::uint32_t every : {2u, 5u, 20u, 200u}) {
    std::vector<std::uint64_t> admitted(6000 / 64 + 1);
    std::uint64_t matches = 0;
    for (std::uint32_t i = 0; i < 6000; ++i) {
      if (random() % every != 0) continue;
      admitted[i / 64] |= std::uint64_t{1} << (i % 64);
      ++matches;
    }
    for (HnswWay way : {HnswWay::kChosen, HnswWay::kScan, HnswWay::kWalk, HnswWay::kResults}) {
      HnswQuery query;
      query.ef = 128;
      query.way = way;
      // A walk over all nodes comes to too few where one in 200 is admitted; one over the results is for
      // where the first has ended, and then goes farther.
      if (way == HnswWay::kResults) query.ef = 512;
      if (way != HnswWay::kWalk || every <= 20) {
        const double least = way == HnswWay::kResults && every == 200 ? 0.85 : 0.95;
        EXPECT_GT(recall(*index, Metric::kCosine, data, queries, query, &admitted), least)
            << "one in " << every << ", way " << static_cast<int>(way);
      }
      query.vector = {queries.row(0), 16};
      query.admitted = admitted.data();
      HnswScratch scratch;
      Context context;
      std::vector<HnswHit> hits;
      index->search(query, scratch, context, hits);
      EXPECT_GE(hits.size(), std::min<std::uint64_t>(matches, 10));
      const Counters& c = context.counters;
      EXPECT_GE(c.graph_walks + c.result_walks + c.graph_scans, 1u);
      EXPECT_GT(c.rows_expected, 0u);
      if (way == HnswWay::kScan) {
        EXPECT_EQ(c.graph_scans, 1u);
        EXPECT_EQ(c.graph_walks, 0u);
        EXPECT_EQ(c.rows_scanned, matches);
        EXPECT_EQ(c.rows_expected, matches);
      }
      // So few that no walk can be faster, whatever the machine.
      if (way == HnswWay::kChosen && every == 200) {
        EXPECT_EQ(c.graph_walks, 0u);
        EXPECT_EQ(c.graph_scans, 1u);
      }
    }
  }
}

TEST(HnswIndex, CostsFollowWhatSearchesTake) {
  hnsw::SearchCosts costs;
  EXPECT_FALSE(costs.known());
  costs.set({10, 40});
  EXPECT_TRUE(costs.known());
  costs.scanned(1e9f, 10);  // too few to tell
  EXPECT_EQ(costs.units().scan, 10);
  costs.walked(-5, 10'000);  // all of the time was for its entries
  EXPECT_EQ(costs.units().walk, 40);
  costs.scanned(1e12f, 1000);  // one thread had to wait: a little more
  EXPECT_GT(costs.units().scan, 10);
  EXPECT_LT(costs.units().scan, 10.5f);
  for (int i = 0; i < 500; ++i) {
    costs.scanned(5 * 1000.0f, 1000);
    costs.walked(80 * 1000.0f, 1000);
  }
  EXPECT_NEAR(costs.units().scan, 5, 0.1);
  EXPECT_NEAR(costs.units().walk, 80, 1);
}

TEST(HnswIndex, WhatMatchesIsFoundWhereverItLies) {
  // The admitted rows are those farthest from the query, and most rows.
  const Data data(3000, 16, kSeed + 30), queries(20, 16, kSeed + 31);
  const auto index = build(Metric::kCosine, data);
  HnswScratch scratch;
  Context context;
  std::vector<HnswHit> hits;
  for (std::uint32_t q = 0; q < queries.rows; ++q) {
    std::vector<std::pair<double, std::uint32_t>> order;
    for (std::uint32_t i = 0; i < 3000; ++i)
      order.emplace_back(exact(Metric::kCosine, queries.row(q), data.row(i), 16), i);
    std::sort(order.begin(), order.end());
    for (std::uint32_t admitted_rows : {3u, 50u, 2700u}) {
      std::vector<std::uint64_t> admitted(3000 / 64 + 1), retired(3000 / 64 + 1, ~std::uint64_t{0});
      for (std::uint32_t i = 0; i < admitted_rows; ++i) {
        admitted[order[i].second / 64] |= std::uint64_t{1} << (order[i].second % 64);
        retired[order[i].second / 64] &= ~(std::uint64_t{1} << (order[i].second % 64));
      }
      for (bool by_filter : {true, false}) {
        HnswQuery query;
        query.vector = {queries.row(q), 16};
        query.admitted = by_filter ? admitted.data() : nullptr;
        query.retired = by_filter ? nullptr : retired.data();
        query.hits = 10;
        index->search(query, scratch, context, hits);
        ASSERT_EQ(hits.size(), std::min(admitted_rows, 10u));
        const double best = order[admitted_rows - 1].first;
        EXPECT_NEAR(hits[0].score, best, 0.01);
      }
    }
  }
}

TEST(HnswIndex, SeveralIndexesWithOneBoundFindTogetherWhatOneFinds) {
  const Data data(4000, 32, kSeed + 5), queries(60, 32, kSeed + 6);
  std::vector<std::shared_ptr<const HnswIndex>> parts;
  Context context;
  for (std::uint32_t p = 0; p < 4; ++p) {
    parts.push_back(HnswIndex::build(
        options_for(Metric::kCosine, 32), 1000, [&](std::uint32_t i) { return data.row(p * 1000 + i); },
        context));
  }
  std::vector<std::vector<double>> truth(queries.rows);
  for (std::uint32_t q = 0; q < queries.rows; ++q) {
    for (std::uint32_t i = 0; i < data.rows; ++i)
      truth[q].push_back(exact(Metric::kCosine, queries.row(q), data.row(i), 32));
    std::sort(truth[q].rbegin(), truth[q].rend());
  }
  for (std::uint32_t ef : {16u, 32u, 64u}) {
    std::uint64_t scored[2] = {0, 0};
    double found[2] = {0, 0};
    for (int shared = 0; shared < 2; ++shared) {
      HnswScratch scratch;
      std::vector<HnswHit> hits;
      Context counting;
      for (std::uint32_t q = 0; q < queries.rows; ++q) {
        std::vector<float> best;
        int found_here = 0;  // equal rows count once
        HnswQuery query;
        query.ef = ef;
        query.vector = {queries.row(q), 32};
        for (std::uint32_t p = 0; p < 4; ++p) {
          if (shared && best.size() >= 10) query.known_score = best[9];
          parts[p]->search(query, scratch, counting, hits);
          for (const HnswHit& h : hits) {
            best.push_back(h.score);
            const double score = exact(Metric::kCosine, queries.row(q), data.row(p * 1000 + h.node), 32);
            found[shared] += score >= truth[q][9] && found_here++ < 10;
          }
          std::sort(best.rbegin(), best.rend());
        }
      }
      scored[shared] = counting.counters.rows_scanned;
    }
    std::printf("ef %u: found %.4f apart, %.4f with a shared bound\n", ef, found[0] / (10 * queries.rows),
                found[1] / (10 * queries.rows));
    EXPECT_GT(found[0], 10 * queries.rows * 0.9);
    EXPECT_GT(found[1], found[0] - 10 * queries.rows * 0.02);
    EXPECT_LT(scored[1], scored[0]);
  }
}

TEST(HnswIndex, AThresholdLosesNothingAboveIt) {
  const Data data(4000, 32, kSeed + 7), queries(40, 32, kSeed + 8);
  for (Metric metric : {Metric::kCosine, Metric::kEuclidean}) {
    const auto index = build(metric, data);
    HnswScratch scratch;
    Context free, bound;
    std::vector<HnswHit> a, b;
    std::size_t above = 0, kept = 0;
    for (std::uint32_t q = 0; q < queries.rows; ++q) {
      HnswQuery query;
      query.ef = 128;
      query.vector = {queries.row(q), 32};
      index->search(query, scratch, free, a);
      ASSERT_GE(a.size(), 3u);
      query.score_threshold = a[2].score;
      index->search(query, scratch, bound, b);
      for (std::size_t i = 0; i < 3; ++i) {
        ++above;
        kept += std::find(b.begin(), b.end(), a[i]) != b.end();
      }
    }
    EXPECT_GE(static_cast<double>(kept), 0.99 * static_cast<double>(above));
    EXPECT_LE(bound.counters.rows_scanned, free.counters.rows_scanned);
  }
}

class HnswFile : public testing::Test {
 protected:
  void SetUp() override {
    dir_ =
        std::filesystem::temp_directory_path() / ("vecstore-hnsw-" + std::to_string(std::random_device{}()));
    std::filesystem::create_directories(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string write(const HnswIndex& index, const std::string& name) {
    io::IndexFileWriter writer(dir_.string(), name, {});
    writer.add(1, {});
    index.write(writer, kSection, Context());
    writer.finish();
    return (dir_ / name).string();
  }
  std::filesystem::path dir_;
};

std::vector<std::vector<HnswHit>> all_hits(const HnswIndex& index, const Data& queries,
                                           std::uint32_t ef = 64) {
  HnswScratch scratch;
  Context context;
  std::vector<std::vector<HnswHit>> out(queries.rows);
  for (std::uint32_t q = 0; q < queries.rows; ++q) {
    HnswQuery query;
    query.ef = ef;
    query.vector = {queries.row(q), queries.dim};
    index.search(query, scratch, context, out[q]);
  }
  return out;
}

TEST_F(HnswFile, AWrittenIndexAnswersTheSameColdAndWarm) {
  for (Metric metric : {Metric::kCosine, Metric::kDot, Metric::kEuclidean}) {
    for (bool copy : {true, false}) {
      const Data data(1500, 40, kSeed + 9), queries(30, 40, kSeed + 10);
      Context context;
      HnswOptions options = options_for(metric, 40);
      options.rescoring_copy = copy;
      const auto index = HnswIndex::build(options, data.rows, data.vectors(), context);
      const auto want = all_hits(*index, queries);
      const auto opened = HnswIndex::open(io::IndexFile::open(write(*index, "a")), kSection);
      EXPECT_FALSE(opened->warm());
      EXPECT_EQ(opened->search_bytes(), index->search_bytes());
      EXPECT_EQ(all_hits(*opened, queries), want);
      const std::string again = write(*opened, "b");
      opened->warm_up(context, copy);
      EXPECT_TRUE(opened->warm());
      EXPECT_EQ(all_hits(*opened, queries), want);
      EXPECT_EQ(opened->graph().links, index->graph().links);
      std::ifstream a(dir_ / "a", std::ios::binary), b(again, std::ios::binary);
      EXPECT_TRUE(std::equal(std::istreambuf_iterator<char>(a), {}, std::istreambuf_iterator<char>(b), {}));
      std::vector<float> near(40);
      opened->decode(3, near.data());
      EXPECT_GT(exact(Metric::kCosine, near.data(), data.row(3), 40), copy ? 0.9999 : 0.95);
    }
  }
}

TEST_F(HnswFile, ACancelledWriteLeavesNoFile) {
  const Data data(200, 8, kSeed + 24);
  const auto index = build(Metric::kEuclidean, data);
  std::stop_source stop;
  stop.request_stop();
  Context context;
  context.stop = stop.get_token();
  {
    io::IndexFileWriter writer(dir_.string(), "x", {});
    EXPECT_THROW(index->write(writer, kSection, context), Error);
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir_));
  EXPECT_THROW(NibbleCoder::fit(Metric::kCosine, 8, 200, data.vectors(), context), Error);
}

TEST_F(HnswFile, FlippedBitsAreFoundOrHarmless) {
  const Data data(2000, 32, kSeed + 11), queries(10, 32, kSeed + 12);
  const auto index = build(Metric::kEuclidean, data);
  const auto want = all_hits(*index, queries);
  const std::string path = write(*index, "x");
  std::ifstream in(path, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  std::mt19937 random(kSeed);
  int found = 0;
  for (int round = 0; round < 150; ++round) {
    std::string bad = good;
    const std::size_t at = round < 30 ? random() % 300 : random() % bad.size();
    bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
    if (round % 10 == 9) bad.resize(random() % bad.size());
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bad;
    try {
      const auto opened = HnswIndex::open(io::IndexFile::open(path), kSection);
      Context context;
      if (round % 2) opened->warm_up(context);
      EXPECT_EQ(all_hits(*opened, queries), want) << "byte " << at;
    } catch (const Error& e) {
      EXPECT_TRUE(e.code() == ErrorCode::kCorruption || e.code() == ErrorCode::kUnsupportedFormat)
          << e.what();
      ++found;
    }
  }
  EXPECT_GT(found, 50);
}

// A checksum protects against accidents; numbers that lie must not lead outside all the same.
TEST_F(HnswFile, LiesUnderAGoodChecksumAreFound) {
  const Data data(500, 16, kSeed + 13), queries(10, 16, kSeed + 14);
  const auto index = build(Metric::kCosine, data);
  const auto file = io::IndexFile::open(write(*index, "x"));
  for (std::uint32_t liar : file->section_ids()) {
    for (std::uint32_t lie : {0xffffffffu, 500u, 0u}) {
      {
        io::IndexFileWriter writer(dir_.string(), "lie", {});
        for (std::uint32_t id : file->section_ids()) {
          const auto bytes = file->read(id);
          std::vector<std::byte> copy(bytes.begin(), bytes.end());
          for (std::size_t at = 0; id == liar && at + 4 <= copy.size(); at += 4 * (1 + at / 64))
            std::copy_n(reinterpret_cast<const std::byte*>(&lie), 4, copy.data() + at);
          writer.add(id, copy);
        }
        writer.finish();
      }
      try {
        const auto opened = HnswIndex::open(io::IndexFile::open((dir_ / "lie").string()), kSection);
        all_hits(*opened, queries);
        Context context;
        opened->warm_up(context);
        all_hits(*opened, queries);
      } catch (const Error& e) {
        EXPECT_TRUE(e.code() == ErrorCode::kCorruption || e.code() == ErrorCode::kUnsupportedFormat)
            << e.what();
      }
    }
  }
}

TEST_F(HnswFile, SearchesGoOnWhileTheIndexWarmsUp) {
  const Data data(3000, 32, kSeed + 15), queries(20, 32, kSeed + 16);
  const auto index = build(Metric::kCosine, data);
  const auto want = all_hits(*index, queries);
  const auto opened = HnswIndex::open(io::IndexFile::open(write(*index, "x")), kSection);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) EXPECT_EQ(all_hits(*opened, queries), want);
    });
  }
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      Context context;
      opened->warm_up(context);
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_TRUE(opened->warm());
}

TEST(HnswIndex, MergesAreAsGoodAsFreshBuilds) {
  const Data data(1500, 32, kSeed + 17), queries(40, 32, kSeed + 18);
  Context context;
  for (Metric metric : {Metric::kCosine, Metric::kDot, Metric::kEuclidean}) {
    const auto options = options_for(metric, 32);
    const auto base = HnswIndex::build(options, 1000, data.vectors(), context);
    std::vector<std::uint32_t> removed;
    Data left(0, 32, 1);
    for (std::uint32_t i = 0; i < 1500; ++i) {
      if (i < 1000 && i % 4 == 1)
        removed.push_back(i);
      else
        left.values.insert(left.values.end(), data.row(i), data.row(i) + 32);
    }
    left.rows = static_cast<std::uint32_t>(left.values.size() / 32);
    const auto merged = HnswIndex::merge(*base, removed, left.rows, left.vectors(), options, context);
    const auto fresh = HnswIndex::build(options, left.rows, left.vectors(), context);
    HnswQuery query;
    query.ef = 48;
    EXPECT_GT(recall(*merged, metric, left, queries, query),
              recall(*fresh, metric, left, queries, query) - 0.015)
        << to_string(metric);
  }
}

TEST(HnswIndex, AScratchServesIndexesOfAnySize) {
  const Data small(50, 8, kSeed + 19), large(3000, 24, kSeed + 20), queries8(5, 8, 1), queries24(5, 24, 2);
  const auto a = build(Metric::kCosine, small), b = build(Metric::kEuclidean, large);
  HnswScratch scratch;
  Context context;
  std::vector<HnswHit> first, second;
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t q = 0; q < 5; ++q) {
      for (const auto& [index, queries] : {std::pair(a.get(), &queries8), std::pair(b.get(), &queries24)}) {
        HnswQuery query;
        query.k = 1 + q * 7;
        query.ef = 8 + 40 * q;
        query.vector = {queries->row(q), queries->dim};
        index->search(query, scratch, context, first);
        HnswScratch fresh;
        index->search(query, fresh, context, second);
        EXPECT_EQ(first, second);
      }
    }
  }
}

TEST(HnswIndex, ThousandsOfEqualRowsAreNoTrouble) {
  Data data(4000, 16, kSeed + 21);
  for (std::uint32_t i = 100; i < 3100; ++i) std::copy_n(data.row(3200), 16, data.values.data() + i * 16);
  const Data queries(40, 16, kSeed + 22);
  for (Metric metric : {Metric::kCosine, Metric::kEuclidean}) {
    const auto index = build(metric, data);
    HnswQuery query;
    query.ef = 128;
    EXPECT_GT(recall(*index, metric, data, queries, query), 0.95) << to_string(metric);
    HnswScratch scratch;
    Context context;
    std::vector<HnswHit> hits;
    query.vector = {data.row(3200), 16};
    query.k = 50;
    query.hits = 50;
    index->search(query, scratch, context, hits);
    ASSERT_EQ(hits.size(), 50u);
    for (const HnswHit& h : hits) EXPECT_EQ(h.score, hits[0].score);
  }
}

TEST(HnswIndex, BadCallsAndCancelledCallsThrow) {
  const Data data(200, 8, kSeed + 23);
  const auto index = build(Metric::kCosine, data);
  HnswScratch scratch;
  std::vector<HnswHit> hits;
  Context context;
  HnswQuery query;
  query.vector = {data.row(0), 7};
  EXPECT_THROW(index->search(query, scratch, context, hits), Error);
  std::vector<float> nan(8, NAN);
  query.vector = nan;
  EXPECT_THROW(index->search(query, scratch, context, hits), Error);
  query.vector = {data.row(0), 8};
  query.k = 0;
  EXPECT_THROW(index->search(query, scratch, context, hits), Error);
  query.k = 3;
  std::stop_source stop;
  context.stop = stop.get_token();
  stop.request_stop();
  EXPECT_THROW(index->search(query, scratch, context, hits), Error);
  EXPECT_THROW(HnswIndex::build(options_for(Metric::kCosine, 8), 200, data.vectors(), context), Error);
  Context free;
  EXPECT_THROW(HnswIndex::build(options_for(Metric::kCosine, 0), 200, data.vectors(), free), Error);
  EXPECT_THROW(HnswIndex::build(options_for(Metric::kCosine, 8), 0, data.vectors(), free), Error);
}

}  // namespace
}  // namespace vecstore
