// Newest rows and flat segments that are searched by sketches, through the public API.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <random>

#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDimension = 160;
constexpr std::size_t kTop = 10;

class SketchesTest : public ::testing::TestWithParam<Metric> {
 protected:
  SketchesTest() {
    std::string t = (fs::temp_directory_path() / "vecstore-XXXXXX").string();
    dir_ = mkdtemp(t.data());
    std::printf("seed %u\n", kSeed);
    for (auto& c : centres_) {
      c.resize(kDimension);
      for (float& x : c) x = normal_(rng_);
    }
  }
  ~SketchesTest() override { fs::remove_all(dir_); }
  OpenOptions small() const { return {.checkpoint_rows = 1'000, .graph_rows = 4'000}; }

  std::vector<float> vector() {
    const auto& centre = centres_[rng_() % centres_.size()];
    std::vector<float> v(kDimension);
    const float length = GetParam() == Metric::kDot ? 0.5f + static_cast<float>(rng_() % 100) / 100 : 1.0f;
    for (std::size_t i = 0; i < kDimension; ++i) v[i] = length * (centre[i] + normal_(rng_));
    return v;
  }
  std::vector<Record> some(std::size_t n) {
    std::vector<Record> out;
    for (std::size_t i = 0; i < n; ++i) {
      out.push_back({.id = "r" + std::to_string(next_++), .vector = Vector(vector())});
      truth_[out.back().id] = out.back().vector.dense();
    }
    return out;
  }
  double score(const std::vector<float>& a, const std::vector<float>& b) const {
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t i = 0; i < kDimension; ++i) {
      ab += static_cast<double>(a[i]) * b[i];
      aa += static_cast<double>(a[i]) * a[i];
      bb += static_cast<double>(b[i]) * b[i];
    }
    return GetParam() == Metric::kDot ? ab : ab / std::sqrt(aa * bb);
  }
  /// The share of the true best that queries find; each hit has its exact score.
  double recall(const Collection& c, int queries = 40) {
    std::size_t found = 0;
    for (int i = 0; i < queries; ++i) {
      const std::vector<float> q = vector();
      std::vector<std::pair<double, std::string>> best;
      for (const auto& [id, v] : truth_) best.emplace_back(-score(q, v), id);
      std::partial_sort(best.begin(), best.begin() + kTop, best.end());
      const Hits hits = c.query(Query(q).k(kTop));
      EXPECT_EQ(hits.size(), kTop);
      for (const Hit& h : hits) {
        const auto known = truth_.find(h.id);
        if (known == truth_.end()) {
          ADD_FAILURE() << h.id << " does not live";
          continue;
        }
        EXPECT_NEAR(h.score, score(q, known->second), 1e-4 * std::max(1.0, std::abs(h.score * 1.0)));
        found += h.score >= -best[kTop - 1].first - 1e-4;
      }
      const Hits exact = c.query(Query(q).k(kTop).exact());
      for (std::size_t j = 0; j < kTop; ++j) EXPECT_EQ(exact[j].id, best[j].second);
    }
    return static_cast<double>(found) / static_cast<double>(queries * kTop);
  }
  /// What was written last is the first that its own vector finds.
  void expect_found(const Collection& c, const Record& r) {
    const Hits hits = c.query(Query(r.vector.dense()).k(kTop));
    if (GetParam() == Metric::kCosine) {
      ASSERT_FALSE(hits.empty());
      EXPECT_EQ(hits[0].id, r.id);
    }
  }

  static constexpr unsigned kSeed = 11;
  std::mt19937 rng_{kSeed};
  std::normal_distribution<float> normal_;
  std::vector<std::vector<float>> centres_ = std::vector<std::vector<float>>(40);
  std::string dir_;
  std::size_t next_ = 0;
  std::map<std::string, std::vector<float>> truth_;
};

TEST_P(SketchesTest, FlatSegmentsAndTheNewestRowsFindNearlyAll) {
  auto db = VecDatabase::open(dir_, small());
  db.pause_background();
  auto c = db.create_collection("c", {.metric = GetParam()});
  double sum = 0;
  for (int i = 0; i < 6; ++i) {
    const auto batch = some(700);
    c.batch_upsert(batch);
    expect_found(c, batch[rng_() % batch.size()]);
    sum += recall(c, 15);
  }
  EXPECT_GE(sum / 6, 0.985);
  EXPECT_GE(c.stats().segments, 2u);
  EXPECT_GE(c.stats().rows_outside, 256u);
  // Single writes, changes and removals.
  for (int i = 0; i < 40; ++i) {
    const auto one = some(1);
    c.upsert(one[0]);
    expect_found(c, one[0]);
    const std::string old = "r" + std::to_string(rng_() % next_);
    if (!truth_.contains(old)) continue;
    if (i % 2 == 0) {
      c.erase(old);
      truth_.erase(old);
    } else {
      truth_[old] = vector();
      c.upsert({.id = old, .vector = truth_[old]});
    }
  }
  EXPECT_GE(recall(c), 0.98);
  c = Collection(db.get_collection("c"));
  db.resume_background();
  c.optimize();
  EXPECT_GE(recall(c), 0.95);
  EXPECT_TRUE(db.verify().ok());
}

