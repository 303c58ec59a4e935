// How a vector field is indexed, chosen at creation and changed later, through the public API.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>
#include <thread>

#include "seed.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDimension = 48;

class IndexOptionsTest : public ::testing::Test {
 protected:
  IndexOptionsTest() {
    std::string t = (fs::temp_directory_path() / "vecstore-XXXXXX").string();
    base_ = mkdtemp(t.data());
    for (auto& centre : centres_) centre = noise(1.0f);
  }
  ~IndexOptionsTest() override { fs::remove_all(base_); }
  std::string dir() const { return base_ + "/db"; }
  static OpenOptions small() { return {.background_threads = 1, .checkpoint_rows = 200, .graph_rows = 300}; }

  std::vector<float> noise(float scale) {
    std::normal_distribution<float> normal(0, scale);
    std::vector<float> v(kDimension);
    for (float& x : v) x = normal(rng_);
    return v;
  }
  /// A row near one of some centres.
  std::vector<float> clustered() {
    std::vector<float> v = noise(0.5f);
    const auto& centre = centres_[rng_() % centres_.size()];
    for (std::size_t i = 0; i < kDimension; ++i) v[i] += centre[i];
    return v;
  }
  void fill(Collection& c, std::size_t n) {
    std::vector<Record> batch;
    for (std::size_t i = 0; i < n; ++i) {
      rows_.push_back(clustered());
      batch.push_back({.id = std::to_string(rows_.size() - 1), .vector = Vector(rows_.back())});
      if (batch.size() == 500 || i + 1 == n) c.batch_upsert(batch), batch.clear();
    }
  }
  double score(Metric metric, const std::vector<float>& a, const std::vector<float>& b) const {
    double ab = 0, aa = 0, bb = 0, dd = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      ab += static_cast<double>(a[i]) * b[i];
      aa += static_cast<double>(a[i]) * a[i];
      bb += static_cast<double>(b[i]) * b[i];
      dd += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    }
    return metric == Metric::kCosine ? ab / std::sqrt(aa * bb) : metric == Metric::kDot ? ab : -std::sqrt(dd);
  }
  /// What the k best rows score at least.
  double bound_of_best(const std::vector<float>& q, std::size_t k, Metric metric) const {
    std::vector<double> all;
    for (const auto& row : rows_) all.push_back(score(metric, q, row));
    std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k) - 1, all.end(),
                     std::greater());
    return all[k - 1];
  }
  /// The share of the true best that `ask` finds; its scores are off by at most `error`. Of rows that floats
  /// cannot tell apart either may be the last.
  double recall(const Collection& c, const std::function<void(Query&)>& ask = {},
                Metric metric = Metric::kCosine, double* error = nullptr) {
    std::size_t found = 0;
    constexpr int kQueries = 40;
    for (int i = 0; i < kQueries; ++i) {
      const std::vector<float> q = clustered();
      Query query{Vector(q)};
      if (ask) ask(query);
      const double bound = bound_of_best(q, 10, metric);
      const Hits hits = c.query(query);
      EXPECT_EQ(hits.size(), 10u);
      for (const Hit& h : hits) {
        const double truth = score(metric, q, rows_[std::stoul(h.id)]);
        found += truth >= bound - 1e-5 * std::max(1.0, std::abs(bound));
        const double off = std::abs(h.score - truth);
        if (error) *error = std::max(*error, off);
      }
    }
    return static_cast<double>(found) / (10 * kQueries);
  }
  static void exact(Query& q) { q.exact(); }

  const unsigned seed_ = test::seed();
  std::mt19937 rng_{seed_};
  std::string base_;
  std::array<std::vector<float>, 40> centres_;
  std::vector<std::vector<float>> rows_;
};

