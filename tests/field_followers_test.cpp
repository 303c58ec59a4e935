// The metadata of a collection by path and value, in segments and in memory: whatever was written, merged,
// damaged, read late or cut short, the answers are those of a look at each record.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "catalog/catalog.hpp"
#include "db/collection_impl.hpp"
#include "io/index_file.hpp"
#include "query/field_condition.hpp"
#include "query/filter_eval.hpp"
#include "query/filter_test_support.hpp"
#include "query/record_filter.hpp"
#include "scratch.hpp"
#include "seed.hpp"
#include "segment/segment_format.hpp"
#include "storage/keys.hpp"
#include "storage/segment_list.hpp"
#include "storage/store.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

class FieldFollowersTest : public ::testing::Test {
 protected:
  FieldFollowersTest() : rng_(test::seed()) {
    store_ = storage::Store::open(scratch_ / "db", {});
    const catalog::Schema schema = catalog::make_schema({.text_fields = {TextField{.analyzer = "neutral"}}});
    store_->write(
        [&](storage::Commit& commit) {
          number_ = catalog::create_collection(commit, catalog::kDefaultNamespace, "c", schema);
        },
        4096);
    background_->pause();
    open();
  }
  ~FieldFollowersTest() override {
    shards_.clear();
    collection_.reset();
    background_->stop();
    store_.reset();
  }
  void open() {
    collection_ = std::make_unique<Collection::Impl>(
        store_, number_, "c", OpenOptions{.checkpoint_rows = 1'000'000, .graph_rows = 1'000'000},
        background_);
  }
  void reopen() {
    shards_.clear();
    collection_.reset();
    store_.reset();
    store_ = storage::Store::open(scratch_ / "db", {});
    store_->reserve_segment_numbers(1'000 * ++reopened_);
    open();
  }
  shard::Shard& shard() { return collection_->shard(); }
  /// Another one of the same collection, which knows nothing yet.
  shard::Shard& another(const shard::SegmentOptions& options = {}) {
    shards_.push_back(std::make_shared<shard::Shard>(store_, number_, "c", options, background_));
    return *shards_.back();
  }

  Record record(std::size_t id) {
    Record r{.id = "r" + std::to_string(id), .text = "w" + std::to_string(rng_() % 9)};
    r.metadata = metadata(id);
    if (rng_() % 4 == 0) r.source = rng_() % 2 ? "book" : std::string(300, 's');
    if (rng_() % 3 == 0) r.start = rng_() % 3;
    r.end = r.start + (rng_() % 3 == 0 ? rng_() % 3 : 0);
    if (rng_() % 8 == 0) r.end = (std::uint64_t{1} << 53) + rng_() % 2;
    if (rng_() % 4 == 0) r.part = static_cast<std::uint32_t>(rng_() % 3);
    return r;
  }
  Metadata metadata(std::size_t id) {
    Metadata m = filter_test::random_record(rng_);
    m["n"] = static_cast<std::int64_t>(id);
    m["at"] = static_cast<std::int64_t>(++version_);
    if (rng_() % 20 == 0) m["a"] = std::string(250 + rng_() % 20, 'a');
    if (rng_() % 100 == 0) {
      m["many"] = Metadata::array();
      for (int i = 0; i < 4'200; ++i) m["many"].push_back(i % 7);
    }
    return m;
  }
  std::set<std::size_t> some(std::size_t most) {
    std::set<std::size_t> out;
    for (; most > 0; --most) out.insert(rng_() % ids_);
    return out;
  }
  void insert(std::size_t count) {
    std::vector<Record> records;
    for (std::size_t i = 0; i < count; ++i) records.push_back(record(ids_++));
    execute(records, Operation::Kind::kInsert);
  }
  /// New rows of old records.
  void upsert(std::size_t count) {
    std::vector<Record> records;
    for (const std::size_t id : some(count)) records.push_back(record(id));
    execute(records, Operation::Kind::kUpsert);
  }
  /// The same rows with other metadata. Some are of few records, again and again.
  void update(std::size_t count, std::size_t among = 0) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t id = rng_() % (among == 0 ? ids_ : std::min(among, ids_));
      Record r{.id = "r" + std::to_string(id), .metadata = metadata(id)};
      try {
        execute(std::span(&r, 1), Operation::Kind::kUpdateMetadata);
      } catch (const Error& e) {
        ASSERT_EQ(e.code(), ErrorCode::kNotFound);
      }
    }
  }
  void erase(std::size_t count) {
    std::vector<Record> records;
    for (const std::size_t id : some(count)) records.push_back({.id = "r" + std::to_string(id)});
    execute(records, Operation::Kind::kErase);
  }
  void execute(std::span<const Record> records, Operation::Kind kind) {
    std::vector<db::Write> writes;
    for (const Record& r : records) writes.push_back({kind, &r});
    collection_->execute(writes, true);
  }
  void checkpoint() {
    Context context;
    shard().checkpoint(1, context);
  }
  void optimize() {
    Context context;
    checkpoint();
    while (shard().merge_step(true, context)) {
    }
  }
  std::vector<std::uint64_t> segments() {
    const shard::ReadView view(shard());
    std::vector<std::uint64_t> out;
    for (const auto& item : shard().segments().at(view.txn())->items) out.push_back(item.entry.number);
    return out;
  }

