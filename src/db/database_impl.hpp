// The inside of VecDatabase: the store of one directory and the collections that were asked for.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/background.hpp"
#include "base/os_identity.hpp"
#include "db/collection_impl.hpp"
#include "storage/store.hpp"
#include "vecstore/vec_database.hpp"

namespace vecstore {

class VecDatabase::Impl : public std::enable_shared_from_this<VecDatabase::Impl> {
 public:
  /// The instance of this process for the directory, opened when there is none.
  static std::shared_ptr<Impl> open(const std::string& directory, const OpenOptions& options);
  Impl(const std::string& directory, const OpenOptions& options);
  ~Impl();

  storage::Store& store() { return *store_; }
  std::shared_ptr<storage::Store> shared_store() { return store_; }
  const OpenOptions& options() const { return options_; }
  void close();
  Background& background() { return *background_; }
  /// `stop` of the call, or of the background thread.
  CompactResult compact(std::stop_token stop, const ProgressFn& progress);

  Collection create(std::string_view name, const CollectionOptions& options);
  std::optional<Collection> find(std::string_view name);
  void drop(std::string_view name);

 private:
  /// What an earlier process dropped but had no time to erase.
  void sweep();
  /// At open, before anybody builds: removes segment files that no collection lists, and learns which numbers
  /// are taken.
  void sweep_segments();
  /// Ends background work and writes what the next open would have to read from the truth.
  void wind_up() noexcept;
  Collection handle(std::string name, std::uint32_t number);

  /// The background's compaction.
  void compact_in_background(std::stop_token stop);

  const std::shared_ptr<Background> background_;  // before the store, whose commits ask for it
  std::uint64_t not_below_ = 0;  // the background thread's: after a failure it waits for the file to grow
  std::shared_ptr<storage::Store> store_;
  const OpenOptions options_;
  os::FileIdentity identity_;
  std::mutex mutex_;
  std::map<std::uint32_t, std::shared_ptr<Collection::Impl>> collections_;  // guarded by mutex_
};

}  // namespace vecstore
