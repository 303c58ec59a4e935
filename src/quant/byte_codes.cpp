#include "quant/byte_codes.hpp"

#include <algorithm>
#include <cmath>

#include "quant/norms.hpp"
#include "quant/rounding.hpp"
#include "simd/code_kernels.hpp"

namespace vecstore {

namespace {

// Distances below this part of the norms are rounding: equal codes are at distance 0.
constexpr float kRounding = 5e-7f;

}  // namespace

ByteCodes::ByteCodes(Metric metric, std::size_t dimension, std::uint32_t rows)
    : metric_(metric),
      dimension_(dimension),
      stride_((dimension + simd::kCodeBytes - 1) / simd::kCodeBytes * simd::kCodeBytes),
      rows_(rows),
      codes_(os::allocate_bytes(stride_ * rows)),
      sides_(rows) {}

void ByteCodes::set(std::uint32_t row, const float* vector) {
  std::uint8_t* code = codes_.get() + row * stride_;
  Side& side = sides_[row];
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
  if (metric_ == Metric::kCosine) {
    side.scale = sum ? static_cast<float>(1 / std::sqrt(static_cast<double>(sum))) : 0.0f;
    side.square = sum ? 1.0f : 0.0f;
  } else {
    const double scale = inverse > 0 ? std::min<double>(largest, kMaxNorm) / 127 : 0;
    side.scale = static_cast<float>(scale);
    side.square = static_cast<float>(scale * scale * static_cast<double>(sum));
  }
}

void ByteCodes::finish() {
  if (metric_ != Metric::kDot) return;
  float largest = 0;
  for (const Side& s : sides_) largest = std::max(largest, s.square);
  for (Side& s : sides_) {
    s.lift = std::sqrt(largest - s.square);
    s.square = largest;
  }
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
      const float square = sum - 2 * (inner + own.lift * other.lift);
      out[begin + i] = square > kRounding * sum ? square : 0.0f;
    }
  }
}

}  // namespace vecstore