  Filter filter() {
    switch (rng_() % 8) {
      case 0:
        return Filter::parse("at > " + std::to_string(rng_() % (version_ + 1)));
      case 1:
        return Filter::parse("n < " + std::to_string(rng_() % (ids_ + 1)) + " AND NOT at < " +
                             std::to_string(rng_() % (version_ + 1)));
      case 2: {
        static const char* const kOwn[] = {"_start IS NULL",
                                           "_start IS NOT NULL",
                                           "_part = 0",
                                           "NOT (_part = 0)",
                                           "_end > 2",
                                           "_source = 'book'",
                                           "_source IS NULL",
                                           "_source STARTSWITH 's'",
                                           "NOT EXISTS(_start)",
                                           "_part IN (1, 2)",
                                           "_start < 1",
                                           "_end != 0",
                                           "_end = 9007199254740993",
                                           "_text CONTAINS 'w3'",
                                           "_id > 'r5'",
                                           "MATCH(_text, 'w2')"};
        return Filter::parse(kOwn[rng_() % std::size(kOwn)]);
      }
      default:
        return filter_test::random_filter(rng_, static_cast<int>(rng_() % 4));
    }
  }
  /// What the follower says at its view, against each record.
  void check(shard::Shard& of, const Filter& filter) {
    shard::ReadView view(of);
    const auto fields = of.fields().read(view, {});
    compare(view, *fields, filter);
  }
  static void compare(const shard::ReadView& view, const shard::FieldsRead& fields, const Filter& filter) {
    ASSERT_EQ(fields.sequence, view.state().sequence);
    const auto set =
        shard::matching_rows(fields, query::field_condition(filter.node(), view.field_names()), view, {});
    const query::MatchingRows matching(view, filter, fields, {});
    const query::ViewRows rows(view, &matching, nullptr);
    const query::RecordFilter twin(view, filter);
    shard::DocumentReader documents(view);
    std::uint64_t count = 0;
    for (std::uint64_t row = 0; row < view.state().next_row; ++row) {
      bool expected = false;
      if (view.is_live(row)) try {
          expected = twin.matches(documents.read(row));
        } catch (const Error& e) {
          ASSERT_EQ(e.code(), ErrorCode::kCorruption);
        }
      count += expected;
      ASSERT_EQ(rows.contains(row), expected) << filter << ", row " << row;
      ASSERT_TRUE(!expected || set.maybe.test(row)) << filter << ", row " << row;
      ASSERT_TRUE(expected || !set.sure.test(row)) << filter << ", row " << row;
      ASSERT_TRUE(!set.sure.test(row) || set.maybe.test(row)) << filter << ", row " << row;
      if (!matching.bits().empty()) {
        ASSERT_EQ((matching.bits()[row / 64] >> (row % 64) & 1) != 0, expected) << filter << ", row " << row;
      }
    }
    if (matching.count()) {
      ASSERT_EQ(*matching.count(), count) << filter;
    }
  }
  void check(shard::Shard& of, int filters = 6) {
    for (int i = 0; i < filters && !HasFatalFailure(); ++i) check(of, filter());
  }
  std::shared_ptr<const shard::FieldsRead> read(shard::Shard& of) {
    shard::ReadView view(of);
    return of.fields().read(view, {});
  }
  /// nullptr when the call ended as `expected` says.
  static std::shared_ptr<const shard::FieldsRead> try_read(shard::Shard& of, const Context& context,
                                                           ErrorCode expected) {
    shard::ReadView view(of);
    try {
      return of.fields().read(view, context);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), expected);
    }
    return nullptr;
  }
  static std::size_t packed_rows(const shard::FieldsRead& read) {
    std::size_t rows = 0;
    for (const auto& pack : read.packs) rows += pack.pack->rows.size();
    return rows;
  }

  test::Scratch scratch_;
  filter_test::Rng rng_;
  std::uint32_t number_ = 0;
  std::size_t ids_ = 0;
  std::uint64_t version_ = 0;
  std::uint64_t reopened_ = 0;
  std::shared_ptr<storage::Store> store_;
  std::shared_ptr<Background> background_ = std::make_shared<Background>();
  std::unique_ptr<Collection::Impl> collection_;
  std::vector<std::shared_ptr<shard::Shard>> shards_;
};

