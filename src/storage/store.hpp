// Store: the truth of one directory. Opens it, commits groups of writes durably, hands out read transactions.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "base/os_file_lock.hpp"
#include "storage/change_log.hpp"
#include "storage/lmdb_env.hpp"
#include "storage/state.hpp"

namespace vecstore::storage {

struct StoreOptions {
  bool read_only = false;
  bool create = true;
  std::chrono::milliseconds lock_timeout{0};
  bool relaxed = false;
  bool allow_remote_fs = false;
  std::uint64_t map_size = std::uint64_t{64} << 30;
  std::uint64_t max_map_size = std::uint64_t{1} << 42;
  std::uint64_t change_retention = 1'000'000;
};

/// What FORMAT and CURRENT of a directory say.
struct DirectoryFiles {
  Uuid uuid{};
  std::uint64_t generation = 0;
};
/// Checks and reads them; changes nothing. kCorruption, kUnsupportedFormat.
DirectoryFiles read_directory_files(const std::string& directory);

/// What a write job works with. Everything it changes goes through here, so that a job can be run again on a
/// fresh transaction.
struct Commit {
  WriteTxn& txn;
  StoreState& state;
  std::uint64_t sequence;  ///< This job's; consumed only when the job changes something.
  ChangeLogEntry log;
};

/// Thread-safe. Writers of all threads share commits; readers never wait for them.
class Store {
 public:
  /// Errors: see VecDatabase::open.
  static std::shared_ptr<Store> open(const std::string& directory, const StoreOptions& options);
  ~Store();

  /// Runs `job` in a transaction that is durable when this returns, together with jobs of other threads. A
  /// job that throws leaves nothing behind and its error is rethrown here. It may be run more than once and
  /// must depend on nothing but its inputs and the transaction. `bytes` is about what it writes (kTooLarge
  /// above 64 MiB). `frees` marks jobs that only remove, which run on a full disk as well. Returns the
  /// sequence number of the commit, or the newest one when the job changed nothing.
  using Job = std::function<void(Commit&)>;
  std::uint64_t write(const Job& job, std::size_t bytes, bool frees = false);

  /// Keeps the store open while it lives. kClosed, kForked.
  class Session {
   public:
    explicit Session(Store& store);

   private:
    std::shared_lock<std::shared_mutex> lock_;
  };
  Env& env() { return *env_; }

  /// Waits for sessions to end, then releases everything. Idempotent.
  void close();
  bool closed() const;
  /// False in a process that was forked after the store was opened.
  bool usable() const;
  /// True once a commit's outcome was unknown: writes are refused until the directory is opened anew.
  bool poisoned();

  const std::string& directory() const { return directory_; }
  const StoreOptions& options() const { return options_; }
  bool read_only() const { return options_.read_only; }
  std::uint64_t generation() const { return generation_; }
  const Uuid& uuid() const { return uuid_; }
  /// A number that no segment file of the directory has had since it was opened.
  std::uint64_t new_segment_number() { return next_segment_.fetch_add(1); }
  /// Numbers up to this one are taken.
  void reserve_segment_numbers(std::uint64_t last);
  /// Where the live generation's data file lies.
  std::string data_file() const;

 private:
  struct Pending;
  Store(std::string directory, const StoreOptions& options);
  void open_files();
  void create_files();
  void lead(std::unique_lock<std::mutex>& lock);
  void gather(std::unique_lock<std::mutex>& lock);
  void commit_group(std::deque<Pending*>& group);
  void run_group(std::deque<Pending*>& group);

  std::string directory_;
  StoreOptions options_;
  os::FileLock writer_lock_;
  std::unique_ptr<Env> env_;
  std::uint64_t generation_ = 1;
  std::atomic<std::uint64_t> next_segment_{1};
  Uuid uuid_{};
  std::uint64_t fork_generation_ = 0;

  mutable std::shared_mutex lifecycle_;  // shared by sessions, exclusive in close
  bool closed_ = false;
  std::atomic<bool> closing_{false};  // sessions are refused while close() waits for those that run

  std::mutex queue_mutex_;  // guards what follows
  std::condition_variable arrived_;
  std::deque<Pending*> queue_;
  bool leading_ = false;
  std::size_t last_group_ = 1;
  std::chrono::nanoseconds mean_commit_{0};
  std::exception_ptr poison_;  // set once a commit's outcome is unknown; every later write rethrows it
};

}  // namespace vecstore::storage