TEST_F(IndexOptionsTest, EveryProfileIsExactOnDemandAndFindsNearlyAllByDefault) {
  for (const Metric metric : {Metric::kCosine, Metric::kDot, Metric::kEuclidean}) {
    for (const Profile profile : {Profile::kBalanced, Profile::kFast, Profile::kSmall}) {
      SCOPED_TRACE(std::string(to_string(metric)) + ", " + std::string(to_string(profile)));
      rows_.clear();
      fs::remove_all(dir());
      auto db = VecDatabase::open(dir(), small());
      db.pause_background();
      auto c = db.create_collection("c", {.metric = metric, .index = {.profile = profile}});
      fill(c, 1000);
      c.optimize();
      const IndexStats index = c.stats().indexes.at("");
      EXPECT_EQ(index.settings, index_settings({.profile = profile}, 1000));
      EXPECT_EQ(index.graph_rows + index.scanned_rows, 1000u);
      EXPECT_EQ(index.outdated_rows, 0u);
      double error = 0;
      EXPECT_EQ(recall(c, exact, metric, &error), 1.0);
      EXPECT_GE(recall(c, {}, metric, &error), 0.95);
      EXPECT_LT(error, 1e-4);
      // Without full vectors: answers all the same, off by what the codes leave out.
      error = 0;
      const double estimated = recall(c, [](Query& q) { q.exact_scores(false); }, metric, &error);
      std::printf("%s, %s: recall %.3f by codes alone, scores off by at most %.5f\n",
                  std::string(to_string(metric)).c_str(), std::string(to_string(profile)).c_str(), estimated,
                  error);
      EXPECT_GE(estimated, profile == Profile::kSmall ? 0.7 : 0.93);
      if (metric == Metric::kCosine) {
        EXPECT_LT(error, profile == Profile::kSmall ? 0.1 : 0.004);
      }
    }
  }
}

TEST_F(IndexOptionsTest, ScannedCodesAreExact) {
  for (const Codes codes : {Codes::kInt8, Codes::kF32}) {
    SCOPED_TRACE(to_string(codes));
    rows_.clear();
    fs::remove_all(dir());
    auto db = VecDatabase::open(dir(), small());
    auto c = db.create_collection("c", {.index = {.codes = codes}, .text_fields = {}});
    fill(c, 1200);
    c.optimize();
    const CollectionStats stats = c.stats();
    EXPECT_EQ(stats.indexes.at("").graph_rows, 0u);
    EXPECT_EQ(stats.indexes.at("").scanned_rows, codes == Codes::kInt8 ? 1200u : 0u);
    EXPECT_EQ(stats.segments, codes == Codes::kInt8 ? 1u : 0u);
    EXPECT_EQ(recall(c), 1.0);
    EXPECT_EQ(recall(c, [](Query& q) { q.exact_scores(false); }), 1.0);
  }
}

TEST_F(IndexOptionsTest, WhatIsGivenIsStoredAndBuilt) {
  const IndexOptions wanted{
      .profile = Profile::kFast, .m = 10, .ef_construction = 40, .ef_search = 90, .oversampling = 2.0f};
  {
    auto db = VecDatabase::open(dir(), small());
    auto c =
        db.create_collection("c", {.index = wanted, .vectors = {{"t", {.index = {.codes = Codes::kF32}}}}});
    c.add_vector("u", {.index = {.profile = Profile::kSmall}});
    EXPECT_THROW(c.add_vector("w", {.index = {.m = 1000}}), Error);
    fill(c, 600);
    c.optimize();
  }
  auto db = VecDatabase::open(dir(), {.read_only = true});
  const auto c = db.get_collection("c");
  EXPECT_EQ(c.info().index, wanted);
  EXPECT_EQ(c.info().vectors.at("t").index, IndexOptions{.codes = Codes::kF32});
  EXPECT_EQ(c.info().vectors.at("u").index.profile, Profile::kSmall);
  const IndexStats stats = c.stats().indexes.at("");
  EXPECT_EQ(stats.settings.m, 10u);
  EXPECT_EQ(stats.settings.ef_search, 90u);
  EXPECT_EQ(stats.graph_rows, 600u);
  EXPECT_EQ(stats.outdated_rows, 0u);
}