// Anything in any order; three followers, of which one looks often, one rarely, and one knows nothing yet.
TEST_F(FieldFollowersTest, AnswersLikeLookingAtEachRecord) {
  insert(100 + rng_() % 300);
  another();
  for (int step = 0; step < 30 && !HasFatalFailure(); ++step) {
    switch (rng_() % 12) {
      case 0:
      case 1:
        insert(1 + rng_() % 150);
        break;
      case 2:
        upsert(1 + rng_() % 60);
        break;
      case 3:
        erase(1 + rng_() % 40);
        break;
      case 4:
      case 5:
        update(1 + rng_() % 200);
        break;
      case 6:
        update(100, 30);
        break;
      case 7:
      case 8:
        checkpoint();
        break;
      case 9: {
        Context context;
        shard().merge_step(rng_() % 2 == 0, context);
        break;
      }
      case 10:
        if (const auto all = segments(); !all.empty() && rng_() % 2 == 0)
          (rng_() % 2 == 0 ? shard() : *shards_.front()).segments().report_damage(all[rng_() % all.size()]);
        break;
      default:
        if (rng_() % 4 == 0) {
          reopen();
          another();
        }
    }
    if (rng_() % 2 == 0) check(shard(), 2);
    if (rng_() % 6 == 0) check(*shards_.front(), 2);
    if (rng_() % 10 == 0) check(another(), 2);
    shards_.resize(1);
  }
  check(shard());
  check(*shards_.front());
  check(another());
  optimize();
  check(shard());
  EXPECT_EQ(packed_rows(*read(shard())), 0u);
}

// A view that was opened before a merge asks after newer ones did: what was known of the old segments is
// gone.
TEST_F(FieldFollowersTest, OlderViewsDoNotLookAtForgottenChanges) {
  insert(200);
  checkpoint();
  insert(200);
  checkpoint();
  update(150);
  check(shard());
  std::promise<void> opened, merged;
  auto old = std::async(std::launch::async, [&] {
    shard::ReadView view(shard());
    opened.set_value();
    merged.get_future().wait();
    const auto fields = shard().fields().read(view, {});
    for (int i = 0; i < 12 && !HasFatalFailure(); ++i) compare(view, *fields, filter());
  });
  opened.get_future().wait();
  optimize();
  read(shard());
  merged.set_value();
  old.get();
}

// The same few rows get new metadata for ever, without a segment being written.
TEST_F(FieldFollowersTest, MemoryDoesNotGrowWithUpdates) {
  insert(300);
  if (rng_() % 2 == 0) checkpoint();
  std::size_t most = 0;
  for (int i = 0; i < 30 && !HasFatalFailure(); ++i) {
    update(70, 80);
    most = std::max(most, packed_rows(*read(shard())));
    if (i % 10 == 0) check(shard(), 2);
  }
  EXPECT_LT(most, 900u);
  for (int i = 0; i < 20; ++i) upsert(50);
  check(shard(), 3);
}

