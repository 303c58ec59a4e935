#include "storage/generation.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/error.hpp"
#include "base/os_file.hpp"
#include "seed.hpp"
#include "storage/truth_writer.hpp"
#include "storage/verify.hpp"

namespace vecstore::storage {
namespace {

namespace fs = std::filesystem;

// Everything that a truth says, apart from how its rows lie in blocks and what was dropped.
using Contents = std::map<std::string, std::string>;
Contents contents_of(Store& store) {
  Contents out;
  ReadTxn txn(store.env());
  StoreState state = read_store_state(txn);
  out["store"] = concat(state.sequence, " ", state.wall_ms, " ", state.next_collection, " ",
                        state.next_namespace, " ", state.log_changes, " ", state.log_from);
  std::set<std::string> dropped;
  std::map<std::uint32_t, CollectionState> collections;
  {
    Cursor cursor = txn.cursor(Keyspace::kMain);
    const std::string prefix(1, kMainPrefix);
    for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix); more = cursor.next()) {
      const std::string key(cursor.key());
      if (key[1] == static_cast<char>(MainKind::kName)) out["name " + key] = cursor.value();
      if (key[1] == static_cast<char>(MainKind::kGarbage)) dropped.insert(key.substr(2));
      if (key[1] != static_cast<char>(MainKind::kCollection)) continue;
      const auto number = load_big_endian<std::uint32_t>(key.data() + 2);
      const CollectionState s = *read_collection_state(txn, number);
      collections[number] = s;
      out[concat("collection ", number)] =
          concat(s.next_row, " ", s.live, " ", s.live_bytes, " ", s.digest, " ", s.sequence, " ",
                 s.retired_sequence, " ", s.overlays, " ", s.schema, " ", s.field_names);
    }
  }
  for (const auto& [number, state_of] : collections) {
    const std::string prefix = collection_prefix(number);
    for (const Keyspace keyspace : {Keyspace::kIds, Keyspace::kAux}) {
      Cursor cursor = txn.cursor(keyspace);
      for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix); more = cursor.next())
        out[concat("key ", static_cast<int>(keyspace), " ", cursor.key())] = cursor.value();
    }
    const RetiredRows retired = RetiredRows::read(txn, number);
    for (unsigned field = 0; field < 5; ++field) {
      RowSpace space{BlockKind::kVectors, number, static_cast<std::uint16_t>(field), 0};
      if (field == 4) space = {BlockKind::kDocuments, number, 0, 0};
      std::string mark = prefix;
      put_big_endian(mark, static_cast<std::uint16_t>(field));
      if (field < 4 && dropped.contains(mark)) continue;
      RowReader reader(txn, space);
      for (bool more = reader.seek(0); more; more = reader.next()) {
        const BlockView& block = reader.block();
        for (std::uint32_t i = 0; i < block.count(); ++i) {
          if (retired.contains(block.row(i))) continue;
          EXPECT_TRUE(block.verify(i));
          out[concat("row ", number, " ", field, " ", block.row(i))] =
              concat(int{block.element()}, " ", block.inverse_norm(i), " ", block.bytes(i));
        }
      }
    }
  }
  Cursor cursor = txn.cursor(Keyspace::kLog);
  for (bool more = cursor.seek(log_key(0)); more; more = cursor.next())
    out[concat("log ", cursor.key())] = cursor.value();
  return out;
}

// A compaction leaves out what retention asked to cut long ago.
Contents without_log(Contents contents) {
  std::erase_if(contents, [](const auto& entry) { return entry.first.starts_with("log "); });
  contents.erase("store");
  return contents;
}

std::string difference(const Contents& found, const Contents& wanted) {
  for (const auto& [key, value] : wanted) {
    const auto at = found.find(key);
    if (at == found.end()) return concat("'", key, "' is missing");
    if (at->second != value) return concat("'", key, "' differs: ", at->second, " instead of ", value);
  }
  for (const auto& [key, value] : found) {
    if (!wanted.contains(key)) return concat("'", key, "' should not be there");
  }
  return {};
}

std::string damages(const VerifyResult& result) {
  std::string out;
  for (const StoredDamage& d : result.damages)
    out += concat(d.kind, " ", d.collection, " ", d.id, " ", d.detail, "; ");
  return out;
}

