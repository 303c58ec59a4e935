#include "vecstore/vec_database.hpp"

#include <condition_variable>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "base/os_file.hpp"
#include "base/os_process.hpp"
#include "catalog/catalog.hpp"
#include "db/database_impl.hpp"
#include "shard/quarantine.hpp"
#include "storage/segment_list.hpp"
#include "storage/verify.hpp"

namespace vecstore {
namespace {

// One instance per directory and process: LMDB must not open a file twice in a process.
struct Registry {
  std::mutex mutex;
  std::condition_variable gone;  // an instance has ended
  std::map<os::FileIdentity, std::weak_ptr<VecDatabase::Impl>> open;

  /// A forked child shares nothing with what its parent has open, and must not wait for what ends there.
  void forget_parent() {
    if (std::exchange(generation, fork_generation()) != fork_generation()) open.clear();
  }
  std::uint64_t generation = fork_generation();

  static Registry& instance() {
    static auto* registry = new Registry;  // never destroyed: handles may outlive static destruction
    return *registry;
  }
};

storage::StoreOptions store_options(const OpenOptions& o) {
  return {.read_only = o.read_only,
          .create = o.create,
          .lock_timeout = o.lock_timeout,
          .relaxed = o.durability == Durability::kRelaxed,
          .allow_remote_fs = o.allow_remote_fs,
          .map_size = o.map_size,
          .max_map_size = std::max(o.map_size, o.max_map_size),
          .change_retention = o.change_retention,
          .compact_ratio = o.compact_ratio,
          .compact_min_bytes = o.compact_min_bytes};
}

void check_options(const OpenOptions& o) {
  if (o.checkpoint_rows == 0) invalid("checkpoint_rows is 0; at least 1 is allowed");
  if (o.graph_rows == 0) invalid("graph_rows is 0; at least 1 is allowed");
  if (!(o.compact_ratio > 0 && o.compact_ratio <= 1))
    invalid("compact_ratio is ", o.compact_ratio, "; above 0 and at most 1 is allowed");
}

constexpr std::size_t kSweepAtOnce = 20'000;

// FORMAT is written once and never replaced: it tells a store even where its files were linked into another
// directory.
os::FileIdentity identity_of_store(const std::string& directory) {
  const std::string format = directory + "/FORMAT";
  return os::identity_of(os::exists(format) ? format : directory);
}

/// None where the list is damaged: verify reports that.
std::vector<storage::SegmentEntry> listed_segments(const storage::Txn& txn, std::uint32_t collection) {
  try {
    return storage::read_segments(txn, collection);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    return {};
  }
}

void remove_segment(const std::string& path) {
  try {
    os::remove_file(path);
  } catch (const Error&) {
    // It takes space, nothing else; the next open tries again.
  }
}

}  // namespace

std::shared_ptr<VecDatabase::Impl> VecDatabase::Impl::open(const std::string& directory,
                                                           const OpenOptions& options) {
  check_options(options);
  Registry& registry = Registry::instance();
  std::shared_ptr<Impl> known;  // both before the lock, which the last owner's destructor takes
  std::shared_ptr<Impl> impl;
  std::unique_lock lock(registry.mutex);
  registry.forget_parent();
  if (!directory.empty() && os::exists(directory)) {
    const os::FileIdentity identity = identity_of_store(directory);
    auto found = registry.open.find(identity);
    // An instance whose last handle went is still closing its files.
    while (found != registry.open.end() && !(known = found->second.lock())) {
      registry.gone.wait(lock);
      found = registry.open.find(identity);
    }
    if (known) {
      // After kUnknownOutcome opening again is how to learn what is durable; old handles are closed by it.
      if (known->store().usable() && known->store().poisoned()) known->close();
      if (known->store().usable() && !known->store().closed()) {
        if (known->store().read_only() && !options.read_only) {
          fail(ErrorCode::kReadOnly, "'", directory,
               "' is open read-only in this process; close that handle first");
        }
        return known;
      }
    }
  }
  impl = std::make_shared<Impl>(directory, options);
  impl->identity_ = identity_of_store(directory);
  registry.open[impl->identity_] = impl;
  if (!options.read_only) {
    impl->sweep();
    impl->sweep_segments();
  }
  return impl;
}

VecDatabase::Impl::Impl(const std::string& directory, const OpenOptions& options)
    : background_(std::make_shared<Background>()), options_(options) {
  storage::StoreOptions store = store_options(options);
  store.on_maintenance_due = [this] {
    background_->request(this, [this](std::stop_token stop) {
      compact_in_background(std::move(stop));
      return false;
    });
  };
  store_ = storage::Store::open(directory, store);
}

VecDatabase::Impl::~Impl() {
  if (store_->usable()) {
    close();  // before the directory can be opened again
  } else {
    // A forked child, where the thread is not: what it may be waiting in can be neither joined nor destroyed.
    [[maybe_unused]] auto* leaked = new std::shared_ptr<Background>(background_);
  }
  Registry& registry = Registry::instance();
  std::lock_guard lock(registry.mutex);
  const auto found = registry.open.find(identity_);
  if (found != registry.open.end() && found->second.expired()) registry.open.erase(found);
  registry.gone.notify_all();
}

void VecDatabase::Impl::close() {
  if (store_->usable()) wind_up();
  store_->close();
}

void VecDatabase::Impl::wind_up() noexcept {
  try {
    background_->stop();
    if (store_->read_only() || store_->closed() || store_->poisoned()) return;
    std::vector<std::shared_ptr<Collection::Impl>> collections;
    {
      std::lock_guard lock(mutex_);
      for (const auto& [number, impl] : collections_) collections.push_back(impl);
    }
    Context context;
    for (const auto& c : collections) {
      // A collection without segments stays without: it is small.
      const bool has_segments = c->shard().segments().covered() > 0;
      try {
        c->shard().checkpoint(has_segments ? options_.checkpoint_rows / 10 : options_.checkpoint_rows,
                              context);
      } catch (const Error&) {
        // Derived data: the next open reads the truth instead.
      }
    }
  } catch (...) {
    // Derived data: the next open reads the truth instead.
  }
}

void VecDatabase::Impl::sweep_segments() try {
  const std::string directory = storage::segment_directory(store_->directory());
  if (!os::exists(directory)) return;
  std::set<std::uint64_t> listed;
  {
    storage::Store::Session session(*store_);
    storage::ReadTxn txn(store_->env());
    for (const auto& [name, number] : catalog::list_collections(txn, catalog::kDefaultNamespace)) {
      for (const auto& entry : listed_segments(txn, number)) listed.insert(entry.number);
    }
  }
  for (const std::string& name : os::list_directory(directory)) {
    const std::uint64_t number = storage::segment_number(name);
    store_->reserve_segment_numbers(number);
    if (!listed.contains(number) && !shard::is_quarantined(name)) remove_segment(directory + "/" + name);
  }
  if (!listed.empty()) store_->reserve_segment_numbers(*listed.rbegin());
  shard::trim_quarantine(store_->directory(), shard::kMostQuarantined);
} catch (const Error&) {
  // Derived data keep no database from opening. Without all lists nothing is removed.
}

CompactResult VecDatabase::Impl::compact(std::stop_token stop, const ProgressFn& progress) {
  const Context ctx{.stop = std::move(stop)};
  const storage::CompactReport report = store_->compact(ctx, [&](std::uint64_t done, std::uint64_t about) {
    if (progress) progress({done, about, "compact"});
  });
  sweep();  // what was dropped while it ran lies in the new generation
  return {report.bytes_before, report.bytes_after, report.generation};
}

void VecDatabase::Impl::compact_in_background(std::stop_token stop) {
  std::uint64_t bytes = 0;
  {
    storage::Store::Session session(*store_);
    if (!store_->maintenance_due()) return;  // somebody was quicker
    bytes = store_->env()->used();
  }
  if (bytes < not_below_) return;
  not_below_ = bytes + bytes / 4;
  compact(std::move(stop), {});
  not_below_ = 0;
}

void VecDatabase::Impl::sweep() {
  try {
    storage::Store::Session session(*store_);
    for (bool more = true; more;) {
      more = false;
      store_->write([&](storage::Commit& commit) { more = catalog::sweep(commit, kSweepAtOnce); }, 0, true);
    }
  } catch (const Error& e) {
    // What was dropped is gone for everybody; its space is given back at a later sweep, when there is room to
    // work.
    if (e.code() != ErrorCode::kDiskFull && e.code() != ErrorCode::kQuotaExceeded &&
        e.code() != ErrorCode::kClosed)
      throw;
  }
}

Collection VecDatabase::Impl::handle(std::string name, std::uint32_t number) {
  std::lock_guard lock(mutex_);
  auto& impl = collections_[number];
  if (!impl) {
    impl = std::make_shared<Collection::Impl>(store_, number, std::move(name), options_, background_);
    // What an earlier process had no time for; and a large graph is made ready for quick walks.
    if (os::exists(storage::segment_directory(store_->directory()))) impl->shard().look_after_segments();
  }
  // A handle keeps the whole database open: while one is left the directory belongs to this instance.
  struct Held {
    std::shared_ptr<VecDatabase::Impl> database;
    std::shared_ptr<Collection::Impl> collection;
  };
  auto held = std::make_shared<Held>(Held{shared_from_this(), impl});
  return Collection(std::shared_ptr<Collection::Impl>(held, held->collection.get()));
}

Collection VecDatabase::Impl::create(std::string_view name, const CollectionOptions& options) {
  storage::Store::Session session(*store_);
  catalog::check_name("collection name", name);
  const catalog::Schema schema = catalog::make_schema(options);
  for (std::size_t i = 0; i < schema.text_fields.size(); ++i) {
    const TextField& f = schema.text_fields[i];
    text::make_analyzer_spec(f.analyzer, f.analysis, concat("text_fields[", i, "]"));
  }
  std::uint32_t number = 0;
  store_->write(
      [&](storage::Commit& commit) {
        number = catalog::create_collection(commit, catalog::kDefaultNamespace, name, schema);
      },
      4096);
  Collection collection = handle(std::string(name), number);
  if (options.embedder) {
    std::lock_guard lock(mutex_);
    const auto found = collections_.find(number);
    if (found != collections_.end()) found->second->set_embedder(options.embedder);
  }
  return collection;
}

std::optional<Collection> VecDatabase::Impl::find(std::string_view name) {
  storage::Store::Session session(*store_);
  catalog::check_name("collection name", name);
  storage::ReadTxn txn(store_->env());
  const auto number = catalog::find_collection(txn, catalog::kDefaultNamespace, name);
  if (!number) return std::nullopt;
  return handle(std::string(name), *number);
}

void VecDatabase::Impl::drop(std::string_view name) {
  catalog::check_name("collection name", name);
  std::uint32_t number = 0;
  std::vector<storage::SegmentEntry> segments;
  {
    storage::Store::Session session(*store_);
    store_->write(
        [&](storage::Commit& commit) {
          if (const auto known = catalog::find_collection(commit.txn, catalog::kDefaultNamespace, name))
            segments = listed_segments(commit.txn, *known);
          number = catalog::drop_collection(commit, catalog::kDefaultNamespace, name);
        },
        0, true);
  }
  {
    std::lock_guard lock(mutex_);
    collections_.erase(number);  // handles that are left find the collection deleted
  }
  sweep();
  if (store_->options().relaxed && !segments.empty()) store_->env()->sync();  // the files outlive their list
  // What is being built for it is removed by its builder, who finds the collection gone.
  for (const auto& entry : segments) remove_segment(storage::segment_path(store_->directory(), entry.number));
}

VecDatabase VecDatabase::open(std::string_view directory, const OpenOptions& options) {
  return VecDatabase(Impl::open(std::string(directory), options));
}

void VecDatabase::close() { impl_->close(); }

Collection VecDatabase::create_collection(std::string_view name, const CollectionOptions& options) {
  return impl_->create(name, options);
}

Collection VecDatabase::get_collection(std::string_view name) const {
  auto found = impl_->find(name);
  if (!found) fail(ErrorCode::kNotFound, "collection '", name, "' does not exist");
  return *found;
}

Collection VecDatabase::get_or_create_collection(std::string_view name, const CollectionOptions& options) {
  for (;;) {
    if (auto found = impl_->find(name)) {
      const CollectionInfo info = found->info();
      const std::size_t wanted = options.embedder ? options.embedder.dimension() : options.dimension;
      if (wanted != 0 && info.dimension != 0 && wanted != info.dimension) {
        invalid("dimension is ", wanted, "; collection '", name, "' has ", info.dimension);
      }
      if (options.metric != Metric::kCosine && options.metric != info.metric) {
        invalid("metric is ", to_string(options.metric), "; collection '", name, "' has ",
                to_string(info.metric));
      }
      return *found;
    }
    try {
      return impl_->create(name, options);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kAlreadyExists) throw;  // somebody else was quicker: look again
    }
  }
}

