// Writes that depend on what is stored: conditions, changes to metadata, alone and beside other writers.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "scratch.hpp"
#include "seed.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

/// Both ways in which metadata is stored anew: beside the row, and (where a text field is in it) as a new
/// row.
class UpdateTest : public ::testing::TestWithParam<bool> {
 protected:
  UpdateTest() {
    CollectionOptions options;
    if (GetParam()) options.text_fields = {TextField{}, TextField{.path = "title"}};
    docs_.emplace(db_.create_collection("docs", options));
  }

  void conflict(const std::function<void()>& write, std::initializer_list<std::string_view> parts) {
    const auto before = docs_->stats();
    try {
      write();
      ADD_FAILURE() << "no error";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kConflict) << e.what();
      for (const std::string_view part : parts)
        EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what() << ", without " << part;
    }
    EXPECT_EQ(docs_->stats().digest, before.digest);
    EXPECT_EQ(docs_->stats().sequence, before.sequence);
  }

  test::Scratch scratch_;
  VecDatabase db_ = VecDatabase::open(
      scratch_ / "db", {.durability = Durability::kRelaxed, .threads = 1, .checkpoint_rows = 100});
  std::optional<Collection> docs_;
};

INSTANTIATE_TEST_SUITE_P(InPlaceAndAnew, UpdateTest, ::testing::Bool());

TEST_P(UpdateTest, OnlyTheVersionThatIsExpected) {
  Collection& c = *docs_;
  const Record record{.id = "a", .vector = {1.0f, 0.0f}, .metadata = {{"version", 1}}};
  conflict([&] { c.upsert(record, {.if_sequence = 7}); }, {"'a'", "does not exist", "7"});
  const SequenceNumber first = c.upsert(record, {.if_sequence = 0});
  EXPECT_EQ(c.get("a")->sequence, first);
  conflict([&] { c.upsert(record, {.if_sequence = 0}); }, {"'a'", "must not exist", std::to_string(first)});
  const SequenceNumber second = c.update_metadata("a", Metadata{{"version", 2}}, {.if_sequence = first});
  conflict([&] { c.update_metadata("a", Metadata{{"version", 3}}, {.if_sequence = first}); },
           {std::to_string(first), std::to_string(second)});
  conflict([&] { c.update_metadata("a", MetadataChanges().increment("version"), {.if_sequence = first}); },
           {std::to_string(second)});
  conflict([&] { c.erase("a", {.if_sequence = first}); }, {std::to_string(second)});
  conflict([&] { c.erase("b", {.if_sequence = first}); }, {"'b'", "does not exist"});
  EXPECT_EQ(c.erase("b", {.if_sequence = 0}), 0u);
  EXPECT_EQ(c.get("a")->metadata["version"], Metadata(2));
  EXPECT_EQ(c.get("a")->vector, Vector({1.0f, 0.0f}));
  EXPECT_EQ(c.erase("a", {.if_sequence = second}), 1u);
  EXPECT_EQ(c.count(), 0u);
}

TEST_P(UpdateTest, OnlyWhatMatches) {
  Collection& c = *docs_;
  c.upsert({.id = "a", .vector = {1.0f, 0.0f}, .text = "words", .metadata = {{"version", 3}, {"n", 1}}});
  const WriteCondition third{.if_matches = Filter::parse("version = 3")};
  conflict([&] { c.upsert({.id = "b"}, third); }, {"'b'", "does not exist", "version = 3"});
  c.update_metadata("a", MetadataChanges().increment("n").increment("version"), third);
  EXPECT_EQ(c.get("a")->metadata, (Metadata{{"version", 4}, {"n", 2}}));
  EXPECT_EQ(c.get("a")->text, "words");
  conflict([&] { c.update_metadata("a", MetadataChanges().increment("n"), third); }, {"'a'", "version = 3"});
  conflict([&] { c.update_metadata("a", Metadata{{"n", 9}}, third); }, {"version = 3"});
  conflict([&] { c.erase("a", third); }, {"version = 3"});
  EXPECT_EQ(c.erase("a", {.if_matches = Filter::parse("version = 4")}), 1u);
  try {
    c.update_metadata("a", MetadataChanges().increment("n"));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kNotFound);
  }
  EXPECT_THROW(c.update_metadata("", MetadataChanges().increment("n")), Error);
}

TEST_P(UpdateTest, ABatchIsWrittenWholeOrNotAtAll) {
  Collection& c = *docs_;
  const SequenceNumber a = c.upsert({.id = "a", .metadata = {{"n", 1}}});
  std::vector<Operation> ops(2);
  ops[0].record = {.id = "b", .metadata = {{"n", 1}}};
  ops[0].if_sequence = 0;
  ops[1].record = {.id = "a", .metadata = {{"n", 2}}};
  ops[1].if_sequence = a + 1;
  conflict([&] { c.batch_execute(ops); }, {"item 1", "'a'"});
  EXPECT_EQ(c.count(), 1u);
  ops[1].if_sequence = a;
  c.batch_execute(ops);
  EXPECT_EQ(c.count("n >= 1"), 2u);
}

