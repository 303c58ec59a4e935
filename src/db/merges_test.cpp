// What goes on while segments are merged: writes that need a larger map, pages that are used again, closing,
// compaction.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <optional>
#include <random>
#include <stop_token>
#include <thread>

#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kDimension = 32;

class MergesTest : public ::testing::Test {
 protected:
  MergesTest() {
    const fs::path parent = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : fs::temp_directory_path();
    std::string t = (parent / "vecstore-XXXXXX").string();
    base_ = mkdtemp(t.data());
  }
  ~MergesTest() override { fs::remove_all(base_); }
  std::string dir() const { return base_ + "/db"; }
  static OpenOptions options() {
    return {.map_size = 1 << 20, .background_threads = 1, .checkpoint_rows = 4'000, .compact_ratio = 1};
  }

  std::vector<float> vector() {
    std::vector<float> v(kDimension);
    for (float& x : v) x = normal_(rng_);
    return v;
  }
  /// Text that does not shrink, as long as this.
  std::string text(std::size_t bytes) {
    if (bytes == 0) return {};
    while (pool_.size() < 1 << 20) pool_ += static_cast<char>('!' + rng_() % 90);
    return pool_.substr(rng_() % (pool_.size() - bytes), bytes);
  }
  std::vector<Record> records(std::size_t first, std::size_t count, std::size_t text_bytes = 0) {
    std::vector<Record> out;
    for (std::size_t i = first; i < first + count; ++i)
      out.push_back({.id = "r" + std::to_string(i), .vector = vector(), .text = text(text_bytes)});
    return out;
  }
  /// A collection whose merge takes seconds.
  Collection large(VecDatabase& db, std::size_t rows) {
    db.pause_background();
    auto c = db.create_collection("c", {.index = {.ef_construction = rows > 10'000 ? 1'500u : 100u}});
    for (std::size_t i = 0; i < rows; i += 4'000) c.batch_upsert(records(i, 4'000));
    EXPECT_GE(c.stats().segments, rows / 4'000 - 1);
    return c;
  }

  std::string base_, pool_;
  std::mt19937 rng_{5};
  std::normal_distribution<float> normal_;
};

/// optimize() in a thread of its own.
class Optimizing {
 public:
  explicit Optimizing(Collection c) {
    thread_ = std::thread([this, c]() mutable {
      try {
        c.optimize(stop_.get_token());
      } catch (const Error& e) {
        code_ = e.code();
      }
      ended_ = true;
    });
  }
  ~Optimizing() { end(); }
  bool ended() const { return ended_; }
  void cancel() { stop_.request_stop(); }
  std::optional<ErrorCode> end() {
    if (thread_.joinable()) thread_.join();
    return code_;
  }

