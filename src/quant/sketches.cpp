#include "quant/sketches.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <mutex>
#include <numbers>

#include "base/hash.hpp"

namespace vecstore {
namespace {

// In deviations; docs/design/0006 has what they cost and miss.
constexpr double kDistanceMargin = 2.0;
constexpr double kEstimateMargin = 2.0;
constexpr double kFineMargin = 3.0;
constexpr double kLeastVariance = 1.0 / 32;
// Of the typical component of a rotated vector: what a uniform code of 3 bits errs least with.
constexpr float kFineStep = 0.586f;
// Any number would do; with this one the direction (1, 1, ... 1), which positive data have in common, is
// represented as well as most are, whatever the dimension.
constexpr std::uint64_t kSigns = 4;

}  // namespace

SketchRotation::SketchRotation(std::size_t dimension)
    : dimension_(dimension), words_((dimension + 63) / 64), span_(64) {
  while (span_ * 2 <= 64 * words_) span_ *= 2;
  const float scale = static_cast<float>(1 / std::sqrt(static_cast<double>(span_)));
  signs_.resize(kRounds * span_);
  for (std::size_t i = 0; i < signs_.size(); ++i)
    signs_[i] = mix64(i / 64 + kSigns) >> (i % 64) & 1 ? scale : -scale;
}

const SketchRotation& SketchRotation::of(std::size_t dimension) {
  static std::mutex mutex;
  static auto* made = new std::map<std::size_t, SketchRotation>;  // never destroyed: queries may outlive it
  const std::lock_guard lock(mutex);
  return made->try_emplace(dimension, dimension).first->second;
}

// Where the number of components is no power of two a round mixes as many of them as it can, from the front
// and from the end in turns. With two rounds of each the energy is spread over all, wherever it was.
void SketchRotation::rotate(const float* vector, float* out) const {
  std::copy_n(vector, dimension_, out);
  std::fill(out + dimension_, out + 64 * words_, 0.0f);
  for (std::size_t round = 0; round < kRounds; ++round) {
    float* begin = round % 2 == 0 ? out : out + 64 * words_ - span_;
    simd::sketch_kernels().hadamard(begin, signs_.data() + round * span_, span_);
  }
}

// The scale makes the row's code, measured along the row, as long as the row: the error is then only in what
// the query has outside of the row's direction.
void SketchEncoder::encode(const float* vector, float inverse_norm, std::uint64_t* group, std::size_t lane,
                           std::uint64_t* fine) {
  const auto& kernels = simd::sketch_kernels();
  const std::size_t words = rotation_.words();
  rotation_.rotate(vector, rotated_.data());
  kernels.set_signs(rotated_.data(), group, lane, words);
  const float steps = std::sqrt(static_cast<float>(rotated_.size())) / kFineStep;
  const float along = kernels.set_planes(rotated_.data(), steps * inverse_norm, fine, words);
  fine[2 * words] = std::bit_cast<std::uint32_t>(along > 0 ? steps / along : 0.0f);
}

SketchQuery::SketchQuery(const SketchRotation& rotation, std::span<const float> query)
    : bits_(rotation.words()), values_(64 * rotation.words()) {
  std::vector<float> rotated(values_.size());
  rotation.rotate(query.data(), rotated.data());
  float largest = 0;
  for (std::size_t i = 0; i < rotated.size(); ++i) {
    if (!std::signbit(rotated[i])) bits_[i / 64] |= std::uint64_t{1} << (i % 64);
    largest = std::max(largest, std::abs(rotated[i]));
  }
  step_ = largest / 127;
  for (std::size_t i = 0; i < rotated.size() && step_ > 0; ++i) {
    values_[i] = static_cast<std::int8_t>(std::lround(rotated[i] / step_));
    total_ += values_[i];
  }
  // The sum of a random unit vector's magnitudes is the square root of this.
  const double row_sum = 2 / std::numbers::pi * static_cast<double>(rotated.size());
  scale_ = static_cast<float>(step_ / std::sqrt(row_sum));
}

std::uint32_t SketchQuery::most_distance(float cosine) const {
  const auto bits = static_cast<double>(64 * words());
  if (!(cosine > -1)) return static_cast<std::uint32_t>(bits);
  const double share = std::acos(std::min<double>(cosine, 1)) / std::numbers::pi;
  // The rest is for nearly equal vectors whose rotated components are zeros here and there: sparse ones.
  const double most =
      bits * share + kDistanceMargin * std::sqrt(bits * (share * (1 - share) + kLeastVariance));
  return static_cast<std::uint32_t>(std::min(bits, std::ceil(most)));
}

// Two independent errors: what the query has outside of the row's direction meets what the sketch has there;
// and how much of a sketch lies along its row differs a little from row to row.
float SketchQuery::margin(float cosine) const {
  constexpr double kAcross = std::numbers::pi / 2 - 1;
  constexpr double kAlong = 0.13;
  const double c = std::clamp<double>(cosine, -1, 1);
  const double variance = (kAcross * (1 - c * c) + kAlong * c * c) / static_cast<double>(64 * words());
  return static_cast<float>(kEstimateMargin * std::sqrt(variance));
}

float SketchQuery::fine_estimate(std::int32_t sum, const std::uint64_t* fine) const {
  const std::int32_t fine_sum = 4 * sum + simd::sketch_kernels().plane_sum(values_.data(), fine, words());
  const float scale = std::bit_cast<float>(static_cast<std::uint32_t>(fine[2 * words()]));
  return step_ * scale * (static_cast<float>(fine_sum) - 3.5f * static_cast<float>(total_));
}

// As above; the rest is the rounding of the query's components.
float SketchQuery::fine_margin(float cosine) const {
  constexpr double kAcross = 0.045;
  constexpr double kRounding = 0.0003;
  const double c = std::clamp<double>(cosine, -1, 1);
  const double variance = (kAcross * (1 - c * c) + kRounding) / static_cast<double>(64 * words());
  return static_cast<float>(kFineMargin * std::sqrt(variance));
}

}  // namespace vecstore