TEST_F(FieldFollowersTest, MemoryIsBounded) {
  insert(2'000);
  auto& small = another({.field_bytes = 50'000});
  const auto first = read(small);
  std::size_t bytes = 0;
  for (const auto& pack : first->packs) bytes += pack.pack->memory_bytes();
  EXPECT_GT(first->packs.size(), 0u);
  check(small, 4);
  for (int i = 0; i < 5 && !HasFatalFailure(); ++i) {
    insert(300);
    update(50);
    check(small, 3);
  }
  const auto later = read(small);
  EXPECT_EQ(later->packs.size(), first->packs.size());
  EXPECT_FALSE(later->runs.back().segment);
  EXPECT_EQ(later->runs.back().entry.end_row, 3'500u);
  checkpoint();
  check(small, 3);
  EXPECT_LT(packed_rows(*read(small)), 300u);
}

// Far more metadata than rows of a segment: the log is cut, or was never followed.
TEST_F(FieldFollowersTest, ManyUpdatesAreReadAtOnce) {
  insert(1'000);
  checkpoint();
  update(900);
  auto& fresh = another();
  check(fresh, 4);
  EXPECT_GT(packed_rows(*read(fresh)), 300u);
  check(shard(), 4);
}

// What a deadline ended goes on from there, whoever writes meanwhile.
TEST_F(FieldFollowersTest, ShortDeadlinesSucceedInTheEnd) {
  insert(3'000);
  checkpoint();
  insert(6'000);
  update(400);
  auto& fresh = another();
  int ended = 0;
  std::shared_ptr<const shard::FieldsRead> found;
  while (!found && ended < 2'000) {
    Context context;
    context.deadline = steady_clock::now() + std::chrono::microseconds(200);
    found = try_read(fresh, context, ErrorCode::kDeadline);
    if (found) break;
    if (++ended % 3 == 0) update(2);
    if (ended % 5 == 0) erase(3);
  }
  EXPECT_GT(ended, 1);  // or the whole takes no time
  ASSERT_TRUE(found) << "not within " << ended << " calls";
  check(fresh, 2);
}

TEST_F(FieldFollowersTest, CancellingLosesNothing) {
  insert(2'000);
  update(200);
  auto& fresh = another();
  Context context;
  std::stop_source stop;
  context.stop = stop.get_token();
  stop.request_stop();
  for (int i = 0; i < 3; ++i) {
    try_read(fresh, context, ErrorCode::kCancelled);
    update(20);
  }
  check(fresh, 4);
}

// One prepares 15,000 rows; others look at their own time meanwhile.
TEST_F(FieldFollowersTest, WhoWaitsForAnotherLooksAtItsOwnTime) {
  insert(9'000);
  insert(6'000);
  auto& fresh = another();
  auto first = std::async(std::launch::async, [&] { return packed_rows(*read(fresh)); });
  std::size_t deadlines = 0;
  while (first.wait_for(milliseconds(0)) != std::future_status::ready) {
    Context context;
    const auto begin = steady_clock::now();
    context.deadline = begin + milliseconds(2);
    deadlines += !try_read(fresh, context, ErrorCode::kDeadline);
  }
  EXPECT_GT(deadlines, 0u);
  EXPECT_GT(first.get(), 14'000u);
}

TEST_F(FieldFollowersTest, ManyReadWhileOthersWriteAndMerge) {
  insert(300);
  std::vector<Filter> filters;
  for (int i = 0; i < 40; ++i) filters.push_back(filter());
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  auto& other = another();
  for (unsigned t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      for (std::size_t i = t; !done && !HasFatalFailure(); ++i)
        check(t == 2 ? other : shard(), filters[i % 40]);
    });
  }
  std::thread merger([&] {
    for (int i = 0; !done; ++i) {
      Context context;
      shard().merge_step(i % 3 == 0, context);
      std::this_thread::sleep_for(milliseconds(5));
    }
  });
  for (int i = 0; i < 25 && !HasFatalFailure(); ++i) {
    insert(40);
    update(30);
    erase(5);
    if (i % 4 == 3) checkpoint();
  }
  done = true;
  for (std::thread& t : readers) t.join();
  merger.join();
  check(shard());
  check(other);
}

// Records of which some have other paths than all others: more than a part takes.
TEST_F(FieldFollowersTest, PathsBeyondTheLimitAreLookedAt) {
  const auto wide = [&](std::size_t id) {
    Record r{.id = "wide" + std::to_string(id), .text = "w"};
    r.metadata = Metadata::object();
    r.metadata["zz"] = static_cast<std::int64_t>(id % 3);
    for (int k = 0; k < 200; ++k)
      r.metadata["p" + std::to_string(id * 37 % 20 * 200 + static_cast<std::size_t>(k))] =
          static_cast<std::int64_t>(k % 5);
    return r;
  };
  std::vector<Record> records;
  for (std::size_t i = 0; i < 80; ++i) records.push_back(wide(i));
  execute(std::span(records).first(30), Operation::Kind::kInsert);
  checkpoint();
  execute(std::span(records).subspan(30), Operation::Kind::kInsert);
  const auto check_paths = [&](const char* when) {
    for (int i = 0; i < 40 && !HasFatalFailure(); ++i) {
      SCOPED_TRACE(when);
      const std::string p = "p" + std::to_string(rng_() % 4'000);
      const std::string filters[] = {p + " = 1",         "NOT " + p + " = 1",  p + " IS NULL",
                                     p + " IS NOT NULL", p + " > 2 OR zz = 1", "ANY(" + p + ", x = 1)",
                                     "zz != 1"};
      check(shard(), Filter::parse(filters[rng_() % std::size(filters)]));
    }
  };
  check_paths("in a segment and in memory");
  checkpoint();
  check_paths("in segments");
  optimize();
  check_paths("merged");
  reopen();
  check_paths("opened again");
}

class DamagedFields : public FieldFollowersTest {
 protected:
  std::string path_of(std::uint64_t number) { return storage::segment_path(scratch_ / "db", number); }
  static std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void put(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }
  /// Where a section of the metadata lies.
  std::pair<std::size_t, std::size_t> place(const std::string& path, std::uint32_t section) {
    const auto file = io::IndexFile::open(path);
    const auto bytes = file->unchecked(section);
    const auto begin =
        bytes_of(path).find(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    return {begin, bytes.size()};
  }
};

TEST_F(DamagedFields, SegmentsAreLeftOutCountedAndMadeAnew) {
  for (int i = 0; i < 3; ++i) {
    insert(150);
    checkpoint();
  }
  update(40);
  const std::vector<std::uint64_t> numbers = segments();
  ASSERT_EQ(numbers.size(), 3u);
  for (const std::uint32_t section : {segment::kFieldsSection, segment::kFieldsSection + 1}) {
    const std::string path = path_of(segments()[rng_() % segments().size()]);
    const std::string good = bytes_of(path);
    const auto [begin, size] = place(path, section);
    ASSERT_NE(begin, std::string::npos);
    std::string bad = good;
    for (std::size_t i = 0; i < 8; ++i) bad[begin + rng_() % size] ^= static_cast<char>(1 << rng_() % 8);
    if (bad == good) bad[begin] ^= 1;
    reopen();
    put(path, bad);
    const std::uint64_t before = shard().segments().damages();
    for (int i = 0; i < 30 && !HasFatalFailure(); ++i) check(shard(), filter());
    EXPECT_EQ(shard().segments().damages(), before + 1);
    update(30);
    check(shard());
    Context context;
    while (shard().merge_step(false, context)) {
    }
    check(shard());
    EXPECT_EQ(std::ranges::count(segments(), storage::segment_number(fs::path(path).filename().string())), 0);
    const auto now = read(shard());
    for (const auto& run : now->runs) EXPECT_TRUE(run.segment);
  }
}

TEST_F(DamagedFields, MissingAndSwappedFiles) {
  for (int i = 0; i < 3; ++i) {
    insert(150);
    checkpoint();
  }
  update(60);
  const auto numbers = segments();
  reopen();
  const std::string a = bytes_of(path_of(numbers[0])), b = bytes_of(path_of(numbers[1]));
  put(path_of(numbers[0]), b);
  put(path_of(numbers[1]), a);
  fs::remove(path_of(numbers[2]));
  check(shard());
  EXPECT_EQ(shard().segments().damages(), 3u);
  update(60);
  check(shard());
  Context context;
  while (shard().merge_step(false, context)) {
  }
  check(shard());
  check(another());
  EXPECT_EQ(packed_rows(*read(another())), 0u);
}

// Files whose checksums are right and whose metadata is not: no search leads outside, none fails.
TEST_F(DamagedFields, WrongFilesLeadNowhere) {
  insert(400);
  checkpoint();
  const std::string path = path_of(segments().front());
  const std::string good = bytes_of(path);
  std::uint64_t met = 0;
  for (int round = 0; round < 40; ++round) {
    const auto old = io::IndexFile::open(path);
    const auto fields = old->read(segment::kFieldsSection);
    const auto directory = old->read(segment::kFieldsSection + 1);
    std::string bytes(reinterpret_cast<const char*>(fields.data()), fields.size());
    std::string names(reinterpret_cast<const char*>(directory.data()), directory.size());
    for (int n = 0; n < 6; ++n) {
      // Headers and the beginnings of lists, mostly.
      const std::size_t at =
          rng_() % 2 ? rng_() % (bytes.size() / 64) * 64 + rng_() % 64 : rng_() % bytes.size();
      bytes[at] ^= static_cast<char>(1 << rng_() % 8);
    }
    if (round % 4 == 0) names[rng_() % names.size()] ^= static_cast<char>(1 << rng_() % 8);
    try {
      const fields::FieldPart part(bytes, names);
      const shard::ReadView view(shard());
      for (int i = 0; i < 30; ++i) {
        try {
          const auto found =
              fields::evaluate(query::field_condition(filter().node(), view.field_names()), part, {});
          EXPECT_EQ(found.sure.size(), part.span());
        } catch (const Error& e) {
          ASSERT_EQ(e.code(), ErrorCode::kCorruption);
          ++met;
        }
      }
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), ErrorCode::kCorruption);
      ++met;
    }
  }
  EXPECT_GT(met, 0u);
}

// Metadata that lies over a row and cannot be read: that record is left out, all others are found.
TEST_F(DamagedFields, MetadataThatCannotBeRead) {
  insert(300);
  checkpoint();
  update(80);
  std::vector<std::uint64_t> rows;
  {
    const shard::ReadView view(shard());
    for (std::uint64_t row = 0; row < view.state().next_row; ++row) {
      if (view.txn().get(storage::Keyspace::kAux, storage::aux_key(number_, storage::AuxKind::kOverlay, row)))
        rows.push_back(row);
    }
  }
  ASSERT_GT(rows.size(), 20u);
  store_->write(
      [&](storage::Commit& commit) {
        for (std::size_t i = 0; i < 3; ++i) {
          const std::string key = storage::aux_key(number_, storage::AuxKind::kOverlay, rows[i * 5]);
          std::string value(*commit.txn.get(storage::Keyspace::kAux, key));
          value.back() ^= 1;
          commit.txn.put(storage::Keyspace::kAux, key, value);
        }
      },
      4096);
  const auto degraded = [&](shard::Shard& of) {
    shard::ReadView view(of);
    const auto fields = of.fields().read(view, {});
    const query::MatchingRows matching(view, Filter::parse("NOT n < 0"), *fields, {});
    return matching.degraded();
  };
  EXPECT_EQ(degraded(another()), 3u);
  check(another());
  check(shard());
  insert(100);
  checkpoint();
  check(shard());
  optimize();
  check(shard());
  EXPECT_EQ(degraded(shard()), 3u);
  EXPECT_EQ(degraded(another()), 3u);
  reopen();
  check(shard());
  EXPECT_EQ(degraded(shard()), 3u);
}

// Callers that want all that match.
TEST_F(FieldFollowersTest, CountScrollAndEraseAreThoseOfEachRecord) {
  auto db = VecDatabase::open(scratch_ / "whole", {.checkpoint_rows = 200, .graph_rows = 1'000'000});
  auto c = db.create_collection("c");
  std::map<std::string, Metadata> model;
  const auto matching = [&](const Filter& f) {
    std::vector<std::string> out;
    const FilterProgram program(f);
    for (const auto& [id, m] : model) {
      if (program.matches(m)) out.push_back(id);
    }
    return out;
  };
  for (int round = 0; round < 8 && !HasFatalFailure(); ++round) {
    std::vector<Record> records;
    for (std::size_t i = 0; i < 120; ++i) {
      const std::size_t id = ids_++;
      records.push_back({.id = "r" + std::to_string(id), .text = "w", .metadata = metadata(id)});
      model[records.back().id] = records.back().metadata;
    }
    c.batch_upsert(records);
    for (int i = 0; i < 30; ++i) {
      const std::size_t id = rng_() % ids_;
      const auto known = model.find("r" + std::to_string(id));
      if (known == model.end()) continue;
      known->second = metadata(id);
      c.update_metadata(known->first, known->second);
    }
    for (int i = 0; i < 12; ++i) {
      Filter f = filter_test::random_filter(rng_, static_cast<int>(rng_() % 3));
      if (f.to_string().find("MATCH") != std::string::npos) continue;  // sees words as the analyzer does
      const auto expected = matching(f);
      ASSERT_EQ(c.count(f), expected.size()) << f;
      std::vector<std::string> found;
      ScrollOptions options{.limit = 1 + rng_() % 60, .where = f.to_string()};
      do {
        const ScrollPage page = c.scroll(options);
        for (const Record& r : page.records) {
          found.push_back(r.id);
          EXPECT_EQ(r.metadata, model[r.id]);
        }
        options.after = page.next;
      } while (!options.after.empty());
      ASSERT_EQ(found, expected) << f;
    }
    const std::string some = "r" + std::to_string(rng_() % ids_);
    for (const std::string& f : std::vector<std::string>{
             "_id = '" + some + "'", "_id IN ('" + some + "', 'r7', 'nobody', '') AND n >= 0",
             "NOT (_id = '" + some + "')", "_id = '" + some + "' OR n = 3", "_id IN ()",
             "_id = '" + some + "' AND n < 0", "_id = '" + some + "' AND _id = 'r7'", "_id LIKE 'r1%'"}) {
      std::uint64_t expected = 0;
      for (const auto& [id, m] : model) {
        const std::string number = std::to_string(m.get("n").as_int());
        expected += f.starts_with("NOT")                        ? id != some
                    : f.ends_with("OR n = 3")                   ? id == some || number == "3"
                    : f.ends_with("n >= 0")                     ? id == some || id == "r7"
                    : f.ends_with("n < 0") || f.ends_with("()") ? false
                    : f.ends_with("= 'r7'")                     ? id == some && some == "r7"
                    : f.ends_with("%'")                         ? id.starts_with("r1")
                                                                : id == some;
      }
      ASSERT_EQ(c.count(f), expected) << f;
    }
    const Filter gone = Filter(make_group(
        FilterOp::kAnd, {filter_test::random_node(rng_, 1), Filter::parse("at > 100 AND n != 7").node()}));
    if (gone.to_string().find("MATCH") != std::string::npos) continue;
    const auto expected = matching(gone);
    ASSERT_EQ(c.erase_where(gone), expected.size()) << gone;
    for (const std::string& id : expected) model.erase(id);
    ASSERT_EQ(c.count(), model.size());
    if (round == 4) c.optimize();
  }
}

// A process that reads beside the one that writes.
TEST_F(FieldFollowersTest, ReadersInOtherProcessesFollow) {
  insert(200);
  const auto reading = storage::Store::open(scratch_ / "db", {.read_only = true});
  auto far = std::make_shared<shard::Shard>(reading, number_, "c", shard::SegmentOptions{}, background_);
  for (int i = 0; i < 12 && !HasFatalFailure(); ++i) {
    if (i % 3 == 0) insert(100);
    if (i % 3 == 1) update(90);
    if (i % 3 == 2) erase(20);
    if (i % 4 == 2) checkpoint();
    if (i == 7) optimize();
    std::async(std::launch::async, [&] { check(*far, 3); }).get();
  }
}

}  // namespace
}  // namespace vecstore