 private:
  std::stop_source stop_;
  std::atomic<bool> ended_{false};
  std::optional<ErrorCode> code_;
  std::thread thread_;
};

TEST_F(MergesTest, WritersGrowTheMapAndUsePagesAgain) {
  auto db = VecDatabase::open(dir(), options());
  auto c = large(db, 60'000);
  auto other = db.create_collection("other");
  Optimizing merge(c);
  std::this_thread::sleep_for(100ms);
  const std::uint64_t before = db.stats().file_bytes;
  // The map doubles: by now it has been replaced once at least.
  std::size_t next = 0;
  while (db.stats().file_bytes < 3 * before) other.batch_upsert(records(next++ * 500, 500, 8'000));
  EXPECT_FALSE(merge.ended()) << "writers waited for the merge";
  // What is overwritten again and again takes the same pages again.
  const auto overwrite = [&] { other.batch_upsert(records(0, 300, 8'000)); };
  for (int i = 0; i < 3; ++i) overwrite();
  const std::uint64_t settled = db.stats().file_bytes;
  for (int i = 0; i < 25; ++i) overwrite();
  EXPECT_LT(db.stats().file_bytes - settled, 10 * 300 * 8'000u) << "pages were not given back";
  EXPECT_FALSE(merge.ended()) << "the merge was too short to tell";
  merge.cancel();
  const auto begin = SteadyClock::now();
  EXPECT_EQ(merge.end(), ErrorCode::kCancelled);
  EXPECT_LT(SteadyClock::now() - begin, 2s);
  EXPECT_TRUE(db.verify().ok());
}

TEST_F(MergesTest, CloseEndsAnothersOptimize) {
  auto db = std::make_unique<VecDatabase>(VecDatabase::open(dir(), options()));
  auto c = large(*db, 60'000);
  Optimizing merge(c);
  std::this_thread::sleep_for(300ms);
  ASSERT_FALSE(merge.ended());
  const auto begin = SteadyClock::now();
  db->close();
  const auto took = std::chrono::duration<double>(SteadyClock::now() - begin).count();
  std::printf("close took %.3f s\n", took);
  EXPECT_LT(took, 1.0);
  EXPECT_EQ(merge.end(), ErrorCode::kClosed);
  std::printf("optimize ended after %.3f s\n",
              std::chrono::duration<double>(SteadyClock::now() - begin).count());
  db.reset();
  auto again = VecDatabase::open(dir(), options());
  const auto d = again.get_collection("c");
  EXPECT_EQ(d.stats().count, 60'000u);
  EXPECT_EQ(d.stats().segment_damages, 0u);
}

TEST_F(MergesTest, CloseEndsTheBackgroundsMerge) {
  auto db = VecDatabase::open(dir(), options());
  auto c = large(db, 60'000);
  db.resume_background();
  std::this_thread::sleep_for(600ms);  // quiet is waited for
  const auto begin = SteadyClock::now();
  db.close();
  const auto took = std::chrono::duration<double>(SteadyClock::now() - begin).count();
  std::printf("close took %.3f s\n", took);
  EXPECT_LT(took, 1.0);
}

// Rows that are retired, and vanish from the disk, while a graph is built from them; and a new generation of
// the truth in between.
TEST_F(MergesTest, ChurnAndCompactionDuringAMerge) {
  auto db = VecDatabase::open(dir(), options());
  auto c = large(db, 8'000);
  c.optimize();
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < 4'000; i += 1'000) c.batch_upsert(records(8'000 + 4'000 * round + i, 1'000));
    Optimizing merge(c);
    int turns = 0;
    for (; turns < 2 || (!merge.ended() && turns < 6); ++turns) {  // writing for ever, it would never end
      // Whole runs of neighbours, so that blocks are given back.
      const std::size_t first = (rng_() % 8) * 1'000;
      if (turns % 2 == 0) {
        const auto changed = records(first, 1'000);
        c.batch_upsert(changed);
      } else {
        std::vector<std::string> ids;
        for (std::size_t i = first; i < first + 1'000; ++i) ids.push_back("r" + std::to_string(i));
        c.erase(ids);
      }
      if (turns == 1) db.compact();
      const std::vector<float> q = vector();
      for (const Hit& h : c.query(Query(q).k(10).with_vectors())) {
        double ab = 0, aa = 0, bb = 0;
        for (std::size_t i = 0; i < kDimension; ++i) {
          ab += static_cast<double>(q[i]) * h.vector.dense()[i];
          aa += static_cast<double>(q[i]) * q[i];
          bb += static_cast<double>(h.vector.dense()[i]) * h.vector.dense()[i];
        }
        ASSERT_NEAR(h.score, ab / std::sqrt(aa * bb), 1e-5) << h.id;
      }
    }
    const auto code = merge.end();
    EXPECT_TRUE(!code || code == ErrorCode::kBusy) << static_cast<int>(*code);
    std::printf("round %d: %d turns\n", round, turns);
    // The graph finds what looking at everything finds.
    std::size_t found = 0;
    for (int i = 0; i < 50; ++i) {
      const std::vector<float> q = vector();
      const Hits exact = c.query(Query(q).k(10).exact());
      for (const Hit& h : c.query(Query(q).k(10).ef(128)))
        found += std::count_if(exact.begin(), exact.end(), [&](const Hit& e) { return e.id == h.id; });
    }
    EXPECT_GE(found, 440u);
  }
  EXPECT_TRUE(db.verify().ok());
}

}  // namespace
}  // namespace vecstore
