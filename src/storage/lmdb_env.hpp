// LMDB behind a thin interface of our own: environments, transactions, cursors. The only users of lmdb.h are
// this pair of files and lmdb_file.cpp, which reads the same pages without the engine.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "storage/format.hpp"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace vecstore::storage {

class Env;

/// Which keys of a truth were written or erased. Of row blocks it keeps the space only, the key without its
/// row: what becomes of rows is told by their numbers.
class KeyJournal {
 public:
  void add(Keyspace keyspace, std::string_view key);
  void merge(KeyJournal&& newer);
  std::size_t size() const;
  const std::set<std::string>& keys(Keyspace keyspace) const {
    return keys_[static_cast<std::size_t>(keyspace)];
  }

 private:
  std::array<std::set<std::string>, kKeyspaces> keys_;
};

/// Thrown inside a write transaction when the map is full; Env's owner grows the map and starts again.
struct MapFull {};

/// Walks the keys of one keyspace. Views die with the transaction, in a write transaction with its next
/// write.
class Cursor {
 public:
  Cursor(MDB_txn* txn, unsigned dbi);
  Cursor(Cursor&& o) noexcept
      : cursor_(o.cursor_), key_(o.key_), value_(o.value_), previous_(std::move(o.previous_)) {
    o.cursor_ = nullptr;
  }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  Cursor& operator=(Cursor&&) = delete;
  ~Cursor();

  /// Moves to the first key >= `key`; false at the end. All three: kCorruption where keys do not ascend.
  bool seek(std::string_view key);
  bool next();
  bool last();
  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }

 private:
  bool move(std::string_view key, int operation);
  MDB_cursor* cursor_ = nullptr;
  std::string_view key_;
  std::string_view value_;
  std::string previous_;  // a copy of key_, for the next move
};

/// Reading, in either kind of transaction.
class Txn {
 public:
  Txn(const Txn&) = delete;
  Txn& operator=(const Txn&) = delete;

  std::optional<std::string_view> get(Keyspace keyspace, std::string_view key) const;
  Cursor cursor(Keyspace keyspace) const;

 protected:
  explicit Txn(Env& env) : env_(&env) {}
  ~Txn() = default;
  Env* env_;
  MDB_txn* txn_ = nullptr;
};

/// One consistent snapshot. Keeps its pages from being reused, so it lives for one call only. The map cannot
/// grow while it lives.
class ReadTxn : public Txn {
 public:
  explicit ReadTxn(Env& env);
  /// Keeps the environment open while it lives.
  explicit ReadTxn(std::shared_ptr<Env> env);
  ~ReadTxn();
  /// Moves to the newest commit of the same environment; views taken before die.
  void renew();
  /// For transactions that live long: the map may move from here to `hold_map`, which waits while it does.
  /// The snapshot stays; views taken before die, cursors have to be gone.
  void release_map();
  void hold_map();
  std::uint64_t id() const;
  /// With id() it names a snapshot and where its pages lie, among all that this process has had open.
  std::uint64_t map_epoch() const;
  /// Names the environment; newer ones have larger numbers.
  std::uint64_t env_number() const;
  /// See Env.
  bool has_own_pages(std::string_view value) const;

 private:
  std::shared_ptr<Env> owner_;  // before gate_, which is a part of it
  std::shared_lock<std::shared_mutex> gate_;
};

/// The one write transaction. Its thread begins, uses and ends it; without commit() it is rolled back.
class WriteTxn : public Txn {
 public:
  /// `journal` gets every key that is written or erased.
  explicit WriteTxn(Env& env, KeyJournal* journal = nullptr);
  ~WriteTxn();
  void put(Keyspace keyspace, std::string_view key, std::string_view value);
  /// Room for a value that the caller fills at once, every byte of it.
  char* reserve(Keyspace keyspace, std::string_view key, std::size_t size);
  bool erase(Keyspace keyspace, std::string_view key);
  /// From here on each key has to be above all others of its keyspace: pages are filled to the brim.
  void append_only() { append_ = true; }
  void commit();
  /// For an environment that nothing refers to yet: every error is an ordinary one, after which the
  /// environment is to be thrown away.
  void commit_unpublished();
  /// How many puts and erases there were.
  std::uint64_t writes() const { return writes_; }

