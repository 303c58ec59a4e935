#include "base/task_queue.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "base/os_process.hpp"

namespace vecstore {

TaskQueue::TaskQueue(std::size_t threads)
    : limit_(std::max<std::size_t>(1, threads)), fork_generation_(fork_generation()) {}

TaskQueue::~TaskQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& t : threads_) t.join();
}

TaskQueue& TaskQueue::shared() {
  // Never destroyed: a task of the program may still run while static objects go.
  static TaskQueue* const queue = new TaskQueue(std::thread::hardware_concurrency());
  return *queue;
}

void TaskQueue::post(std::function<void()> task) {
  if (fork_generation() != fork_generation_)
    fail(ErrorCode::kForked, "the threads of asynchronous calls stayed with the parent process");
  const std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  if (idle_ < tasks_.size() && threads_.size() < limit_) {
    try {
      threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      if (!threads_.empty()) return;  // the others do it
      tasks_.pop_back();
      fail(ErrorCode::kBusy, "the system gives no thread for asynchronous calls");
    }
  }
  wake_.notify_one();
}

void TaskQueue::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    --idle_;
    if (tasks_.empty()) return;
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it holds goes before the lock is taken
    lock.lock();
  }
}

}  // namespace vecstore
