// Asynchronous calls: their results are those of the calls that wait, and nothing of them is left over.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <mutex>
#include <random>
#include <thread>

#include "scratch.hpp"
#include "seed.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

using namespace std::chrono_literals;

template <class T>
ErrorCode code_of(Future<T> future) {
  try {
    future.get();
  } catch (const Error& e) {
    return e.code();
  }
  return {};
}

/// Runs nothing until it is told to.
class Held {
 public:
  AsyncOptions options() {
    return {.executor = [this](std::function<void()> task) {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }};
  }
  std::size_t run_all() {
    std::size_t n = 0;
    for (;; ++n) {
      std::function<void()> task;
      {
        const std::lock_guard lock(mutex_);
        if (tasks_.empty()) return n;
        task = std::move(tasks_.front());
        tasks_.erase(tasks_.begin());
      }
      task();
    }
  }
  void drop_all() {
    std::vector<std::function<void()>> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return tasks_.size();
  }

 private:
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;
};

class AsyncTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kDimension = 8;
  OpenOptions fast() const { return {.durability = Durability::kRelaxed}; }
  AsyncVecDatabase open() { return AsyncVecDatabase::open(scratch_ / "db", fast()).get(); }
  /// Opened by the executor that is held.
  AsyncVecDatabase open_held() {
    auto future = AsyncVecDatabase::open(scratch_ / "db", fast(), held_.options());
    held_.run_all();
    return future.get();
  }
  AsyncCollection collection(AsyncVecDatabase& db) {
    auto future = db.get_or_create_collection("c");
    held_.run_all();
    return future.get();
  }
  std::vector<float> vector() {
    std::normal_distribution<float> normal;
    std::vector<float> v(kDimension);
    for (float& x : v) x = normal(rng_);
    return v;
  }
  std::vector<Record> records(std::size_t n) {
    std::vector<Record> out;
    for (std::size_t i = 0; i < n; ++i)
      out.push_back({.id = std::to_string(i),
                     .vector = Vector(vector()),
                     .text = "text number " + std::to_string(i % 10),
                     .metadata = {{"n", static_cast<std::int64_t>(i)}}});
    return out;
  }

  test::Scratch scratch_;
  Held held_;
  std::mt19937 rng_{test::seed()};
};

TEST_F(AsyncTest, EveryCallDoesWhatItsTwinDoes) {
  auto db = open();
  auto c = db.create_collection("c").get();
  const Collection twin = c.collection();
  c.batch_upsert(records(50)).get();
  EXPECT_EQ(c.count().get(), 50u);
  EXPECT_EQ(c.count(Filter::parse("n < 10")).get(), 10u);
  c.insert({.id = "new", .vector = Vector(vector())}).get();
  EXPECT_EQ(code_of(c.insert({.id = "new"})), ErrorCode::kAlreadyExists);
  c.upsert("new", Vector(vector()), {{"n", 5}}).get();
  c.update_metadata("new", Metadata{{"n", 6}}).get();
  c.update_metadata("new", MetadataChanges().increment("n")).get();
  EXPECT_EQ(c.get("new").get()->metadata, (Metadata{{"n", 7}}));
  EXPECT_EQ(code_of(c.upsert({.id = "new"}, {.if_sequence = 1})), ErrorCode::kConflict);
  EXPECT_EQ(c.update_where(Filter::parse("n = 7"), MetadataChanges().set("seen", true)).get(), 2u);
  EXPECT_EQ(c.get(std::vector<std::string>{"1", "2", "none"}).get().size(), 2u);
  EXPECT_EQ(c.scroll({.limit = 7}).get().records.size(), 7u);
  EXPECT_EQ(c.changes().get().size(), twin.changes().size());
  Operation erase{Operation::Kind::kErase, {.id = "new"}};
  c.batch_execute({erase}).get();
  EXPECT_EQ(c.erase("1").get(), 1u);
  EXPECT_EQ(c.erase(std::vector<std::string>{"2", "3", "none"}).get(), 2u);
  EXPECT_EQ(c.erase_where(Filter::parse("n >= 40")).get(), 10u);
  c.optimize().get();
  EXPECT_EQ(c.stats().get().digest, twin.stats().digest);
  for (int i = 0; i < 20; ++i) {
    const Query query = Query(Vector(vector())).k(5);
    const Hits a = c.query(query).get();
    const Hits b = twin.query(query);
    const std::vector<Hits> batch = c.query_batch({query, query}).get();
    const HybridQuery hybrid(query.vector_, "number 4");
    const Hits h = c.hybrid_query(hybrid).get();
    const Hits t = c.query_text("number 4", {.mode = Mode::kText}).get();
    const Hits h2 = twin.hybrid_query(hybrid);
    const Hits t2 = twin.query_text("number 4", {.mode = Mode::kText});
    ASSERT_EQ(a.size(), b.size());
    ASSERT_EQ(batch.size(), 2u);
    ASSERT_EQ(h.size(), h2.size());
    ASSERT_EQ(t.size(), t2.size());
    for (std::size_t k = 0; k < a.size(); ++k) {
      EXPECT_EQ(a[k].id, b[k].id);
      EXPECT_EQ(batch[1][k].id, b[k].id);
    }
    for (std::size_t k = 0; k < h.size(); ++k) EXPECT_EQ(h[k].id, h2[k].id);
    for (std::size_t k = 0; k < t.size(); ++k) EXPECT_EQ(t[k].id, t2[k].id);
  }
  EXPECT_EQ(db.list_collections().get(), std::vector<std::string>{"c"});
  EXPECT_EQ(db.stats().get().records, twin.count());
  EXPECT_TRUE(db.verify().get().ok());
  EXPECT_GT(db.compact().get().generation, 1u);
  EXPECT_EQ(code_of(db.get_collection("none")), ErrorCode::kNotFound);
  db.delete_collection("c").get();
  db.close().get();
  EXPECT_EQ(code_of(c.count()), ErrorCode::kClosed);
  EXPECT_EQ(code_of(db.stats()), ErrorCode::kClosed);
  db.close().get();  // once more is no error
}

