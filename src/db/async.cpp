#include "vecstore/async.hpp"

#include <algorithm>
#include <list>

#include "base/error.hpp"
#include "db/async_calls.hpp"

namespace vecstore {
namespace {

using Clock = std::chrono::steady_clock;
using Calls = std::shared_ptr<detail::AsyncCalls>;

/// Stops when one of two tokens says so.
class EitherStop {
 public:
  EitherStop(std::stop_token a, std::stop_token b)
      : a_(std::move(a), Stop{&source_}), b_(std::move(b), Stop{&source_}) {}
  std::stop_token token() const { return source_.get_token(); }

 private:
  struct Stop {
    std::stop_source* source;
    void operator()() const { source->request_stop(); }
  };
  std::stop_source source_;
  std::stop_callback<Stop> a_;
  std::stop_callback<Stop> b_;
};

/// The limits that options of several kinds have, by whatever name.
struct Limits {
  std::optional<std::chrono::milliseconds>& deadline;
  std::stop_token& stop;
  unsigned& threads;
};
template <class Q>
Limits limits_of(QueryBase<Q>& q) {
  return {q.deadline_, q.stop_, q.threads_};
}
Limits limits_of(TextQueryOptions& o) { return {o.deadline, o.stop, o.threads}; }

std::chrono::milliseconds time_left(std::chrono::milliseconds deadline, Clock::time_point asked) {
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - asked);
  return deadline <= waited ? std::chrono::milliseconds(0) : deadline - waited;
}

/// Gives a query the time that is left of what it had when it was asked, and a token that stops it when the
/// call is cancelled. `stops` has to live as long as the query runs.
template <class Q>
void limit(Q& query, Clock::time_point asked, const std::stop_token& cancelled, const Calls& calls,
           std::list<EitherStop>& stops) {
  const Limits limits = limits_of(query);
  if (limits.deadline) limits.deadline = time_left(*limits.deadline, asked);
  if (limits.threads == 0 && calls->crowded()) limits.threads = 1;
  limits.stop = limits.stop.stop_possible() ? stops.emplace_back(limits.stop, cancelled).token() : cancelled;
}

/// A query as a call.
template <class Q, class Search>
Future<Hits> search(const Calls& calls, Q query, Search search) {
  return calls->call<Hits>([q = std::move(query), search = std::move(search), asked = Clock::now(),
                            calls](const std::stop_token& cancelled) mutable {
    std::list<EitherStop> stops;
    limit(q, asked, cancelled, calls, stops);
    return search(q);
  });
}

/// Runs work that takes a stop token in its options.
template <class Options, class Work>
auto run_stoppable(Options options, const std::stop_token& cancelled, const Work& work) {
  const EitherStop either(options.stop, cancelled);
  options.stop = either.token();
  return work(options);
}

template <class T, class Work>
Future<T> call(const Calls& calls, Work work) {
  return calls->call<T>([work = std::move(work)](const std::stop_token&) mutable { return work(); });
}

}  // namespace

