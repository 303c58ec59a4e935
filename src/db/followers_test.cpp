// Read views of different age in turns: what newer ones share is theirs, and an older one finds what it may
// see.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "catalog/catalog.hpp"
#include "db/collection_impl.hpp"
#include "query/record_filter.hpp"
#include "shard/row_source.hpp"
#include "storage/keys.hpp"
#include "storage/store.hpp"

namespace vecstore {
namespace {

namespace fs = std::filesystem;

/// A read view in a thread of its own, as a thread has one transaction at a time and none when it writes.
class Held {
 public:
  explicit Held(shard::Shard& shard)
      : thread_([this, &shard] {
          const shard::ReadView view(shard);
          for (;;) {
            std::unique_lock lock(mutex_);
            ready_ = true;
            changed_.notify_all();
            changed_.wait(lock, [&] { return ended_ || task_; });
            if (ended_) return;
            task_(view);
            task_ = {};
          }
        }) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ready_; });
  }
  ~Held() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }
  void run(std::function<void(const shard::ReadView&)> task) {
    std::unique_lock lock(mutex_);
    task_ = std::move(task);
    changed_.notify_all();
    changed_.wait(lock, [&] { return !task_; });
  }
  std::shared_ptr<const shard::SegmentSet> segments() {
    std::shared_ptr<const shard::SegmentSet> out;
    run([&](const shard::ReadView& view) { out = view.shard().segments().at(view.txn()); });
    return out;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ready_ = false, ended_ = false;
  std::function<void(const shard::ReadView&)> task_;
  std::thread thread_;
};

class FollowersTest : public ::testing::TestWithParam<std::size_t> {
 protected:
  FollowersTest() {
    const fs::path parent = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : fs::temp_directory_path();
    std::string t = (parent / "vecstore-XXXXXX").string();
    base_ = mkdtemp(t.data());
    store_ = storage::Store::open(base_ + "/db", {});
    std::uint32_t number = 0;
    const catalog::Schema schema = catalog::make_schema({.dimension = dimension()});
    store_->write(
        [&](storage::Commit& commit) {
          number = catalog::create_collection(commit, catalog::kDefaultNamespace, "c", schema);
        },
        4096);
    background_->pause();
    collection_ = std::make_unique<Collection::Impl>(
        store_, number, "c", OpenOptions{.checkpoint_rows = 600, .graph_rows = 1'000'000}, background_);
  }
  ~FollowersTest() override {
    collection_.reset();
    background_->stop();
    store_.reset();
    fs::remove_all(base_);
  }
  static std::size_t dimension() { return GetParam(); }
  shard::Shard& shard() { return collection_->shard(); }

  std::vector<float> vector() {
    std::vector<float> v(dimension());
    for (float& x : v) x = normal_(rng_);
    return v;
  }
  /// One commit; its rows are numbered on.
  void write(std::size_t count) {
    std::vector<Record> records;
    std::vector<db::Write> writes;
    for (std::size_t i = 0; i < count; ++i) {
      vectors_.push_back(vector());
      records.push_back({.id = std::to_string(vectors_.size()), .vector = Vector(vectors_.back())});
    }
    for (const Record& r : records) writes.push_back({Operation::Kind::kInsert, &r});
    collection_->execute(writes, true);
  }
  /// Other vectors for these rows, one commit each: every one gets a new row, its old one is retired.
  void replace(std::size_t first, std::size_t count) {
    for (std::size_t row = first; row < first + count; ++row) {
      const Record r{.id = std::to_string(row + 1), .vector = Vector(vector())};
      const db::Write write{Operation::Kind::kUpsert, &r};
      collection_->execute(std::span(&write, 1), true);
      vectors_.push_back(r.vector.dense());
    }
  }
  static double cosine(const std::vector<float>& a, const std::vector<float>& b) {
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      ab += static_cast<double>(a[i]) * b[i];
      aa += static_cast<double>(a[i]) * a[i];
      bb += static_cast<double>(b[i]) * b[i];
    }
    return ab / std::sqrt(aa * bb);
  }

  /// A search in this view finds the best of its rows and none of later ones; how many of the best, of 10.
  std::size_t search(const shard::ReadView& view, const std::vector<float>& q, bool exact = false) {
    constexpr std::size_t kTop = 10;
    const shard::VectorView vectors = shard().vectors(view.schema().vectors[0]).view(view, exact, true);
    const query::ViewRows rows(view, nullptr, &vectors.directory->bad_rows);
    VectorQuery query;
    query.vector = q;
    query.filter = &rows;
    TopK out = make_collector(query);
    Context context;
    vectors.index->search(query, context, out);
    const std::size_t end = static_cast<std::size_t>(view.state().next_row);
    std::vector<double> best;
    for (std::size_t i = 0; i < end; ++i) {
      if (view.is_live(i)) best.push_back(-cosine(q, vectors_[i]));
    }
    std::partial_sort(best.begin(), best.begin() + kTop, best.end());
    std::size_t found = 0;
    const auto hits = out.take();
    EXPECT_EQ(hits.size(), kTop);
    for (const RowScore& h : hits) {
      EXPECT_LT(h.row, end);
      if (h.row < end) {
        EXPECT_NEAR(h.score, cosine(q, vectors_[h.row]), 1e-5);
      }
      found += h.score >= -best[kTop - 1] - 1e-6;
    }
    return found;
  }
  void expect_right(const shard::ReadView& view, const char* who) {
    std::size_t found = 0;
    for (int i = 0; i < 10; ++i) found += search(view, vector());
    // What was written last in the view's time.
    const std::vector<float>& last = vectors_[static_cast<std::size_t>(view.state().next_row) - 1];
    EXPECT_GE(search(view, last), 8u) << who;
    EXPECT_GE(found, dimension() < 128 ? 100u : 94u) << who;
  }

  void expect_right(Held& held, const char* who) {
    held.run([&](const shard::ReadView& view) { expect_right(view, who); });
  }

  std::mt19937 rng_{3};
  std::normal_distribution<float> normal_;
  std::string base_;
  std::shared_ptr<storage::Store> store_;
  std::shared_ptr<Background> background_ = std::make_shared<Background>();
  std::unique_ptr<Collection::Impl> collection_;
  std::vector<std::vector<float>> vectors_;
};