TEST_F(AsyncTest, ErrorsOfOpeningArrive) {
  EXPECT_EQ(code_of(AsyncVecDatabase::open(scratch_ / "none", {.create = false})), ErrorCode::kNotFound);
}

TEST_F(AsyncTest, CallbacksAreCalledOnceWithTheResult) {
  auto db = open();
  auto c = db.create_collection("c").get();
  c.batch_upsert(records(20)).get();
  constexpr int kTimes = 200;
  std::atomic<int> called{0}, hits{0};
  std::promise<void> all;
  for (int i = 0; i < kTimes; ++i) {
    auto future = c.query(Vector(vector()), 3);
    if (i % 2) future.wait();  // ready before the callback is there
    future.then([&](Future<Hits> ready) {
      EXPECT_TRUE(ready.ready());
      hits += static_cast<int>(ready.get().size());
      if (++called == kTimes) all.set_value();
      throw std::runtime_error("lost");
    });
  }
  all.get_future().wait();
  EXPECT_EQ(hits, 3 * kTimes);
}

Future<std::size_t> count_hits(AsyncCollection c, std::vector<Query> queries) {
  std::size_t n = 0;
  for (const Query& q : queries) {
    const Hits hits = co_await c.query(q);
    n += hits.size();
  }
  co_return n;
}

Future<int> with_defaults(AsyncVecDatabase db) {
  auto c = co_await db.get_or_create_collection("defaults");
  Future<SequenceNumber> written = c.upsert({.id = "an id that needs an allocation", .text = "words"});
  co_await written;
  co_await c.update_metadata("an id that needs an allocation", MetadataChanges().set("a", "b"));
  const ScrollPage page = co_await c.scroll();
  TextQueryOptions by_words;
  by_words.mode = Mode::kText;
  const Hits hits = co_await c.query_text("words", by_words);
  const std::uint64_t count = co_await c.count();
  const auto record = co_await c.get("an id that needs an allocation");
  co_await c.erase("an id that needs an allocation");
  co_await db.delete_collection("defaults");
  co_return static_cast<int>(page.records.size() + count + (record ? 1 : 0) + hits.size());
}

Future<void> nested(AsyncCollection c, std::vector<Query> queries, std::size_t& out,
                    std::atomic<int>& alive) {
  struct Alive {
    std::atomic<int>& n;
    explicit Alive(std::atomic<int>& counter) : n(counter) { ++n; }
    ~Alive() { --n; }
  } const here(alive);
  out = co_await count_hits(c, queries);
  const auto record = co_await c.get("none");
  if (!record) throw Error(ErrorCode::kNotFound, "as expected");
}