 private:
  void note(Keyspace keyspace, std::string_view key);
  std::shared_lock<std::shared_mutex> gate_;
  std::uint64_t writes_ = 0;
  bool append_ = false;
  KeyJournal* journal_;
};

struct EnvOptions {
  bool read_only = false;
  bool create = false;   ///< Make the file when it is missing; never for an existing store.
  bool no_lock = false;  ///< For read-only media: nobody can be writing.
  bool relaxed = false;  ///< Do not sync the meta page at each commit.
  std::uint64_t map_size = 0;
  std::uint64_t max_map_size = 0;
};

struct EnvStats {
  std::uint64_t file_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t map_bytes = 0;
  std::uint64_t last_txn = 0;
};

/// One LMDB environment: the file `data.mdb` and its lock file in a directory. Thread-safe.
class Env {
 public:
  /// kUnsupportedFormat for LMDB versions 0.9.26 to 0.9.33, whose locking can corrupt.
  Env(const std::string& directory, const EnvOptions& options);
  ~Env();
  Env(const Env&) = delete;
  Env& operator=(const Env&) = delete;

  /// Doubles the map, waiting for this process's transactions to end; kQuotaExceeded at the limit.
  void grow();
  /// Follows a map that another process has grown.
  void adopt_size();
  /// Waits until everything that this or an earlier process wrote is durable.
  void sync();
  /// Frees the slots of readers that died.
  void check_readers();
  /// True after an error that LMDB cannot recover from in this process.
  bool fatal() const { return fatal_.load(std::memory_order_relaxed); }
  EnvStats stats();
  /// The newest commit's transaction, of whatever process.
  std::uint64_t last_txn();
  /// Bytes of the file that pages were given out of, free ones too; and the rest of the map.
  std::uint64_t used();
  std::uint64_t room();
  std::uint64_t number() const { return number_; }
  const EnvOptions& options() const { return options_; }
  /// True for a value that has pages of its own: they stay as they are until it is erased. Smaller values lie
  /// in leaf pages, which move with every write near them.
  bool has_own_pages(std::string_view value) const {
    return reinterpret_cast<std::uintptr_t>(value.data()) % page_bytes_ == kPageHeader;
  }
  /// Changes whenever the map may have moved: pointers kept from an earlier transaction are then void. No two
  /// environments of a process ever have the same.
  std::uint64_t map_epoch() const { return map_epoch_.load(std::memory_order_acquire); }
  /// After fork(): forget everything without touching files or locks.
  void abandon();

 private:
  friend class Txn;
  friend class ReadTxn;
  friend class WriteTxn;
  MDB_txn* take_reader();
  void give_reader(MDB_txn* txn);
  void open_keyspaces(bool create);

  std::string directory_;
  EnvOptions options_;
  static constexpr std::size_t kPageHeader = 16;
  MDB_env* env_ = nullptr;
  std::size_t page_bytes_ = 1;
  unsigned dbis_[kKeyspaces] = {};
  /// Takes part in the map as it is. Who resizes holds `entry_` while it waits, so that those who come do not
  /// pass it.
  std::shared_lock<std::shared_mutex> enter();

  std::mutex entry_;
  std::shared_mutex gate_;  // shared by every transaction, exclusive while the map is resized
  std::mutex readers_mutex_;
  std::vector<MDB_txn*> readers_;  // reset read transactions, to be renewed
  std::atomic<bool> fatal_{false};
  const std::uint64_t number_;
  std::atomic<std::uint64_t> map_epoch_;
};

}  // namespace vecstore::storage
