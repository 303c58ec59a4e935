#include "base/background.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace vecstore {

void Background::request(const void* key, Step step) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  const auto waiting =
      std::find_if(queue_.begin(), queue_.end(), [&](const Item& i) { return i.key == key; });
  if (waiting == queue_.end()) {
    queue_.push_back({key, std::move(step)});
  } else {
    waiting->step = std::move(step);  // the key may have a new owner
  }
  try {
    if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  } catch (const std::system_error&) {
    // The machine gives no thread now: the next request tries again.
  }
  changed_.notify_all();
}

void Background::pause() {
  const std::lock_guard lock(mutex_);
  paused_ = true;
}

void Background::resume() {
  const std::lock_guard lock(mutex_);
  paused_ = false;
  changed_.notify_all();
}

void Background::stop() {
  std::jthread ending;
  std::deque<Item> dropped;  // outside of the lock: what steps hold may be large
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    dropped.swap(queue_);
    ending = std::move(thread_);
    changed_.notify_all();
  }
  ending.request_stop();
  if (ending.joinable()) ending.join();
}

void Background::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, stop, [this] { return stopped_ || (!paused_ && !queue_.empty()); });
    if (stopped_ || stop.stop_requested()) return;
    Item item = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    bool again = false;
    try {
      again = item.step(stop);
    } catch (...) {
    }
    lock.lock();
    const bool asked_again =
        std::any_of(queue_.begin(), queue_.end(), [&](const Item& i) { return i.key == item.key; });
    if (again && !stopped_ && !asked_again) queue_.push_back(std::move(item));
    lock.unlock();
    item = {};
    lock.lock();
  }
}

}  // namespace vecstore
