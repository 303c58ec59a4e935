// Maintenance: the background thread that compacts a database when that is due.
#pragma once
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

namespace vecstore::db {

/// Thread-safe. There is no thread before the first run.
class Maintenance {
 public:
  /// One run; has to end soon after a stop is requested. What it throws is dropped: nobody is there to be
  /// told.
  using Work = std::function<void(std::stop_token)>;
  explicit Maintenance(Work work) : work_(std::move(work)) {}
  ~Maintenance() { stop(); }
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;

  /// Asks for a run; at most one goes on and none waits behind it. Returns at once.
  void request();
  /// Ends the run and the thread, and refuses later ones. Idempotent.
  void stop();
  /// In a forked child, where the thread is not.
  void abandon() { (void)thread_.release(); }

 private:
  void loop();

  const Work work_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::stop_source stop_;
  bool wanted_ = false;
  std::unique_ptr<std::thread> thread_;
};

}  // namespace vecstore::db