TEST_F(IndexOptionsTest, ChangesAreDurableAndBuiltWhileQueriesGoOn) {
  const std::vector<IndexOptions> steps = {
      {.profile = Profile::kSmall},    {.codes = Codes::kF32},
      {.profile = Profile::kFast},     {.codes = Codes::kInt8},
      {.m = 8, .ef_construction = 50}, {.codes = Codes::kInt4, .m = 8, .ef_construction = 50},
      {.oversampling = 3.0f},          {}};
  auto db = VecDatabase::open(dir(), small());
  auto c = db.create_collection("c");
  fill(c, 1500);
  c.optimize();
  const std::uint64_t records = c.count();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    SCOPED_TRACE("step " + std::to_string(i) + " " + to_json(steps[i]));
    db.pause_background();
    const IndexSettings before = c.stats().indexes.at("").settings;
    c.alter_index(steps[i]);
    EXPECT_EQ(c.info().index, steps[i]);
    const IndexSettings now = c.stats().indexes.at("").settings;
    EXPECT_EQ(now, index_settings(steps[i], records));
    EXPECT_EQ(recall(c, exact), 1.0) << "before it is built";
    EXPECT_GE(recall(c), 0.95) << "before it is built";
    if (now.codes == Codes::kF32) {
      EXPECT_EQ(recall(c), 1.0);
    }
    const bool same =
        now.codes == before.codes && now.m == before.m && now.ef_construction == before.ef_construction;
    if (same) {
      EXPECT_EQ(c.stats().indexes.at("").outdated_rows, 0u) << "nothing has to be built for that";
    }
    if (i % 3 == 0) {
      // What was not built before the end is built by the next process.
      db.close();
      db = VecDatabase::open(dir(), small());
      c = db.get_collection("c");
      EXPECT_EQ(c.info().index, steps[i]);
    }
    if (i % 2 == 0) {
      c.optimize();
    } else {
      db.resume_background();
      for (int tries = 0; tries < 2000; ++tries) {
        const IndexStats s = c.stats().indexes.at("");
        const bool built = !now.has_graph() || s.graph_rows == records;
        if (s.outdated_rows == 0 && built) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    }
    const IndexStats built = c.stats().indexes.at("");
    EXPECT_EQ(built.outdated_rows, 0u);
    EXPECT_EQ(built.graph_rows, now.has_graph() ? records : 0u);
    EXPECT_EQ(built.scanned_rows, now.codes == Codes::kInt8 ? records : 0u);
    EXPECT_EQ(recall(c, exact), 1.0);
    EXPECT_GE(recall(c), 0.95);
    EXPECT_TRUE(db.verify().ok());
  }
}

