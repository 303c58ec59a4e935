// 8-bit codes that rows are compared with each other by, for building graphs. No training: one scale per row.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/os_memory.hpp"
#include "vecstore/metric.hpp"

namespace vecstore {

/// A fixed number of rows in a geometry whose nearest neighbours are the metric's best scores: unit vectors
/// for the cosine, the vectors themselves for the Euclidean distance, and for the dot product the vectors
/// lifted onto a sphere by one more component. Distances are squared Euclidean ones, so `centre`, which the
/// codes are made from (of unit vectors under the cosine; empty: the origin), changes their precision only.
/// The sphere leaves out the few rows that are far longer than the others: they would flatten it.
/// Rows may be set from several threads, each row once; the other calls are const and thread-safe.
class ByteCodes {
 public:
  ByteCodes(Metric metric, std::size_t dimension, std::uint32_t rows, std::span<const float> centre = {});

  std::uint32_t rows() const { return rows_; }
  /// About 1 ns per component.
  void set(std::uint32_t row, const float* vector);
  /// To be called once, after the last set: the dot product's sphere needs the norms.
  void finish();

  /// out[i] = squared distance between rows `row` and ids[i]; 0 for equal codes and for what differs by
  /// rounding only.
  void distances(std::uint32_t row, const std::uint32_t* ids, std::size_t count, float* out) const;
  void prefetch(std::uint32_t row) const {
    const std::uint8_t* p = codes_.get() + row * stride_;
    for (std::size_t b = 0; b < stride_; b += 64) __builtin_prefetch(p + b);
    __builtin_prefetch(&sides_[row]);
  }

  /// Rows that others are compared with at once.
  class Block {
   public:
    std::size_t size() const { return count_; }
    /// Columns of a table of distances: size() rounded up.
    std::size_t width() const { return scales_.size(); }

   private:
    friend class ByteCodes;
    std::size_t count_ = 0, capacity_ = 0;
    os::AlignedBytes tiles_;
    std::vector<float> scales_, squares_, lifts_;
  };
  void pack(const std::uint32_t* ids, std::size_t count, Block& out) const;
  /// out[i * block.width() + c] = squared distance between row ids[i] and row c of the block, the same bits
  /// in whatever block.
  void distances(const std::uint32_t* ids, std::size_t count, const Block& block, float* out) const;

  /// Of a row's code; equal for equal ones.
  std::uint64_t hash(std::uint32_t row) const;
  bool equal(std::uint32_t a, std::uint32_t b) const;

  std::size_t memory_bytes() const { return rows_ * (stride_ + sizeof(Side)); }
  /// The squared length of a row from the centre.
  float square(std::uint32_t row) const { return sides_[row].square; }

 private:
  const float* from_centre(const float* vector) const;

  struct Side {
    float scale = 0;
    float square = 0;         // of the decoded row, from the centre
    float lift = 0;           // the additional component; before finish() the vector's squared length
    std::int32_t offset = 0;  // 128 times the sum of the values
  };

  Metric metric_;
  std::size_t dimension_;
  std::size_t stride_;
  std::uint32_t rows_;
  std::vector<float> centre_;
  os::AlignedBytes codes_;  // value + 128
  std::vector<Side> sides_;
};

}  // namespace vecstore
