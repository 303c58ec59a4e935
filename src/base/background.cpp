#include "base/background.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace vecstore {

void Background::request(const void* key, Step step, Lane lane) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  auto& [queue, thread] = worker(lane);
  const auto waiting = std::find_if(queue.begin(), queue.end(), [&](const Item& i) { return i.key == key; });
  if (waiting == queue.end()) {
    queue.push_back({key, std::move(step)});
  } else {
    waiting->step = std::move(step);  // the key may have a new owner
  }
  try {
    if (!thread.joinable())
      thread = std::jthread([this, lane](const std::stop_token& stop) { run(lane, stop); });
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
  std::array<Worker, 2> ending;  // outside of the lock: what steps hold may be large
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    workers_.swap(ending);
    changed_.notify_all();
  }
  for (Worker& w : ending) w.thread.request_stop();
  for (Worker& w : ending) {
    if (w.thread.joinable()) w.thread.join();
  }
}

void Background::run(Lane lane, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  std::deque<Item>& queue = worker(lane).queue;
  for (;;) {
    changed_.wait(lock, stop,
                  [&] { return stopped_ || (!(paused_ && lane == Lane::kLong) && !queue.empty()); });
    if (stopped_ || stop.stop_requested()) return;
    Item item = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    bool again = false;
    try {
      again = item.step(stop);
    } catch (...) {
    }
    lock.lock();
    const bool asked_again =
        std::any_of(queue.begin(), queue.end(), [&](const Item& i) { return i.key == item.key; });
    if (again && !stopped_ && !asked_again) queue.push_back(std::move(item));
    lock.unlock();
    item = {};
    lock.lock();
  }
}

}  // namespace vecstore
