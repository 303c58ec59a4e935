// Background: threads for work that nobody waits for.
#pragma once
#include <array>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace vecstore {

/// Thread-safe. No thread exists before the first request.
class Background {
 public:
  /// Each lane has one thread.
  enum class Lane {
    kLong,   ///< May take minutes and write; held back by pause.
    kQuick,  ///< Milliseconds of reading that queries would profit from; goes on during a pause.
  };
  /// One piece of work; true: there is more to do. It has to end soon after a stop is requested. What it
  /// throws is dropped, nobody is there to be told: the work is tried again at a later request.
  using Step = std::function<bool(std::stop_token)>;

  Background() = default;
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background() { stop(); }

  /// Runs `step` until it returns false, in turns with other work. A second request for `key` that comes
  /// before the step began takes its place; one that comes while it runs makes it run once more. Returns at
  /// once.
  void request(const void* key, Step step, Lane lane = Lane::kLong);
  /// What runs goes on, nothing is begun in the long lane until resume.
  void pause();
  void resume();
  /// Ends what runs, joins and refuses further work. Idempotent. Not for a forked child, where the thread is
  /// not: there the object must not be destroyed either.
  void stop();

 private:
  struct Item {
    const void* key;
    Step step;
  };
  struct Worker {
    std::deque<Item> queue;
    std::jthread thread;
  };
  void run(Lane lane, const std::stop_token& stop);
  Worker& worker(Lane lane) { return workers_[static_cast<std::size_t>(lane)]; }

  std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  bool paused_ = false;
  bool stopped_ = false;
  std::array<Worker, 2> workers_;
};

}  // namespace vecstore