bool sweep_all(Store& store) {
  // As catalog::sweep does, all at once.
  bool any = false;
  store.write(
      [&](Commit& c) {
        std::vector<std::string> marks;
        {
          const std::string first = main_key(MainKind::kGarbage);
          Cursor cursor = c.txn.cursor(Keyspace::kMain);
          for (bool more = cursor.seek(first); more && cursor.key().starts_with(first); more = cursor.next())
            marks.emplace_back(cursor.key());
        }
        for (const std::string& mark : marks) {
          const std::string prefix = mark.substr(2);
          for (const Keyspace k :
               {Keyspace::kVectors, Keyspace::kDocuments, Keyspace::kIds, Keyspace::kAux}) {
            if (prefix.size() != 4 && k != Keyspace::kVectors) continue;
            std::vector<std::string> keys;
            {
              Cursor cursor = c.txn.cursor(k);
              for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix);
                   more = cursor.next())
                keys.emplace_back(cursor.key());
            }
            for (const auto& key : keys) c.txn.erase(k, key);
          }
          c.txn.erase(Keyspace::kMain, mark);
          any = true;
        }
      },
      0, true);
  return any;
}

TEST(Generation, CompactionKeepsEverything) {
  const std::uint64_t seed = test::seed();
  SCOPED_TRACE(concat("VECSTORE_TEST_SEED=", seed));
  std::mt19937_64 random(seed);
  ScratchDirectory scratch;
  auto store = Store::open(scratch / "db", {});
  TruthWriter a(*store, "a", 4);
  TruthWriter b(*store, "b", 2);
  TruthWriter gone(*store, "gone", 2);
  TruthWriter empty(*store, "empty", 1);
  for (std::uint64_t round = 1; round <= 3; ++round) {
    random_commits(a, random, 60);
    random_commits(b, random, 60);
    if (round == 1) random_commits(gone, random, 10);
    if (round == 1) gone.drop("gone");
    if (round == 2) a.drop_field(2);
    const Contents before = contents_of(*store);
    const std::string old = generation_directory(scratch / "db", round);
    const CompactReport report = store->compact({});
    EXPECT_EQ(report.generation, round + 1);
    EXPECT_EQ(difference(contents_of(*store), before), "");
    EXPECT_EQ(damages(verify_store(*store)), "");
    EXPECT_FALSE(fs::exists(old)) << "nobody reads it any more";
    const Waste waste = store->waste();
    EXPECT_EQ(waste.dead_bytes, 0u);
    random_commits(a, random, 5);
    EXPECT_EQ(damages(verify_store(*store)), "");
  }
  store->close();
  EXPECT_EQ(damages(verify_directory(scratch / "db")), "");
}

