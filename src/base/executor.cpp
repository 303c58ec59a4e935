#include "base/executor.hpp"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <utility>

namespace vecstore {

// One parallel_for. Helpers that come after the last index was handed out never touch fn, which is gone by
// then.
struct Executor::Loop {
  const std::function<void(std::size_t)>* fn;
  std::size_t count;
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::condition_variable done;
  std::size_t running = 0;  // threads inside run()
  std::exception_ptr error;

  Loop(const std::function<void(std::size_t)>* f, std::size_t n) : fn(f), count(n) {}

  void run() {
    {
      const std::lock_guard lock(mutex);
      ++running;
    }
    std::exception_ptr caught;
    try {
      for (std::size_t i; (i = next.fetch_add(1)) < count;) (*fn)(i);
    } catch (...) {
      caught = std::current_exception();
      next.store(count);
    }
    const std::lock_guard lock(mutex);
    // Moved, so that the owner alone holds it: who comes last must not be the one to free what the owner
    // reads.
    if (caught && !error) error = std::move(caught);
    if (--running == 0) done.notify_all();
  }

  // Called by the loop's owner after its own run(): every index is handed out, so once nobody runs, all have
  // ended.
  void wait() {
    std::unique_lock lock(mutex);
    done.wait(lock, [this] { return running == 0; });
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
  }
};

Executor::Executor(std::size_t workers) : limit_(workers) {}

Executor::~Executor() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& t : threads_) t.join();
}

Executor& Executor::shared() {
  // Never destroyed: a thread of the program may still search while static objects go.
  static Executor* const executor = new Executor(std::max(1u, std::thread::hardware_concurrency()) - 1);
  return *executor;
}

std::size_t Executor::started() const {
  const std::lock_guard lock(mutex_);
  return threads_.size();
}

void Executor::parallel_for(std::size_t count, std::size_t max_threads,
                            const std::function<void(std::size_t)>& fn) {
  std::size_t helpers = std::min(limit_, count > 0 ? count - 1 : 0);
  if (max_threads > 0) helpers = std::min(helpers, max_threads - 1);
  if (helpers == 0) {
    for (std::size_t i = 0; i < count; ++i) fn(i);
    return;
  }
  const auto loop = std::make_shared<Loop>(&fn, count);
  enlist(loop, helpers);
  loop->run();
  loop->wait();
}

void Executor::enlist(const std::shared_ptr<Loop>& loop, std::size_t helpers) {
  const std::lock_guard lock(mutex_);
  queue_.insert(queue_.end(), helpers, loop);
  try {
    while (threads_.size() < std::min(limit_, queue_.size())) threads_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    // The machine gives no more threads: those that exist, and at least the caller, do the work.
  }
  wake_.notify_all();
}

void Executor::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const std::shared_ptr<Loop> loop = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    loop->run();
    lock.lock();
  }
}

}  // namespace vecstore
