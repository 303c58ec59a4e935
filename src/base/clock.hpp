// Wall time for what is stored (expiry, creation). Durations inside the process use
// std::chrono::steady_clock.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>

namespace vecstore {

/// Where wall time comes from; tests put their own in place. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Milliseconds since 1970-01-01T00:00:00Z. May jump, also backwards.
  virtual std::int64_t wall_ms() const = 0;

  /// The machine's clock.
  static const Clock& system();
};

/// A clock that stands still until it is moved.
class ManualClock : public Clock {
 public:
  explicit ManualClock(std::int64_t ms = 0) : ms_(ms) {}
  std::int64_t wall_ms() const override { return ms_.load(std::memory_order_relaxed); }
  void set(std::int64_t ms) { ms_.store(ms, std::memory_order_relaxed); }
  void advance(std::int64_t ms) { ms_.fetch_add(ms, std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> ms_;
};

inline const Clock& Clock::system() {
  struct System : Clock {
    std::int64_t wall_ms() const override {
      using namespace std::chrono;
      return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
    }
  };
  static const System clock;
  return clock;
}

}  // namespace vecstore
