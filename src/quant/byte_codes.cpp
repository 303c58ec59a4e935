#include "quant/byte_codes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/norms.hpp"
#include "quant/rounding.hpp"
#include "simd/code_kernels.hpp"

namespace vecstore {

namespace {

// Distances below this part of the norms are rounding: equal codes are at distance 0.
constexpr float kRounding = 5e-7f;
// The radius of the dot product's sphere is at most so many times the median length.
constexpr float kLargestRadius = 8;

}  // namespace

ByteCodes::ByteCodes(Metric metric, std::size_t dimension, std::uint32_t rows, std::span<const float> centre)
    : metric_(metric),
      dimension_(dimension),
      stride_((dimension + simd::kCodeBytes - 1) / simd::kCodeBytes * simd::kCodeBytes),
      rows_(rows),
      centre_(centre.begin(), centre.end()),
      codes_(os::allocate_bytes(stride_ * rows)),
      sides_(rows) {}

void ByteCodes::set(std::uint32_t row, const float* vector) {
  std::uint8_t* code = codes_.get() + row * stride_;
  Side& side = sides_[row];
  if (metric_ == Metric::kDot) {
    const double norm = std::min<double>(norm_in_double(vector, dimension_), kMaxNorm);
    side.lift = static_cast<float>(norm * norm);
  }
  if (!centre_.empty()) vector = from_centre(vector);
  float largest = 0;
  for (std::size_t i = 0; i < dimension_; ++i) largest = std::max(largest, std::abs(vector[i]));
  // Only ratios matter below; what is too small or large to divide by counts as zero.
  const float inverse = largest > 0x1p-100f ? 127.0f / largest : 0.0f;
  std::int64_t sum = 0;
  std::int32_t values = 0;
  for (std::size_t i = 0; i < dimension_; ++i) {
    const int v = round_small(vector[i] * inverse);
    code[i] = static_cast<std::uint8_t>(v + 128);
    sum += v * v;
    values += v;
  }
  side.offset = 128 * values;
  if (metric_ == Metric::kCosine && centre_.empty()) {
    side.scale = sum ? static_cast<float>(1 / std::sqrt(static_cast<double>(sum))) : 0.0f;
    side.square = sum ? 1.0f : 0.0f;
  } else {
    const double scale = inverse > 0 ? std::min<double>(largest, kMaxNorm) / 127 : 0;
    side.scale = static_cast<float>(scale);
    side.square = static_cast<float>(scale * scale * static_cast<double>(sum));
  }
}

const float* ByteCodes::from_centre(const float* vector) const {
  thread_local std::vector<float> difference;
  difference.resize(dimension_);
  const double norm = metric_ == Metric::kCosine ? norm_in_double(vector, dimension_) : 1;
  const double to_unit = norm > 0 ? 1 / norm : 0;
  constexpr double kLargest = std::numeric_limits<float>::max();
  for (std::size_t i = 0; i < dimension_; ++i)
    difference[i] = static_cast<float>(std::clamp(vector[i] * to_unit - centre_[i], -kLargest, kLargest));
  return difference.data();
}

void ByteCodes::finish() {
  if (metric_ != Metric::kDot || rows_ == 0) return;
  std::vector<float> squares(rows_);
  std::transform(sides_.begin(), sides_.end(), squares.begin(), [](const Side& s) { return s.lift; });
  const auto half = squares.begin() + rows_ / 2;
  std::nth_element(squares.begin(), half, squares.end());
  const float median = *half, largest = *std::max_element(half, squares.end());
  const float radius = median > 0 ? std::min(largest, kLargestRadius * kLargestRadius * median) : largest;
  for (Side& s : sides_) s.lift = std::sqrt(std::max(0.0f, radius - s.lift));
}

void ByteCodes::distances(std::uint32_t row, const std::uint32_t* ids, std::size_t count, float* out) const {
  constexpr std::size_t kBatch = 64;
  const Side& own = sides_[row];
  std::int32_t dots[kBatch];
  for (std::size_t begin = 0; begin < count; begin += kBatch) {
    const std::size_t n = std::min(kBatch, count - begin);
    simd::code_kernels().byte_dots(codes_.get() + row * stride_, codes_.get(), stride_, stride_, ids + begin,
                                   n, dots);
    for (std::size_t i = 0; i < n; ++i) {
      const Side& other = sides_[ids[begin + i]];
      const float inner = own.scale * other.scale * static_cast<float>(dots[i] - own.offset);
      const float sum = own.square + other.square;
      const float square = sum - 2 * inner, lift = own.lift - other.lift;
      out[begin + i] = (square > kRounding * sum ? square : 0.0f) + lift * lift;
    }
  }
}

}  // namespace vecstore
