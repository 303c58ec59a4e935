#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

class DatabaseTest : public ::testing::Test {
 protected:
  DatabaseTest() {
    std::string t = (std::filesystem::temp_directory_path() / "vecstore-XXXXXX").string();
    base_ = mkdtemp(t.data());
  }
  ~DatabaseTest() override { std::filesystem::remove_all(base_); }
  std::string dir() const { return base_ + "/db"; }
  std::string base_;
};

ErrorCode code_of(const std::function<void()>& fn) {
  try {
    fn();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::kIo;
}

TEST_F(DatabaseTest, JourneyOne) {
  auto store = VecStore::open(dir());
  EXPECT_TRUE(store.query({0.1f, 0.2f}, 10).empty());
  store.upsert("a", {0.1f, 0.2f, 0.3f}, {{"source", "web"}});
  std::ostringstream out;
  for (const auto& hit : store.query({0.1f, 0.2f, 0.25f}, 10)) out << hit.id << " " << hit.metadata["source"];
  EXPECT_EQ(out.str(), "a \"web\"");
}

TEST_F(DatabaseTest, JourneyTwo) {
  auto db = VecDatabase::open(dir());
  auto docs = db.create_collection("documents", {.metric = Metric::kCosine, .dimension = 3});
  auto users = db.get_or_create_collection("users");
  const std::vector<float> v{1, 2, 3};
  docs.upsert(
      {.id = "d1", .vector = v, .text = "text", .metadata = {{"year", 2026}, {"tags", {"c++", "search"}}}});
  docs.upsert({.id = "d2", .vector = v, .metadata = {{"year", 2020}, {"tags", {"c++", "search"}}}});
  auto hits = docs.query(Query(v).k(10).where("year >= 2024 AND tags CONTAINS 'search'"));
  ASSERT_EQ(hits.size(), 1u);
  EXPECT_EQ(hits[0].id, "d1");
  EXPECT_FLOAT_EQ(hits[0].score, 1.0f);
  EXPECT_EQ(db.list_collections(), (std::vector<std::string>{"documents", "users"}));
  db.delete_collection("users");
  EXPECT_EQ(code_of([&] { users.count(); }), ErrorCode::kNotFound);
  EXPECT_EQ(db.list_collections(), (std::vector<std::string>{"documents"}));
}

TEST_F(DatabaseTest, EqualScoresAreOrderedById) {
  auto store = VecStore::open(dir());
  for (const char* id : {"m", "c", "z", "a", "k"}) store.upsert(id, {1.0f, 0.0f});
  const auto hits = store.query({1.0f, 0.0f}, 3);
  ASSERT_EQ(hits.size(), 3u);
  EXPECT_EQ(hits[0].id + hits[1].id + hits[2].id, "ack");
}

TEST_F(DatabaseTest, WritesSurviveReopeningAndVerifyIsClean) {
  {
    auto db = VecDatabase::open(dir());
    auto c = db.create_collection("c");
    std::vector<Record> batch;
    for (int i = 0; i < 500; ++i) {
      batch.push_back({.id = "r" + std::to_string(i),
                       .vector = {1.0f * i, 1.0f, 2.0f},
                       .text = "text " + std::to_string(i),
                       .metadata = {{"i", i}}});
    }
    c.batch_upsert(batch);
    for (int i = 0; i < 500; i += 3) c.erase("r" + std::to_string(i));
    for (int i = 1; i < 500; i += 3) c.update_metadata("r" + std::to_string(i), {{"i", -i}, {"new", true}});
    c.upsert({.id = "ttl", .vector = {1, 1, 1}, .ttl = std::chrono::hours(24)});
  }
  auto db = VecDatabase::open(dir());
  auto c = db.get_collection("c");
  EXPECT_EQ(c.count(), 334u);
  EXPECT_FALSE(c.get("r0"));
  EXPECT_EQ(c.get("r1")->metadata, (Metadata{{"i", -1}, {"new", true}}));
  EXPECT_EQ(c.get("r2")->metadata, (Metadata{{"i", 2}}));
  EXPECT_EQ(c.get("r2")->vector.dense(), (std::vector<float>{2, 1, 2}));
  EXPECT_TRUE(c.get("ttl")->expires_at);
  EXPECT_EQ(c.count("i < 0"), 167u);
  const VerifyReport report = db.verify();
  for (const auto& d : report.damages)
    ADD_FAILURE() << d.kind << " " << d.collection << " " << d.id << " " << d.detail;
  EXPECT_EQ(report.records, 334u);
  EXPECT_EQ(c.erase_where("i < 0"), 167u);
  EXPECT_EQ(c.count(), 167u);
}

TEST_F(DatabaseTest, TextAndHybrid) {
  auto db = VecDatabase::open(dir());
  auto c = db.create_collection("c");
  c.upsert({.id = "a", .vector = {1, 0}, .text = "the borrow checker error"});
  c.upsert({.id = "b", .vector = {0, 1}, .text = "gardening in spring"});
  auto hits = c.query_text("borrowing", TextQueryOptions{.mode = Mode::kText});
  ASSERT_EQ(hits.size(), 1u);
  EXPECT_EQ(hits[0].id, "a");
  hits = c.hybrid_query(HybridQuery({0.0f, 1.0f}, "borrow checker").fusion(Fusion::rrf()).k(10).explain());
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_EQ(hits[0].id, "a");
  EXPECT_NEAR(hits[0].score, 1.0 / 62 + 1.0 / 61, 1e-6);
  ASSERT_TRUE(hits.plan);
  EXPECT_NE(hits.plan->to_string().find("vector scan"), std::string::npos);
  c.upsert({.id = "b", .vector = {0, 1}, .text = "the borrow"});
  c.erase("a");
  hits = c.query_text("borrow checker", TextQueryOptions{.mode = Mode::kText});
  ASSERT_EQ(hits.size(), 1u);
  EXPECT_EQ(hits[0].id, "b");
}

TEST_F(DatabaseTest, ChangesAreDelivered) {
  auto db = VecDatabase::open(dir());
  auto docs = db.create_collection("docs");
  docs.upsert("a", {1, 2});
  const auto since = docs.upsert("b", {1, 2});
  docs.update_metadata("a", {{"x", 1}});
  docs.erase("b");
  std::string seen;
  for (auto change : docs.changes({.since = since}))
    seen += change.id + std::to_string(static_cast<int>(change.operation)) + " ";
  EXPECT_EQ(seen, "a3 b2 ");
}

// Small row blocks lie in leaf pages, which move with every write near them; what a query remembers of them
// must not.
TEST_F(DatabaseTest, QueriesBetweenLoneWritesAreRight) {
  auto db = VecDatabase::open(dir(), {.durability = Durability::kRelaxed});
  for (std::size_t dimension : {2, 4, 6, 16}) {
    auto c = db.create_collection("c" + std::to_string(dimension),
                                  {.metric = Metric::kDot, .dimension = dimension});
    for (std::size_t i = 0; i < 150; ++i) {
      std::vector<float> v(dimension, 0.5f);
      v[0] = static_cast<float>(i);
      c.upsert({.id = std::to_string(i), .vector = Vector(v), .text = std::string(i * 37 % 300, 'x')});
      if (i % 10 == 7) c.add_vector("v" + std::to_string(i), {Metric::kDot, 2});
      std::vector<float> q(dimension, 0.0f);
      q[0] = 1;
      const Hits hits = c.query(Query(q).k(1000));
      ASSERT_EQ(hits.size(), i + 1);
      for (const Hit& hit : hits)
        ASSERT_EQ(hit.score, std::stof(hit.id)) << "after " << i << " of dimension " << dimension;
    }
  }
}

TEST_F(DatabaseTest, ErasingNothingIsNoCommit) {
  auto db = VecDatabase::open(dir());
  auto c = db.create_collection("c");
  const auto sequence = c.upsert("a", {1, 2});
  EXPECT_EQ(code_of([&] { c.update_metadata("unknown", {{"never", "seen"}}); }), ErrorCode::kNotFound);
  EXPECT_EQ(c.erase("unknown"), 0u);
  EXPECT_EQ(db.stats().sequence, sequence);
}

TEST_F(DatabaseTest, OneInstancePerProcess) {
  auto a = VecDatabase::open(dir());
  a.create_collection("c").upsert("x", {1.0f});
  std::filesystem::create_directory_symlink(dir(), base_ + "/link");
  auto b = VecDatabase::open(base_ + "/link");
  EXPECT_EQ(b.get_collection("c").count(), 1u);
  b.close();
  EXPECT_EQ(code_of([&] { a.list_collections(); }), ErrorCode::kClosed);
  EXPECT_EQ(VecDatabase::open(dir()).get_collection("c").count(), 1u);
}

TEST_F(DatabaseTest, NamedAndSparseVectors) {
  auto db = VecDatabase::open(dir());
  auto c = db.create_collection("c", {.vectors = {{"title", {Metric::kDot, 2}}}});
  c.upsert(
      {.id = "a", .vector = Vector::hybrid({1, 0}, {7, 3}, {0.5f, 0.25f}), .vectors = {{"title", {3, 4}}}});
  const auto r = c.get("a");
  EXPECT_EQ(r->vector.sparse()->indices, (std::vector<std::uint32_t>{3, 7}));
  EXPECT_EQ(r->vectors.at("title").dense(), (std::vector<float>{3, 4}));
  EXPECT_FLOAT_EQ(c.query(Query({1, 1}).using_vector("title"))[0].score, 7);
  c.add_vector("extra", {Metric::kEuclidean, 2});
  c.upsert({.id = "b", .vectors = {{"extra", {0, 0}}}});
  EXPECT_FLOAT_EQ(c.query(Query({3, 4}).using_vector("extra"))[0].score, -5);
  c.drop_vector("title");
  EXPECT_EQ(code_of([&] { c.query(Query({1, 1}).using_vector("title")); }), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(c.get("a")->vectors.empty());
}

}  // namespace
}  // namespace vecstore