TEST(Generation, CommitsMadeMeanwhileAreCopied) {
  const std::uint64_t seed = test::seed();
  SCOPED_TRACE(concat("VECSTORE_TEST_SEED=", seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 6; ++round) {
    ScratchDirectory scratch;
    auto store = Store::open(scratch / "db", {.change_retention = round % 2 ? 50u : 1'000'000u});
    TruthWriter a(*store, "a", 4);
    TruthWriter b(*store, "b", 2);
    TruthWriter gone(*store, "gone", 2);
    std::optional<TruthWriter> late;
    for (TruthWriter* w : {&a, &b, &gone}) random_commits(*w, random, 40);
    // Progress is reported between the steps, in this thread and without a lock.
    int calls = 0;
    store->compact({}, [&](std::uint64_t, std::uint64_t) {
      if (++calls > 5) return;
      random_commits(a, random, 30, calls < 4 ? 40 : 2);
      random_commits(b, random, 3);
      if (calls == 1) late.emplace(*store, "late", 3);
      if (late) random_commits(*late, random, 10);
      if (calls == 2) gone.drop("gone");
      if (calls == 2 && round % 3 == 0) a.drop_field(1);
      if (calls == 3 && round % 3 == 1) sweep_all(*store);
    });
    EXPECT_GT(calls, 1);
    const Contents after = contents_of(*store);
    EXPECT_EQ(damages(verify_store(*store)), "");
    for (TruthWriter* w : {&a, &b, &*late}) {
      ReadTxn txn(store->env());
      EXPECT_EQ(read_collection_state(txn, w->collection())->live, w->ids().size());
      for (const auto& [id, entry] : w->ids()) {
        const auto found = find_id(txn, w->collection(), id);
        ASSERT_TRUE(found) << id;
        EXPECT_EQ(found->row, entry.row);
        EXPECT_EQ(found->sequence, entry.sequence);
        EXPECT_EQ(found->content, entry.content);
      }
    }
    sweep_all(*store);
    EXPECT_EQ(damages(verify_store(*store)), "");
    random_commits(a, random, 10);
    random_commits(*late, random, 10);
    EXPECT_EQ(damages(verify_store(*store)), "");
    // Once more, at rest: a copy of a copy.
    const Contents before = without_log(contents_of(*store));
    store->compact({});
    EXPECT_EQ(difference(without_log(contents_of(*store)), before), "");
    EXPECT_EQ(damages(verify_store(*store)), "");
    ReadTxn txn(store->env());
    if (round % 2) {
      EXPECT_LE(read_store_state(txn).log_changes, 50u);
    }
  }
}

TEST(Generation, SpaceComesBack) {
  std::mt19937_64 random(7);
  ScratchDirectory scratch;
  auto store = Store::open(scratch / "db", {.compact_min_bytes = 4 << 20});
  auto fresh = Store::open(scratch / "fresh", {});
  TruthWriter a(*store, "a", 1, 256);
  TruthWriter b(*fresh, "a", 1, 256);
  std::vector<TestRecord> kept;
  for (int batch = 0; batch < 40; ++batch) {
    std::vector<TestRecord> records;
    std::vector<std::string> gone;
    for (int i = 0; i < 500; ++i) {
      records.push_back(a.make(random, concat("id-", batch * 500 + i)));
      if (i % 5 == 0) kept.push_back(records.back());
    }
    a.upsert(records);
  }
  EXPECT_FALSE(store->maintenance_due());
  std::vector<std::string> gone;
  for (int i = 0; i < 20'000; ++i) {
    if (i % 5 != 0) gone.push_back(concat("id-", i));
  }
  a.erase(gone);
  EXPECT_TRUE(store->maintenance_due());
  b.upsert(kept);
  const CompactReport report = store->compact({});
  EXPECT_FALSE(store->maintenance_due());
  EXPECT_EQ(damages(verify_store(*store)), "");
  const auto compacted = fs::file_size(store->data_file());
  const auto wanted = fs::file_size(fresh->data_file());
  std::cout << "before " << report.bytes_before << ", after " << compacted << ", fresh " << wanted << "\n";
  EXPECT_LT(static_cast<double>(compacted), 1.2 * static_cast<double>(wanted));
  EXPECT_GT(report.bytes_before, 3 * compacted);
  EXPECT_LE(compacted, report.bytes_after);
}

// What a copy of pages would keep: bytes in free pages and in the gaps of others, keys that separate pages.
TEST(Generation, NothingIsLeftOfWhatWasErased) {
  ScratchDirectory scratch;
  auto store = Store::open(scratch / "db", {.change_retention = 0});
  TruthWriter a(*store, "a", 1, 64);
  std::mt19937_64 random(11);
  std::vector<std::string> gone;
  for (int batch = 0; batch < 20; ++batch) {
    std::vector<TestRecord> records;
    for (int i = 0; i < 200; ++i) {
      const int n = batch * 200 + i;
      TestRecord r = a.make(random, concat(n % 3 ? "secret-id-" : "open-id-", n));
      if (n % 3) {
        gone.push_back(r.id);
        r.vectors[0] = std::string(256, 'S');
        r.vectors[0].replace(0, 12, "SECRETVECTOR");
        r.document.clear();
        encode_document({.id = r.id, .text = "a secret text of some length"}, r.document);
      }
      records.push_back(std::move(r));
    }
    a.upsert(records);
  }
  const auto secrets = [&] {
    std::size_t found = 0;
    for (const auto& entry : fs::recursive_directory_iterator(scratch / "db")) {
      if (!entry.is_regular_file()) continue;
      const std::string bytes = read_bytes(entry.path().string());
      for (const char* word : {"secret-id-", "SECRETVECTOR", "a secret text"}) {
        for (auto at = bytes.find(word); at != std::string::npos; at = bytes.find(word, at + 1)) ++found;
      }
    }
    return found;
  };
  a.erase(gone);
  EXPECT_GT(secrets(), 100u);
  // Each commit cuts some entries of the log; the compaction cuts the rest.
  a.upsert({a.make(random, "last")});
  store->compact({});
  EXPECT_EQ(secrets(), 0u);
  EXPECT_EQ(damages(verify_store(*store)), "");
}

// The map has to grow while a copy keeps its snapshot: the writer must not wait for the copy's end.
TEST(Generation, MapGrowsDuringACopy) {
  ScratchDirectory scratch;
  auto store = Store::open(scratch / "db", {.map_size = 64 << 20});
  std::mt19937_64 random(3);
  TruthWriter a(*store, "a", 1, 1024);
  const auto load = [&](int from, int count) {
    std::vector<TestRecord> records;
    for (int i = 0; i < count; ++i) {
      records.push_back(a.make(random, concat("id-", from + i)));
      records.back().vectors[0] = std::string(4096, 'v');
    }
    a.upsert(records);
  };
  for (int i = 0; i < 10; ++i) load(1000 * i, 1000);
  int calls = 0;
  store->compact({}, [&](std::uint64_t, std::uint64_t) {
    if (++calls == 2)
      for (int i = 0; i < 12; ++i) load(20'000 + 1000 * i, 1000);
  });
  EXPECT_GT(calls, 3);
  EXPECT_EQ(a.ids().size(), 22'000u);
  EXPECT_EQ(damages(verify_store(*store)), "");
}

TEST(Generation, StopsWhenAskedAndLeavesNothing) {
  ScratchDirectory scratch;
  auto store = Store::open(scratch / "db", {});
  std::mt19937_64 random(5);
  TruthWriter a(*store, "a", 2);
  random_commits(a, random, 50);
  const Contents before = contents_of(*store);
  const auto expect = [&](ErrorCode code, const Context& ctx, const Store::CopyProgress& progress) {
    try {
      store->compact(ctx, progress);
      ADD_FAILURE() << "it went through";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), code) << e.what();
    }
    EXPECT_EQ(store->generation(), 1u);
    EXPECT_EQ(difference(contents_of(*store), before), "");
    EXPECT_FALSE(fs::exists(scratch / "db/truth.2"));
  };
  std::stop_source stop;
  stop.request_stop();
  expect(ErrorCode::kCancelled, {.stop = stop.get_token()}, {});
  expect(ErrorCode::kDeadline, {.deadline = std::chrono::steady_clock::now()}, {});
  expect(ErrorCode::kNotFound, {}, [](std::uint64_t, std::uint64_t) { fail(ErrorCode::kNotFound, "mine"); });
  random_commits(a, random, 5);
  store->compact({});
  EXPECT_EQ(store->generation(), 2u);
  store->close();
  try {
    store->compact({});
    ADD_FAILURE() << "a closed store was compacted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kClosed);
  }
  auto reader = Store::open(scratch / "db", {.read_only = true});
  try {
    reader->compact({});
    ADD_FAILURE() << "a reader compacted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kReadOnly);
  }
}

TEST(Generation, DamageIsNotCopied) {
  ScratchDirectory scratch;
  const std::string id = "id-1";
  {
    auto store = Store::open(scratch / "db", {});
    TruthWriter a(*store, "a", 1);
    std::mt19937_64 random(5);
    random_commits(a, random, 50);
    std::vector<TestRecord> one = {a.make(random, "marked")};
    one[0].vectors[0] = "0123456789abcdef" + std::string(48, 'q');
    a.upsert(one);
  }
  const std::string file = generation_file(scratch / "db", 1);
  std::string bytes = read_bytes(file);
  const auto at = bytes.find("0123456789abcdef");
  ASSERT_NE(at, std::string::npos);
  for (auto i = at; i != std::string::npos; i = bytes.find("0123456789abcdef", i + 1)) bytes[i] = 'X';
  write_bytes(file, bytes);
  auto store = Store::open(scratch / "db", {});
  try {
    store->compact({});
    ADD_FAILURE() << "a damaged row was copied";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kCorruption) << e.what();
  }
  EXPECT_EQ(store->generation(), 1u);
  EXPECT_FALSE(fs::exists(scratch / "db/truth.2"));
}

