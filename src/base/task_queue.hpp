// TaskQueue: threads for calls whose callers do not wait.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace vecstore {

/// Thread-safe. No thread exists before the first task.
class TaskQueue {
 public:
  explicit TaskQueue(std::size_t threads);
  /// Carries out what was posted, then joins.
  ~TaskQueue();
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  /// The process's own, with a thread per core. Lives until the process ends.
  static TaskQueue& shared();

  /// Has one of the threads call it, in the order of the posts. Tasks must not throw. kForked in a child
  /// process, which has no threads.
  void post(std::function<void()> task);

 private:
  void work();

  const std::size_t limit_;
  const std::uint64_t fork_generation_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  std::size_t idle_ = 0;
  std::vector<std::thread> threads_;
  bool stopping_ = false;
};

}  // namespace vecstore
