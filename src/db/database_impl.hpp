// The inside of VecDatabase: the store of one directory and the collections that were asked for.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/os_identity.hpp"
#include "db/collection_impl.hpp"
#include "shard/maintenance.hpp"
#include "storage/store.hpp"
#include "vecstore/vec_database.hpp"

namespace vecstore {

class VecDatabase::Impl : public std::enable_shared_from_this<VecDatabase::Impl> {
 public:
  /// The instance of this process for the directory, opened when there is none.
  static std::shared_ptr<Impl> open(const std::string& directory, const OpenOptions& options);
  Impl(std::shared_ptr<storage::Store> store, const OpenOptions& options)
      : store_(std::move(store)), options_(options), maintenance_(std::make_shared<shard::Maintenance>()) {}
  ~Impl();

  storage::Store& store() { return *store_; }
  std::shared_ptr<storage::Store> shared_store() { return store_; }
  const OpenOptions& options() const { return options_; }
  void close();
  shard::Maintenance& maintenance() { return *maintenance_; }

  Collection create(std::string_view name, const CollectionOptions& options);
  std::optional<Collection> find(std::string_view name);
  void drop(std::string_view name);

 private:
  /// What an earlier process dropped but had no time to erase.
  void sweep();
  /// Removes segment files that no collection lists, and learns which numbers are taken.
  void sweep_segments();
  /// Ends background work and writes what the next open would have to read from the truth.
  void wind_up() noexcept;
  Collection handle(std::string name, std::uint32_t number);

  std::shared_ptr<storage::Store> store_;
  const OpenOptions options_;
  const std::shared_ptr<shard::Maintenance> maintenance_;
  os::FileIdentity identity_;
  std::mutex mutex_;
  std::map<std::uint32_t, std::shared_ptr<Collection::Impl>> collections_;  // guarded by mutex_
};

}  // namespace vecstore