TEST(Generation, LeftoversAreRemovedAtOpen) {
  ScratchDirectory scratch;
  {
    auto store = Store::open(scratch / "db", {});
    TruthWriter a(*store, "a", 1);
    store->compact({});
    store->compact({});
  }
  fs::create_directory(scratch / "db/truth.1");
  write_bytes(scratch / "db/truth.1/data.mdb", "old");
  fs::create_directory(scratch / "db/truth.4");
  write_bytes(scratch / "db/truth.4/data.mdb", "half of a copy");
  write_bytes(scratch / "db/truth.4/lock.mdb", "");
  fs::create_directory(scratch / "db/truth.5");
  {
    auto reader = Store::open(scratch / "db", {.read_only = true});
    EXPECT_EQ(reader->generation(), 3u);
    EXPECT_TRUE(fs::exists(scratch / "db/truth.4")) << "a reader changes nothing";
  }
  auto store = Store::open(scratch / "db", {});
  EXPECT_EQ(list_generations(scratch / "db"), std::vector<std::uint64_t>{3});
  EXPECT_EQ(damages(verify_store(*store)), "");
}

TEST(Generation, LostNamesAreDamage) {
  ScratchDirectory scratch;
  {
    auto store = Store::open(scratch / "db", {});
    TruthWriter a(*store, "a", 1);
    std::mt19937_64 random(5);
    random_commits(a, random, 20);
    store->compact({});
  }
  const auto records = verify_directory(scratch / "db").records;
  EXPECT_GT(records, 0u);
  // Half of a copy beside it is not what is live, also when CURRENT does not tell.
  fs::create_directory(scratch / "db/truth.3");
  Env(scratch / "db/truth.3", {.create = true, .map_size = 1 << 20, .max_map_size = 1 << 20});
  fs::rename(scratch / "db/CURRENT", scratch / "CURRENT");
  const VerifyResult unnamed = verify_directory(scratch / "db");
  EXPECT_EQ(unnamed.found, 1u) << damages(unnamed);
  EXPECT_EQ(unnamed.records, records);
  fs::rename(scratch / "CURRENT", scratch / "db/CURRENT");
  fs::remove(scratch / "db/FORMAT");
  try {
    Store::open(scratch / "db", {});
    ADD_FAILURE() << "it opened without FORMAT";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kCorruption) << e.what();
  }
}

