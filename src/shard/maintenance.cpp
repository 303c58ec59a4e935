#include "shard/maintenance.hpp"

#include <algorithm>
#include <utility>

#include "base/context.hpp"
#include "base/error.hpp"
#include "shard/shard.hpp"

namespace vecstore::shard {

void Maintenance::wake(const std::weak_ptr<Shard>& shard) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  const auto same = [&](const std::weak_ptr<Shard>& other) {
    return !other.owner_before(shard) && !shard.owner_before(other);
  };
  if (std::none_of(queue_.begin(), queue_.end(), same)) queue_.push_back(shard);
  if (!thread_.joinable()) thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
  changed_.notify_all();
}

void Maintenance::pause() {
  const std::lock_guard lock(mutex_);
  paused_ = true;
}

void Maintenance::resume() {
  const std::lock_guard lock(mutex_);
  paused_ = false;
  changed_.notify_all();
}

void Maintenance::wait_idle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopped_ || (queue_.empty() && !busy_); });
}

void Maintenance::stop() {
  std::jthread ending;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    queue_.clear();
    ending = std::move(thread_);
    changed_.notify_all();
  }
  ending.request_stop();
  if (ending.joinable()) ending.join();
}

void Maintenance::abandon() {
  if (thread_.joinable()) thread_.detach();
}

void Maintenance::run(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, stop, [this] { return stopped_ || (!paused_ && !queue_.empty()); });
    if (stopped_ || stop.stop_requested()) return;
    const std::shared_ptr<Shard> shard = queue_.front().lock();
    queue_.pop_front();
    if (!shard) {
      changed_.notify_all();
      continue;
    }
    busy_ = true;
    lock.unlock();
    bool again = false;
    try {
      Context context;
      context.stop = stop;
      again = shard->warm_step(context) || shard->merge_step(false, context);
    } catch (...) {
      // Closing, a full disk, a deleted collection: the segments stay as they are.
    }
    lock.lock();
    busy_ = false;
    if (again && !stopped_) queue_.push_back(shard);
    changed_.notify_all();
  }
}

}  // namespace vecstore::shard
