#include "storage/store.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/os_file.hpp"
#include "base/os_process.hpp"

namespace vecstore::storage {
namespace {

// Inserts are refused before the disk is so full that erasing would not find room for its few pages.
constexpr std::uint64_t kDiskReserve = std::uint64_t{4} << 20;
constexpr std::size_t kGroupBytes = kMaxCommitBytes;
constexpr auto kLongestWait = std::chrono::microseconds(500);

}  // namespace

struct Store::Pending {
  const Job* job = nullptr;
  std::size_t bytes = 0;
  bool frees = false;
  bool done = false;
  std::uint64_t sequence = 0;
  std::exception_ptr error;
  std::condition_variable ready;
};

Store::Session::Session(Store& store) : lock_(store.lifecycle_, std::defer_lock) {
  if (!store.usable()) {
    fail(ErrorCode::kForked, "'", store.directory_, "' was opened before fork(); open it again in the child");
  }
  if (store.closing_) fail(ErrorCode::kClosed, "'", store.directory_, "' was closed");
  lock_.lock();
  if (store.closed_) fail(ErrorCode::kClosed, "'", store.directory_, "' was closed");
}

Store::~Store() {
  if (!usable()) {
    if (live_) live_->env().abandon();
    for (const auto& old : old_) old->env().abandon();
    return;
  }
  close();
}

void Store::close() {
  // The engine's own close would free the parent's slots in the lock file.
  if (!usable())
    fail(ErrorCode::kForked, "'", directory_, "' was opened before fork(); it is the parent's to close");
  closing_ = true;
  closing_source_.request_stop();
  std::unique_lock lock(lifecycle_);
  if (closed_) return;
  closed_ = true;
  live_.reset();
  remove_old();
  writer_lock_.release();
}

void Store::reserve_segment_numbers(std::uint64_t last) {
  std::uint64_t next = next_segment_.load();
  while (next <= last && !next_segment_.compare_exchange_weak(next, last + 1)) {
  }
}

std::shared_ptr<Generation> Store::live() {
  std::shared_ptr<Generation> live;
  {
    std::lock_guard lock(live_mutex_);
    live = live_;
  }
  if (!read_only() || live->env().options().no_lock) return live;
  if (live->seen_live_at.load(std::memory_order_relaxed) == live->env().last_txn()) return live;
  return follow(std::move(live));
}

std::shared_ptr<Env> Store::env() {
  auto generation = live();
  Env* env = &generation->env();
  return {std::move(generation), env};
}

void Store::poison(std::exception_ptr error) {
  std::lock_guard lock(queue_mutex_);
  poison_ = std::move(error);
}

bool Store::usable() const { return fork_generation_ == fork_generation(); }

bool Store::poisoned() {
  std::lock_guard lock(queue_mutex_);
  return poison_ != nullptr;
}

bool Store::closed() const {
  std::shared_lock lock(lifecycle_);
  return closed_;
}

std::uint64_t Store::write(const Job& job, std::size_t bytes, bool frees) {
  if (read_only()) fail(ErrorCode::kReadOnly, "'", directory_, "' is open read-only");
  if (bytes > kMaxCommitBytes)
    fail(ErrorCode::kTooLarge, "a commit of ", bytes, " bytes; the limit is ", kMaxCommitBytes);
  Pending mine;
  mine.job = &job;
  mine.bytes = bytes;
  mine.frees = frees;
  std::unique_lock lock(queue_mutex_);
  if (poison_) std::rethrow_exception(poison_);
  queue_.push_back(&mine);
  arrived_.notify_one();
  // Whoever finds nobody leading commits for all who wait; the others sleep until their job is done or they
  // are the first in the queue when the leader ends.
  while (!mine.done) {
    if (!leading_ && !stopping_ && poison_) {
      std::erase(queue_, &mine);
      wake_first();
      std::rethrow_exception(poison_);
    }
    if (!leading_ && !stopping_) {
      lead(lock);
    } else {
      mine.ready.wait(lock);
    }
  }
  if (mine.error) std::rethrow_exception(mine.error);
  return mine.sequence;
}

void Store::lead(std::unique_lock<std::mutex>& lock) {
  std::deque<Pending*> group(queue_.size());  // so that nothing below has to be allocated while leading
  group.clear();
  leading_ = true;
  gather(lock);
  for (std::size_t bytes = 0;
       !queue_.empty() && (group.empty() || bytes + queue_.front()->bytes <= kGroupBytes);) {
    bytes += queue_.front()->bytes;
    group.push_back(queue_.front());
    queue_.pop_front();
  }
  lock.unlock();
  const auto begin = std::chrono::steady_clock::now();
  commit_group(group);
  const auto took = std::chrono::steady_clock::now() - begin;
  std::size_t bytes = 0;
  for (const Pending* p : group) bytes += p->bytes;
  keep_house(group.size(), bytes);
  lock.lock();
  mean_commit_ += (std::chrono::duration_cast<std::chrono::nanoseconds>(took) - mean_commit_) / 8;
  last_group_ = group.size();
  leading_ = false;
  for (Pending* p : group) {
    p->done = true;
    p->ready.notify_one();
  }
  if (stopping_) {
    idle_.notify_one();
  } else {
    wake_first();
  }
}

void Store::wake_first() {
  if (!queue_.empty()) queue_.front()->ready.notify_one();
}

// After a commit that served several writers most of them are about to come again: wait until as many have,
// though never longer than a quarter of a commit, so that everybody shares one sync instead of half of them
// missing it. A lone writer never waits.
void Store::gather(std::unique_lock<std::mutex>& lock) {
  if (last_group_ <= 1) return;
  const auto until =
      std::chrono::steady_clock::now() + std::min<std::chrono::nanoseconds>(kLongestWait, mean_commit_ / 4);
  while (queue_.size() < last_group_ && arrived_.wait_until(lock, until) != std::cv_status::timeout) {
  }
}

void Store::commit_group(std::deque<Pending*>& group) {
  std::deque<Pending*> left;
  try {
    left = group;
    std::size_t bytes = 0;
    for (Pending* p : left) bytes += p->frees ? 0 : p->bytes;
    if (bytes > 0 && os::disk_space(directory_).free_bytes < kDiskReserve + 2 * bytes) {
      const auto full = std::make_exception_ptr(
          Error(ErrorCode::kDiskFull, concat("'", directory_, "': ", bytes, " bytes to write, less than ",
                                             kDiskReserve + 2 * bytes, " free")));
      std::erase_if(left, [&](Pending* p) { return !p->frees && (p->error = full); });
    }
    while (!left.empty()) {
      try {
        run_group(left);
        break;
      } catch (const MapFull&) {
        try {
          live()->env().grow();
        } catch (const Error&) {
          if (left.size() == 1) throw;
          // One of them is too much: each on its own, so that the others do not pay.
          for (Pending* p : left) {
            std::deque<Pending*> alone = {p};
            commit_group(alone);
          }
          return;
        }
      }
    }
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kUnknownOutcome || live()->env().fatal()) poison(std::current_exception());
    for (Pending* p : left) p->error = std::current_exception();
  } catch (...) {
    for (Pending* p : left) p->error = std::current_exception();
  }
}

