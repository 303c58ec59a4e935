#include "storage/store.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "base/error.hpp"
#include "seed.hpp"
#include "storage/block_table.hpp"
#include "storage/document.hpp"
#include "storage/keys.hpp"
#include "storage/rows.hpp"

namespace vecstore::storage {
namespace {

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    std::string t = (std::filesystem::temp_directory_path() / "vecstore-XXXXXX").string();
    dir_ = mkdtemp(t.data());
  }
  ~StoreTest() override { std::filesystem::remove_all(dir_); }
  std::string dir() const { return dir_ + "/db"; }
  std::string dir_;
};

std::uint64_t put_value(Store& store, const std::string& key, const std::string& value) {
  return store.write([&](Commit& c) { c.txn.put(Keyspace::kAux, key, value); }, value.size());
}

TEST_F(StoreTest, CreatesReopensAndCountsCommits) {
  Uuid uuid;
  {
    auto store = Store::open(dir(), {});
    uuid = store->uuid();
    EXPECT_EQ(put_value(*store, "a", "1"), 1u);
    EXPECT_EQ(put_value(*store, "b", "2"), 2u);
    EXPECT_EQ(store->write([](Commit&) {}, 0), 2u);  // nothing changed: no commit
  }
  auto store = Store::open(dir(), {});
  EXPECT_EQ(store->uuid(), uuid);
  ReadTxn txn(store->env());
  EXPECT_EQ(txn.get(Keyspace::kAux, "b"), "2");
  EXPECT_EQ(read_store_state(txn).sequence, 2u);
}

TEST_F(StoreTest, SecondWriterIsLockedOutAndReaderIsNot) {
  auto store = Store::open(dir(), {});
  put_value(*store, "a", "1");
  try {
    Store::open(dir(), {});
    FAIL() << "a second writer was let in";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kLocked);
    EXPECT_NE(std::string(e.what()).find(std::to_string(getpid())), std::string::npos) << e.what();
  }
}

TEST_F(StoreTest, LeftoversAreRemovedAndNeverInTheWay) {
  put_value(*Store::open(dir(), {}), "a", "1");
  std::ofstream(dir() + "/tmp/rest") << "rest";
  std::ofstream(dir() + "/CURRENT.tmp-1-1") << "rest";
  // A directory cannot be unlinked, not even by root.
  std::filesystem::create_directories(dir() + "/tmp/directory/full");
  std::filesystem::create_directory(dir() + "/FORMAT.tmp-1-1");
  auto store = Store::open(dir(), {});
  EXPECT_FALSE(std::filesystem::exists(dir() + "/tmp/rest"));
  EXPECT_FALSE(std::filesystem::exists(dir() + "/CURRENT.tmp-1-1"));
  EXPECT_EQ(put_value(*store, "b", "2"), 2u);
}

TEST_F(StoreTest, MapGrowthIsInvisible) {
  auto store = Store::open(dir(), {.map_size = 1 << 20});
  const std::string big(100'000, 'x');
  for (int i = 0; i < 100; ++i) put_value(*store, "k" + std::to_string(i), big);
  ReadTxn txn(store->env());
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(txn.get(Keyspace::kAux, "k" + std::to_string(i))->size(), big.size());
}

TEST_F(StoreTest, MapLimitIsAQuotaError) {
  auto store = Store::open(dir(), {.map_size = 1 << 20, .max_map_size = 1 << 21});
  const std::string big(200'000, 'x');
  try {
    for (int i = 0; i < 100; ++i) put_value(*store, "k" + std::to_string(i), big);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kQuotaExceeded);
  }
  EXPECT_GT(put_value(*store, "k0", "small"), 0u);
}

TEST_F(StoreTest, FailedJobLeavesNothingAndOthersCommit) {
  auto store = Store::open(dir(), {});
  std::atomic<int> failed{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          const std::string key = std::to_string(t) + "/" + std::to_string(i);
          try {
            store->write(
                [&](Commit& c) {
                  c.txn.put(Keyspace::kAux, key, "v");
                  if (i % 5 == 0) invalid("refused");
                },
                10);
          } catch (const Error&) {
            ++failed;
          }
        }
      });
    }
  }
  EXPECT_EQ(failed, 80);
  ReadTxn txn(store->env());
  for (int t = 0; t < 8; ++t) {
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(txn.get(Keyspace::kAux, std::to_string(t) + "/" + std::to_string(i)).has_value(), i % 5 != 0);
    }
  }
  EXPECT_EQ(read_store_state(txn).sequence, 320u);
}

