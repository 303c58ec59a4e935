#include "storage/verify.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "seed.hpp"
#include "storage/truth_writer.hpp"

namespace vecstore::storage {
namespace {

std::uint64_t times(std::uint64_t usual) {
  const char* text = std::getenv("VECSTORE_TEST_FACTOR");
  return text ? usual * std::strtoull(text, nullptr, 10) : usual;
}

std::string summary(const VerifyResult& result) {
  std::string out = concat(result.found, " damages");
  for (std::size_t i = 0; i < result.damages.size() && i < 20; ++i) {
    const StoredDamage& d = result.damages[i];
    out += concat("\n  ", d.kind, " collection ", d.collection, " id '", d.id, "': ", d.detail);
  }
  return out;
}

TEST(Verify, EmptyStoreIsSound) {
  ScratchDirectory scratch;
  auto store = Store::open(scratch / "db", {});
  EXPECT_TRUE(verify_store(*store).ok()) << summary(verify_store(*store));
  store->close();
  EXPECT_TRUE(verify_directory(scratch / "db").ok()) << summary(verify_directory(scratch / "db"));
  EXPECT_THROW(verify_store(*store), Error);
  EXPECT_THROW(verify_directory(scratch / "none"), Error);
}

TEST(Verify, SoundStoresHaveNoDamage) {
  const std::uint64_t seed = test::seed();
  std::mt19937_64 random(seed);
  for (std::uint64_t round = 0; round < times(3); ++round) {
    ScratchDirectory scratch;
    const std::string dir = scratch / "db";
    auto store = Store::open(dir, {.map_size = 1 << 20, .change_retention = round % 2 ? 200U : 1'000'000U});
    TruthWriter first(*store, "first", 3);
    TruthWriter second(*store, "second", 1, 300);
    TruthWriter third(*store, "third", 2);
    for (int phase = 0; phase < 12; ++phase) {
      random_commits(first, random, 8, 200);
      random_commits(second, random, 3);
      if (phase < 5) random_commits(third, random, 3);
      if (phase == 5) third.drop("third");
      if (phase == 7) first.drop_field(1);
      const VerifyResult live = verify_store(*store);
      ASSERT_TRUE(live.ok()) << "seed " << seed << " round " << round << " phase " << phase << ": "
                             << summary(live);
      EXPECT_EQ(live.records,
                first.ids().size() + second.ids().size() + (phase < 5 ? third.ids().size() : 0));
    }
    store->close();
    const VerifyResult closed = verify_directory(dir);
    ASSERT_TRUE(closed.ok()) << "seed " << seed << ": " << summary(closed);
    store = Store::open(dir, {});
    ASSERT_TRUE(verify_store(*store).ok());
  }
}

TEST(Verify, WritersGoOnMeanwhile) {
  ScratchDirectory scratch;
  auto store = Store::open(scratch / "db", {});
  TruthWriter writer(*store, "c", 2);
  std::atomic<bool> stop{false};
  std::thread thread([&] {
    std::mt19937_64 random(1);
    while (!stop) random_commits(writer, random, 1);
  });
  std::uint64_t records = 0;
  std::uint64_t sequence = 0;
  for (std::uint64_t i = 0; i < times(60) || sequence < 100; ++i) {
    const VerifyResult result = verify_store(*store);
    records = std::max(records, result.records);
    sequence = result.sequence;
    EXPECT_TRUE(result.ok()) << summary(result);
    if (!result.ok()) break;
  }
  stop = true;
  thread.join();
  EXPECT_GT(records, 0U);
}

TEST(Verify, CancelledAndLate) {
  ScratchDirectory scratch;
  auto store = Store::open(scratch / "db", {});
  std::mt19937_64 random(1);
  TruthWriter writer(*store, "c", 2);
  random_commits(writer, random, 5);
  Context context;
  context.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  try {
    verify_store(*store, context);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kDeadline);
  }
}

TEST(Verify, HundredThousandRows) {
  ScratchDirectory scratch;
  auto store = Store::open(scratch / "db", {});
  std::mt19937_64 random(1);
  TruthWriter writer(*store, "c", 1, 128);
  const std::uint64_t rows = std::getenv("VECSTORE_TEST_FACTOR") ? 100'000 : 10'000;
  for (std::uint64_t at = 0; at < rows;) {
    std::vector<TestRecord> records;
    for (; records.size() < 5000; ++at)
      records.push_back(writer.make(random, "record-" + std::to_string(at)));
    writer.upsert(records);
  }
  const auto begin = std::chrono::steady_clock::now();
  const VerifyResult result = verify_store(*store);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_TRUE(result.ok()) << summary(result);
  EXPECT_EQ(result.records, rows);
  std::printf("verify: %llu records in %.3f s\n", static_cast<unsigned long long>(rows), seconds);
  RecordProperty("seconds", std::to_string(seconds));
}

}  // namespace
}  // namespace vecstore::storage
