// Executor: the threads that work on parts of one call. No thread exists before the first call that wants
// company.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace vecstore {

/// Thread-safe. A caller always works on its own loop too, so a loop ends even when every worker is busy
/// elsewhere, and parallel_for may be called from inside one of its own parts.
class Executor {
 public:
  /// At most `workers` threads besides the callers; 0 makes every loop run on its caller alone.
  explicit Executor(std::size_t workers);
  /// Joins. No call may be running.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// The process's own, one worker less than the machine has cores. Lives until the process ends.
  static Executor& shared();

  std::size_t workers() const { return limit_; }
  /// Threads that were started so far.
  std::size_t started() const;

  /// Calls fn(0) .. fn(count - 1), each once, on at most `max_threads` threads, the caller included (0: no
  /// limit), and returns when all have ended. An exception of fn stops the handing out of further indices;
  /// the first one is rethrown.
  void parallel_for(std::size_t count, std::size_t max_threads, const std::function<void(std::size_t)>& fn);

 private:
  struct Loop;

  void enlist(const std::shared_ptr<Loop>& loop, std::size_t helpers);
  void work();

  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Loop>> queue_;  // one entry per helper that a loop would like to have
  std::vector<std::thread> threads_;
  bool stopping_ = false;
};

}  // namespace vecstore
