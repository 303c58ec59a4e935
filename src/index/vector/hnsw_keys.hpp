// Near rows as numbers that sort by distance, and what the files of LeafBuilder share.
#pragma once
#include <bit>
#include <cstdint>
#include <vector>

#include "index/vector/hnsw_leaves.hpp"

namespace vecstore::hnsw {

/// How many rows at distance 0 a list has at most: thousands of equal rows must not be all that a row is
/// linked to.
inline constexpr std::size_t kMostEqual = 12;

/// The key of `other` in the list of `row`. Of rows at distance 0 the next numbers come first: were it the
/// least ones, all equal rows would be linked to the same few.
inline std::uint64_t key_of(float distance, std::uint32_t other, std::uint32_t row) {
  const auto bits = std::bit_cast<std::uint32_t>(distance);
  return std::uint64_t{bits} << 32 | (bits ? other : other - row);
}
inline float distance_of(std::uint64_t key) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(key >> 32));
}
inline std::uint32_t other_of(std::uint64_t key, std::uint32_t row) {
  return static_cast<std::uint32_t>(key) + (key >> 32 ? 0 : row);
}

/// Held for some dozens of steps.
class RowLock {
 public:
  explicit RowLock(std::atomic_flag& flag) : flag_(flag) {
    while (flag_.test_and_set(std::memory_order_acquire)) {
      while (flag_.test(std::memory_order_relaxed)) {
      }
    }
  }
  ~RowLock() { flag_.clear(std::memory_order_release); }
  RowLock(const RowLock&) = delete;
  RowLock& operator=(const RowLock&) = delete;

 private:
  std::atomic_flag& flag_;
};

// What one thread needs.
struct LeafBuilder::Scratch {
  ByteCodes::Block block;
  std::vector<float> distances;
  std::vector<std::uint32_t> places;
  std::vector<std::uint64_t> fresh, merged;
  float usual = 0;  // the distance of the last candidate of the rows before
  // For a selection.
  std::vector<std::uint64_t> candidates;
  std::vector<std::uint32_t> open, open_places;
  std::vector<float> between;
  std::vector<bool> taken;
};

}  // namespace vecstore::hnsw
