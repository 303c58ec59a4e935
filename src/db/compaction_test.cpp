#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <random>
#include <thread>

#include "vecstore/vecstore.hpp"

namespace vecstore::db {
namespace {

using namespace std::chrono_literals;

class Folder {
 public:
  Folder() {
    const bool memory = ::access("/dev/shm", W_OK) == 0;
    const std::filesystem::path parent = memory ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string t = (parent / "vecstore-XXXXXX").string();
    path_ = mkdtemp(t.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

bool eventually(const std::function<bool()>& what) {
  for (int i = 0; i < 2000; ++i) {
    if (what()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return what();
}

std::vector<Record> records(int from, int count, int version) {
  std::vector<Record> out;
  for (int i = from; i < from + count; ++i) {
    std::mt19937 random(static_cast<unsigned>(i * 100'003 + version));
    std::vector<float> v(64);
    for (float& x : v) x = static_cast<float>(random() % 2001) - 1000;
    out.push_back({.id = "r" + std::to_string(i),
                   .vector = v,
                   .text = std::string(300, 'x'),
                   .metadata = {{"version", version}}});
  }
  return out;
}

TEST(AutomaticCompaction, KeepsTheFileSmall) {
  const Folder folder;
  auto db = VecDatabase::open(folder / "db", {.graph_rows = 1'000'000, .compact_min_bytes = 2 << 20});
  auto manual = VecDatabase::open(
      folder / "manual", {.graph_rows = 1'000'000, .compact_ratio = 1, .compact_min_bytes = 2 << 20});
  for (VecDatabase* each : {&db, &manual}) {
    auto c = each->create_collection("c", {.dimension = 64});
    for (int i = 0; i < 20; ++i) c.batch_upsert(records(i * 500, 500, 0));
    std::vector<std::string> gone;
    for (int i = 0; i < 10'000; ++i) {
      if (i % 10 != 0) gone.push_back("r" + std::to_string(i));
    }
    for (std::size_t at = 0; at < gone.size(); at += 1000)
      c.erase(std::span(gone).subspan(at, std::min<std::size_t>(1000, gone.size() - at)));
    for (int i = 0; i < 300; ++i) c.upsert(records(0, 1, i)[0]);
  }
  EXPECT_TRUE(eventually([&] { return db.stats().generation > 1; }));
  EXPECT_TRUE(eventually([&] { return db.stats().file_bytes < 3 << 20; })) << db.stats().file_bytes;
  EXPECT_EQ(manual.stats().generation, 1u);
  EXPECT_GT(manual.stats().file_bytes, 6u << 20);
  for (VecDatabase* each : {&db, &manual}) {
    EXPECT_TRUE(each->verify().ok());
    EXPECT_EQ(each->stats().records, 1000u);
    EXPECT_EQ(each->get_collection("c").get("r0")->metadata["version"].as_int(), 299);
  }
  std::size_t calls = 0;
  const CompactResult result = manual.compact({.progress = [&](const Progress& p) {
    EXPECT_LE(p.done, p.total);
    ++calls;
  }});
  EXPECT_GT(calls, 0u);
  EXPECT_LT(result.bytes_after, 3u << 20);
  EXPECT_GT(result.bytes_before, 6u << 20);
}

// Closing in the middle of background compactions leaves nothing behind.
TEST(AutomaticCompaction, EndsWithTheDatabase) {
  const Folder folder;
  for (int round = 0; round < 6; ++round) {
    auto db = VecDatabase::open(folder / "db", {.compact_ratio = 0.05, .compact_min_bytes = 64 << 10});
    auto c = db.get_or_create_collection("c", {.dimension = 64});
    for (int i = 0; i < 4 + round; ++i) c.batch_upsert(records(0, 1000, round * 100 + i));
    db.close();
    int generations = 0;
    for (const auto& e : std::filesystem::directory_iterator(folder / "db"))
      generations += e.path().filename().string().starts_with("truth.");
    EXPECT_EQ(generations, 1);
    const auto again = VecDatabase::open(folder / "db", {.read_only = true});
    EXPECT_TRUE(again.verify().ok());
    EXPECT_EQ(again.stats().records, 1000u);
    EXPECT_EQ(again.get_collection("c").get("r7")->metadata["version"].as_int(), round * 100 + 3 + round);
  }
}

TEST(AutomaticCompaction, OptionsAreChecked) {
  const Folder folder;
  for (const double wrong : {0.0, -1.0, 1.5, std::nan("")}) {
    try {
      VecDatabase::open(folder / "db", {.compact_ratio = wrong});
      ADD_FAILURE() << wrong << " was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument) << e.what();
    }
  }
}

// Queries, writers, creation and dropping while one compaction follows the other: each reader checks each
// hit.
TEST(AutomaticCompaction, EverybodyGoesOn) {
  const Folder folder;
  auto db = VecDatabase::open(folder / "db", {.threads = 1, .compact_ratio = 1});
  auto c = db.create_collection("c", {.dimension = 64});
  for (int i = 0; i < 4; ++i) c.batch_upsert(records(i * 500, 500, 0));
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> queries{0};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    for (int version = 1; !stop; ++version) c.batch_upsert(records(0, 50, version));
  });
  threads.emplace_back([&] {
    for (int i = 0; !stop; ++i) {
      auto other = db.create_collection("other", {.dimension = 64});
      other.batch_upsert(records(i, 20, i));
      EXPECT_EQ(other.count(), 20u);
      db.delete_collection("other");
    }
  });
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 100 + t; !stop; i += 7) {
        const int n = 100 + i % 1900;
        const Record wanted = records(n, 1, 0)[0];
        const Hits hits = c.query(wanted.vector, 3);
        ASSERT_EQ(hits.size(), 3u);
        EXPECT_EQ(hits[0].id, wanted.id);
        EXPECT_NEAR(hits[0].score, 1, 1e-5);
        const auto found = c.get("r" + std::to_string(i % 50));
        ASSERT_TRUE(found);
        const auto version = found->metadata["version"].as_int();
        EXPECT_EQ(found->vector.dense(), records(i % 50, 1, static_cast<int>(version))[0].vector.dense());
        EXPECT_GT(c.query_text("x", {.k = 1, .mode = Mode::kText}).size() + 1, 0u);
        ++queries;
      }
    });
  }
  for (int i = 0; i < 12; ++i) db.compact();
  stop = true;
  for (std::thread& t : threads) t.join();
  EXPECT_GT(queries, 0u);
  EXPECT_EQ(c.count(), 2000u);
  EXPECT_TRUE(db.verify().ok());
  EXPECT_EQ(db.stats().generation, 13u);
}

}  // namespace
}  // namespace vecstore::db
