// AsyncVecDatabase and AsyncCollection: the same calls, each of which returns at once.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vecstore/collection.hpp"
#include "vecstore/future.hpp"
#include "vecstore/vec_database.hpp"

namespace vecstore {

/// Where calls are carried out.
struct AsyncOptions {
  /// Given a function, has some thread call it, once, in any order; unless given, threads of the library do,
  /// one per core, shared by all databases of the process and begun at the first call. It is called
  /// by several threads at once. A function that is dropped without having been called ends its call with
  /// kCancelled.
  std::function<void(std::function<void()>)> executor;
};

namespace detail {
class AsyncCalls;
}

/// Calls of Collection (see there), each with a Future for its result. Arguments are copied; a Query's
/// deadline begins with the call. Cheap to copy, safe to share between threads. Calls are begun in any order:
/// one that needs another's effect has to await it.
///
/// Cancelling (Future::cancel) ends queries, query_batch, query_text, aggregate, optimize, batch_upsert_texts
/// and upsert_chunks while they run; other calls only before they have begun. A query uses one thread while
/// others wait, unless QueryBase::threads says otherwise.
class AsyncCollection {
 public:
  const std::string& name() const { return collection_.name(); }
  /// The same collection for calls that wait.
  Collection collection() const { return collection_; }

  Future<SequenceNumber> insert(Record record);
  Future<SequenceNumber> upsert(Record record, WriteCondition condition = {});
  Future<SequenceNumber> upsert(std::string id, Vector vector, Metadata metadata = {});
  Future<SequenceNumber> upsert_text(std::string id, std::string text, Metadata metadata = {});
  Future<SequenceNumber> batch_upsert(std::vector<Record> records);
  Future<SequenceNumber> batch_insert(std::vector<Record> records);
  Future<SequenceNumber> batch_upsert_texts(std::vector<std::string> texts,
                                            Collection::TextMetadata metadata = {},
                                            BatchOptions options = {});
  Future<SequenceNumber> upsert_chunks(std::string source, std::vector<Chunk> chunks, Embedder model = {},
                                       Collection::ChunkMetadata metadata = {}, BatchOptions options = {});
  Future<SequenceNumber> batch_execute(std::vector<Operation> operations);
  Future<SequenceNumber> update_metadata(std::string id, Metadata metadata, WriteCondition condition = {});
  template <std::same_as<MetadataChanges> Changes>
  Future<SequenceNumber> update_metadata(std::string id, Changes changes, WriteCondition condition = {}) {
    return change_metadata(std::move(id), std::move(changes), std::move(condition));
  }
  Future<std::uint64_t> update_where(Filter filter, MetadataChanges changes);
  Future<std::uint64_t> erase(std::string id, WriteCondition condition = {});
  Future<std::uint64_t> erase(std::vector<std::string> ids);
  Future<std::uint64_t> erase_where(Filter filter);
  Future<void> optimize();

  Future<std::optional<Record>> get(std::string id, GetOptions options = {}) const;
  Future<std::vector<Record>> get(std::vector<std::string> ids, GetOptions options = {}) const;
  Future<ScrollPage> scroll(ScrollOptions options) const;
  Future<ScrollPage> scroll() const;
  Future<std::uint64_t> count(Filter filter = {}) const;
  Future<Aggregates> aggregate(AggregateOptions options) const;
  Future<CollectionStats> stats() const;
  Future<std::vector<Change>> changes(ChangesOptions options = {}) const;

  Future<Hits> query(Query query) const;
  Future<Hits> query(Vector vector, std::int64_t k = 10) const {
    return query(Query(std::move(vector)).k(k));
  }
  Future<std::vector<Hits>> query_batch(std::vector<Query> queries) const;
  Future<Hits> hybrid_query(HybridQuery query) const;
  Future<Hits> query_text(std::string text, TextQueryOptions options = {}) const;
  Future<Hits> query_text(std::string text, std::int64_t k) const;

  AsyncCollection(Collection collection, std::shared_ptr<detail::AsyncCalls> calls)
      : collection_(std::move(collection)), calls_(std::move(calls)) {}

 private:
  Future<SequenceNumber> change_metadata(std::string id, MetadataChanges changes, WriteCondition condition);

  Collection collection_;
  std::shared_ptr<detail::AsyncCalls> calls_;
};

/// Calls of VecDatabase (see there), each with a Future for its result. Cheap to copy, safe to share.
///
///     auto adb  = co_await AsyncVecDatabase::open("app.vdb");
///     auto docs = co_await adb.create_collection("docs");
///     auto hits = co_await docs.hybrid_query(HybridQuery(dense, "borrow checker"));
class AsyncVecDatabase {
 public:
  static Future<AsyncVecDatabase> open(std::string directory, OpenOptions options = {},
                                       AsyncOptions async = {});

  /// Refuses further calls (kClosed) and closes the database when all that were made have ended; the future
  /// is ready then. Calls that shall not be waited for have to be cancelled.
  Future<void> close();

  Future<AsyncCollection> create_collection(std::string name, CollectionOptions options);
  Future<AsyncCollection> create_collection(std::string name);
  Future<AsyncCollection> get_collection(std::string name) const;
  Future<AsyncCollection> get_or_create_collection(std::string name, CollectionOptions options);
  Future<AsyncCollection> get_or_create_collection(std::string name);
  Future<std::vector<std::string>> list_collections() const;
  Future<void> delete_collection(std::string name);
  Future<CompactResult> compact(CompactOptions options = {});
  Future<DatabaseStats> stats() const;
  Future<VerifyReport> verify() const;

  /// The same database for calls that wait.
  VecDatabase database() const { return database_; }

  AsyncVecDatabase(VecDatabase database, std::shared_ptr<detail::AsyncCalls> calls)
      : database_(std::move(database)), calls_(std::move(calls)) {}

 private:
  VecDatabase database_;
  std::shared_ptr<detail::AsyncCalls> calls_;
};

}  // namespace vecstore
