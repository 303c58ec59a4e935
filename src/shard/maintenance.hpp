// Maintenance: the one background thread of a database, which merges segments.
#pragma once
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

namespace vecstore::shard {

class Shard;

/// Thread-safe. No thread exists before the first wake. What goes wrong in the background is tried again at the
/// next wake; it costs speed only.
class Maintenance {
 public:
  Maintenance() = default;
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;
  ~Maintenance() { stop(); }

  /// The shard's segments may need work.
  void wake(const std::weak_ptr<Shard>& shard);
  /// Work that is running goes on; none is begun until resume.
  void pause();
  void resume();
  /// Waits until nothing is left to do, or until stop.
  void wait_idle();
  /// Ends what is running, joins and refuses further work. Idempotent.
  void stop();
  /// In a forked child, where the thread does not exist.
  void abandon();

 private:
  void run(std::stop_token stop);

  std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::deque<std::weak_ptr<Shard>> queue_;
  bool paused_ = false;
  bool busy_ = false;
  bool stopped_ = false;
  std::jthread thread_;
};

}  // namespace vecstore::shard