TEST_F(AsyncTest, AFutureIsUsedOnce) {
  auto db = open();
  auto future = db.stats();
  future.get();
  EXPECT_FALSE(future.valid());
  EXPECT_EQ(code_of(std::move(future)), ErrorCode::kInvalidArgument);
  Future<void> empty;
  EXPECT_THROW(empty.wait(), Error);
  EXPECT_THROW(empty.cancel(), Error);
  EXPECT_THROW(empty.then([](Future<void>) {}), Error);
  static_assert(!std::is_copy_constructible_v<Future<int>>);
  auto waited = db.stats();
  EXPECT_TRUE(waited.wait_for(std::chrono::milliseconds::max()));
  EXPECT_TRUE(waited.wait_for(std::chrono::milliseconds::min()));
}

TEST_F(AsyncTest, CoroutinesAwaitCallsAndEachOther) {
  auto db = open();
  auto c = db.create_collection("c").get();
  c.batch_upsert(records(20)).get();
  std::vector<Query> queries;
  for (int i = 0; i < 10; ++i) queries.push_back(Query(Vector(vector())).k(4));
  EXPECT_EQ(count_hits(c, queries).get(), 40u);
  EXPECT_EQ(with_defaults(db).get(), 4);
  for (int i = 0; i < 50; ++i) {
    std::size_t n = 0;
    std::atomic<int> alive{0};
    EXPECT_EQ(code_of(nested(c, queries, n, alive)), ErrorCode::kNotFound);
    EXPECT_EQ(n, 40u);
    EXPECT_EQ(alive, 0) << "nothing of a coroutine is left when its result is there";
  }
}

TEST_F(AsyncTest, CancellingEndsWhatHasNotBegun) {
  auto db = open_held();
  auto c = collection(db);
  auto kept = c.upsert("a", Vector(vector()));
  auto cancelled = c.upsert("b", Vector(vector()));
  auto outer = count_hits(c, {Query(Vector(vector())), Query(Vector(vector()))});
  cancelled.cancel();
  outer.cancel();  // reaches the query that it awaits
  EXPECT_FALSE(kept.ready());
  EXPECT_FALSE(kept.wait_for(1ms));
  held_.run_all();
  EXPECT_TRUE(kept.wait_for(0ms));
  kept.get();
  EXPECT_EQ(code_of(std::move(cancelled)), ErrorCode::kCancelled);
  EXPECT_EQ(code_of(std::move(outer)), ErrorCode::kCancelled);
  auto count = c.count();
  held_.run_all();
  EXPECT_EQ(count.get(), 1u);
}

/// Cancels a call from inside of it.
struct CancellingModel {
  std::shared_ptr<std::function<void()>> cancel;
  std::string name() const { return "cancelling"; }
  std::string fingerprint() const { return "1"; }
  std::size_t dimension() const { return 8; }
  void embed_batch(std::span<const std::string_view>, std::span<float> out) const {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(i + 1);
    if (*cancel) (*cancel)();
  }
};

TEST_F(AsyncTest, CancellingReachesWhatRuns) {
  auto db = open_held();
  const auto cancel = std::make_shared<std::function<void()>>();
  CollectionOptions with_model;
  with_model.embedder = CancellingModel{cancel};
  auto created = db.create_collection("c", with_model);
  held_.run_all();
  auto c = created.get();
  auto write = c.batch_upsert(records(10));
  held_.run_all();
  write.get();
  // By the future, between embedding and search.
  auto query = c.query_text("words", 3);
  *cancel = [&] { query.cancel(); };
  held_.run_all();
  EXPECT_EQ(code_of(std::move(query)), ErrorCode::kCancelled);
  // Between two commits.
  auto texts = c.batch_upsert_texts(
      {"a", "b", "c"}, [](auto, std::size_t i) { return Metadata{{"_id", "new" + std::to_string(i)}}; },
      {.batch_size = 1});
  *cancel = [&] { texts.cancel(); };
  held_.run_all();
  EXPECT_EQ(code_of(std::move(texts)), ErrorCode::kCancelled);
  *cancel = nullptr;
  // By the query's own token, whose future is not cancelled.
  std::stop_source own;
  own.request_stop();
  auto stopped = c.query(Query(Vector(vector())).stop(own.get_token()));
  auto both = c.query(Query(Vector(vector())).stop(std::stop_source().get_token()));
  auto batch = c.query_batch({Query(Vector(vector())), Query(Vector(vector())).stop(own.get_token())});
  auto count = c.count();
  held_.run_all();
  EXPECT_EQ(code_of(std::move(stopped)), ErrorCode::kCancelled);
  EXPECT_EQ(code_of(std::move(batch)), ErrorCode::kCancelled);
  EXPECT_EQ(both.get().size(), 10u);
  EXPECT_EQ(count.get(), 11u);
}