std::vector<std::string> VecDatabase::list_collections() const {
  storage::Store::Session session(impl_->store());
  storage::ReadTxn txn(impl_->store().env());
  std::vector<std::string> names;
  for (auto& [name, number] : catalog::list_collections(txn, catalog::kDefaultNamespace))
    names.push_back(std::move(name));
  return names;
}

void VecDatabase::delete_collection(std::string_view name) { impl_->drop(name); }

void VecDatabase::pause_background() { impl_->background().pause(); }
void VecDatabase::resume_background() { impl_->background().resume(); }
CompactResult VecDatabase::compact(const CompactOptions& options) {
  return impl_->compact(options.stop, options.progress);
}

DatabaseStats VecDatabase::stats() const {
  storage::Store& store = impl_->store();
  storage::Store::Session session(store);
  DatabaseStats out;
  {
    storage::ReadTxn txn(store.env());
    for (const auto& [name, number] : catalog::list_collections(txn, catalog::kDefaultNamespace)) {
      ++out.collections;
      if (const auto state = storage::read_collection_state(txn, number)) out.records += state->live;
    }
    out.sequence = storage::read_store_state(txn).sequence;
  }
  const storage::EnvStats env = store.env()->stats();
  out.file_bytes = env.file_bytes;
  out.free_bytes = env.free_bytes;
  out.generation = store.generation();
  return out;
}

VerifyReport VecDatabase::verify() const {
  storage::Store& store = impl_->store();
  storage::Store::Session session(store);
  const storage::VerifyResult result = storage::verify_store(store);
  std::map<std::uint32_t, std::string> names;
  try {
    storage::ReadTxn txn(store.env());
    for (auto& [name, number] : catalog::list_collections(txn, catalog::kDefaultNamespace))
      names[number] = name;
  } catch (const Error&) {
    // The names themselves are damaged; the report says so and collections go without.
  }
  VerifyReport out;
  out.records = result.records;
  out.pages = result.pages;
  for (const storage::StoredDamage& d : result.damages) {
    const auto name = names.find(d.collection);
    out.damages.push_back(
        {d.kind, name == names.end() ? (d.collection ? concat("#", d.collection) : "") : name->second, d.id,
         d.detail});
  }
  for (const auto& [number, name] : names) {
    for (const auto& d : shard::Segments(store, number).verify({}))
      out.damages.push_back({"segment", name, "", concat("segment ", d.number, ": ", d.what)});
  }
  return out;
}

const std::string& VecDatabase::directory() const { return impl_->store().directory(); }
bool VecDatabase::read_only() const { return impl_->store().read_only(); }

}  // namespace vecstore
