// What explain tells of filters and of the ways that graphs are searched in.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

class ExplainTest : public ::testing::Test {
 protected:
  ExplainTest() {
    std::string t = (std::filesystem::temp_directory_path() / "vecstore-XXXXXX").string();
    base_ = mkdtemp(t.data());
  }
  ~ExplainTest() override { std::filesystem::remove_all(base_); }
  std::string base_;
};

const PlanNode* find(const PlanNode& node, std::string_view name) {
  if (node.name == name) return &node;
  for (const PlanNode& child : node.children) {
    if (const PlanNode* found = find(child, name)) return found;
  }
  return nullptr;
}

TEST_F(ExplainTest, AFilterIsAStepWithItsEstimate) {
  constexpr int kRows = 4000;
  auto db = VecDatabase::open(base_ + "/db", {});
  db.pause_background();
  auto docs = db.create_collection("docs", {.metric = Metric::kCosine});
  std::mt19937 random(4711);
  std::normal_distribution<float> normal;
  std::vector<Record> records;
  for (int i = 0; i < kRows; ++i) {
    std::vector<float> v(16);
    for (float& x : v) x = normal(random);
    Metadata m = Metadata::object();
    m["n"] = i;
    records.push_back({.id = std::to_string(i), .vector = Vector(v), .metadata = m});
  }
  docs.batch_upsert(records);
  const std::vector<float> asked(16, 1.0f);
  // Bounds hold however the rows lie: in memory, in a segment, and with later updates and deletes.
  for (int state = 0; state < 3; ++state) {
    if (state == 1) docs.optimize();
    if (state == 2) {
      for (int i = 0; i < 100; ++i) docs.erase(std::to_string(i));
      for (int i = 100; i < 200; ++i) {
        Record changed = records[static_cast<std::size_t>(i)];
        changed.metadata["n"] = i + kRows;
        docs.upsert(changed);
      }
    }
    for (const char* filter :
         {"n < 2000", "n >= 150", "n = 170", "NOT n < 3000", "n < 0", "n < 160 OR n > 4150"}) {
      const Hits hits = docs.query(Query(Vector(asked)).k(10).where(Filter::parse(filter)).explain());
      ASSERT_TRUE(hits.plan);
      const PlanNode* step = find(*hits.plan, "filter");
      ASSERT_TRUE(step) << hits.plan->to_string();
      ASSERT_TRUE(step->expected && step->rows) << hits.plan->to_string();
      EXPECT_LE(step->expected->least, *step->rows) << state << " " << filter;
      EXPECT_GE(step->expected->most, *step->rows) << state << " " << filter;
      EXPECT_LE(static_cast<double>(step->expected->least), step->expected->expected);
      EXPECT_GE(static_cast<double>(step->expected->most), step->expected->expected);
      const PlanNode* search = find(*hits.plan, "vector scan");
      ASSERT_TRUE(search && search->rows);
      EXPECT_EQ(*search->rows, hits.size());
      EXPECT_EQ(hits.size(), std::min<std::uint64_t>(10, *step->rows));
    }
  }
}

TEST_F(ExplainTest, ThePlanNamesTheWayThroughTheGraph) {
  auto db = VecDatabase::open(base_ + "/db", {});
  db.pause_background();
  auto docs = db.create_collection("docs", {.metric = Metric::kCosine});
  std::mt19937 random(4712);
  std::normal_distribution<float> normal;
  std::vector<Record> records;
  for (int i = 0; i < 6000; ++i) {
    std::vector<float> v(16);
    for (float& x : v) x = normal(random);
    Metadata m = Metadata::object();
    m["n"] = i;
    records.push_back({.id = std::to_string(i), .vector = Vector(v), .metadata = m});
  }
  docs.batch_upsert(records);
  docs.optimize();
  const std::vector<float> asked(16, 1.0f);
  const auto plan = [&](const char* filter) {
    Query q(Vector{asked});
    q.k(10).explain();
    if (filter) q.where(Filter::parse(filter));
    return docs.query(q).plan->property("plan");
  };
  EXPECT_EQ(plan(nullptr), "walk");
  EXPECT_EQ(plan("n < 80"), "scan");
  EXPECT_EQ(plan("n < 10"), "");  // their vectors are read
  // Which one is quicker depends on the machine.
  const std::string nearly_all = plan("n >= 1");
  EXPECT_TRUE(nearly_all == "walk" || nearly_all == "scan" || nearly_all == "walk, scan") << nearly_all;
}

}  // namespace
}  // namespace vecstore