// No caller builds what took no one any work so far; the background does, in pieces.
TEST_F(IndexOptionsTest, WritersDoNotBuildWhatAChangeLeftUnbuilt) {
  constexpr std::size_t kRows = 90'000;
  auto db = VecDatabase::open(dir(), {.background_threads = 1, .checkpoint_rows = 10'000});
  auto c = db.create_collection("c", {.index = {.codes = Codes::kF32}, .text_fields = {}});
  std::normal_distribution<float> normal;
  const auto small_vector = [&] { return std::vector<float>{normal(rng_), normal(rng_), normal(rng_)}; };
  for (std::size_t i = 0; i < kRows;) {
    std::vector<Record> batch;
    for (const std::size_t end = i + 10'000; i < end; ++i)
      batch.push_back({.id = std::to_string(i), .vector = Vector(small_vector())});
    c.batch_upsert(batch);
  }
  db.pause_background();
  c.alter_index({.codes = Codes::kInt8});
  c.upsert("one more", Vector(small_vector()));
  EXPECT_EQ(c.stats().segments, 0u) << "a caller waited for that";
  EXPECT_EQ(c.stats().rows_outside, kRows + 1);
  db.resume_background();
  for (int tries = 0; tries < 3000 && c.stats().rows_outside >= 10'000; ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_LT(c.stats().rows_outside, 10'000u);
  c.optimize();
  const CollectionStats stats = c.stats();
  EXPECT_EQ(stats.segments, 1u);
  EXPECT_EQ(stats.rows_outside, 0u);
  EXPECT_EQ(stats.indexes.at("").scanned_rows, kRows + 1);
  for (int i = 0; i < 10; ++i) {
    const Vector q(small_vector());
    EXPECT_EQ(c.query(q).hits.at(0).id, c.query(Query(q).exact()).hits.at(0).id);
  }
}

TEST_F(IndexOptionsTest, ChangingNothingIsNoCommitAndBadChangesChangeNothing) {
  auto db = VecDatabase::open(dir(), small());
  auto c = db.create_collection("c", {.index = {.profile = Profile::kFast}});
  fill(c, 10);
  const SequenceNumber before = db.stats().sequence;
  c.alter_index({.profile = Profile::kFast});
  EXPECT_EQ(db.stats().sequence, before);
  const auto code = [&](auto&& call) {
    try {
      call();
    } catch (const Error& e) {
      return e.code();
    }
    return ErrorCode::kIo;
  };
  EXPECT_EQ(code([&] { c.alter_index({.m = 1}); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([&] { c.alter_index({.codes = Codes::kF32, .m = 8}); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([&] { c.alter_index("nobody", {}); }), ErrorCode::kNotFound);
  EXPECT_EQ(db.stats().sequence, before);
  EXPECT_EQ(c.info().index, IndexOptions{.profile = Profile::kFast});
  c.alter_index({});
  EXPECT_EQ(db.stats().sequence, before + 1);
  db.close();
  auto reader = VecDatabase::open(dir(), {.read_only = true});
  EXPECT_EQ(code([&] { reader.get_collection("c").alter_index({.profile = Profile::kSmall}); }),
            ErrorCode::kReadOnly);
}

TEST_F(IndexOptionsTest, AReaderProcessFollowsAChange) {
  int ready[2], go[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(go), 0);
  const pid_t child = fork();  // while there are no threads
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(60);
    close(ready[0]);
    close(go[1]);
    int result = 1;
    try {
      char first = 0;
      if (read(go[0], &first, 1) != 1) _exit(8);
      while (rows_.size() < 6) rows_.push_back(clustered());  // as the parent's
      auto reader = VecDatabase::open(dir(), {.read_only = true});
      const auto docs = reader.get_collection("c");
      const auto whole = [&] { return docs.query(Query(Vector(rows_[5]))).hits.at(0).id == "5"; };
      char byte = 0;
      const bool before = docs.info().index == IndexOptions{} && whole();
      for (int i = 0; i < 2; ++i) {
        if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) _exit(9);
        const IndexStats s = docs.stats().indexes.at("");
        const bool fresh = docs.info().index.profile == Profile::kSmall && s.settings.codes == Codes::kInt4;
        // First the change alone, then what was built for it.
        if (!fresh || !whole() || (s.outdated_rows == 0) != (i == 1)) _exit(10 + i);
      }
      result = before ? 0 : 2;
    } catch (...) {
      result = 3;
    }
    _exit(result);
  }
  close(ready[1]);  // so that a child that ends is noticed
  close(go[0]);
  auto db = VecDatabase::open(dir(), small());
  auto c = db.create_collection("c");
  fill(c, 900);
  c.optimize();
  char byte = 0;
  db.pause_background();
  ASSERT_EQ(write(go[1], &byte, 1), 1);
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  c.alter_index({.profile = Profile::kSmall});
  ASSERT_EQ(write(go[1], &byte, 1), 1);
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  c.optimize();
  ASSERT_EQ(write(go[1], &byte, 1), 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
}

TEST_F(IndexOptionsTest, ChangesRaceWithWritersAndQueries) {
  auto db = VecDatabase::open(dir(), small());
  auto c = db.create_collection("c");
  fill(c, 400);
  std::atomic<bool> done{false};
  std::thread reader([&, q = clustered()] {
    while (!done) {
      const Hits hits = c.query(Query(Vector(q)).k(10).with_vectors());
      ASSERT_EQ(hits.size(), 10u);
      for (const Hit& h : hits) ASSERT_NEAR(h.score, score(Metric::kCosine, q, h.vector.dense()), 1e-4);
    }
  });
  std::thread changer([&] {
    const Profile profiles[] = {Profile::kFast, Profile::kSmall, Profile::kBalanced};
    for (int i = 0; !done; ++i) {
      c.alter_index(i % 4 == 3 ? IndexOptions{.codes = i % 8 == 3 ? Codes::kF32 : Codes::kInt8}
                               : IndexOptions{.profile = profiles[i % 3]});
      std::this_thread::sleep_for(std::chrono::milliseconds(15));
    }
  });
  for (int i = 0; i < 10; ++i) {
    fill(c, 120);
    if (i % 4 == 3) c.optimize();
  }
  done = true;
  reader.join();
  changer.join();
  c.alter_index({});
  c.optimize();
  EXPECT_EQ(c.stats().indexes.at("").graph_rows, rows_.size());
  EXPECT_GE(recall(c), 0.95);
  EXPECT_TRUE(db.verify().ok());
}

TEST_F(IndexOptionsTest, EffortAndOversamplingOfACollectionAreItsQueriesDefaults) {
  auto db = VecDatabase::open(dir(), small());
  auto c = db.create_collection("c");
  fill(c, 2500);
  c.optimize();
  const auto rescored = [&](const Query& q) {
    const Hits hits = c.query(q);
    std::uint64_t out = 0;
    std::function<void(const PlanNode&)> visit = [&](const PlanNode& node) {
      for (const auto& [name, value] : node.counters) out += name == "rows scanned" ? value : 0;
      for (const PlanNode& child : node.children) visit(child);
    };
    visit(*hits.plan);
    return out;
  };
  const Query plain = Query(Vector(rows_[7])).explain();
  const std::uint64_t before = rescored(plain);
  c.alter_index({.ef_search = 1000});
  EXPECT_GT(rescored(plain), before);
  EXPECT_EQ(rescored(plain), rescored(Query(plain).ef(1000)));
  EXPECT_EQ(rescored(Query(plain).ef(64)), before);
  // An effort below k is raised to it.
  EXPECT_EQ(rescored(Query(plain).ef(1)), rescored(Query(plain).ef(10)));
}

}  // namespace
}  // namespace vecstore