TEST_F(StoreTest, ClosedAndReadOnly) {
  auto store = Store::open(dir(), {});
  put_value(*store, "a", "1");
  auto reader = Store::open(dir(), {.read_only = true});
  EXPECT_THROW(put_value(*reader, "a", "2"), Error);
  put_value(*store, "a", "3");
  {
    ReadTxn txn(reader->env());
    EXPECT_EQ(txn.get(Keyspace::kAux, "a"), "3");
  }
  reader->close();
  store->close();
  EXPECT_THROW(Store::Session s(*store), Error);
}

/// Some rows, missing ones among them, asked for in another order than they were announced.
void expect_prefetched(const ReadTxn& txn, const RowSpace& space,
                       const std::map<std::uint64_t, std::string>& model, const BlockTable& table,
                       std::mt19937& random) {
  std::vector<std::uint64_t> rows;
  for (std::size_t n = random() % 40; n > 0; --n)
    rows.push_back(model.empty() ? n : random() % (model.rbegin()->first + 3));
  RowReader reader(txn, space);
  const std::size_t half = rows.size() / 2;
  reader.prefetch(std::span(rows).first(half), random() % 4 ? &table : nullptr);
  reader.prefetch(std::span(rows).subspan(half), &table);
  std::shuffle(rows.begin(), rows.end(), random);
  for (const std::uint64_t row : rows) {
    const auto found = reader.find(row);
    const auto expected = model.find(row);
    if (expected == model.end()) continue;  // a retired row may still lie there
    ASSERT_TRUE(found) << "row " << row;
    ASSERT_EQ(found->bytes, expected->second);
    ASSERT_EQ(found->inverse_norm, static_cast<float>(row));
  }
}

TEST_F(StoreTest, RowsAgainstAMap) {
  const unsigned seed = test::seed();
  RecordProperty("seed", std::to_string(seed));
  std::mt19937 random(seed);
  auto store = Store::open(dir(), {.map_size = 1 << 20});
  const RowSpace space{BlockKind::kVectors, 7, 3, 1};
  std::map<std::uint64_t, std::string> model;
  std::uint64_t next = 0;
  std::unique_ptr<BlockTable> table;  // kept while it is good
  std::uint64_t epoch = 0;
  std::size_t from_table = 0;
  for (int step = 0; step < 200; ++step) {
    if (random() % 3 || model.empty()) {
      const bool gaps = random() % 2 == 0;
      std::vector<std::pair<std::uint64_t, std::string>> added;
      for (std::size_t n = 1 + random() % 300; n > 0; --n) {
        next += 1 + (gaps && random() % 10 == 0);
        std::string bytes(400, '\0');
        for (char& c : bytes) c = static_cast<char>(random());
        added.emplace_back(next, bytes);
      }
      store->write(
          [&](Commit& c) {
            std::vector<BlockRow> rows;
            for (const auto& [row, bytes] : added) rows.push_back({row, bytes, static_cast<float>(row)});
            write_rows(c.txn, space, rows, c.sequence);
          },
          1);
      for (auto& [row, bytes] : added) model[row] = bytes;
    } else {
      std::vector<std::uint64_t> gone;
      for (const auto& [row, bytes] : model) {
        if (random() % 3 == 0) gone.push_back(row);
      }
      store->write(
          [&](Commit& c) {
            RetiredUpdate retired(c.txn, 7);
            for (std::uint64_t row : gone) retired.retire(row);
            reclaim(c.txn, space, gone, retired, c.sequence);
            retired.write(c.txn, c.sequence);
          },
          1);
      for (std::uint64_t row : gone) model.erase(row);
      table.reset();
    }
    ReadTxn txn(store->env());
    if (!table || epoch != txn.map_epoch()) table = std::make_unique<BlockTable>(txn, space);
    epoch = txn.map_epoch();
    expect_prefetched(txn, space, model, *table, random);
    for (std::uint64_t row = 0; row <= next + 1; ++row) {
      const auto block = table->find(row);
      from_table += block.has_value();
      ASSERT_TRUE(!block || block->find(row)) << "seed " << seed << " row " << row;
    }
    RowReader reader(txn, space);
    for (const auto& [row, bytes] : model) {
      const auto found = reader.find(row);
      ASSERT_TRUE(found) << "seed " << seed << " row " << row;
      ASSERT_EQ(found->bytes, bytes);
      ASSERT_EQ(found->inverse_norm, static_cast<float>(row));
    }
    EXPECT_FALSE(reader.find(next + 1));
    const RetiredRows retired = RetiredRows::read(txn, 7);
    std::uint64_t live = 0;
    std::uint64_t stored = 0;
    for (bool more = reader.seek(0); more; more = reader.next()) {
      stored += reader.block().count();
      for (std::uint32_t i = 0; i < reader.block().count(); ++i)
        live += !retired.contains(reader.block().row(i));
    }
    EXPECT_EQ(live, model.size()) << "seed " << seed;
    EXPECT_LE(stored, 2 * model.size() + 1) << "seed " << seed;
  }
  EXPECT_GT(from_table, 1000u) << "seed " << seed;
}

