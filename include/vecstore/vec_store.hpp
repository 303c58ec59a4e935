// VecStore: the simplest door, one directory with one collection.
#pragma once
#include <string_view>

#include "vecstore/vec_database.hpp"

namespace vecstore {

/// The collection "default" of the database in a directory. It is made at the first write; metric and options
/// can be given at open, the dimension is learned from the first vector. Reading before the first write finds
/// nothing.
class VecStore {
 public:
  static VecStore open(std::string_view directory, const CollectionOptions& collection = {},
                       const OpenOptions& options = {});

  SequenceNumber insert(const Record& record) { return writable().insert(record); }
  SequenceNumber insert(std::string_view id, Vector vector, Metadata metadata = {}) {
    return writable().insert(id, std::move(vector), std::move(metadata));
  }
  SequenceNumber upsert(const Record& record) { return writable().upsert(record); }
  SequenceNumber upsert(std::string_view id, Vector vector, Metadata metadata = {}) {
    return writable().upsert(id, std::move(vector), std::move(metadata));
  }
  SequenceNumber upsert_text(std::string_view id, std::string_view text, Metadata metadata = {}) {
    return writable().upsert_text(id, text, std::move(metadata));
  }
  SequenceNumber upsert_text(std::string_view id, std::string_view text, const Embedder& model,
                             Metadata metadata = {}) {
    return writable().upsert_text(id, text, model, std::move(metadata));
  }
  SequenceNumber upsert_chunks(std::string_view source, std::span<const Chunk> chunks,
                               const Embedder& model = {}, const Collection::ChunkMetadata& metadata = {}) {
    return writable().upsert_chunks(source, chunks, model, metadata);
  }
  SequenceNumber batch_upsert(std::span<const Record> records) { return writable().batch_upsert(records); }
  std::uint64_t erase(std::string_view id);
  std::optional<Record> get(std::string_view id) const;
  std::uint64_t count() const;
  Hits query(const Query& query) const;
  Hits query(Vector vector, std::int64_t k = 10) const { return query(Query(std::move(vector)).k(k)); }
  Hits hybrid_query(const HybridQuery& query) const;
  Hits query_text(std::string_view text, std::int64_t k = 10) const {
    return query_text(text, TextQueryOptions{.k = k});
  }
  Hits query_text(std::string_view text, const TextQueryOptions& options) const;

  /// Everything else: the collection itself (made when it is missing), and the database around it.
  Collection collection() { return writable(); }
  VecDatabase database() const { return db_; }
  void close() { db_.close(); }

 private:
  VecStore(VecDatabase db, CollectionOptions options) : db_(std::move(db)), options_(std::move(options)) {}
  Collection writable();
  std::optional<Collection> existing() const;

  VecDatabase db_;
  CollectionOptions options_;
};

}  // namespace vecstore