// A generation is removed when the last who reads it is gone, not before.
TEST(Generation, OldOneStaysWhileItIsRead) {
  ScratchDirectory scratch;
  auto store = Store::open(scratch / "db", {});
  TruthWriter a(*store, "a", 2);
  std::mt19937_64 random(5);
  random_commits(a, random, 50);
  {
    std::atomic<int> step{0};
    std::thread reader([&] {
      ReadTxn old(store->env());
      const std::uint64_t sequence = read_store_state(old).sequence;
      step = 1;
      while (step == 1) std::this_thread::yield();
      EXPECT_EQ(read_store_state(old).sequence, sequence);
      EXPECT_EQ(read_store_state(old).generation, 1u);
    });
    while (step == 0) std::this_thread::yield();
    store->compact({});
    EXPECT_TRUE(fs::exists(scratch / "db/truth.1"));
    random_commits(a, random, 50);
    step = 2;
    reader.join();
  }
  store->compact({});
  EXPECT_EQ(list_generations(scratch / "db"), std::vector<std::uint64_t>{3});
  // Another process's hold: another open file, which is what flock goes by.
  auto hold = os::FileLock::try_shared(generation_file(scratch / "db", 3));
  ASSERT_TRUE(hold);
  store->compact({});
  EXPECT_EQ(list_generations(scratch / "db"), (std::vector<std::uint64_t>{3, 4}));
  hold.reset();
  store->close();
  EXPECT_EQ(list_generations(scratch / "db"), std::vector<std::uint64_t>{4});
}

TEST(Generation, WritersAndReadersGoOn) {
  const std::uint64_t seed = test::seed();
  SCOPED_TRACE(concat("VECSTORE_TEST_SEED=", seed));
  ScratchDirectory scratch;
  auto store = Store::open(scratch / "db", {});
  std::vector<std::unique_ptr<TruthWriter>> writers;
  for (int i = 0; i < 2; ++i) writers.push_back(std::make_unique<TruthWriter>(*store, concat("c", i), 2));
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> reads{0};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < writers.size(); ++i) {
    threads.emplace_back([&, i] {
      std::mt19937_64 random(seed + i);
      while (!stop) random_commits(*writers[i], random, 5, 20);
    });
  }
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      std::uint64_t last = 0;
      while (!stop) {
        const Contents all = contents_of(*store);  // checks every row
        const auto sequence = std::strtoull(all.at("store").c_str(), nullptr, 10);
        EXPECT_GE(sequence, last);
        last = sequence;
        ++reads;
      }
    });
  }
  for (int i = 0; i < 8; ++i) {
    store->compact({});
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
  }
  stop = true;
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(store->generation(), 9u);
  EXPECT_EQ(damages(verify_store(*store)), "");
  EXPECT_GT(reads, 0u);
  for (const auto& w : writers) {
    ReadTxn txn(store->env());
    EXPECT_EQ(read_collection_state(txn, w->collection())->live, w->ids().size());
  }
}

}  // namespace
}  // namespace vecstore::storage