// ---- Writing
Future<SequenceNumber> AsyncCollection::insert(Record record) {
  return call<SequenceNumber>(calls_,
                              [c = collection_, r = std::move(record)]() mutable { return c.insert(r); });
}
Future<SequenceNumber> AsyncCollection::upsert(Record record, WriteCondition condition) {
  return call<SequenceNumber>(calls_, [c = collection_, r = std::move(record),
                                       w = std::move(condition)]() mutable { return c.upsert(r, w); });
}
Future<SequenceNumber> AsyncCollection::upsert(std::string id, Vector vector, Metadata metadata) {
  Record record;
  record.id = std::move(id);
  record.vector = std::move(vector);
  record.metadata = std::move(metadata);
  return upsert(std::move(record));
}
Future<SequenceNumber> AsyncCollection::upsert_text(std::string id, std::string text, Metadata metadata) {
  return call<SequenceNumber>(
      calls_, [c = collection_, id = std::move(id), t = std::move(text), m = std::move(metadata)]() mutable {
        return c.upsert_text(id, t, std::move(m));
      });
}
Future<SequenceNumber> AsyncCollection::batch_upsert(std::vector<Record> records) {
  return call<SequenceNumber>(
      calls_, [c = collection_, r = std::move(records)]() mutable { return c.batch_upsert(r); });
}
Future<SequenceNumber> AsyncCollection::batch_insert(std::vector<Record> records) {
  return call<SequenceNumber>(
      calls_, [c = collection_, r = std::move(records)]() mutable { return c.batch_insert(r); });
}
Future<SequenceNumber> AsyncCollection::batch_upsert_texts(std::vector<std::string> texts,
                                                           Collection::TextMetadata metadata,
                                                           BatchOptions options) {
  return calls_->call<SequenceNumber>([c = collection_, t = std::move(texts), m = std::move(metadata),
                                       o = std::move(options)](const std::stop_token& cancelled) mutable {
    return run_stoppable(o, cancelled, [&](const BatchOptions& b) { return c.batch_upsert_texts(t, m, b); });
  });
}
Future<SequenceNumber> AsyncCollection::upsert_chunks(std::string source, std::vector<Chunk> chunks,
                                                      Embedder model, Collection::ChunkMetadata metadata,
                                                      BatchOptions options) {
  return calls_->call<SequenceNumber>([c = collection_, s = std::move(source), k = std::move(chunks),
                                       e = std::move(model), m = std::move(metadata),
                                       o = std::move(options)](const std::stop_token& cancelled) mutable {
    return run_stoppable(o, cancelled, [&](const BatchOptions& b) { return c.upsert_chunks(s, k, e, m, b); });
  });
}
Future<SequenceNumber> AsyncCollection::batch_execute(std::vector<Operation> operations) {
  return call<SequenceNumber>(
      calls_, [c = collection_, o = std::move(operations)]() mutable { return c.batch_execute(o); });
}
Future<SequenceNumber> AsyncCollection::update_metadata(std::string id, Metadata metadata,
                                                        WriteCondition condition) {
  return call<SequenceNumber>(calls_,
                              [c = collection_, id = std::move(id), m = std::move(metadata),
                               w = std::move(condition)]() mutable { return c.update_metadata(id, m, w); });
}
Future<SequenceNumber> AsyncCollection::change_metadata(std::string id, MetadataChanges changes,
                                                        WriteCondition condition) {
  return call<SequenceNumber>(calls_,
                              [c = collection_, id = std::move(id), m = std::move(changes),
                               w = std::move(condition)]() mutable { return c.update_metadata(id, m, w); });
}
Future<std::uint64_t> AsyncCollection::update_where(Filter filter, MetadataChanges changes) {
  return call<std::uint64_t>(calls_, [c = collection_, f = std::move(filter),
                                      m = std::move(changes)]() mutable { return c.update_where(f, m); });
}
Future<std::uint64_t> AsyncCollection::erase(std::string id, WriteCondition condition) {
  return call<std::uint64_t>(calls_, [c = collection_, id = std::move(id),
                                      w = std::move(condition)]() mutable { return c.erase(id, w); });
}
Future<std::uint64_t> AsyncCollection::erase(std::vector<std::string> ids) {
  return call<std::uint64_t>(calls_, [c = collection_, i = std::move(ids)]() mutable { return c.erase(i); });
}
Future<std::uint64_t> AsyncCollection::erase_where(Filter filter) {
  return call<std::uint64_t>(calls_,
                             [c = collection_, f = std::move(filter)]() mutable { return c.erase_where(f); });
}
Future<void> AsyncCollection::optimize() {
  return calls_->call<void>(
      [c = collection_](const std::stop_token& cancelled) mutable { c.optimize(cancelled); });
}

// ---- Reading
Future<std::optional<Record>> AsyncCollection::get(std::string id, GetOptions options) const {
  return call<std::optional<Record>>(
      calls_, [c = collection_, id = std::move(id), options] { return c.get(id, options); });
}
Future<std::vector<Record>> AsyncCollection::get(std::vector<std::string> ids, GetOptions options) const {
  return call<std::vector<Record>>(
      calls_, [c = collection_, i = std::move(ids), options] { return c.get(i, options); });
}
Future<ScrollPage> AsyncCollection::scroll(ScrollOptions options) const {
  return call<ScrollPage>(calls_, [c = collection_, o = std::move(options)] { return c.scroll(o); });
}
// Not a default argument, here and below: it would be made in the coroutine that awaits; see Future.
Future<ScrollPage> AsyncCollection::scroll() const { return scroll(ScrollOptions()); }
Future<std::uint64_t> AsyncCollection::count(Filter filter) const {
  return call<std::uint64_t>(calls_, [c = collection_, f = std::move(filter)] { return c.count(f); });
}
Future<Aggregates> AsyncCollection::aggregate(AggregateOptions options) const {
  return calls_->call<Aggregates>(
      [c = collection_, o = std::move(options), asked = Clock::now()](const std::stop_token& cancelled) {
        AggregateOptions limited = o;
        if (limited.deadline) limited.deadline = time_left(*limited.deadline, asked);
        return run_stoppable(std::move(limited), cancelled,
                             [&](const AggregateOptions& a) { return c.aggregate(a); });
      });
}
Future<CollectionStats> AsyncCollection::stats() const {
  return call<CollectionStats>(calls_, [c = collection_] { return c.stats(); });
}
Future<std::vector<Change>> AsyncCollection::changes(ChangesOptions options) const {
  return call<std::vector<Change>>(calls_, [c = collection_, options] { return c.changes(options); });
}

