// Situations in which an embedded database must neither stop, nor crash, nor leave something out.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

using std::chrono::milliseconds;

class Robustness : public ::testing::Test {
 protected:
  Robustness() {
    const bool memory = std::filesystem::is_directory("/dev/shm");
    std::string t = (memory ? std::string("/dev/shm") : std::filesystem::temp_directory_path().string()) +
                    "/vecstore-XXXXXX";
    base_ = mkdtemp(t.data());
  }
  ~Robustness() override { std::filesystem::remove_all(base_); }
  std::string dir() const { return base_ + "/db"; }

  static Record record(int i, bool with_vector = true) {
    Record r;
    r.id = "r" + std::to_string(i);
    if (with_vector) r.vector = {1.0f + i, 2.0f, 3.0f, 4.0f};
    r.text = "some words and number" + std::to_string(i);
    r.metadata = {{"i", i}};
    return r;
  }
  static std::vector<Record> records(int from, int count, bool every_second_vector = false) {
    std::vector<Record> out;
    for (int i = from; i < from + count; ++i) out.push_back(record(i, !every_second_vector || i % 2 == 0));
    return out;
  }

  std::string base_;
};

TEST_F(Robustness, QueriesBesideAGrowingMap) {
  auto db = VecDatabase::open(dir(), {.map_size = 1 << 20});
  auto c = db.create_collection("c");
  c.batch_upsert(records(0, 200, true));  // listed row numbers, which lie in the map
  EXPECT_EQ(c.query({1.0f, 2.0f, 3.0f, 4.0f}, 5).size(), 5u);
  for (int i = 1; i <= 8; ++i) c.batch_upsert(records(i * 1000, 1000));
  EXPECT_EQ(c.query({1.0f, 2.0f, 3.0f, 4.0f}, 5).size(), 5u);
  EXPECT_TRUE(db.verify().ok());
}

TEST_F(Robustness, AWriterThatGrowsTheMapIsNotStarved) {
  auto db = VecDatabase::open(dir(), {.map_size = 1 << 20});
  auto c = db.create_collection("c");
  c.batch_upsert(records(0, 100));
  std::atomic<bool> done{false};
  std::vector<std::jthread> readers;
  for (int t = 0; t < 4; ++t) {
    readers.emplace_back([&] {
      while (!done) c.query({1.0f, 2.0f, 3.0f, 4.0f}, 3);
    });
  }
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 1; i <= 10; ++i) c.batch_upsert(records(i * 1000, 1000));
  done = true;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
  readers.clear();
  EXPECT_EQ(c.count(), 10'100u);
}

TEST_F(Robustness, CloseReturnsWhileOthersKeepCalling) {
  auto db = VecDatabase::open(dir());
  auto c = db.create_collection("c");
  c.batch_upsert(records(0, 100));
  std::atomic<int> closed{0};
  std::vector<std::jthread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&] {
      for (;;) {
        try {
          c.query({1.0f, 2.0f, 3.0f, 4.0f}, 3);
        } catch (const Error& e) {
          closed += e.code() == ErrorCode::kClosed;
          return;
        }
      }
    });
  }
  std::this_thread::sleep_for(milliseconds(20));
  db.close();
  callers.clear();
  EXPECT_EQ(closed, 4);
}

TEST_F(Robustness, OpeningWhileTheLastHandleGoes) {
  VecDatabase::open(dir()).create_collection("c");
  std::atomic<int> failures{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) {
          try {
            VecDatabase::open(dir()).list_collections();
          } catch (const Error&) {
            ++failures;
          }
        }
      });
    }
  }
  EXPECT_EQ(failures, 0);
}

TEST_F(Robustness, HybridQueriesBesideADroppedVector) {
  auto db = VecDatabase::open(dir());
  auto c = db.create_collection("c", {.vectors = {{"v", {Metric::kDot, 2}}}});
  std::atomic<bool> done{false};
  std::jthread changer([&] {
    for (int i = 0; i < 30; ++i) {
      c.upsert({.id = "a", .vectors = {{"v", {1, 2}}}, .text = "words"});
      c.drop_vector("v");
      c.add_vector("v", {Metric::kDot, 2});
    }
    done = true;
  });
  while (!done) {
    try {
      c.hybrid_query(HybridQuery({1.0f, 2.0f}, "words").using_vector("v"));
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument) << e.what();
    }
  }
}