TEST_P(FollowersTest, AnOlderViewAsksAfterANewerOneHasMovedTheTail) {
  write(700);
  write(2'500);  // before it, a segment with 700 rows
  Held older(shard());
  const auto first_end = older.segments()->end_row();
  ASSERT_EQ(first_end, 700u);
  expect_right(older, "older, alone");
  write(300);  // before it, a segment with the others
  write(450);
  Held newer(shard());
  const auto second_end = newer.segments()->end_row();
  ASSERT_EQ(second_end, 3'200u);
  for (int i = 0; i < 3; ++i) {
    expect_right(newer, "newer");
    expect_right(older, "older, after the newer one");
  }
  // Rows behind both, in the newest tail.
  write(100);
  Held newest(shard());
  expect_right(newest, "newest");
  expect_right(newer, "newer, whose tail begins there too");
  expect_right(older, "older, last");
}

TEST_P(FollowersTest, AnOlderListDoesNotReplaceWhatNewerViewsShare) {
  write(700);
  write(700);
  Held older(shard());
  shard::Segments& segments = shard().segments();
  ASSERT_EQ(older.segments()->items.size(), 1u);
  write(100);
  Held newer(shard());
  const auto shared = newer.segments();
  ASSERT_EQ(shared->items.size(), 2u);
  const std::uint64_t covered = segments.covered();
  const auto old = older.segments();
  EXPECT_EQ(old->items.size(), 1u);
  EXPECT_EQ(old->items[0].segment, shared->items[0].segment);  // opened once
  EXPECT_EQ(newer.segments(), shared);
  EXPECT_EQ(segments.covered(), covered);
  // The files of both lists go; views that are old find them gone, which is no damage.
  Context context;
  ASSERT_TRUE(shard().merge_step(true, context));
  Held merged(shard());
  const auto one = merged.segments();
  ASSERT_EQ(one->items.size(), 1u);
  for (int i = 0; i < 3; ++i) {
    expect_right(merged, "merged");
    expect_right(older, "older");
    expect_right(newer, "newer");
    EXPECT_EQ(merged.segments(), one);
  }
  EXPECT_EQ(segments.damages(), 0u);
  EXPECT_EQ(segments.covered(), covered);
}

// Rows replaced one by one: the block that held the old ones is removed, and what newer views share never saw
// them.
TEST_P(FollowersTest, AnOlderViewSeesRowsWhoseBlockIsGone) {
  for (int i = 0; i < 3; ++i) write(7'000);  // enough for codes
  write(300);                                // before it, a segment
  write(16);                                 // a block of its own
  write(200);
  auto older = std::make_unique<Held>(shard());
  replace(21'300, 16);
  Held newer(shard());
  newer.run([&](const shard::ReadView& view) {
    storage::RowReader reader(view.txn(), {storage::BlockKind::kVectors, shard().collection(), 0, 0});
    EXPECT_FALSE(reader.find(21'305)) << "the block is still there: this tests nothing";
    EXPECT_FALSE(view.is_live(21'305));
  });
  for (const bool exact : {false, true}) {
    // The second search is by codes, where there are some.
    for (int i = 0; i < 3; ++i) newer.run([&](const auto& view) { search(view, vector(), exact); });
    older->run([&](const shard::ReadView& view) {
      for (std::size_t row = 21'300; row < 21'316; ++row) {
        const shard::VectorView vectors = shard().vectors(view.schema().vectors[0]).view(view, exact, true);
        const query::ViewRows rows(view, nullptr, &vectors.directory->bad_rows);
        VectorQuery query;
        query.vector = vectors_[row];
        query.k = 1;
        query.exact = exact;
        query.filter = &rows;
        TopK out = make_collector(query);
        Context context;
        vectors.index->search(query, context, out);
        const auto hits = out.take();
        ASSERT_EQ(hits.size(), 1u);
        EXPECT_EQ(hits[0].row, row) << (exact ? "exact" : "usual");
      }
      EXPECT_GE(search(view, vectors_[21'310], exact), 8u);
    });
    newer.run([&](const auto& view) { EXPECT_GE(search(view, vectors_.back(), exact), 8u); });
  }
}

// A search of an older view meets damage in a segment that newer views have no more: it must not be given the
// same segment for ever.
TEST_P(FollowersTest, DamageIsRememberedForEveryView) {
  write(700);
  write(100);  // before it, a segment
  Held older(shard());
  const auto before = older.segments();
  ASSERT_EQ(before->items.size(), 1u);
  const std::uint64_t number = before->items[0].entry.number;
  write(700);
  write(10);
  Context context;
  ASSERT_TRUE(shard().merge_step(true, context));
  Held newer(shard());
  const auto now = newer.segments();
  ASSERT_EQ(now->items.size(), 1u);
  ASSERT_NE(now->items[0].entry.number, number);
  shard::Segments& segments = shard().segments();
  for (int i = 0; i < 2; ++i) {
    segments.report_damage(number);
    EXPECT_EQ(segments.damages(), 1u);
    EXPECT_FALSE(older.segments()->usable);
    EXPECT_FALSE(older.segments()->items[0].segment);
    EXPECT_TRUE(newer.segments()->usable);
  }
  expect_right(older, "older");
  expect_right(newer, "newer");
  segments.report_damage(now->items[0].entry.number);
  EXPECT_FALSE(newer.segments()->usable);
  EXPECT_EQ(segments.damages(), 2u);
  expect_right(newer, "newer, from the truth");
}

// Queries only ask for tables; they are there soon, also while merges are held back.
TEST_P(FollowersTest, BlockTablesAreMadeBesideTheQueries) {
  write(5'000);
  const storage::RowSpace space{storage::BlockKind::kVectors, shard().collection(), 0, 0};
  const auto have = [&] {
    for (int i = 0; i < 2'000; ++i) {
      // Each in a view of its own, as queries are.
      const shard::ReadView view(shard());
      if (const auto table = shard().block_tables().at(view, space)) {
        EXPECT_GT(table->size(), 0u);
        for (std::uint64_t row = 0; row < 5'000; row += 97) {
          const auto block = table->find(row);
          EXPECT_TRUE(!block || block->find(row));
        }
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  };
  EXPECT_TRUE(have());
  {
    const shard::ReadView view(shard());
    EXPECT_TRUE(shard().block_tables().at(view, space));
  }
  replace(10, 1);  // blocks may have gone
  {
    const shard::ReadView view(shard());
    EXPECT_FALSE(shard().block_tables().at(view, space));
  }
  EXPECT_TRUE(have());
  background_->stop();
  replace(11, 1);
  const shard::ReadView view(shard());
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(shard().block_tables().at(view, space));
}

// What is built from a collection or field that was dropped meanwhile is of no use: it ends.
TEST_P(FollowersTest, ARowSourceEndsWithWhatItReads) {
  write(300);
  const catalog::VectorFieldSchema field = shard::ReadView(shard()).schema().vectors[0];
  const Context context;
  const auto source = [&] { return shard::RowSource(shard(), field, 0, 300, nullptr, context); };
  const auto sweep = [&] {
    for (bool more = true; more;)
      store_->write([&](storage::Commit& commit) { more = catalog::sweep(commit, 100); }, 0, true);
  };
  const shard::RowSource before_field = source();
  const shard::RowSource before_drop = source();
  EXPECT_EQ(before_field.vector(7)[0], vectors_[7][0]);
  // A row that alone is missing is passed over.
  replace(0, 299);
  EXPECT_EQ(before_field.vector(100)[0], 0.0f);  // beyond what was read ahead
  shard().change_schema([](catalog::Schema& schema) { schema.vectors.clear(); });
  sweep();
  EXPECT_THROW(before_field.vector(200), shard::FieldDropped);
  store_->write(
      [&](storage::Commit& commit) { catalog::drop_collection(commit, catalog::kDefaultNamespace, "c"); }, 0,
      true);
  sweep();
  try {
    before_drop.vector(9);
    FAIL() << "nothing is there to be read";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kNotFound);
  }
}

INSTANTIATE_TEST_SUITE_P(Dimensions, FollowersTest, ::testing::Values(24u, 128u));

}  // namespace
}  // namespace vecstore
