#include "quant/byte_codes.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "quant/norms.hpp"
#include "quant/rounding.hpp"
#include "simd/block_kernels.hpp"
#include "simd/code_kernels.hpp"

namespace vecstore {

namespace {

// Distances below this part of the norms are rounding: equal codes are at distance 0.
constexpr float kRounding = simd::kBlockRounding;
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

void ByteCodes::pack(const std::uint32_t* ids, std::size_t count, Block& out) const {
  const std::size_t tiles = (count + simd::kTileRows - 1) / simd::kTileRows;
  if (tiles * stride_ * simd::kTileRows > out.capacity_) {
    out.capacity_ = tiles * stride_ * simd::kTileRows;
    out.tiles_ = os::allocate_bytes(out.capacity_);
  }
  out.count_ = count;
  for (auto* side : {&out.scales_, &out.squares_, &out.lifts_}) side->resize(tiles * simd::kTileRows);
  for (std::size_t t = 0; t < tiles; ++t) {
    const std::uint32_t* of = ids + t * simd::kTileRows;
    const std::size_t n = std::min(simd::kTileRows, count - t * simd::kTileRows);
    for (std::size_t r = t * simd::kTileRows + simd::kTileRows; r < count && r < (t + 2) * simd::kTileRows;
         ++r)
      prefetch(ids[r]);
    simd::block_kernels().pack_tile(codes_.get(), stride_, stride_, of, n,
                                    out.tiles_.get() + t * stride_ * simd::kTileRows);
    for (std::size_t r = 0; r < simd::kTileRows; ++r) {
      const Side& side = sides_[of[r < n ? r : 0]];
      out.scales_[t * simd::kTileRows + r] = side.scale;
      out.squares_[t * simd::kTileRows + r] = side.square;
      out.lifts_[t * simd::kTileRows + r] = side.lift;
    }
  }
}

void ByteCodes::distances(const std::uint32_t* ids, std::size_t count, const Block& block, float* out) const {
  static_assert(sizeof(std::int32_t) == sizeof(float));
  const auto& k = simd::block_kernels();
  const std::size_t width = block.width();
  thread_local std::vector<std::int32_t> dots;
  dots.resize(count * width);
  k.dots(block.tiles_.get(), width / simd::kTileRows, stride_, codes_.get(), stride_, ids, count, dots.data(),
         width);
  const simd::BlockSides sides{block.scales_.data(), block.squares_.data(), block.lifts_.data()};
  for (std::size_t i = 0; i < count; ++i) {
    const Side& own = sides_[ids[i]];
    k.distances(dots.data() + i * width, block.size(), own.offset, {own.scale, own.square, own.lift}, sides,
                out + i * width);
  }
}

std::uint64_t ByteCodes::hash(std::uint32_t row) const {
  const std::uint8_t* code = codes_.get() + row * stride_;
  std::uint64_t out = std::bit_cast<std::uint32_t>(sides_[row].scale);
  for (std::size_t j = 0; j < stride_; j += sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, code + j, sizeof word);
    out = (out ^ word) * 0x9e3779b97f4a7c15u;
    out ^= out >> 32;
  }
  return out;
}

bool ByteCodes::equal(std::uint32_t a, std::uint32_t b) const {
  return sides_[a].scale == sides_[b].scale && sides_[a].lift == sides_[b].lift &&
         std::memcmp(codes_.get() + a * stride_, codes_.get() + b * stride_, stride_) == 0;
}

}  // namespace vecstore
