// SearchCosts: how long the ways of a filtered search take on this machine.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>

namespace vecstore::hnsw {

/// Nanoseconds per code for each way, of one index: 0 until they are measured, then corrected by every
/// search. Thread-safe; of concurrent corrections one may be lost.
class SearchCosts {
 public:
  struct Units {
    float scan = 0;  ///< per code that is looked at one after the other
    float walk = 0;  ///< per code that a walk comes to, without its entries
  };
  /// What holds where nothing could be measured: only their ratio matters.
  static constexpr Units kUnknown{1, 6};

  bool known() const { return walk_.load(std::memory_order_relaxed) > 0; }
  Units units() const {
    return {scan_.load(std::memory_order_relaxed), walk_.load(std::memory_order_relaxed)};
  }
  void set(Units measured) {
    walk_.store(measured.walk, std::memory_order_relaxed);
    scan_.store(measured.scan, std::memory_order_relaxed);
  }
  /// Whether walks should be measured again, as none has been for a while. A cost that once was measured far
  /// too high would keep them from being chosen for ever.
  bool walk_is_stale() { return since_walk_.fetch_add(1, std::memory_order_relaxed) % kStale == kStale - 1; }
  void scanned(float nanoseconds, std::uint64_t codes) {
    if (codes >= kFewest) correct(scan_, nanoseconds / static_cast<float>(codes));
  }
  void walked(float nanoseconds, std::uint64_t codes) {
    since_walk_.store(0, std::memory_order_relaxed);
    if (codes >= kFewest && nanoseconds > 0) correct(walk_, nanoseconds / static_cast<float>(codes));
  }

 private:
  static constexpr std::uint32_t kStale = 64;
  static constexpr std::uint64_t kFewest = 256;  // of fewer the time says little
  // A thread that had to wait measures too much, never too little: slowly up, and quickly down.
  static void correct(std::atomic<float>& unit, float measured) {
    const float old = unit.load(std::memory_order_relaxed);
    const float step = measured < old ? (measured - old) / 8 : std::min(measured - old, old) / 32;
    unit.store(old + step, std::memory_order_relaxed);
  }
  std::atomic<float> scan_{0}, walk_{0};
  std::atomic<std::uint32_t> since_walk_{0};
};

}  // namespace vecstore::hnsw
