// Store: the truth of one directory. Opens it, commits groups of writes durably, hands out read transactions.
#pragma once
#include <algorithm>
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
#include <stop_token>
#include <string>
#include <vector>

#include "base/context.hpp"
#include "base/os_file_lock.hpp"
#include "storage/change_log.hpp"
#include "storage/generation.hpp"
#include "storage/generation_copy.hpp"
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
  double compact_ratio = 0.3;  ///< maintenance_due; 1 = never.
  std::uint64_t compact_min_bytes = std::uint64_t{64} << 20;
  /// Called after a commit that makes maintenance_due() true, by the thread that committed, without a lock.
  /// It must neither wait nor throw.
  std::function<void()> on_maintenance_due;
};

/// What a data file holds beside what is live.
struct Waste {
  std::uint64_t file_bytes = 0;
  std::uint64_t free_bytes = 0;  ///< Pages that the next writes use.
  std::uint64_t dead_bytes = 0;  ///< About what retired rows take in blocks that still have live ones.
  std::uint64_t live_bytes() const { return file_bytes - std::min(file_bytes, free_bytes + dead_bytes); }
};

struct CompactReport {
  std::uint64_t generation = 0;    ///< The live one now.
  std::uint64_t bytes_before = 0;  ///< Of the data files.
  std::uint64_t bytes_after = 0;
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
  /// Set by a job that changes nothing but derived data: it consumes no sequence number, and seals what it
  /// writes with state.sequence.
  bool derived = false;
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
  /// The live generation. A process that only reads follows the writer to a new one here, so it is to be
  /// asked for at each call and let go of after it. Cost: a mutex.
  std::shared_ptr<Generation> live();
  /// Its environment, which keeps the generation open.
  std::shared_ptr<Env> env();

  /// Copies what is live into a new generation, makes that the live one and removes the old one once nobody
  /// has it open. Commits and reads go on meanwhile; commits wait some milliseconds at the end. An error or a
  /// crash leaves the old generation or the new one, whole. `progress` gets the bytes copied. Only one runs
  /// at a time, others wait. kDiskFull (nothing was done), kCorruption (the store is damaged and stays as it
  /// is), kReadOnly, kCancelled, kDeadline, kClosed, kBusy (more was written meanwhile than is kept in
  /// memory); kUnknownOutcome as of write.
  using CopyProgress = std::function<void(std::uint64_t done, std::uint64_t about)>;
  CompactReport compact(const Context& ctx, const CopyProgress& progress = {});
  /// Reads the records of all collections and the list of free pages.
  Waste waste();
  /// True when compact() would give back compact_min_bytes and compact_ratio of the file. Cheap while the
  /// file is smaller than that.
  bool maintenance_due();

  /// Waits for sessions to end, then releases everything. Idempotent.
  void close();
  bool closed() const;
  /// Stops when close() begins: for long work between sessions.
  std::stop_token closing() const { return closing_source_.get_token(); }
  /// False in a process that was forked after the store was opened.
  bool usable() const;
  /// True once a commit's outcome was unknown: writes are refused until the directory is opened anew.
  bool poisoned();

  const std::string& directory() const { return directory_; }
  const StoreOptions& options() const { return options_; }
  bool read_only() const { return options_.read_only; }
  std::uint64_t generation() { return live()->number(); }
  const Uuid& uuid() const { return uuid_; }
  /// A number that no segment file of the directory has had since it was opened.
  std::uint64_t new_segment_number() { return next_segment_.fetch_add(1); }
  /// Numbers up to this one are taken.
  void reserve_segment_numbers(std::uint64_t last);
  /// Where the live generation's data file lies.
  std::string data_file() { return live()->file(); }

 private:
  struct Pending;
  Store(std::string directory, const StoreOptions& options);
  void open_files();
  std::shared_ptr<Generation> open_generation(std::uint64_t number);
  std::shared_ptr<Generation> open_live();
  std::shared_ptr<Generation> follow(std::shared_ptr<Generation> known);
  void remove_leftovers(std::uint64_t live);
  /// Removes replaced generations that nobody reads; how many are read in this process.
  std::size_t remove_old();
  void poison(std::exception_ptr error);
  class WritersStopped;
  class Compaction;
  void create_files();
  void lead(std::unique_lock<std::mutex>& lock);
  void gather(std::unique_lock<std::mutex>& lock);
  void wake_first();
  void keep_house(std::size_t commits, std::size_t bytes) noexcept;
  void commit_group(std::deque<Pending*>& group);
  void run_group(std::deque<Pending*>& group);

  std::string directory_;
  StoreOptions options_;
  os::FileLock writer_lock_;
  std::atomic<std::uint64_t> next_segment_{1};
  Uuid uuid_{};
  std::uint64_t fork_generation_ = 0;

  mutable std::shared_mutex lifecycle_;  // shared by sessions, exclusive in close
  bool closed_ = false;
  std::stop_source closing_source_;
  std::atomic<bool> closing_{false};  // sessions are refused while close() waits for those that run

  std::mutex live_mutex_;  // guards what follows
  std::shared_ptr<Generation> live_;
  std::mutex follow_mutex_;  // one at a time opens the generation that the writer went to

  std::mutex compact_mutex_;
  std::mutex old_mutex_;                              // guards what follows
  std::vector<std::shared_ptr<Generation>> old_;      // replaced ones that are in use here
  std::vector<std::uint64_t> leftovers_;              // replaced ones that another process still reads
  std::atomic<bool> has_old_{false};                  // whether there are any
  std::chrono::steady_clock::time_point removed_at_;  // the leader's, as what follows
  std::size_t commits_since_check_ = 0;
  std::size_t bytes_since_check_ = 0;
  std::atomic<bool> journaling_{false};  // set while no commit runs
  std::mutex journal_mutex_;
  KeyJournal journal_;  // guarded by journal_mutex_: what was written since a copy began

  std::mutex queue_mutex_;  // guards what follows
  std::condition_variable arrived_;
  std::condition_variable idle_;  // the leader ended and `stopping_` is set
  bool stopping_ = false;         // nobody may lead: a compaction needs the place
  std::deque<Pending*> queue_;
  bool leading_ = false;
  std::size_t last_group_ = 1;
  std::chrono::nanoseconds mean_commit_{0};
  std::exception_ptr poison_;  // set once a commit's outcome is unknown; every later write rethrows it
};

}  // namespace vecstore::storage