// One transaction for all jobs in `group`. A job that fails before it wrote anything is left out; one that
// fails later takes the transaction with it and the others start again.
void Store::run_group(std::deque<Pending*>& group) {
  Env& env = live()->env();  // it stays: whoever replaces it takes the leader's place first
  env.check_readers();
  for (;;) {
    KeyJournal journal;
    const bool journaling = journaling_;
    WriteTxn txn(env, journaling ? &journal : nullptr);
    StoreState state = read_store_state(txn);
    Pending* spoiled = nullptr;
    bool changed = false;
    for (Pending* p : group) {
      const std::uint64_t writes = txn.writes();
      const StoreState before = state;
      try {
        Commit commit{txn, state, state.sequence + 1, {}, false};
        (*p->job)(commit);
        commit.log.write(txn, state, commit.sequence, options_.change_retention);
        if (txn.writes() != writes) {
          if (!commit.derived) state.sequence = commit.sequence;
          changed = true;
        }
        p->sequence = state.sequence;
        p->error = nullptr;
      } catch (const MapFull&) {
        throw;
      } catch (const Error& e) {
        p->error = std::current_exception();
        state = before;
        // A damaged page makes the engine's transaction unusable, also one that was only read.
        if (txn.writes() != writes || e.code() == ErrorCode::kCorruption) {
          spoiled = p;
          break;
        }
      } catch (...) {
        p->error = std::current_exception();
        state = before;
        if (txn.writes() != writes) {
          spoiled = p;
          break;
        }
      }
    }
    if (spoiled) {
      std::erase(group, spoiled);
      if (group.empty()) return;
      continue;
    }
    if (!changed) return;
    state.wall_ms = Clock::system().wall_ms();
    state.moved_to = 0;  // a compaction that came to nothing may have left its mark
    write_store_state(txn, state);
    txn.commit();
    if (journaling) {
      std::lock_guard lock(journal_mutex_);
      journal_.merge(std::move(journal));
    }
    return;
  }
}

}  // namespace vecstore::storage