/// Makes the last entry of every branch page whose keys are as long as this lead nowhere.
void damage_branches(const std::string& file, std::size_t key_bytes) {
  constexpr std::size_t kHead = 16;  // number, padding, flags, ends of free space
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::fstream data(file, std::ios::in | std::ios::out | std::ios::binary);
  std::string page(page_bytes, '\0');
  const auto u16 = [&](std::size_t at) { return load<std::uint16_t>(page.data() + at); };
  std::size_t damaged = 0;
  for (std::size_t at = 2 * page_bytes; data.seekg(static_cast<std::streamoff>(at))
                                            .read(page.data(), static_cast<std::streamsize>(page_bytes));
       at += page_bytes) {
    if (u16(10) != 1 || load<std::uint64_t>(page.data()) * page_bytes != at) continue;
    const std::size_t entries = (u16(12) - kHead) / 2;
    if (entries < 2 || u16(12) > page_bytes) continue;
    const std::size_t node = u16(kHead + 2 * (entries - 1));
    if (node + 8 + key_bytes > page_bytes || u16(node + 6) != key_bytes) continue;
    const std::uint32_t nowhere = 0x7fffffff;
    data.seekp(static_cast<std::streamoff>(at + node)).write(reinterpret_cast<const char*>(&nowhere), 4);
    ++damaged;
  }
  ASSERT_GT(damaged, 0u);
}

TEST_F(StoreTest, ADamagedTreePageCostsOnlyTheRowsBehindIt) {
  constexpr std::uint64_t kRows = 600;
  const RowSpace space{BlockKind::kVectors, 7, 3, 1};
  auto store = Store::open(dir(), {});
  store->write(
      [&](Commit& c) {
        for (std::uint64_t row = 0; row < kRows; ++row) {
          const std::string bytes(4'000, static_cast<char>(row));
          const BlockRow one{row, bytes, 1.0f};
          write_rows(c.txn, space, std::span(&one, 1), c.sequence);
        }
      },
      1);
  {
    ReadTxn txn(store->env());
    EXPECT_EQ(BlockTable(txn, space).size(), kRows);
  }
  store->close();
  damage_branches(dir() + "/truth.1/data.mdb", space.key(0).size());
  Env env(dir() + "/truth.1", {.relaxed = true, .map_size = 1 << 24, .max_map_size = 1 << 24});
  std::optional<BlockTable> table;
  {
    ReadTxn txn(env);
    table.emplace(txn, space);
    EXPECT_GT(table->size(), 0u);
    EXPECT_LT(table->size(), kRows);
  }
  const std::vector<std::uint64_t> rows = {3, kRows - 1, 5, kRows - 2};
  for (const bool with_table : {false, true}) {
    const BlockTable* known = with_table ? &*table : nullptr;
    ReadTxn txn(env);
    RowReader reader(txn, space);
    EXPECT_NO_THROW(reader.prefetch(rows, known));
    const auto found = reader.find(3);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->bytes, std::string(4'000, 3));
    EXPECT_THROW(reader.find(kRows - 1), Error);
    if (known) {
      EXPECT_TRUE(reader.find(5));
    }
    EXPECT_THROW(reader.find(kRows - 2), Error);
  }
}

TEST(Document, RoundTripsAndCompresses) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "a sentence that repeats; ";
  Document d{.id = "x",
             .metadata = "m",
             .text = text,
             .source = "s",
             .start = 5,
             .end = 9,
             .part = 3,
             .expires_ms = -7};
  std::string bytes;
  encode_document(d, bytes);
  EXPECT_LT(bytes.size(), text.size() / 10);
  const Document back = decode_document(bytes);
  EXPECT_EQ(document_text(back), text);
  EXPECT_EQ(back.id, "x");
  EXPECT_EQ(back.expires_ms, -7);
  EXPECT_EQ(back.part, 3u);
  for (std::size_t n = 0; n < bytes.size(); ++n)
    EXPECT_THROW(decode_document(std::string_view(bytes).substr(0, n)), Error);
}

}  // namespace
}  // namespace vecstore::storage