// ---- Searching
Future<Hits> AsyncCollection::query(Query query) const {
  return search(calls_, std::move(query), [c = collection_](const Query& q) { return c.query(q); });
}
Future<Hits> AsyncCollection::hybrid_query(HybridQuery query) const {
  return search(calls_, std::move(query),
                [c = collection_](const HybridQuery& q) { return c.hybrid_query(q); });
}
Future<Hits> AsyncCollection::query_text(std::string text, TextQueryOptions options) const {
  return search(
      calls_, std::move(options),
      [c = collection_, t = std::move(text)](const TextQueryOptions& o) { return c.query_text(t, o); });
}
Future<std::vector<Hits>> AsyncCollection::query_batch(std::vector<Query> queries) const {
  return calls_->call<std::vector<Hits>>([c = collection_, queries = std::move(queries), asked = Clock::now(),
                                          calls = calls_](const std::stop_token& cancelled) mutable {
    std::list<EitherStop> stops;
    for (Query& q : queries) limit(q, asked, cancelled, calls, stops);
    return c.query_batch(queries);
  });
}
Future<Hits> AsyncCollection::query_text(std::string text, std::int64_t k) const {
  TextQueryOptions options;
  options.k = k;
  return query_text(std::move(text), std::move(options));
}

// ---- The database
Future<AsyncVecDatabase> AsyncVecDatabase::open(std::string directory, OpenOptions options,
                                                AsyncOptions async) {
  const auto calls = std::make_shared<detail::AsyncCalls>(std::move(async));
  return call<AsyncVecDatabase>(calls, [calls, d = std::move(directory), o = std::move(options)] {
    return AsyncVecDatabase(VecDatabase::open(d, o), calls);
  });
}
Future<void> AsyncVecDatabase::close() {
  return calls_->close([db = database_]() mutable { db.close(); });
}
Future<AsyncCollection> AsyncVecDatabase::create_collection(std::string name, CollectionOptions options) {
  return call<AsyncCollection>(
      calls_, [db = database_, calls = calls_, n = std::move(name), o = std::move(options)]() mutable {
        return AsyncCollection(db.create_collection(n, o), calls);
      });
}
Future<AsyncCollection> AsyncVecDatabase::create_collection(std::string name) {
  return create_collection(std::move(name), CollectionOptions());
}
Future<AsyncCollection> AsyncVecDatabase::get_or_create_collection(std::string name) {
  return get_or_create_collection(std::move(name), CollectionOptions());
}
Future<AsyncCollection> AsyncVecDatabase::get_collection(std::string name) const {
  return call<AsyncCollection>(calls_, [db = database_, calls = calls_, n = std::move(name)] {
    return AsyncCollection(db.get_collection(n), calls);
  });
}
Future<AsyncCollection> AsyncVecDatabase::get_or_create_collection(std::string name,
                                                                   CollectionOptions options) {
  return call<AsyncCollection>(
      calls_, [db = database_, calls = calls_, n = std::move(name), o = std::move(options)]() mutable {
        return AsyncCollection(db.get_or_create_collection(n, o), calls);
      });
}
Future<std::vector<std::string>> AsyncVecDatabase::list_collections() const {
  return call<std::vector<std::string>>(calls_, [db = database_] { return db.list_collections(); });
}
Future<void> AsyncVecDatabase::delete_collection(std::string name) {
  return call<void>(calls_, [db = database_, n = std::move(name)]() mutable { db.delete_collection(n); });
}
Future<CompactResult> AsyncVecDatabase::compact(CompactOptions options) {
  return calls_->call<CompactResult>(
      [db = database_, o = std::move(options)](const std::stop_token& cancelled) mutable {
        return run_stoppable(o, cancelled,
                             [&](const CompactOptions& stoppable) { return db.compact(stoppable); });
      });
}
Future<DatabaseStats> AsyncVecDatabase::stats() const {
  return call<DatabaseStats>(calls_, [db = database_] { return db.stats(); });
}
Future<VerifyReport> AsyncVecDatabase::verify() const {
  return call<VerifyReport>(calls_, [db = database_] { return db.verify(); });
}

}  // namespace vecstore
