// Texts and sparse vectors inside a shard: what searches read where segments cannot be used, what deadlines
// leave behind, who waits for whom, and what is counted.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "catalog/catalog.hpp"
#include "db/collection_impl.hpp"
#include "io/index_file.hpp"
#include "query/record_filter.hpp"
#include "scratch.hpp"
#include "seed.hpp"
#include "segment/segment_format.hpp"
#include "shard/text_source.hpp"
#include "storage/store.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

class TermFollowersTest : public ::testing::Test {
 protected:
  TermFollowersTest() {
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
  ~TermFollowersTest() override {
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
  shard::Shard& shard() { return collection_->shard(); }
  /// Another one of the same collection, which knows nothing yet.
  shard::Shard& shard_with(const shard::SegmentOptions& options) {
    shards_.push_back(std::make_shared<shard::Shard>(store_, number_, "c", options, background_));
    return *shards_.back();
  }

  std::string text() {
    std::string out;
    for (std::size_t n = 4 + rng_() % 20; n > 0; --n) out += "w" + std::to_string(rng_() % 60) + " ";
    return out;
  }
  /// New rows with a text and a sparse vector each, in one commit.
  void write(std::size_t count) {
    std::vector<Record> records;
    for (std::size_t i = 0; i < count; ++i) {
      Record r{.id = "r" + std::to_string(texts_.size()), .text = text()};
      r.vector = Vector::sparse({static_cast<std::uint32_t>(rng_() % 20), 100}, {1.0f, 2.0f});
      texts_.push_back(r.text);
      records.push_back(std::move(r));
    }
    execute(records, Operation::Kind::kInsert);
  }
  void erase(std::size_t row) {
    const Record r{.id = "r" + std::to_string(row)};
    execute(std::span(&r, 1), Operation::Kind::kErase);
    texts_[row].clear();
  }
  void execute(std::span<const Record> records, Operation::Kind kind) {
    std::vector<db::Write> writes;
    for (const Record& r : records) writes.push_back({kind, &r});
    collection_->execute(writes, true);
  }
  void checkpoint(shard::Shard& of) {
    Context context;
    of.checkpoint(1, context);
  }
  void optimize(shard::Shard& of) {
    Context context;
    checkpoint(of);
    while (of.merge_step(true, context)) {
    }
  }

  std::set<std::uint64_t> rows_with(const std::string& word) const {
    std::set<std::uint64_t> out;
    for (std::size_t row = 0; row < texts_.size(); ++row) {
      if ((" " + texts_[row]).find(" " + word + " ") != std::string::npos) out.insert(row);
    }
    return out;
  }
  struct Searched {
    std::set<std::uint64_t> rows;
    std::map<std::uint64_t, float> scores;
    shard::TermsReadPtr read;
    std::uint64_t degraded = 0;
  };
  Searched search(shard::Shard& of, const std::string& word, Context context = {},
                  const std::function<void()>& meanwhile = {}) {
    Searched out;
    shard::ReadView view(of);
    shard::TermFollower* const follower = &of.texts();
    shard::search_terms(view, std::span(&follower, 1), context,
                        [&](std::span<const shard::TermsReadPtr> reads) {
                          out.rows.clear();
                          if (meanwhile) meanwhile();
                          out.read = reads[0];
                          out.degraded = out.read->unreadable.size();
                          const segment::TermsIndex index = of.texts().index(view, *reads[0]);
                          TopK best(100'000, std::nullopt, nullptr);
                          index.search(TermNode::term(word), nullptr, context, best);
                          for (const RowScore& h : best.take()) {
                            EXPECT_TRUE(view.is_live(h.row));
                            out.rows.insert(h.row);
                            out.scores[h.row] = h.score;
                          }
                        });
    return out;
  }
  std::size_t sparse_hits(shard::Shard& of, std::uint32_t index) {
    std::size_t out = 0;
    Context context;
    shard::ReadView view(of);
    const auto field = view.schema().find("", ElementType::kSparse)->number;
    shard::TermFollower* const follower = &of.sparse(field);
    shard::search_terms(view, std::span(&follower, 1), context,
                        [&](std::span<const shard::TermsReadPtr> reads) {
                          const segment::SparseIndex terms = of.sparse(field).index(view, *reads[0]);
                          TopK best(100'000, std::nullopt, nullptr);
                          const float one = 1;
                          terms.search({std::span(&index, 1), std::span(&one, 1)}, nullptr, context, best);
                          out = best.take().size();
                        });
    return out;
  }
  std::uint16_t sparse_field() {
    const shard::ReadView view(shard());
    return view.schema().find("", ElementType::kSparse)->number;
  }
  std::size_t live() const {
    return static_cast<std::size_t>(
        std::count_if(texts_.begin(), texts_.end(), [](const auto& t) { return !t.empty(); }));
  }
  Searched check(shard::Shard& of, int words = 8) {
    Searched out;
    for (int i = 0; i < words; ++i) {
      const std::string word = "w" + std::to_string(rng_() % 60);
      out = search(of, word);
      EXPECT_EQ(out.rows, rows_with(word)) << word;
    }
    EXPECT_EQ(sparse_hits(of, 100), live());
    return out;
  }
  static std::uint64_t temporary_documents(const shard::TermsRead& read) {
    std::uint64_t out = 0;
    for (const auto& segment : read.segments) {
      const bool listed = std::any_of(read.set->items.begin(), read.set->items.end(),
                                      [&](const auto& item) { return item.segment == segment; });
      if (!listed && segment->texts()) out += segment->texts()->terms().documents();
    }
    return out;
  }

  test::Scratch scratch_;
  const unsigned seed_ = test::seed();
  std::mt19937 rng_;
  std::uint32_t number_ = 0;
  std::shared_ptr<storage::Store> store_;
  std::shared_ptr<Background> background_ = std::make_shared<Background>();
  std::unique_ptr<Collection::Impl> collection_;
  std::vector<std::shared_ptr<shard::Shard>> shards_;
  std::vector<std::string> texts_;  // by row; empty: erased
};

TEST_F(TermFollowersTest, OnlyTheRowsOfAHoleComeFromTheTruth) {
  for (int i = 0; i < 6; ++i) {
    write(200);
    checkpoint(shard());
  }
  write(70);
  EXPECT_EQ(temporary_documents(*check(shard()).read), 0u);
  const auto numbers = [&] {
    const shard::ReadView view(shard());
    std::vector<std::uint64_t> out;
    for (const auto& item : shard().segments().at(view.txn())->items) out.push_back(item.entry.number);
    return out;
  }();
  ASSERT_EQ(numbers.size(), 6u);
  for (const std::size_t damaged : {2u, 3u, 0u, 5u}) {
    shard().segments().report_damage(numbers[damaged]);
    erase(rng_() % 1'200);
    const Searched found = check(shard());
    EXPECT_EQ(found.read->newest.terms->documents(), 70u);
    EXPECT_FALSE(found.read->complete);
  }
  const Searched found = check(shard());
  EXPECT_EQ(found.read->numbers.size(), 2u);
  EXPECT_LE(temporary_documents(*found.read), 800u);
  EXPECT_GE(temporary_documents(*found.read), 790u);  // some were erased before
  write(40);
  erase(450);
  EXPECT_EQ(check(shard()).read->newest.terms->documents(), 110u);
  optimize(shard());
  EXPECT_TRUE(check(shard()).read->complete);
  EXPECT_EQ(temporary_documents(*check(shard()).read), 0u);
  EXPECT_TRUE(fs::is_empty(scratch_ / "db/tmp"));
}

TEST_F(TermFollowersTest, TemporaryFilesGoWhereTheyCan) {
  for (int i = 0; i < 2; ++i) {
    write(200);
    checkpoint(shard());
  }
  fs::remove_all(scratch_ / "db/tmp");
  std::ofstream(scratch_ / "db/tmp") << "in the way";
  const char* const before = std::getenv("TMPDIR");
  const std::string kept = before ? before : "";
  setenv("TMPDIR", (scratch_ / "nowhere").c_str(), 1);
  {
    const shard::ReadView view(shard());
    shard().segments().report_damage(shard().segments().at(view.txn())->items[0].entry.number);
  }
  EXPECT_GT(temporary_documents(*check(shard()).read), 0u);
  before ? setenv("TMPDIR", kept.c_str(), 1) : unsetenv("TMPDIR");
}

TEST_F(TermFollowersTest, SegmentsThatWereReplacedAreLetGo) {
  for (int i = 0; i < 2; ++i) {
    write(200);
    checkpoint(shard());
  }
  const std::weak_ptr<const shard::SegmentSet> searched = check(shard()).read->set;
  EXPECT_FALSE(searched.expired());
  for (int i = 0; i < 2; ++i) {  // the set before the newest one is kept for older views
    write(200);
    optimize(shard());
    const shard::ReadView view(shard());
    shard().segments().at(view.txn());
  }
  EXPECT_TRUE(searched.expired());
}

// Nothing is indexed, or much is damaged: memory holds no more than it may.
TEST_F(TermFollowersTest, MemoryIsBoundedWhateverIsMissing) {
  for (int i = 0; i < 5; ++i) write(500);
  auto& small = shard_with({.term_bytes = 100'000, .tail_rows = 300});
  const Searched found = check(small);
  EXPECT_LE(found.read->newest.terms->documents(), 600u);
  EXPECT_GT(found.read->segments.size(), 5u);
  for (int i = 0; i < 12; ++i) {
    write(100);
    erase(rng_() % 2'500);
    EXPECT_LE(check(small, 2).read->newest.terms->documents(), 600u);
  }
  optimize(shard());
  EXPECT_LE(check(small).read->newest.terms->documents(), 600u);
}

TEST_F(TermFollowersTest, LargePartsAreBuiltInPieces) {
  for (int i = 0; i < 6; ++i) write(500);
  for (int i = 0; i < 100; ++i) erase(rng_() % 3'000);
  const std::uint16_t field = sparse_field();
  const std::vector<TextField> fields = shard::ReadView(shard()).schema().text_fields;
  const auto write_segment = [&](shard::Shard& of, std::uint64_t number, std::size_t& pieces) {
    shard::TextPieces texts(of, fields, 0);
    shard::SparsePieces vectors(of, field, 0);
    const Context context;
    texts.add_all(3'000, context);
    vectors.add_all(3'000, context);
    pieces = std::min(texts.segments().size(), vectors.segments().size());
    storage::SegmentEntry entry;
    entry.number = number;
    entry.end_row = 3'000;
    segment::SegmentWriter writer(scratch_.path(), of.segments().identity(entry), 4);
    texts.write_all(writer, segment::terms_fingerprint(fields), context);
    vectors.write_all(writer, false, context);
    writer.finish();
    return segment::Segment::open(scratch_ / (std::to_string(number) + ".vsx"),
                                  of.segments().identity(entry));
  };
  std::size_t pieces = 0;
  const auto whole = write_segment(shard(), 1, pieces);
  EXPECT_EQ(pieces, 0u);
  const auto joined = write_segment(shard_with({.term_bytes = 30'000}), 2, pieces);
  EXPECT_GT(pieces, 2u);
  const Context context;
  whole->verify(context);
  joined->verify(context);
  const auto same = [&](const inverted::TermPart& a, const inverted::TermPart& b) {
    ASSERT_EQ(a.documents(), b.documents());
    EXPECT_EQ(a.header().postings, b.header().postings);
    EXPECT_EQ(a.total_length(), b.total_length());
    for (std::uint32_t d = 0; d < a.documents(); ++d) ASSERT_EQ(a.row(d), b.row(d));
    auto x = a.dictionary().begin(), y = b.dictionary().begin();
    while (x.next()) {
      ASSERT_TRUE(y.next());
      ASSERT_EQ(x.term(), y.term());
      const auto p = a.list(x.term(), kAnyField, {}), q = b.list(x.term(), kAnyField, {});
      ASSERT_EQ(p->size(), q->size());
      for (std::uint32_t i = 0; i < p->size(); ++i) ASSERT_EQ(p->value(i), q->value(i));
    }
    EXPECT_FALSE(y.next());
  };
  same(whole->texts()->terms(), joined->texts()->terms());
  same(whole->sparse(field)->terms()->terms(), joined->sparse(field)->terms()->terms());
}

TEST_F(TermFollowersTest, RepairsAreBoundedToo) {
  for (int i = 0; i < 4; ++i) write(500);
  optimize(shard());
  auto& small = shard_with({.graph_rows = 1'000'000, .term_bytes = 50'000});
  const Searched before = check(small);
  ASSERT_EQ(before.read->numbers.size(), 1u);
  small.segments().report_damage(before.read->numbers[0]);
  Context context;
  EXPECT_TRUE(small.merge_step(false, context));
  const Searched after = check(small);
  EXPECT_TRUE(after.read->complete);
  EXPECT_NE(after.read->numbers, before.read->numbers);
  EXPECT_EQ(search(small, "w7").scores, search(shard(), "w7").scores);
}

// What a deadline ended goes on from there: some call succeeds, however short the time of each.
TEST_F(TermFollowersTest, ShortDeadlinesSucceedInTheEnd) {
  for (int i = 0; i < 9; ++i) write(1'000);  // with more a writer makes segments
  for (const auto& options : {shard::SegmentOptions{}, shard::SegmentOptions{.tail_rows = 1'000}}) {
    auto& fresh = shard_with(options);
    int ended = 0;
    Searched found;
    for (; !found.read && ended < 20'000; ++ended) {
      Context context;
      context.deadline = steady_clock::now() + milliseconds(3);
      try {
        found = search(fresh, "w7", context);
      } catch (const Error& e) {
        ASSERT_EQ(e.code(), ErrorCode::kDeadline);
        if (ended % 20 == 0) write(3);
        if (ended % 30 == 0) erase(rng_() % 9'000);
      }
    }
    EXPECT_GT(ended, 1);  // or the whole takes no time
    ASSERT_TRUE(found.read) << "not within " << ended << " calls";
    check(fresh);
  }
}

/// A follower whose newest rows take as long as the test wants.
class Slow final : public shard::TermFollower {
 public:
  void wait_until_begun() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return begun_; });
  }
  void go_on() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }

 protected:
  class Tail final : public shard::TermTail {
   public:
    explicit Tail(const Slow& slow) : slow_(slow) {}
    void add(const shard::ReadView& view, shard::RowWalk& walk, const Context&) override {
      std::unique_lock lock(slow_.mutex_);
      slow_.begun_ = true;
      slow_.changed_.notify_all();
      slow_.changed_.wait(lock, [&] { return slow_.released_; });
      walk.next_row = view.state().next_row;
    }
    void retire(std::uint64_t) override {}
    bool is_stale() const override { return false; }
    segment::SparseTailView view() const override { return {}; }

   private:
    const Slow& slow_;
  };
  bool has_terms(const shard::ReadView&, const segment::Segment&) const override { return true; }
  std::span<const std::uint64_t> unreadable(const segment::Segment&) const override { return {}; }
  std::unique_ptr<shard::TermTail> new_tail(const shard::ReadView&) const override {
    return std::make_unique<Tail>(*this);
  }
  std::unique_ptr<shard::TermPieces> new_pieces(const shard::ReadView&, std::uint64_t) const override {
    return nullptr;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable bool begun_ = false, released_ = false;
};

TEST_F(TermFollowersTest, WhoWaitsForAnotherLooksAtItsOwnTime) {
  write(10);
  Slow slow;
  const auto ask = [&](Context context) {
    shard::ReadView view(shard());
    shard::TermFollower* const follower = &slow;
    try {
      shard::search_terms(view, std::span(&follower, 1), context,
                          [](std::span<const shard::TermsReadPtr>) {});
    } catch (const Error& e) {
      return std::optional(e.code());
    }
    return std::optional<ErrorCode>();
  };
  auto first = std::async(std::launch::async, [&] { return ask({}); });
  slow.wait_until_begun();
  auto patient = std::async(std::launch::async, [&] { return ask({}); });
  auto hurried = std::async(std::launch::async, [&] {
    Context context;
    context.deadline = steady_clock::now() + milliseconds(30);
    return ask(context);
  });
  std::stop_source stop;
  auto stopped = std::async(std::launch::async, [&] {
    Context context;
    context.stop = stop.get_token();
    return ask(context);
  });
  EXPECT_EQ(hurried.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  stop.request_stop();
  EXPECT_EQ(stopped.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(first.wait_for(milliseconds(0)), std::future_status::timeout);
  slow.go_on();
  EXPECT_EQ(hurried.get(), ErrorCode::kDeadline);
  EXPECT_EQ(stopped.get(), ErrorCode::kCancelled);
  EXPECT_EQ(first.get(), std::nullopt);
  EXPECT_EQ(patient.get(), std::nullopt);
}

// A search goes on with what it has while others write and search.
TEST_F(TermFollowersTest, NobodyWaitsForASearch) {
  write(300);
  check(shard());
  const auto before = rows_with("w5");
  const auto gone = static_cast<std::size_t>(*before.begin());
  const Searched old = search(shard(), "w5", {}, [&] {
    auto others = std::async(std::launch::async, [&] {
      write(200);
      erase(gone);
      return search(shard(), "w5").rows;
    });
    if (others.wait_for(std::chrono::seconds(30)) != std::future_status::ready) {
      ADD_FAILURE() << "others wait for this search";
      std::_Exit(1);  // they would for ever
    }
    EXPECT_EQ(others.get(), rows_with("w5"));
  });
  EXPECT_EQ(old.rows, before);
  EXPECT_NE(rows_with("w5"), before);
  check(shard());
}

TEST_F(TermFollowersTest, ManySearchAndWriteAtOnce) {
  write(500);
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      std::size_t least = 0;
      while (!done) {
        if (t == 2) {
          const std::size_t found = sparse_hits(shard(), 100);
          EXPECT_GE(found, least);
          least = found;
        } else {
          search(shard(), "w3");
        }
      }
    });
  }
  for (int i = 0; i < 40; ++i) {
    write(30);
    if (i % 10 == 9) checkpoint(shard());
  }
  done = true;
  for (std::thread& t : readers) t.join();
  check(shard());
}

class DamagedTruth : public ::testing::Test {
 protected:
  std::string dir() const { return scratch_ / "db"; }
  /// Turns a bit of a record's text; false when it is not found.
  bool damage(const std::string& text) const {
    const std::string path = dir() + "/truth.1/data.mdb";
    std::string bytes;
    {
      std::ifstream in(path, std::ios::binary);
      bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    bool found = false;
    for (std::size_t at = bytes.find(text); at != std::string::npos; at = bytes.find(text, at + 1)) {
      found = true;
      bytes[at] = static_cast<char>(bytes[at] ^ 1);
    }
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    return found;
  }
  test::Scratch scratch_;
};

TEST_F(DamagedTruth, WhatIsMissingIsCountedInEveryQuery) {
  const OpenOptions options{.checkpoint_rows = 100, .graph_rows = 100};
  {
    auto db = VecDatabase::open(dir(), OpenOptions{.checkpoint_rows = 1'000'000});
    db.pause_background();
    auto c = db.create_collection("c");
    std::vector<Record> records;
    for (int i = 0; i < 90; ++i)
      records.push_back(
          {.id = "r" + std::to_string(i), .text = "common words of record" + std::to_string(1000 + i)});
    c.batch_upsert(records);
  }
  ASSERT_TRUE(damage("common words of record1042"));
  ASSERT_TRUE(damage("common words of record1077"));
  std::optional<VecDatabase> db;
  std::optional<Collection> c;
  const auto open_again = [&] {
    c.reset();
    db.reset();
    db = VecDatabase::open(dir(), options);
    db->pause_background();
    c = db->get_collection("c");
  };
  open_again();
  const auto expect = [&](std::uint64_t degraded, std::size_t hits, const char* when) {
    for (int i = 0; i < 2; ++i) {
      const Hits found = c->query_text("common", {.k = 500, .mode = Mode::kText});
      EXPECT_EQ(found.degraded, degraded) << when;
      EXPECT_EQ(found.size(), hits) << when;
    }
  };
  expect(2, 88, "in memory");
  std::vector<Record> more;
  for (int i = 100; i < 300; ++i) more.push_back({.id = "r" + std::to_string(i), .text = "common words"});
  c->batch_upsert(std::span(more).first(100));
  expect(2, 188, "more in memory");
  c->batch_upsert(std::span(more).subspan(100));
  EXPECT_EQ(c->stats().segments, 1u);
  expect(2, 288, "in a segment");
  c->optimize();
  expect(2, 288, "after a merge");
  open_again();
  expect(2, 288, "opened again");
  c->upsert({.id = "r42", .text = "common words again"});
  expect(1, 289, "one written again");
  c->optimize();
  expect(1, 289, "and merged");
  c->erase("r77");
  expect(0, 289, "the other one erased");
}

// Files that are sound by their checksums and wrong all the same: searches never fail for good.
class WrongFiles : public TermFollowersTest {
 protected:
  static std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// Writes the file anew with changed sections.
  static void change(const std::string& path,
                     const std::function<void(std::uint32_t, std::vector<std::byte>&)>& change) {
    const auto old = io::IndexFile::open(path);
    const fs::path place = path;
    const std::uint64_t wanted = old->size();
    for (std::uint32_t most = 16; most < 4'096; most += 16) {
      const auto ids = old->section_ids();
      if (ids.size() > most) continue;
      io::IndexFileWriter writer(place.parent_path().string(), "changed", old->info(), most);
      // In the order in which they lie.
      std::vector<std::pair<const std::byte*, std::uint32_t>> order;
      for (const std::uint32_t id : ids) order.emplace_back(old->unchecked(id).data(), id);
      std::sort(order.begin(), order.end());
      for (const auto& [at, id] : order) {
        const auto section = old->read(id);
        std::vector<std::byte> copy(section.begin(), section.end());
        change(id, copy);
        writer.add(id, copy);
      }
      if (writer.finish() != wanted) continue;
      fs::rename(place.parent_path() / "changed", place);
      return;
    }
    FAIL() << "no file of the same length";
  }
};

TEST_F(WrongFiles, AreMadeAnewWhateverASearchSees) {
  for (int i = 0; i < 3; ++i) write(400);
  optimize(shard());
  const std::string segments = scratch_ / "db/seg";
  std::string path;
  for (const auto& e : fs::directory_iterator(segments)) path = e.path().string();
  const std::string good = bytes_of(path);
  const std::uint16_t sparse = sparse_field();
  int met = 0, unseen = 0, sections = 0;
  for (int round = 0; round < 60 && !HasFailure(); ++round) {
    const bool in_lists = round % 2 == 0;
    const std::uint32_t of =
        (round % 3 == 0 ? segment::sparse_section(sparse, 0) : segment::kTermSections) +
        (in_lists ? std::uint32_t{inverted::kListsSection} : std::uint32_t{inverted::kDictionarySection});
    change(path, [&](std::uint32_t id, std::vector<std::byte>& bytes) {
      if (id == of) ++sections;
      if (id != of || bytes.empty()) return;
      for (int n = 0; n < 4; ++n) bytes[rng_() % bytes.size()] ^= static_cast<std::byte>(1 << rng_() % 8);
    });
    auto& fresh = shard_with({});
    const auto quiet = [&](const TermNode& query) {
      Context context;
      shard::ReadView view(fresh);
      shard::TermFollower* const follower = &fresh.texts();
      shard::search_terms(view, std::span(&follower, 1), context,
                          [&](std::span<const shard::TermsReadPtr> reads) {
                            TopK best(10, std::nullopt, nullptr);
                            fresh.texts().index(view, *reads[0]).search(query, nullptr, context, best);
                          });
    };
    for (int w = 0; w < 60; ++w) {
      quiet(TermNode::term("w" + std::to_string(w)));
      quiet(TermNode::phrase({"w" + std::to_string(w), "w" + std::to_string(rng_() % 60)}));
    }
    quiet(TermNode::prefix("w1"));
    for (std::uint32_t d = 0; d < 20; ++d) sparse_hits(fresh, d);
    const bool was_met = fresh.segments().damages() > 0;
    met += was_met;
    unseen += !was_met;
    shards_.clear();
    for (const auto& e : fs::directory_iterator(segments)) fs::remove(e.path());
    std::ofstream(path, std::ios::binary) << good;
  }
  EXPECT_GE(sections, 60);
  std::printf("%d met by searches, %d not\n", met, unseen);
  EXPECT_GT(met, 20);
}

TEST_F(WrongFiles, VerifySeesWhatSearchesRelyOn) {
  write(900);
  optimize(shard());
  std::string path;
  for (const auto& e : fs::directory_iterator(scratch_ / "db/seg")) path = e.path().string();
  const std::string good = bytes_of(path);
  const auto damages = [&] { return shard_with({}).segments().verify({}).size(); };
  EXPECT_EQ(damages(), 0u);
  // Where searches jump in positions: the first word's list has some of these places.
  std::size_t at = 0;
  {
    const shard::ReadView view(shard());
    const auto set = shard().segments().at(view.txn());
    auto cursor = set->items[0].segment->texts()->terms().dictionary().begin();
    ASSERT_TRUE(cursor.next());
    ASSERT_GT(cursor.entry().doc_freq, inverted::kPostingsPerPositionBlock);
    at = cursor.entry().list_offset + cursor.entry().posting_bytes;
  }
  const auto flip = [&](std::uint32_t section, std::size_t byte, std::byte bits = std::byte{1}) {
    change(path, [&](std::uint32_t id, std::vector<std::byte>& bytes) {
      if (id == section) bytes[byte] ^= bits;
    });
    const std::size_t found = damages();
    std::ofstream(path, std::ios::binary | std::ios::trunc) << good;
    return found;
  };
  EXPECT_EQ(flip(segment::kTermSections + inverted::kListsSection, at), 1u);
  EXPECT_EQ(flip(segment::kTermSections + inverted::kDictionarySection, 3), 1u);
  EXPECT_EQ(flip(segment::sparse_section(sparse_field(), inverted::kDictionarySection), 0), 1u);
  EXPECT_EQ(flip(segment::sparse_section(sparse_field(), inverted::kWeightsSection), 3, std::byte{0x80}), 1u);
  EXPECT_EQ(damages(), 0u);
}

TEST_F(TermFollowersTest, FiltersShareTheCollectionsAnalyzers) {
  write(300);
  auto& fresh = shard_with({});
  EXPECT_EQ(fresh.query_analyzers().idle(), 0u);
  for (int i = 0; i < 3; ++i) {
    shard::ReadView view(fresh);
    const Filter filter = Filter::parse("MATCH(_text, 'w3')");
    const auto fields = fresh.fields().read(view, {});
    {
      const query::MatchingRows matching(view, filter, *fields, {});
      const query::ViewRows rows(view, &matching, nullptr);
      std::set<std::uint64_t> found;
      for (std::uint64_t row = 0; row < 300; ++row) {
        if (rows.contains(row)) found.insert(row);
      }
      EXPECT_EQ(found, rows_with("w3"));
      EXPECT_EQ(fresh.query_analyzers().idle(), 0u);
    }
    EXPECT_EQ(fresh.query_analyzers().idle(), 1u);
  }
}

}  // namespace
}  // namespace vecstore
