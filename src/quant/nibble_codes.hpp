// 4-bit codes of vectors, with an 8-bit residual that makes 12 bits of them.
//
// A row x has the direction y = x / |x|. Component j of y becomes low_j + step_j * c, c in 0 .. 15, with
// bounds that are fitted per component to a sample. What is left, in units of step_j, becomes 8 bits with one
// scale per row. Inner products with a query then are integer sums: scale(x) * (offset + sum w_j * c_j),
// where w_j = q_j * step_j. Codes of the Euclidean distance carry |x| squared besides.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "simd/code_kernels.hpp"
#include "vecstore/metric.hpp"

namespace vecstore {

/// The vector of a row: `dimension` finite floats, valid until the same thread asks for another row.
/// Called from several threads at once where a build has several.
using RowVectors = std::function<const float*(std::uint32_t row)>;

/// What stands beside a row's code.
struct NibbleSide {
  float scale = 1;          ///< Of the decoded direction; 1 under the cosine.
  float square = 0;         ///< |x| squared under the Euclidean distance, else 0.
  float residual_step = 0;  ///< One step of the residual, in units of the components' steps.
};

class NibbleCoder {
 public:
  /// Fits the bounds to at most 4,096 of the rows, taken evenly. `rows` is at least 1.
  static NibbleCoder fit(Metric metric, std::size_t dimension, std::uint32_t rows, const RowVectors& vectors);
  /// From parameters() of another.
  NibbleCoder(Metric metric, std::size_t dimension, std::span<const float> parameters);

  Metric metric() const { return metric_; }
  std::size_t dimension() const { return dimension_; }
  std::span<const float> parameters() const { return parameters_; }
  static std::size_t parameter_count(std::size_t dimension) { return 2 * dimension; }
  static std::size_t code_bytes(std::size_t dimension) {
    return (dimension + simd::kNibblesPerLine - 1) / simd::kNibblesPerLine * 64;
  }
  static std::size_t residual_bytes(std::size_t dimension) { return (dimension + 63) / 64 * 64; }

  /// Writes code_bytes and, unless it is nullptr, residual_bytes. About 2 ns per component. Thread-safe.
  NibbleSide encode(const float* vector, std::uint8_t* code, std::uint8_t* residual) const;
  /// The vector that code and residual (or nullptr) stand for: of length 1 under the cosine.
  void decode(const std::uint8_t* code, const std::uint8_t* residual, const NibbleSide& side,
              float* out) const;

  std::span<const float> lows() const { return {parameters_.data(), dimension_}; }
  std::span<const float> steps() const { return {parameters_.data() + dimension_, dimension_}; }

 private:
  Metric metric_;
  std::size_t dimension_;
  std::vector<float> parameters_;  // lower bounds, then steps
};

/// A query, ready to be compared with codes. May be used again for another query.
class NibbleQuery {
 public:
  /// `query` is finite and as long as the coder's dimension.
  void assign(const NibbleCoder& coder, std::span<const float> query);

  /// For walks. Its estimates rank as minus the score; see estimate_of and score_of.
  const simd::WalkQuery& walk_query() const { return walk_; }
  /// The estimate that belongs to a score, and back.
  float estimate_of(float score) const;
  float score_of(float estimate) const;
  /// The estimate of a full vector.
  double exact_estimate(const float* vector) const;
  /// What differences of estimates grow with: the query's length under the dot product, else 1.
  double gap_scale() const;
  /// The score of a row from its code and, unless it is nullptr, its residual: with it, 12 bits of each
  /// component count.
  float score(const std::uint8_t* code, const std::uint8_t* residual, const NibbleSide& side) const;

 private:
  Metric metric_ = Metric::kCosine;
  std::size_t code_bytes_ = 0;
  std::size_t residual_bytes_ = 0;
  std::vector<std::int8_t> planes_;  // walk, high, low, each of 2 * code_bytes_, from 64-byte boundaries
  simd::WalkQuery walk_{};
  simd::RescoreQuery rescore_{};
  double fine_step_ = 0;
  double offset_ = 0;
  double high_sum_ = 0;  // of all components of the plane
  double low_sum_ = 0;
  double square_ = 0;  // |q| squared
  std::vector<float> weights_;
  std::vector<float> query_;  // of length 1 under the cosine
};

}  // namespace vecstore
