// 4-bit codes of vectors, with an 8-bit residual that makes 12 bits of them.
//
// A row x lies at z = x - centre (under the cosine, at x / |x| - centre) and has the direction y = z / |z|.
// Component j of y becomes low_j + step_j * c, c in 0 .. 15, with bounds that are fitted per component to a
// sample. What is left, in units of step_j, becomes 8 bits with one scale per row. Inner products with a
// query then are integer sums: <q, z> = |z| * (offset + sum w_j * c_j), where w_j = q_j * step_j.
//
// Codes are as exact as z is short, so the centre is the middle of the rows; but what a query and all rows
// have in common must not be multiplied with errors of codes. So a row carries one number t besides:
//   Euclidean     |q - x|^2 - |q - centre|^2   =  t - 2 <q - centre, z>,       t = |z|^2
//   dot, cosine   -<q, x> + <q, centre>        =  b t - <q - b centre, z>,     t = -<centre, z>
// for any b; the one that leaves the least of q is taken. Where the rows lie around the origin (most sentence
// embeddings), dot and cosine need no centre and no t, and the cosine no |z|.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/context.hpp"
#include "simd/code_kernels.hpp"
#include "vecstore/metric.hpp"

namespace vecstore {

/// The vector of a row: `dimension` finite floats, valid until the same thread asks for another row.
/// Called from several threads at once where a build has several.
using RowVectors = std::function<const float*(std::uint32_t row)>;

/// What stands beside a row's code.
struct NibbleSide {
  float scale = 1;          ///< |z|; 1 where has_scales() is false.
  float term = 0;           ///< t; 0 where has_terms() is false.
  float residual_step = 0;  ///< One step of the residual, in units of the components' steps.
};

class NibbleCoder {
 public:
  /// Fits centre and bounds to at most 4,096 of the rows, taken evenly; a few outliers among them change
  /// little. `rows` is at least 1. Throws kCancelled, kDeadline.
  static NibbleCoder fit(Metric metric, std::size_t dimension, std::uint32_t rows, const RowVectors& vectors,
                         const Context& context);
  /// From parameters() of another.
  NibbleCoder(Metric metric, std::size_t dimension, std::span<const float> parameters);

  Metric metric() const { return metric_; }
  std::size_t dimension() const { return dimension_; }
  std::span<const float> parameters() const { return parameters_; }
  static std::size_t parameter_count(std::size_t dimension) { return 3 * dimension + 1; }
  static std::size_t code_bytes(std::size_t dimension) {
    return (dimension + simd::kNibblesPerLine - 1) / simd::kNibblesPerLine * 64;
  }
  static std::size_t residual_bytes(std::size_t dimension) { return (dimension + 63) / 64 * 64; }

  /// Writes code_bytes and, unless it is nullptr, residual_bytes. About 2 ns per component. Thread-safe.
  NibbleSide encode(const float* vector, std::uint8_t* code, std::uint8_t* residual) const;
  /// Whether rows have a scale other than 1, and a term other than 0.
  bool has_scales() const { return metric_ != Metric::kCosine || has_centre_; }
  bool has_terms() const { return metric_ == Metric::kEuclidean || has_centre_; }

  /// The vector that code and residual (or nullptr) stand for: of length 1 under the cosine.
  void decode(const std::uint8_t* code, const std::uint8_t* residual, const NibbleSide& side,
              float* out) const;

  std::span<const float> lows() const { return {parameters_.data(), dimension_}; }
  std::span<const float> steps() const { return {parameters_.data() + dimension_, dimension_}; }
  /// Empty: the origin.
  std::span<const float> centre() const {
    return {parameters_.data() + 2 * dimension_, has_centre_ ? dimension_ : 0};
  }
  double centre_square() const { return centre_square_; }
  /// The |z| that a quarter of the rows exceeds.
  float spread() const { return parameters_.back(); }

 private:
  double place(const float* vector, std::vector<double>& direction, double& term) const;

  Metric metric_;
  std::size_t dimension_;
  std::vector<float> parameters_;  // lower bounds, steps, centre (zeros: none), spread
  bool has_centre_ = false;
  double centre_square_ = 0;
};

/// A query, ready to be compared with codes. May be used again for another query.
class NibbleQuery {
 public:
  /// `query` is finite and as long as the coder's dimension.
  void assign(const NibbleCoder& coder, std::span<const float> query);

  /// For walks. Its estimates rank as minus the score; see estimate_of and score_of.
  const simd::WalkQuery& walk_query() const { return walk_; }
  /// The estimate that belongs to a score.
  float estimate_of(float score) const;
  /// What differences of estimates grow with: the query's length under the dot product; under the Euclidean
  /// distance, how much farther from the rows' middle it lies than they; else 1.
  double gap_scale() const { return gap_scale_; }
  /// The score of a row from its code and, unless it is nullptr, its residual: with it, 12 bits of each
  /// component count.
  float score(const std::uint8_t* code, const std::uint8_t* residual, const NibbleSide& side) const;

 private:
  float place(const NibbleCoder& coder, std::span<const float> query);

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
  double square_ = 0;  // |q - b centre| squared
  double base_ = 0;    // <q, centre>
  double gap_scale_ = 1;
  std::vector<float> weights_;
};

}  // namespace vecstore
