// Shard: one collection's truth and what is derived from it. Later a database may have several per
// collection.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/metadata_names.hpp"
#include "catalog/catalog.hpp"
#include "shard/prepared.hpp"
#include "shard/term_follower.hpp"
#include "shard/vector_view.hpp"
#include "storage/retired.hpp"
#include "storage/store.hpp"

namespace vecstore::shard {

struct ApplyResult {
  std::uint64_t sequence = 0;
  std::uint64_t existed = 0;  ///< Ids of the batch that were there before, in the version that was expected.
};

/// Thread-safe. Writers go through Store's group commit; each query reads through a ReadView of its own.
class Shard {
 public:
  Shard(std::shared_ptr<storage::Store> store, std::uint32_t collection, std::string name);

  std::uint32_t collection() const { return collection_; }
  const std::string& name() const { return name_; }
  storage::Store& store() { return *store_; }
  FieldNames& field_names() { return names_; }

  /// One durable commit. kAlreadyExists and kNotFound carry the item's index; SchemaChanged asks for another
  /// try.
  ApplyResult apply(const PreparedBatch& batch);
  /// Adds a vector field or drops one, without touching records.
  void change_schema(const std::function<void(catalog::Schema&)>& change);

  // What read views share. Each is brought up to the view that asks.
  std::shared_ptr<const storage::RetiredRows> retired(const storage::Txn& txn,
                                                      const storage::CollectionState& state);
  std::shared_ptr<const catalog::Schema> schema(const storage::Txn& txn,
                                                const storage::CollectionState& state);
  void load_field_names(const storage::Txn& txn, const storage::CollectionState& state);
  VectorFollower& vectors(const catalog::VectorFieldSchema& field);
  TermFollower& terms() { return terms_; }

 private:
  ApplyResult apply_in(storage::Commit& commit, const PreparedBatch& batch);

  std::shared_ptr<storage::Store> store_;
  const std::uint32_t collection_;
  const std::string name_;
  FieldNames names_;
  TermFollower terms_;

  std::mutex mutex_;        // guards what follows
  std::mutex names_mutex_;  // one loader of field names at a time
  std::shared_ptr<const storage::RetiredRows> retired_;
  std::uint64_t retired_sequence_ = 0;
  std::shared_ptr<const catalog::Schema> schema_;
  std::uint64_t schema_number_ = 0;
  std::map<std::uint16_t, std::unique_ptr<VectorFollower>> vectors_;
};

}  // namespace vecstore::shard
