#include "quant/nibble_codes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/norms.hpp"
#include "quant/rounding.hpp"

namespace vecstore {

namespace {

constexpr std::uint32_t kSampleRows = 4096;
constexpr int kLevels = 15;

// 1 / |x|; 0 for the zero vector.
double inverse_length(const float* x, std::size_t dimension) {
  const float fast = inverse_norm(x, dimension);
  if (fast > 0) return fast;
  const double norm = norm_in_double(x, dimension);
  return norm > 0 ? 1 / norm : 0;
}

// Where component j of a row is: in which byte, in which half.
std::size_t byte_of(std::size_t j) { return j / simd::kNibblesPerLine * 64 + j % 64; }
int shift_of(std::size_t j) { return j % simd::kNibblesPerLine < 64 ? 0 : 4; }

struct Range {
  float low = 0, step = 0;
};

double squared_error(const std::vector<float>& sorted, Range r) {
  double sum = 0;
  const float inverse = 1 / r.step;
  for (float v : sorted) {
    const float c =
        static_cast<float>(round_small(std::clamp((v - r.low) * inverse, 0.0f, static_cast<float>(kLevels))));
    const double e = v - (r.low + r.step * c);
    sum += e * e;
  }
  return sum;
}

// The range that loses least: tails are cut as far as that pays.
Range fit_range(std::vector<float>& values) {
  std::sort(values.begin(), values.end());
  const float low = values.front(), high = values.back();
  if (!(high > low)) return {low, 0};
  Range best{low, (high - low) / kLevels};
  double least = squared_error(values, best);
  for (double cut : {0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06}) {
    const std::size_t skip = static_cast<std::size_t>(cut * static_cast<double>(values.size()));
    const float a = values[skip], b = values[values.size() - 1 - skip];
    if (!(b > a)) break;
    const Range r{a, (b - a) / kLevels};
    const double error = squared_error(values, r);
    if (error < least) {
      least = error;
      best = r;
    }
  }
  return best;
}

// A component that never changes within the sample may do so elsewhere.
void give_every_component_a_step(std::span<float> steps) {
  double sum = 0;
  for (float s : steps) sum += static_cast<double>(s) * s;
  const double typical = std::sqrt(sum / static_cast<double>(steps.size()));
  const float least = typical > 0 ? static_cast<float>(typical / 16) : 1e-3f;
  for (float& s : steps) s = std::max(s, least);
}

}  // namespace

NibbleCoder::NibbleCoder(Metric metric, std::size_t dimension, std::span<const float> parameters)
    : metric_(metric), dimension_(dimension), parameters_(parameters.begin(), parameters.end()) {}

NibbleCoder NibbleCoder::fit(Metric metric, std::size_t dimension, std::uint32_t rows,
                             const RowVectors& vectors) {
  const std::uint32_t count = std::min(rows, kSampleRows);
  std::vector<float> directions(std::size_t{count} * dimension);
  for (std::uint32_t i = 0; i < count; ++i) {
    const float* x = vectors(static_cast<std::uint32_t>(std::uint64_t{i} * rows / count));
    const double inverse = inverse_length(x, dimension);
    for (std::size_t j = 0; j < dimension; ++j)
      directions[i * dimension + j] = static_cast<float>(x[j] * inverse);
  }
  std::vector<float> parameters(parameter_count(dimension)), values(count);
  for (std::size_t j = 0; j < dimension; ++j) {
    for (std::uint32_t i = 0; i < count; ++i) values[i] = directions[i * dimension + j];
    const Range r = fit_range(values);
    parameters[j] = r.low;
    parameters[dimension + j] = r.step;
  }
  give_every_component_a_step({parameters.data() + dimension, dimension});
  return NibbleCoder(metric, dimension, parameters);
}

NibbleSide NibbleCoder::encode(const float* vector, std::uint8_t* code, std::uint8_t* residual) const {
  const double inverse = inverse_length(vector, dimension_);
  const float* low = parameters_.data();
  const float* step = low + dimension_;
  std::fill_n(code, code_bytes(dimension_), std::uint8_t{0});
  thread_local std::vector<float> left;
  left.resize(dimension_);
  float largest = 0;
  double inner = 0;  // direction times its code
  for (std::size_t j = 0; j < dimension_; ++j) {
    const float y = static_cast<float>(vector[j] * inverse);
    const float exact = (y - low[j]) / step[j];
    const int level = round_small(std::min(std::max(exact, 0.0f), static_cast<float>(kLevels)));
    const float c = static_cast<float>(level);
    code[byte_of(j)] = static_cast<std::uint8_t>(code[byte_of(j)] | (level << shift_of(j)));
    left[j] = exact - c;
    largest = std::max(largest, std::abs(left[j]));
    inner += static_cast<double>(y) * (low[j] + step[j] * c);
  }
  NibbleSide side;
  side.residual_step = largest / 127;
  if (residual) {
    const float to_code = largest > 0 ? 127 / largest : 0.0f;
    std::fill_n(residual, residual_bytes(dimension_), std::uint8_t{128});
    for (std::size_t j = 0; j < dimension_; ++j)
      residual[j] = static_cast<std::uint8_t>(round_small(left[j] * to_code) + 128);
  }
  if (metric_ != Metric::kCosine) {
    const double norm = inverse > 0 ? 1 / inverse : 0;
    constexpr double kLargest = std::numeric_limits<float>::max();
    side.scale = static_cast<float>(std::min(norm, kLargest));
    if (metric_ == Metric::kEuclidean) side.square = static_cast<float>(std::min(norm * norm, kLargest));
  }
  return side;
}

void NibbleCoder::decode(const std::uint8_t* code, const std::uint8_t* residual, const NibbleSide& side,
                         float* out) const {
  const float* low = parameters_.data();
  const float* step = low + dimension_;
  for (std::size_t j = 0; j < dimension_; ++j) {
    const int c = code[byte_of(j)] >> shift_of(j) & 15;
    const float rest = residual ? side.residual_step * static_cast<float>(residual[j] - 128) : 0.0f;
    out[j] = side.scale * (low[j] + step[j] * (static_cast<float>(c) + rest));
  }
}

void NibbleQuery::assign(const NibbleCoder& coder, std::span<const float> query) {
  metric_ = coder.metric();
  const std::size_t dimension = coder.dimension();
  code_bytes_ = NibbleCoder::code_bytes(dimension);
  residual_bytes_ = NibbleCoder::residual_bytes(dimension);
  const std::size_t plane = 2 * code_bytes_;
  planes_.assign(3 * plane + 64, 0);
  std::int8_t* walk = planes_.data() + (64 - reinterpret_cast<std::uintptr_t>(planes_.data()) % 64) % 64;
  std::int8_t* high = walk + plane;
  std::int8_t* low = high + plane;

  const double inverse = metric_ == Metric::kCosine ? inverse_length(query.data(), dimension) : 1;
  const float* lows = coder.lows().data();
  const float* steps = coder.steps().data();
  weights_.resize(dimension);
  query_.resize(dimension);
  float largest_of[4] = {0, 0, 0, 0};  // four chains, none of which waits for another
  for (std::size_t j = 0; j < dimension; ++j) {
    const float q = static_cast<float>(query[j] * inverse);
    query_[j] = q;
    weights_[j] = q * steps[j];
    largest_of[j & 3] = std::max(largest_of[j & 3], std::abs(weights_[j]));
  }
  const float largest =
      std::max(std::max(largest_of[0], largest_of[1]), std::max(largest_of[2], largest_of[3]));
  float inner, square;
  const std::size_t stride = dimension * sizeof(float);
  simd::kernels().dot(query_.data(), lows, stride, 1, dimension, &inner);
  simd::kernels().squared_norm(query_.data(), stride, 1, dimension, &square);
  offset_ = inner;
  square_ = square;
  const float to_walk = largest > 0 ? 127 / largest : 0.0f, to_fine = largest > 0 ? 8000 / largest : 0.0f;
  int high_sum = 0, low_sum = 0;
  for (std::size_t j = 0; j < dimension; ++j) {
    walk[j] = static_cast<std::int8_t>(round_small(weights_[j] * to_walk));
    const int fine = round_small(weights_[j] * to_fine);
    const int top = (fine + 64) >> 7;
    high[j] = static_cast<std::int8_t>(top);
    low[j] = static_cast<std::int8_t>(fine - 128 * top);
    high_sum += top;
    low_sum += fine - 128 * top;
  }
  high_sum_ = high_sum;
  low_sum_ = low_sum;
  fine_step_ = largest / 8000.0;
  walk_ = {walk, largest / 127, static_cast<float>(offset_), metric_ == Metric::kEuclidean ? 2.0f : 1.0f};
  rescore_ = {high, low};
}

float NibbleQuery::estimate_of(float score) const {
  if (metric_ != Metric::kEuclidean) return -score;
  return static_cast<float>(static_cast<double>(score) * score - square_);
}

float NibbleQuery::score_of(float estimate) const {
  if (metric_ != Metric::kEuclidean) return -estimate;
  return static_cast<float>(-std::sqrt(std::max(0.0, square_ + estimate)));
}

double NibbleQuery::exact_estimate(const float* vector) const {
  double inner = 0, square = 0;
  for (std::size_t j = 0; j < query_.size(); ++j) {
    inner += static_cast<double>(query_[j]) * vector[j];
    square += static_cast<double>(vector[j]) * vector[j];
  }
  if (metric_ == Metric::kEuclidean) return square - 2 * inner;
  return metric_ == Metric::kDot ? -inner : square > 0 ? -inner / std::sqrt(square) : 0;
}

double NibbleQuery::gap_scale() const {
  return metric_ == Metric::kDot && square_ > 0 ? std::sqrt(square_) : 1.0;
}

float NibbleQuery::score(const std::uint8_t* code, const std::uint8_t* residual,
                         const NibbleSide& side) const {
  std::int32_t sums[4];
  simd::code_kernels().rescore(rescore_, code, code_bytes_, residual, residual ? residual_bytes_ : 0, sums);
  double inner = 128.0 * sums[0] + sums[1];
  if (residual)
    inner += side.residual_step * (128.0 * (sums[2] - 128 * high_sum_) + (sums[3] - 128 * low_sum_));
  inner = side.scale * (offset_ + fine_step_ * inner);
  if (metric_ == Metric::kEuclidean)
    return static_cast<float>(-std::sqrt(std::max(0.0, square_ + side.square - 2 * inner)));
  constexpr double kLargest = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(inner, -kLargest, kLargest));
}

}  // namespace vecstore
