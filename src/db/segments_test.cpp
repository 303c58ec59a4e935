// Segments through the public API: what they find, how they come and go, and what damage to them does.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "seed.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

namespace fs = std::filesystem;
using Rng = std::mt19937;

constexpr std::size_t kDimension = 24;

std::vector<float> random_vector(Rng& rng) {
  std::normal_distribution<float> normal;
  std::vector<float> v(kDimension);
  for (float& x : v) x = normal(rng);
  return v;
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

class SegmentsTest : public ::testing::Test {
 protected:
  SegmentsTest() {
    std::string t = (fs::temp_directory_path() / "vecstore-XXXXXX").string();
    base_ = mkdtemp(t.data());
  }
  ~SegmentsTest() override { fs::remove_all(base_); }
  std::string dir() const { return base_ + "/db"; }
  OpenOptions small() const { return {.checkpoint_rows = 100, .graph_rows = 100}; }

  std::vector<Record> some(std::size_t n) {
    std::vector<Record> out;
    for (std::size_t i = 0; i < n; ++i) {
      out.push_back({.id = "r" + std::to_string(next_++), .vector = Vector(random_vector(rng_))});
      truth_[out.back().id] = out.back().vector.dense();
    }
    return out;
  }
  /// Every record with its score, negated, best first.
  std::vector<std::pair<double, std::string>> ranking(const std::vector<float>& q, Metric metric) const {
    std::vector<std::pair<double, std::string>> all;
    for (const auto& [id, v] : truth_) {
      double dot = 0, qq = 0, vv = 0;
      for (std::size_t i = 0; i < kDimension; ++i) {
        dot += static_cast<double>(q[i]) * v[i];
        qq += static_cast<double>(q[i]) * q[i];
        vv += static_cast<double>(v[i]) * v[i];
      }
      const double score = metric == Metric::kCosine ? dot / std::sqrt(qq * vv)
                           : metric == Metric::kDot  ? dot
                                                     : -std::sqrt(std::max(0.0, qq + vv - 2 * dot));
      all.emplace_back(-score, id);
    }
    std::sort(all.begin(), all.end());
    return all;
  }
  /// The ids of the k best by brute force.
  std::vector<std::string> best(const std::vector<float>& q, std::size_t k,
                                Metric metric = Metric::kCosine) const {
    const auto all = ranking(q, metric);
    std::vector<std::string> out;
    for (std::size_t i = 0; i < std::min(k, all.size()); ++i) out.push_back(all[i].second);
    return out;
  }
  /// A query whose k best differ by more than scores in float can tell apart.
  std::vector<float> clear_query(std::size_t k, Metric metric) {
    for (;;) {
      std::vector<float> q = random_vector(rng_);
      const auto all = ranking(q, metric);
      bool clear = true;
      for (std::size_t i = 1; i < std::min(k + 1, all.size()); ++i)
        clear &= all[i].first - all[i - 1].first > 1e-6 * (1 + std::abs(all[i].first));
      if (clear) return q;
    }
  }
  static std::vector<std::string> ids(const Hits& hits) {
    std::vector<std::string> out;
    for (const Hit& h : hits) out.push_back(h.id);
    return out;
  }
  /// Every query finds what brute force finds: the walk is told to look at everything.
  void expect_exact(const Collection& c, const char* what, Metric metric = Metric::kCosine) {
    for (int i = 0; i < 20; ++i) {
      const std::vector<float> q = clear_query(10, metric);
      ASSERT_EQ(ids(c.query(Query(q).k(10).ef(10'000))), best(q, 10, metric)) << what << ", query " << i;
      ASSERT_EQ(ids(c.query(Query(q).k(10).exact())), best(q, 10, metric)) << what << ", exact query " << i;
    }
  }
  /// The share of the true best that queries with the usual effort find.
  double recall(const Collection& c) {
    std::size_t found = 0;
    constexpr int kQueries = 50;
    for (int i = 0; i < kQueries; ++i) {
      const std::vector<float> q = random_vector(rng_);
      const std::vector<std::string> want = best(q, 10);
      for (const Hit& h : c.query(Query(q).k(10))) found += std::count(want.begin(), want.end(), h.id);
    }
    return static_cast<double>(found) / (10 * kQueries);
  }
  // A flat part takes about 40 bytes per row here, a graph more than 250.
  static constexpr double kGraphBytes = 150;
  static double bytes_per_row(const Collection& c) {
    const CollectionStats stats = c.stats();
    return static_cast<double>(stats.segment_bytes) / static_cast<double>(stats.count);
  }
  static std::vector<fs::path> files(const std::string& directory) {
    std::vector<fs::path> out;
    if (!fs::exists(directory + "/seg")) return out;
    for (const auto& entry : fs::directory_iterator(directory + "/seg")) out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
  }

  const unsigned seed_ = test::seed();
  Rng rng_{seed_};
  std::string base_;
  std::size_t next_ = 0;
  std::map<std::string, std::vector<float>> truth_;
};

TEST_F(SegmentsTest, RowsMoveIntoSegmentsAndAreFoundThere) {
  for (const Metric metric : {Metric::kCosine, Metric::kDot, Metric::kEuclidean}) {
    truth_.clear();
    auto db = VecDatabase::open(dir() + std::string(to_string(metric)), small());
    db.pause_background();
    auto c = db.create_collection("c", {.metric = metric});
    for (int i = 0; i < 12; ++i) c.batch_upsert(some(60));
    const CollectionStats stats = c.stats();
    EXPECT_GE(stats.segments, 2u);
    EXPECT_LT(stats.rows_outside, 300u);
    EXPECT_EQ(files(db.directory()).size(), stats.segments);
    expect_exact(c, "flat segments", metric);
    c.optimize();
    EXPECT_EQ(c.stats().segments, 1u);
    EXPECT_EQ(c.stats().rows_outside, 0u);
    EXPECT_EQ(files(db.directory()).size(), 1u);
    expect_exact(c, "optimized", metric);
    if (metric == Metric::kCosine) {
      EXPECT_GE(recall(c), 0.8);
    }
    EXPECT_TRUE(db.verify().ok());
  }
}

TEST_F(SegmentsTest, UpdatesAndErasesAreSeenAtOnceAndRetiredRowsNever) {
  auto db = VecDatabase::open(dir(), small());
  auto c = db.create_collection("c");
  c.batch_upsert(some(700));
  c.optimize();
  for (int round = 0; round < 10; ++round) {
    std::vector<Record> changed;
    for (int i = 0; i < 30; ++i) {
      const std::string id = "r" + std::to_string(rng_() % 700);
      if (std::any_of(changed.begin(), changed.end(), [&](const Record& r) { return r.id == id; })) continue;
      changed.push_back({.id = id, .vector = Vector(random_vector(rng_))});
      truth_[id] = changed.back().vector.dense();
    }
    c.batch_upsert(changed);
    for (int i = 0; i < 10; ++i) {
      const std::string id = "r" + std::to_string(rng_() % 700);
      c.erase(id);
      truth_.erase(id);
    }
    expect_exact(c, "after updates");
    if (round == 5) c.optimize();
  }
  c.optimize();
  EXPECT_EQ(c.stats().segments, 1u);
  EXPECT_TRUE(db.verify().ok());
  // Erasing everything leaves nothing to be found.
  for (const auto& [id, v] : std::map(truth_)) c.erase(id);
  truth_.clear();
  expect_exact(c, "empty");
  c.optimize();
  expect_exact(c, "empty and optimized");
}

TEST_F(SegmentsTest, ReopeningReadsSegmentsAndAReaderProcessFollows) {
  {
    auto db = VecDatabase::open(dir(), small());
    auto c = db.create_collection("c");
    c.batch_upsert(some(500));
    c.batch_upsert(some(55));
  }
  ASSERT_FALSE(files(dir()).empty());
  std::ofstream(dir() + "/seg/999.vsx") << "left over by a crash";
  {
    auto db = VecDatabase::open(dir(), {.read_only = true});
    const auto c = db.get_collection("c");
    EXPECT_EQ(c.stats().rows_outside, 0u);  // closing wrote the last rows to a segment
    EXPECT_EQ(c.stats().segment_damages, 0u);
    expect_exact(c, "read-only");
  }
  EXPECT_TRUE(fs::exists(dir() + "/seg/999.vsx"));
  auto db = VecDatabase::open(dir(), small());
  EXPECT_FALSE(fs::exists(dir() + "/seg/999.vsx"));
  auto c = db.get_collection("c");
  expect_exact(c, "reopened");
  c.batch_upsert(some(300));
  c.optimize();
  expect_exact(c, "written to again");
  db.delete_collection("c");
  EXPECT_TRUE(files(dir()).empty());
}

TEST_F(SegmentsTest, DamagedFilesNeverChangeAnAnswerAndAreReplaced) {
  std::string saved;
  {
    auto db = VecDatabase::open(dir(), small());
    db.pause_background();
    auto c = db.create_collection("c");
    c.batch_upsert(some(400));
    c.optimize();
    c.batch_upsert(some(150));
    c.batch_upsert(some(20));
  }
  const fs::path keep = base_ + "/keep";
  fs::copy(dir(), keep, fs::copy_options::recursive);
  const std::vector<fs::path> good = files(keep.string());
  ASSERT_GE(good.size(), 2u);
  for (int round = 0; round < 60; ++round) {
    fs::remove_all(dir());
    fs::copy(keep, dir(), fs::copy_options::recursive);
    const auto all = files(dir());
    const fs::path victim = all[rng_() % all.size()];
    const auto size = fs::file_size(victim);
    switch (round % 4) {
      case 0: {
        std::fstream f(victim, std::ios::in | std::ios::out | std::ios::binary);
        const auto at = static_cast<std::streamoff>(rng_() % size);
        f.seekg(at);
        const char c = static_cast<char>(f.get() ^ (1 << (rng_() % 8)));
        f.seekp(at);
        f.put(c);
        break;
      }
      case 1:
        fs::resize_file(victim, rng_() % size);
        break;
      case 2:
        fs::remove(victim);
        break;
      default:
        fs::copy_file(all[0] == victim ? all[1] : all[0], victim, fs::copy_options::overwrite_existing);
    }
    auto db = VecDatabase::open(dir(), small());
    db.pause_background();
    auto c = db.get_collection("c");
    expect_exact(c, "damaged");
    const VerifyReport report = db.verify();
    const bool met = c.stats().segment_damages > 0;
    // A flipped bit may lie in bytes that mean nothing.
    if (met || round % 4 != 0) {
      EXPECT_TRUE(!report.ok() && report.damages[0].kind == "segment") << "round " << round;
    }
    db.resume_background();
    c.optimize();
    expect_exact(c, "repaired");
    if (round % 4 != 0) {
      EXPECT_TRUE(met) << "round " << round;
    }
    EXPECT_EQ(c.stats().segments, 1u);
    EXPECT_TRUE(db.verify().ok());
  }
}

TEST_F(SegmentsTest, ReadersCheckEveryHitWhileSegmentsAreMadeAndMerged) {
  auto db = VecDatabase::open(dir(), small());
  auto c = db.create_collection("c");
  std::vector<Record> first = some(200);
  c.batch_upsert(first);
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> queries{0};
  std::vector<std::thread> readers;
  for (unsigned t = 0; t < 2; ++t) {
    readers.emplace_back([&, t] {
      Rng rng(seed_ + 100 + t);
      while (!done || queries < 10) {
        const std::vector<float> q = random_vector(rng);
        const Hits hits = c.query(Query(q).k(10).with_vectors());
        ++queries;
        ASSERT_EQ(hits.size(), 10u);
        for (std::size_t i = 1; i < hits.size(); ++i) ASSERT_GE(hits[i - 1].score, hits[i].score);
        for (const Hit& h : hits) ASSERT_NEAR(h.score, cosine(q, h.vector.dense()), 1e-5) << h.id;
      }
    });
  }
  for (int i = 0; i < 25; ++i) {
    c.batch_upsert(some(40));
    c.erase("r" + std::to_string(i));
    truth_.erase("r" + std::to_string(i));
    if (i % 10 == 9) c.optimize();
  }
  done = true;
  for (auto& t : readers) t.join();
  expect_exact(c, "afterwards");
  EXPECT_TRUE(db.verify().ok());
}

// Enough rows and queries for tables of blocks; what moves blocks must not leave an old one in use.
TEST_F(SegmentsTest, HitsAreReadRightlyWhileBlocksMove) {
  OpenOptions options = small();
  options.map_size = 1 << 20;
  auto db = VecDatabase::open(dir(), options);
  auto c = db.create_collection("c");
  const auto text_of = [](const std::string& id) {
    std::string text;
    for (std::uint32_t i = 0; i < 150; ++i)
      text += id + std::to_string(i * 2'654'435'761u);  // hardly shrinks
    return text;
  };
  const auto expect_right = [&](const char* what) {
    for (int i = 0; i < 60; ++i) {
      const std::vector<float> q = random_vector(rng_);
      const Hits hits = c.query(Query(q).k(10));
      ASSERT_EQ(hits.size(), 10u) << what;
      ASSERT_EQ(hits.degraded, 0u) << what;
      for (const Hit& h : hits) {
        ASSERT_EQ(truth_.count(h.id), 1u) << what << " " << h.id;
        ASSERT_NEAR(h.score, cosine(q, truth_[h.id]), 1e-5) << what << " " << h.id;
        ASSERT_EQ(h.text, text_of(h.id)) << what;
      }
    }
  };
  const auto add = [&](std::size_t n) {
    std::vector<Record> batch = some(n);
    for (Record& r : batch) r.text = text_of(r.id);
    c.batch_upsert(batch);
  };
  add(3000);
  add(3000);
  c.optimize();
  expect_right("loaded");
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 5; ++i) add(600);  // where freed pages are, and where the map grows
    expect_right("appended");
    std::vector<std::string> gone;
    for (const auto& [id, v] : truth_) {
      if (rng_() % 5 < 3) gone.push_back(id);
    }
    c.erase(gone);  // blocks are dropped and rewritten
    for (const std::string& id : gone) truth_.erase(id);
    expect_right("erased");
    if (round == 2) db.compact();
    if (round == 2) expect_right("compacted");
  }
  EXPECT_TRUE(db.verify().ok());
}

TEST_F(SegmentsTest, ThousandsOfEqualVectors) {
  auto db = VecDatabase::open(dir(), small());
  auto c = db.create_collection("c");
  const std::vector<float> same(kDimension, 0.5f);
  std::vector<Record> batch;
  for (int i = 0; i < 9'000; ++i) batch.push_back({.id = "r" + std::to_string(i), .vector = same});
  c.batch_upsert(batch);
  c.batch_upsert(some(300));
  c.optimize();
  ASSERT_EQ(c.stats().segments, 1u);
  const Hits hits = c.query(Query(same).k(10));
  ASSERT_EQ(hits.size(), 10u);
  for (const Hit& h : hits) EXPECT_FLOAT_EQ(h.score, 1.0f);
  EXPECT_EQ(c.query(Query(random_vector(rng_)).k(10)).size(), 10u);
  // More of them than a walk is linked to.
  const Hits many = c.query(Query(same).k(500));
  ASSERT_EQ(many.size(), 500u);
  for (const Hit& h : many) EXPECT_FLOAT_EQ(h.score, 1.0f);
}

TEST_F(SegmentsTest, EuclideanRowsHaveGraphsWhereverTheyLie) {
  for (float offset : {0.0f, 1000.0f}) {
    truth_.clear();
    auto db = VecDatabase::open(dir() + std::to_string(offset), small());
    auto c = db.create_collection("c", {.metric = Metric::kEuclidean});
    const auto moved = [&] {
      std::vector<float> v = random_vector(rng_);
      for (float& x : v) x += offset;
      return v;
    };
    auto batch = some(3'000);
    for (Record& r : batch) r.vector = Vector(moved());
    batch[0].vector = Vector(std::vector<float>(kDimension, -1e18f));
    batch[1].vector = Vector(std::vector<float>(kDimension, 0.0f));
    c.batch_upsert(batch);
    c.optimize();
    EXPECT_GT(bytes_per_row(c), kGraphBytes) << "seed " << seed_ << ", offset " << offset;
    int found = 0;
    for (int i = 0; i < 50; ++i) {
      const Query query = Query(moved()).k(10);
      const std::vector<std::string> want = ids(c.query(Query(query).exact()));
      for (const std::string& id : ids(c.query(query))) found += std::count(want.begin(), want.end(), id) > 0;
    }
    EXPECT_GT(found, 450) << "seed " << seed_ << ", offset " << offset;
    // Without a length, and at the outlier.
    EXPECT_EQ(c.query(Query(std::vector<float>(kDimension, 0.0f)).k(1))[0].id,
              ids(c.query(Query(std::vector<float>(kDimension, 0.0f)).k(1).exact()))[0]);
    EXPECT_EQ(c.query(Query(std::vector<float>(kDimension, -1e18f)).k(1))[0].id, batch[0].id);
  }
}

TEST_F(SegmentsTest, TightGroupsFarApartStayFlatAndExact) {
  auto db = VecDatabase::open(dir(), small());
  auto c = db.create_collection("c", {.metric = Metric::kEuclidean});
  auto batch = some(2'000);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    std::vector<float> v = random_vector(rng_);
    v[0] += i % 2 ? 1e6f : -1e6f;
    batch[i].vector = Vector(v);
  }
  c.batch_upsert(batch);
  c.optimize();
  c.optimize();
  EXPECT_EQ(c.stats().segments, 1u);
  EXPECT_LT(bytes_per_row(c), kGraphBytes) << "seed " << seed_;
  for (int i = 0; i < 20; ++i) {
    std::vector<float> v = random_vector(rng_);
    v[0] += 1e6f;
    const Query query = Query(v).k(10);
    EXPECT_EQ(ids(c.query(query)), ids(c.query(Query(query).exact()))) << "seed " << seed_;
  }
}

TEST_F(SegmentsTest, ZeroVectorsKeepNoDotProductFromAGraph) {
  auto db = VecDatabase::open(dir(), small());
  auto c = db.create_collection("c", {.metric = Metric::kDot});
  auto batch = some(1'000);
  for (std::size_t i = 0; i < batch.size(); i += 50)
    batch[i].vector = Vector(std::vector<float>(kDimension, 0.0f));
  c.batch_upsert(batch);
  c.optimize();
  EXPECT_GT(bytes_per_row(c), kGraphBytes) << "seed " << seed_;
  int found = 0;
  for (int i = 0; i < 50; ++i) {
    const Query query = Query(random_vector(rng_)).k(10);
    const std::vector<std::string> want = ids(c.query(Query(query).exact()));
    for (const std::string& id : ids(c.query(query))) found += std::count(want.begin(), want.end(), id) > 0;
  }
  EXPECT_GT(found, 450) << "seed " << seed_;
}

TEST_F(SegmentsTest, ZeroAndHugeVectorsAreFoundUnderTheDotProduct) {
  auto db = VecDatabase::open(dir(), small());
  auto c = db.create_collection("c", {.metric = Metric::kDot});
  auto batch = some(500);
  for (int i = 0; i < 100; ++i) {
    const std::vector<float> v(kDimension, i % 2 ? 0.0f : 1e15f * static_cast<float>(i));
    batch[static_cast<std::size_t>(i)].vector = v;
    truth_[batch[static_cast<std::size_t>(i)].id] = v;
  }
  c.batch_upsert(batch);
  c.optimize();
  c.optimize();
  const std::vector<float> q(kDimension, 1.0f);
  EXPECT_EQ(c.query(Query(q).k(1))[0].id, best(q, 1, Metric::kDot)[0]);
  EXPECT_EQ(c.query(Query(std::vector<float>(kDimension, 1e18f)).k(10)).size(), 10u);
}

TEST_F(SegmentsTest, AForkedChildLetsGoOfItsCopyAndEnds) {
  auto db = VecDatabase::open(dir(), small());
  auto c = std::make_unique<Collection>(db.create_collection("c"));
  c->batch_upsert(some(300));
  c->batch_upsert(some(300));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // the background thread has begun
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);
    c.reset();
    {
      const VecDatabase gone = std::move(db);
    }
    _exit(7);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << "status " << status;
  expect_exact(*c, "in the parent");
}

}  // namespace
}  // namespace vecstore
