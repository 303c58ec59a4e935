#include "db/maintenance.hpp"

namespace vecstore::db {

void Maintenance::request() {
  std::lock_guard lock(mutex_);
  if (stop_.stop_requested()) return;
  wanted_ = true;
  if (!thread_) thread_ = std::make_unique<std::thread>([this] { loop(); });
  wake_.notify_one();
}

void Maintenance::stop() {
  std::unique_ptr<std::thread> thread;
  {
    std::lock_guard lock(mutex_);
    stop_.request_stop();
    thread = std::move(thread_);
    wake_.notify_one();
  }
  if (thread) thread->join();
}

void Maintenance::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return wanted_ || stop_.stop_requested(); });
    if (stop_.stop_requested()) return;
    lock.unlock();
    try {
      work_(stop_.get_token());
    } catch (...) {
      // The work is tried again at a later request.
    }
    lock.lock();
    wanted_ = false;  // what was asked for meanwhile is done as well
  }
}

}  // namespace vecstore::db