TEST_F(AsyncTest, ADeadlineBeginsWithTheCall) {
  auto db = open_held();
  auto c = collection(db);
  auto write = c.upsert("a", Vector(vector()));
  held_.run_all();
  write.get();
  auto late = c.query(Query(Vector(vector())).deadline(20ms));
  auto text = c.query_text("a", {.mode = Mode::kText, .deadline = 20ms});
  auto patient = c.query(Query(Vector(vector())).deadline(1h));
  std::this_thread::sleep_for(40ms);
  held_.run_all();
  EXPECT_EQ(code_of(std::move(late)), ErrorCode::kDeadline);
  EXPECT_EQ(code_of(std::move(text)), ErrorCode::kDeadline);
  EXPECT_EQ(patient.get().size(), 1u);
}

TEST_F(AsyncTest, AnExecutorThatFailsEndsTheCall) {
  auto db = open_held();
  auto c = collection(db);
  auto dropped = c.count();
  held_.drop_all();
  EXPECT_EQ(code_of(std::move(dropped)), ErrorCode::kCancelled);
  auto throws = AsyncVecDatabase::open(scratch_ / "db", fast(),
                                       {.executor = [](auto) { throw Error(ErrorCode::kBusy, "no"); }});
  EXPECT_EQ(code_of(std::move(throws)), ErrorCode::kBusy);
}

TEST_F(AsyncTest, CloseWaitsForWhatWasAskedBefore) {
  auto db = open_held();
  auto c = collection(db);
  auto write = c.upsert("a", Vector(vector()));
  auto close = db.close();
  auto again = db.close();
  EXPECT_EQ(code_of(c.count()), ErrorCode::kClosed);
  EXPECT_EQ(held_.size(), 1u) << "the closing waits for the write";
  held_.run_all();
  write.get();
  close.get();
  again.get();
  EXPECT_EQ(VecDatabase::open(scratch_ / "db", fast()).get_collection("c").count(), 1u);
}

// What is counted here lives as long as a call does.
TEST_F(AsyncTest, TenThousandInFlightHalfOfThemCancelled) {
  auto db = open();
  auto c = db.create_collection("c").get();
  c.batch_upsert(records(500)).get();
  constexpr std::size_t kCalls = 10'000;
  const auto counted = std::make_shared<int>(0);
  std::vector<Future<Hits>> futures;
  std::vector<Query> queries;
  for (int i = 0; i < 50; ++i) queries.push_back(Query(Vector(vector())).k(3));
  std::atomic<std::size_t> called{0};
  std::promise<void> close_done;
  for (std::size_t i = 0; i < kCalls; ++i) {
    auto future = c.query(queries[i % queries.size()]);
    if (i % 2) future.cancel();
    if (i % 3 == 0) {
      future.then([counted, &called](Future<Hits>) { ++called; });
    } else {
      futures.push_back(std::move(future));
    }
  }
  db.close().get();
  std::size_t found = 0, cancelled = 0;
  for (auto& f : futures) {
    EXPECT_TRUE(f.ready()) << "close waits";
    try {
      EXPECT_EQ(f.get().size(), 3u);
      ++found;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kCancelled);
      ++cancelled;
    }
  }
  EXPECT_EQ(found + cancelled, futures.size());
  EXPECT_GE(found, futures.size() / 2);
  EXPECT_EQ(called, (kCalls + 2) / 3);
  EXPECT_EQ(counted.use_count(), 1) << "callbacks are gone";
}

TEST_F(AsyncTest, AForkedChildIsTold) {
  auto db = open();
  auto c = db.create_collection("c").get();
  const pid_t child = fork();
  if (child == 0) ::_exit(code_of(c.count()) == ErrorCode::kForked ? 0 : 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace vecstore