TEST_P(SketchesTest, ReopenedAndReadBesideTheWriter) {
  {
    auto db = VecDatabase::open(dir_, small());
    db.pause_background();
    auto c = db.create_collection("c", {.metric = GetParam()});
    for (int i = 0; i < 3; ++i) c.batch_upsert(some(1'000));
    c.batch_upsert(some(400));
  }
  auto db = VecDatabase::open(dir_, small());
  db.pause_background();
  auto c = db.get_collection("c");
  EXPECT_EQ(c.stats().segment_damages, 0u);
  EXPECT_GE(recall(c), 0.985);
  // So many hits that sketches leave no choice; effort that looks at everything; none wanted.
  const std::vector<float> q = vector();
  EXPECT_EQ(c.query(Query(q).k(2'000)).size(), 2'000u);
  EXPECT_EQ(c.query(Query(q).k(0)).size(), 0u);
  const Hits all = c.query(Query(q).k(kTop).ef(10'000));
  const Hits exact = c.query(Query(q).k(kTop).exact());
  for (std::size_t i = 0; i < kTop; ++i) EXPECT_EQ(all[i].id, exact[i].id);
  const float middle = exact[4].score;
  EXPECT_EQ(c.query(Query(q).k(kTop).score_threshold(middle)).size(), 5u);
  EXPECT_EQ(c.query(Query(std::vector<float>(kDimension, 1e-30f)).k(kTop)).size(), kTop);
}

TEST_P(SketchesTest, WhatWasJustWrittenIsFoundByItsOwnVector) {
  if (GetParam() != Metric::kCosine) return;
  auto db = VecDatabase::open(dir_, small());
  db.pause_background();
  auto c = db.create_collection("c", {.metric = GetParam()});
  c.batch_upsert(some(1'100));
  const std::vector<float> middle = vector();
  std::vector<Record> batch;
  for (std::size_t i = 0; i < 600; ++i) {
    std::vector<float> v = middle;
    for (float& x : v) x += 0.01f * normal_(rng_);
    if (i >= 440) {
      v.assign(kDimension, 0.0f);
      v[i - 440] = 2.5f;
    }
    batch.push_back({.id = "near" + std::to_string(i), .vector = Vector(v)});
  }
  c.batch_upsert(batch);
  EXPECT_GE(c.stats().rows_outside, 600u);
  for (int turn = 0; turn < 2; ++turn) {
    for (const Record& r : batch) {
      const Hits hits = c.query(r.vector, 1);
      ASSERT_EQ(hits.size(), 1u);
      EXPECT_EQ(hits[0].id, r.id);
    }
    c.batch_upsert(some(1'100));
    c.batch_upsert(some(1));  // a segment has all others now
    EXPECT_LT(c.stats().rows_outside, 256u);
  }
}

// 8-bit codes prove what they leave out, in segments and behind them.
TEST_P(SketchesTest, CodesThatAreScannedAreExact) {
  auto db = VecDatabase::open(dir_, small());
  db.pause_background();
  const auto expect_exact = [&](const Collection& c) {
    EXPECT_GE(c.stats().segments, 1u);
    EXPECT_GE(c.stats().rows_outside, 700u);
    for (int i = 0; i < 150; ++i) {
      const std::vector<float> q = vector();
      const Hits hits = c.query(Query(q).k(kTop));
      const Hits exact = c.query(Query(q).k(kTop).exact());
      for (std::size_t j = 0; j < kTop; ++j) ASSERT_EQ(hits[j].id, exact[j].id);
    }
  };
  auto c = db.create_collection("c", {.metric = GetParam(), .index = {.codes = Codes::kInt8}});
  c.batch_upsert(some(1'000));
  c.batch_upsert(some(700));
  expect_exact(c);
  // What was sketched before the settings changed.
  auto changed = db.create_collection("changed", {.metric = GetParam()});
  changed.batch_upsert(some(1'000));
  changed.batch_upsert(some(400));
  EXPECT_EQ(changed.query(vector(), 1).size(), 1u);
  changed.alter_index({.codes = Codes::kInt8});
  changed.optimize();
  changed.batch_upsert(some(400));
  EXPECT_EQ(changed.query(vector(), 1).size(), 1u);
  changed.batch_upsert(some(300));
  expect_exact(changed);
}

// Codes of what is nearly equal may come to more than 1.
TEST_P(SketchesTest, ScoresFromCodesAreCosines) {
  if (GetParam() != Metric::kCosine) return;
  auto db = VecDatabase::open(dir_, small());
  db.pause_background();
  for (const Codes codes : {Codes::kInt4, Codes::kInt4Residual}) {
    auto c = db.create_collection(std::string("c") + (codes == Codes::kInt4 ? "4" : "12"),
                                  {.index = {.codes = codes}});
    const auto batch = some(5'000);
    c.batch_upsert(batch);
    c.optimize();
    for (std::size_t i = 0; i < batch.size(); i += 11) {
      std::vector<float> q = batch[i].vector.dense();
      const float sign = i % 2 == 0 ? 1.0f : -1.0f;
      for (float& x : q) x *= sign;
      for (const Hit& h : c.query(Query(q).k(3).exact_scores(false))) {
        EXPECT_LE(h.score, 1.0f);
        EXPECT_GE(h.score, -1.0f);
        EXPECT_GE(h.distance, 0.0f);
        EXPECT_LE(h.distance, 2.0f);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Metrics, SketchesTest, ::testing::Values(Metric::kCosine, Metric::kDot));

}  // namespace
}  // namespace vecstore