TEST_P(UpdateTest, EqualsATwin) {
  Collection& c = *docs_;
  std::mt19937 rng(test::seed());
  std::map<std::string, Metadata> twin;
  for (int i = 0; i < 400; ++i) {
    const std::string id = "r" + std::to_string(i);
    twin[id] = {{"n", i % 7}, {"title", "title " + std::to_string(i % 5)}};
    c.upsert({.id = id, .vector = {1.0f, static_cast<float>(i)}, .metadata = twin[id]});
  }
  for (int round = 0; round < 40; ++round) {
    const auto n = static_cast<std::int64_t>(rng() % 9);
    const auto by = static_cast<std::int64_t>(rng() % 5) - 2;
    std::uint64_t expected = 0;
    for (auto& [id, metadata] : twin) {
      if (metadata["n"].as_int() < n) continue;
      ++expected;
      metadata["n"] = metadata["n"].as_int() + by;
      metadata["log"].push_back(round);
    }
    const Filter filter = field("n") >= n;
    EXPECT_EQ(c.update_where(filter, MetadataChanges().increment("n", by).append("log", round)), expected);
    if (round % 8 == 5) c.optimize();
  }
  for (const auto& [id, metadata] : twin) EXPECT_EQ(c.get(id)->metadata, metadata) << id;
  EXPECT_EQ(c.update_where("n > 1000000", MetadataChanges().unset("n")), 0u);
  EXPECT_EQ(c.update_where(Filter(), MetadataChanges().unset("n")), 400u);
  EXPECT_EQ(c.count("n IS NULL"), 400u);
}

TEST_P(UpdateTest, AChangeThatIsNotAllowedNamesTheRecord) {
  Collection& c = *docs_;
  c.upsert({.id = "a", .metadata = {{"n", 1}}});
  c.upsert({.id = "b", .metadata = {{"n", "one"}}});
  try {
    c.update_where(Filter(), MetadataChanges().increment("n"));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(e.what()).find("id 'b'"), std::string::npos) << e.what();
  }
  EXPECT_EQ(c.get("a")->metadata["n"], Metadata(1)) << "all of one commit or nothing";
}

TEST_P(UpdateTest, AVersionThatIsGoneIsAConflictWhateverTheChange) {
  Collection& c = *docs_;
  const SequenceNumber seen = c.upsert({.id = "a", .metadata = {{"n", 1}}});
  c.update_metadata("a", Metadata{{"n", "one"}});
  conflict([&] { c.update_metadata("a", MetadataChanges().increment("n"), {.if_sequence = seen}); }, {"'a'"});
  c.erase("a");
  EXPECT_THROW(c.update_metadata("a", MetadataChanges().increment("n"), {.if_sequence = seen}), Error);
}

TEST_P(UpdateTest, ChangesBeyondTheLimitsNameTheRecord) {
  Collection& c = *docs_;
  c.upsert({.id = "small", .metadata = {{"n", 1}}});
  c.upsert({.id = "full", .metadata = {{"n", std::string(60'000, 'x')}}});
  try {
    c.update_where(Filter(), MetadataChanges().set("m", std::string(10'000, 'y')));
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("id 'full'"), std::string::npos) << e.what();
  }
  EXPECT_EQ(c.count("m IS NULL"), 2u);
}

// Where records are written anew a commit is bounded by what they hold, not by what is changed.
TEST_P(UpdateTest, CommitsAreBounded) {
  CollectionOptions options;
  options.text_fields.clear();
  if (GetParam()) options.text_fields = {TextField{.path = "title"}};
  Collection c = db_.create_collection("large", options);
  std::mt19937 rng(test::seed());
  for (int i = 0; i < 25; ++i) {
    Record r{.id = std::to_string(i), .text = std::string(1'000'000, ' ')};
    for (char& x : r.text) x = static_cast<char>(' ' + rng() % 95);
    c.upsert(r);
  }
  const SequenceNumber before = c.stats().sequence;
  EXPECT_EQ(c.update_where(Filter(), MetadataChanges().set("n", 1)), 25u);
  EXPECT_EQ(c.count("n = 1"), 25u);
  EXPECT_GE(c.stats().sequence - before, 2u);
}

TEST_P(UpdateTest, NoChangeIsLostBesideOthers) {
  Collection& c = *docs_;
  constexpr int kThreads = 4, kTimes = 60, kRecords = 5;
  for (int i = 0; i < kRecords; ++i) c.upsert({.id = std::to_string(i), .metadata = {{"n", 0}, {"all", 0}}});
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTimes; ++i) {
        if (t == 0) {
          EXPECT_EQ(c.update_where("all >= 0", MetadataChanges().increment("all")), std::uint64_t{kRecords});
        } else {
          c.update_metadata(std::to_string(i % kRecords), MetadataChanges().increment("n"));
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::int64_t n = 0;
  for (int i = 0; i < kRecords; ++i) {
    const Metadata metadata = c.get(std::to_string(i))->metadata;
    EXPECT_EQ(metadata["all"], Metadata(kTimes));
    n += metadata["n"].as_int();
  }
  EXPECT_EQ(n, (kThreads - 1) * kTimes);
}

TEST_P(UpdateTest, OfTwoWritersOneSucceeds) {
  Collection& c = *docs_;
  for (int round = 0; round < 50; ++round) {
    const SequenceNumber seen = c.upsert({.id = "a", .metadata = {{"by", -1}}});
    std::atomic<int> succeeded{0}, refused{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] {
        try {
          c.upsert({.id = "a", .metadata = {{"by", t}}}, {.if_sequence = seen});
          ++succeeded;
        } catch (const Error& e) {
          EXPECT_EQ(e.code(), ErrorCode::kConflict);
          ++refused;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(succeeded, 1);
    EXPECT_EQ(refused, 1);
  }
}

}  // namespace
}  // namespace vecstore