TEST_F(Robustness, ChunksOfSourcesWithLongNamesAreReplaced) {
  auto db = VecDatabase::open(dir());
  auto c = db.create_collection("c");
  for (std::size_t length : {10u, 462u, 463u, 464u, 477u, 478u, 479u, 490u, 505u}) {
    const std::string source(length, 's');
    std::vector<Chunk> chunks(12);
    for (Chunk& chunk : chunks) chunk.text = "x";
    c.upsert_chunks(source, chunks);
    c.upsert_chunks(source, std::span(chunks).first(3));
    EXPECT_EQ(c.count(), 3u) << length;
    c.upsert_chunks(source, {});
    EXPECT_EQ(c.count(), 0u) << length;
  }
}

TEST_F(Robustness, DamagedDocumentsAreReportedByWholeWalks) {
  {
    auto db = VecDatabase::open(dir());
    db.create_collection("c").batch_upsert(records(0, 300));
  }
  // One byte in the directory of the block that holds the documents, which begins "RBLK", kind 2.
  const std::string path = dir() + "/truth.1/data.mdb";
  std::string bytes;
  {
    std::ifstream in(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::size_t at = std::string::npos;
  for (std::size_t i = bytes.find("RBLK"); i != std::string::npos; i = bytes.find("RBLK", i + 1)) {
    if (bytes[i + 6] == 2) at = i;
  }
  ASSERT_NE(at, std::string::npos);
  {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at + 100));
    file.put(static_cast<char>(bytes[at + 100] ^ 1));
  }
  auto db = VecDatabase::open(dir());
  auto c = db.get_collection("c");
  EXPECT_GT(c.query_text("words", TextQueryOptions{.mode = Mode::kText}).degraded, 0u);
  const auto corrupt = [](const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& e) {
      return e.code() == ErrorCode::kCorruption;
    }
    return false;
  };
  EXPECT_TRUE(corrupt([&] { c.count("i >= 0"); }));
  EXPECT_TRUE(corrupt([&] { c.erase_where("i >= 0"); }));
  EXPECT_FALSE(db.verify().ok());
}

// The newest rows are in no graph: that one of them is damaged changes nothing for the others.
TEST_F(Robustness, FiltersHoldBesideADamagedVector) {
  const OpenOptions options{.durability = Durability::kRelaxed, .checkpoint_rows = 500, .graph_rows = 300};
  {
    auto db = VecDatabase::open(dir(), options);
    auto c = db.create_collection("c");
    for (int from = 0; from < 2000; from += 500) c.batch_upsert(records(from, 500));
    c.optimize();
    ASSERT_EQ(c.stats().indexes.at("").graph_rows, 2000u);
  }
  {
    auto db = VecDatabase::open(dir(), options);
    db.get_collection("c").batch_upsert(records(2000, 50));
  }
  const std::string path = dir() + "/truth.1/data.mdb";
  const std::vector<float> last = record(2049).vector.dense();
  const std::string_view stored(reinterpret_cast<const char*>(last.data()), last.size() * sizeof(float));
  std::ifstream in(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  std::size_t damaged = 0;
  for (std::size_t at = bytes.find(stored); at != std::string::npos;
       at = bytes.find(stored, at + 1), ++damaged) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(bytes[at] ^ 1));
  }
  ASSERT_GT(damaged, 0u);
  auto db = VecDatabase::open(dir(), options);
  db.pause_background();
  auto c = db.get_collection("c");
  for (int i = 0; i < 20; ++i) {
    const std::vector<float> v = {1.0f + 100.0f * i, 2.0f, 3.0f, 4.0f};
    const Hits some = c.query(Query(Vector(v)).where("i < 1000"));
    EXPECT_EQ(some.size(), 10u);
    for (const Hit& hit : some) EXPECT_LT(hit.metadata["i"].as_int(), 1000);
    EXPECT_EQ(c.query(Query(Vector(v)).where("i >= 100000")).size(), 0u);
  }
  EXPECT_GT(c.query(Query(Vector({1.0f, 2.0f, 3.0f, 4.0f})).where("i < 1000")).degraded, 0u);
}

TEST_F(Robustness, TimesBeyondTheClockAreForever) {
  auto db = VecDatabase::open(dir(), {.lock_timeout = milliseconds::max(), .map_size = 4096});
  auto c = db.create_collection("c");
  Record r = record(1);
  r.ttl = milliseconds::max();
  c.upsert(r);
  EXPECT_GT(*c.get("r1")->expires_at, std::chrono::system_clock::now());
  EXPECT_EQ(c.query(Query({1.0f, 2.0f, 3.0f, 4.0f}).deadline(milliseconds::max())).size(), 1u);
}

}  // namespace
}  // namespace vecstore
