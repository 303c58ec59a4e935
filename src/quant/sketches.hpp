// Sketches: one bit per component, from which the angle between two vectors is estimated; and two further
// bits, which are read where one is too few. No training.
//
// A vector is rotated at random (signs and Hadamard matrices) and keeps the signs. Of two vectors at an angle
// t, each bit differs with probability t / pi; and the sum of a rotated query's components, each with the
// sign that the row has there, estimates the cosine. Both have about the same spread whatever the data are:
// what could be a result is found with about the certainty that was chosen. With three bits of a component in
// the place of its sign the estimate's error is a quarter.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "simd/sketch_kernels.hpp"

namespace vecstore {

/// From so many dimensions on sketches are precise enough to pay.
inline constexpr std::size_t kLeastSketchDimension = 128;

/// Whether sketches are as precise as they promise: not where the rotation's rounds, of a power of two
/// components each, overlap too little.
constexpr bool sketches_suit(std::size_t dimension) {
  const std::size_t words = (dimension + 63) / 64;
  return dimension >= kLeastSketchDimension && 2 * words <= 3 * std::bit_floor(words);
}

/// The rotation, which depends on the dimension alone and is the same for ever: sketches are on disk. Const
/// calls are thread-safe.
class SketchRotation {
 public:
  explicit SketchRotation(std::size_t dimension);
  /// Made at the first call, kept to the end of the process.
  static const SketchRotation& of(std::size_t dimension);
  std::size_t dimension() const { return dimension_; }
  /// Of a row's sketch, 64 components each.
  std::size_t words() const { return words_; }
  std::size_t group_words() const { return words_ * simd::kSketchRows; }
  /// Of a row's fine code: two bits per component, and what turns a sum into a cosine.
  std::size_t fine_words() const { return 2 * words_ + 1; }
  /// `out` has 64 * words() values and the length of `vector`.
  void rotate(const float* vector, float* out) const;

 private:
  static constexpr std::size_t kRounds = 4;
  std::size_t dimension_;
  std::size_t words_;
  std::size_t span_;          // components that one round mixes
  std::vector<float> signs_;  // scaled, span_ per round
};

/// Writes sketches of rows whose inverse norm is known. About 0.25 microseconds per row of 384
/// dimensions.
class SketchEncoder {
 public:
  explicit SketchEncoder(std::size_t dimension)
      : rotation_(SketchRotation::of(dimension)), rotated_(64 * rotation_.words()) {}
  const SketchRotation& rotation() const { return rotation_; }
  /// Row `lane` of `group`, and its fine code.
  void encode(const float* vector, float inverse_norm, std::uint64_t* group, std::size_t lane,
              std::uint64_t* fine);

 private:
  const SketchRotation& rotation_;
  std::vector<float> rotated_;
};

/// A query as the scan of sketches wants it. Const calls are thread-safe.
class SketchQuery {
 public:
  /// `query` is of length 1.
  SketchQuery(const SketchRotation& rotation, std::span<const float> query);

  const std::uint64_t* bits() const { return bits_.data(); }
  std::size_t words() const { return bits_.size(); }
  /// A row with this cosine differs in more bits once in 44 times; with the worst data tried, once in 19.
  std::uint32_t most_distance(float cosine) const;
  /// What the estimates below are made of: SketchKernels::sums of the query's values.
  void sums(const std::uint64_t* groups, const simd::SketchHit* hits, std::size_t count,
            std::int32_t* out) const {
    simd::sketch_kernels().sums(values_.data(), groups, words(), hits, count, out);
  }
  /// The cosine of a row, better than its distance tells. For a row with this cosine it is too low by more
  /// than `margin` once in 44 times.
  float estimate(std::int32_t sum) const { return scale_ * static_cast<float>(2 * sum - total_); }
  float margin(float cosine) const;
  /// The same with the row's fine code; off by more than `fine_margin` once in some hundred times.
  float fine_estimate(std::int32_t sum, const std::uint64_t* fine) const;
  float fine_margin(float cosine) const;

 private:
  std::vector<std::uint64_t> bits_;
  std::vector<std::int8_t> values_;
  std::int32_t total_ = 0;
  float step_ = 0;   // of values_
  float scale_ = 0;  // of a sum with signs
};

}  // namespace vecstore
