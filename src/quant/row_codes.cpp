#include "quant/row_codes.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "quant/norms.hpp"

namespace vecstore {

namespace {

constexpr double kUp = 1 + 0x1p-20;  // Covers the rounding of a double to a float and of one multiplication.
constexpr double kTiny = 0x1p-60;    // Covers what the kernels flush to zero.
constexpr double kSquareSlack = 0x1p-18;  // Relative rounding of a squared distance computed from codes.

// Twice the error that a float dot product over `dimension` values can have, relative to |q| |x|.
double kernel_slack(std::size_t dimension) { return (static_cast<double>(dimension) + 64) * 0x1p-23; }

float largest_magnitude(const float* x, std::size_t n) {
  float largest[4] = {};  // so that one comparison does not wait for the last
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (std::size_t j = 0; j < 4; ++j) largest[j] = std::max(largest[j], std::fabs(x[i + j]));
  }
  for (; i < n; ++i) largest[0] = std::max(largest[0], std::fabs(x[i]));
  return std::max(std::max(largest[0], largest[1]), std::max(largest[2], largest[3]));
}

}  // namespace

simd::BoundForm bound_form(Metric metric) {
  switch (metric) {
    case Metric::kCosine:
      return simd::BoundForm::kUnit;
    case Metric::kDot:
      return simd::BoundForm::kInner;
    case Metric::kEuclidean:
      break;
  }
  return simd::BoundForm::kDistance;
}

RowEncoder::RowEncoder(Metric metric, std::size_t dimension)
    : metric_(metric), dimension_(dimension), codes_(code_quads(dimension) * 4, 128) {}

void RowEncoder::encode(const float* row, float inverse_norm, std::uint8_t* group, std::size_t lane) {
  const bool cosine = metric_ == Metric::kCosine;
  const double length = norm_in_double(row, dimension_);
  const bool coded = cosine ? inverse_norm != 0 : length >= kMinNorm && length <= kMaxNorm;
  float scale = 0;
  double error = length > kMaxNorm ? std::numeric_limits<double>::infinity() : length;
  if (cosine && !coded) error = length > 0 ? 1 : 0;
  double code_norm = 0;  // of scale * c
  if (coded) {
    const double unit = cosine ? static_cast<double>(inverse_norm) : 1.0;
    const float largest = largest_magnitude(row, dimension_);
    scale = static_cast<float>(largest * unit / 127);
    const float to_code = 127 / largest;
    double residual[4] = {}, square[4] = {};
    for (std::size_t i = 0; i < dimension_; ++i) {
      // Adding 1.5 * 2^23 leaves the nearest integer in the low bits.
      const float code = row[i] * to_code + 0x1.8p23f - 0x1.8p23f;
      codes_[i] = static_cast<std::uint8_t>(static_cast<int>(code) + 128);
      const double rest = row[i] * unit - static_cast<double>(scale) * code;
      residual[i % 4] += rest * rest;
      square[i % 4] += static_cast<double>(code * code);
    }
    error = std::sqrt((residual[0] + residual[1]) + (residual[2] + residual[3]));
    code_norm = std::sqrt((square[0] + square[1]) + (square[2] + square[3])) * scale;
    if (metric_ != Metric::kEuclidean) error += length * unit * kernel_slack(dimension_);
  } else {
    std::fill(codes_.begin(), codes_.end(), std::uint8_t{128});
  }

  const std::size_t quads = codes_.size() / 4;
  for (std::size_t j = 0; j < quads; ++j) std::memcpy(group + j * 64 + lane * 4, codes_.data() + j * 4, 4);
  float* side = reinterpret_cast<float*>(group + quads * 64);
  side[lane] = scale;
  side[16 + lane] = static_cast<float>(error * kUp + kTiny);
  if (metric_ == Metric::kDot) side[32 + lane] = static_cast<float>(code_norm * kUp);
  if (metric_ == Metric::kEuclidean) {
    side[32 + lane] = static_cast<float>(code_norm * code_norm * (1 - kSquareSlack));
  }
}

bool RowCodeQuery::usable(std::span<const float> query) {
  const double length = norm_in_double(query.data(), query.size());
  return length >= kMinNorm && length <= kMaxNorm;
}

RowCodeQuery::RowCodeQuery(Metric metric, std::span<const float> query)
    : high_(code_quads(query.size()) * 4), low_(high_.size()) {
  constexpr int kLargest = 128 * 63 + 63;
  const double length = norm_in_double(query.data(), query.size());
  const float step = largest_magnitude(query.data(), query.size()) / kLargest;
  double residual = 0, square = 0;
  int high_sum = 0, low_sum = 0;
  for (std::size_t i = 0; i < query.size(); ++i) {
    const int value = std::clamp(static_cast<int>(std::lround(query[i] / step)), -kLargest, kLargest);
    const int high = (value + 64 + 128 * 64) / 128 - 64;  // rounded down
    const int low = value - 128 * high;
    high_[i] = static_cast<std::int8_t>(high);
    low_[i] = static_cast<std::int8_t>(low);
    high_sum += high;
    low_sum += low;
    const double coded = static_cast<double>(step) * value;
    residual += (query[i] - coded) * (query[i] - coded);
    square += coded * coded;
  }
  const double dimension = static_cast<double>(query.size());
  const double error = std::sqrt(residual);
  query_.high = high_.data();
  query_.low = low_.data();
  query_.quads = high_.size() / 4;
  query_.high_offset = 128 * high_sum;
  query_.low_offset = 128 * low_sum;
  query_.form = bound_form(metric);
  query_.step = step;
  query_.error_weight = static_cast<float>(length * kUp);
  // The code of a unit row is longer than 1 by its own error at most, which is below sqrt(dimension) / 254.
  const double unit_row = query_.form == simd::BoundForm::kUnit ? 1 + std::sqrt(dimension) / 254 : 1;
  query_.norm_weight = static_cast<float>((error + kTiny * std::sqrt(dimension)) * unit_row * kUp);
  query_.square = static_cast<float>(square * (1 - kSquareSlack));
  query_.shrink = static_cast<float>(1 - kernel_slack(query.size()));
}

ScoreBounds RowCodeQuery::bounds(const std::uint8_t* group, std::size_t lane, float value) const {
  const float* side = reinterpret_cast<const float*>(group + query_.quads * 64);
  const double inner = static_cast<double>(query_.step) * side[lane] * value;
  const double error = side[16 + lane];
  if (query_.form == simd::BoundForm::kDistance) {
    const double norm = side[32 + lane];
    const double near = std::max(0.0, query_.square + norm - 2 * inner);
    const double far = std::max(0.0, (query_.square + norm) * (1 + 3 * kSquareSlack) - 2 * inner);
    const double margin = (error + query_.norm_weight) * kUp;
    if (!std::isfinite(margin))
      return {-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity()};
    return {static_cast<float>(-((2.0 - query_.shrink) * kUp * std::sqrt(far) + margin)),
            static_cast<float>(margin - query_.shrink / kUp * std::sqrt(near))};
  }
  const double norm = query_.form == simd::BoundForm::kUnit ? 1.0 : static_cast<double>(side[32 + lane]);
  const double margin = (error * query_.error_weight + norm * query_.norm_weight) * kUp;
  return {static_cast<float>(inner - margin), static_cast<float>(inner + margin)};
}

}  // namespace vecstore
