// The inside of Collection.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "db/admission.hpp"
#include "shard/read_view.hpp"
#include "shard/shard.hpp"
#include "vecstore/collection.hpp"

namespace vecstore {

class Collection::Impl {
 public:
  Impl(std::shared_ptr<storage::Store> store, std::uint32_t number, std::string name,
       const OpenOptions& options, std::shared_ptr<Background> background);

  shard::Shard& shard() { return *shard_; }
  const std::string& name() const { return shard_->name(); }
  unsigned threads() const { return threads_; }

  /// Checks, encodes and commits; prepares again when another writer taught the schema something meanwhile.
  shard::ApplyResult execute(std::span<const db::Write> writes, bool is_batch,
                             const std::string* replaced_source = nullptr, const Embedder& bind = {});
  /// Carries out one operation when the condition holds. `prepare` completes it from the stored record
  /// (nullptr: there is none), again when that has changed before the commit.
  shard::ApplyResult execute_if(Operation& operation, const WriteCondition& condition,
                                const std::function<void(const Record*)>& prepare = {});
  /// The model to use: the one given, or the collection's own, found by its name. kInvalidArgument when there
  /// is none or the fingerprints differ.
  Embedder embedder(const Embedder& given);
  /// Remembers the model of create_collection, so that it need not be found again.
  void set_embedder(const Embedder& model);

 private:
  const std::shared_ptr<shard::Shard> shard_;
  const unsigned threads_;
  const std::string directory_;
  std::mutex mutex_;
  Embedder embedder_;  // guarded by mutex_
};

}  // namespace vecstore
