#include "quant/nibble_codes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/norms.hpp"
#include "quant/rounding.hpp"

namespace vecstore {

namespace {

constexpr std::size_t kSampleRows = 4096;
constexpr std::size_t kSampleFloats = std::size_t{1} << 25;
// Where the centre lies less far from the origin than the rows from it (in squares), dot and cosine do
// without.
constexpr double kLeastOffset = 1;
constexpr double kFarthest = 4.0 * kMaxNorm;
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

// The mean of the middle half.
float middle(std::vector<float>& values) {
  const auto quarter = static_cast<std::ptrdiff_t>(values.size() / 4);
  std::nth_element(values.begin(), values.begin() + quarter, values.end());
  std::nth_element(values.begin() + quarter, values.end() - 1 - quarter, values.end());
  double sum = 0;
  for (auto v = values.begin() + quarter; v != values.end() - quarter; ++v) sum += *v;
  return static_cast<float>(sum / static_cast<double>(values.end() - values.begin() - 2 * quarter));
}

float finite(double x) {
  constexpr double kLargest = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(x, -kLargest, kLargest));
}

// Some of the rows, as the coder sees them: of length 1 under the cosine.
class Sample {
 public:
  Sample(Metric metric, std::size_t dimension, std::uint32_t rows, const RowVectors& vectors,
         const Context& context)
      : dimension_(dimension),
        rows_(std::min<std::uint32_t>(rows, static_cast<std::uint32_t>(std::clamp<std::size_t>(
                                                kSampleFloats / dimension, 64, kSampleRows)))),
        values_(std::size_t{rows_} * dimension) {
    for (std::uint32_t i = 0; i < rows_; ++i) {
      if (i % 64 == 0) context.check();
      const float* x = vectors(static_cast<std::uint32_t>(std::uint64_t{i} * rows / rows_));
      const double inverse = metric == Metric::kCosine ? inverse_length(x, dimension) : 1;
      float* out = row(i);
      for (std::size_t j = 0; j < dimension; ++j) out[j] = static_cast<float>(x[j] * inverse);
    }
  }

  /// Sets `values` to component j of all rows.
  void component(std::size_t j, std::vector<float>& values) const {
    values.resize(rows_);
    for (std::uint32_t i = 0; i < rows_; ++i) values[i] = values_[i * dimension_ + j];
  }
  /// The squared distance from `centre` that a quarter of the rows exceeds.
  double spread_around(std::span<const float> centre) const {
    std::vector<double> squares(rows_);
    for (std::uint32_t i = 0; i < rows_; ++i) squares[i] = square_around(i, centre);
    const auto most = squares.begin() + std::size_t{rows_} * 3 / 4;
    std::nth_element(squares.begin(), most, squares.end());
    return *most;
  }
  /// Replaces the rows by their directions from `centre`.
  void turn_into_directions(std::span<const float> centre) {
    for (std::uint32_t i = 0; i < rows_; ++i) {
      const double square = square_around(i, centre);
      const double inverse = square > 0 ? 1 / std::sqrt(square) : 0;
      float* x = row(i);
      for (std::size_t j = 0; j < dimension_; ++j)
        x[j] = static_cast<float>((static_cast<double>(x[j]) - centre[j]) * inverse);
    }
  }

 private:
  float* row(std::uint32_t i) { return values_.data() + i * dimension_; }
  double square_around(std::uint32_t i, std::span<const float> centre) const {
    double sum = 0;
    for (std::size_t j = 0; j < dimension_; ++j) {
      const double d = static_cast<double>(values_[i * dimension_ + j]) - centre[j];
      sum += d * d;
    }
    return sum;
  }

  std::size_t dimension_;
  std::uint32_t rows_;
  std::vector<float> values_;
};

}  // namespace

NibbleCoder::NibbleCoder(Metric metric, std::size_t dimension, std::span<const float> parameters)
    : metric_(metric), dimension_(dimension), parameters_(parameters.begin(), parameters.end()) {
  for (std::size_t j = 0; j < dimension_; ++j) {
    const double c = parameters_[2 * dimension_ + j];
    centre_square_ += c * c;
  }
  has_centre_ = centre_square_ > 0;
}

NibbleCoder NibbleCoder::fit(Metric metric, std::size_t dimension, std::uint32_t rows,
                             const RowVectors& vectors, const Context& context) {
  Sample sample(metric, dimension, rows, vectors, context);
  std::vector<float> parameters(parameter_count(dimension)), values;
  const std::span<float> centre(parameters.data() + 2 * dimension, dimension);
  for (std::size_t j = 0; j < dimension; ++j) {
    if (j % 16 == 0) context.check();
    sample.component(j, values);
    centre[j] = middle(values);
  }
  double spread = sample.spread_around(centre);
  if (metric != Metric::kEuclidean) {
    double square = 0;
    for (float c : centre) square += static_cast<double>(c) * c;
    if (square < kLeastOffset * spread) {
      std::fill(centre.begin(), centre.end(), 0.0f);
      spread = sample.spread_around(centre);
    }
  }
  parameters.back() = finite(std::sqrt(spread));
  sample.turn_into_directions(centre);
  for (std::size_t j = 0; j < dimension; ++j) {
    if (j % 16 == 0) context.check();
    sample.component(j, values);
    const Range r = fit_range(values);
    parameters[j] = r.low;
    parameters[dimension + j] = r.step;
  }
  give_every_component_a_step({parameters.data() + dimension, dimension});
  return NibbleCoder(metric, dimension, parameters);
}

// Sets `direction` to y, or 0 where |z| is 0. Returns |z|, or 1 under the cosine without a centre.
double NibbleCoder::place(const float* vector, std::vector<double>& direction, double& term) const {
  direction.resize(dimension_);
  const double to_unit = metric_ == Metric::kCosine ? inverse_length(vector, dimension_) : 1;
  for (std::size_t j = 0; j < dimension_; ++j) direction[j] = vector[j] * to_unit;
  term = 0;
  if (!has_scales()) return 1;
  const float* centre = parameters_.data() + 2 * dimension_;
  double square = 0, along = 0;
  for (std::size_t j = 0; j < dimension_; ++j) {
    direction[j] -= centre[j];
    square += direction[j] * direction[j];
    along += centre[j] * direction[j];
  }
  term = metric_ == Metric::kEuclidean ? square : -along;
  const double length = std::sqrt(square), inverse = length > 0 ? 1 / length : 0;
  for (double& y : direction) y *= inverse;
  return length;
}

NibbleSide NibbleCoder::encode(const float* vector, std::uint8_t* code, std::uint8_t* residual) const {
  thread_local std::vector<double> direction;
  thread_local std::vector<float> left;
  double term = 0;
  const double length = place(vector, direction, term);
  const float* low = parameters_.data();
  const float* step = low + dimension_;
  std::fill_n(code, code_bytes(dimension_), std::uint8_t{0});
  left.resize(dimension_);
  float largest = 0;
  for (std::size_t j = 0; j < dimension_; ++j) {
    const float exact = (static_cast<float>(direction[j]) - low[j]) / step[j];
    const int level = round_small(std::min(std::max(exact, 0.0f), static_cast<float>(kLevels)));
    code[byte_of(j)] = static_cast<std::uint8_t>(code[byte_of(j)] | (level << shift_of(j)));
    left[j] = exact - static_cast<float>(level);
    largest = std::max(largest, std::abs(left[j]));
  }
  NibbleSide side;
  side.residual_step = largest / 127;
  if (residual) {
    const float to_code = largest > 0 ? 127 / largest : 0.0f;
    std::fill_n(residual, residual_bytes(dimension_), std::uint8_t{128});
    for (std::size_t j = 0; j < dimension_; ++j)
      residual[j] = static_cast<std::uint8_t>(round_small(left[j] * to_code) + 128);
  }
  if (has_scales()) side.scale = finite(length);
  if (has_terms()) side.term = finite(term);
  if (metric_ == Metric::kEuclidean && !(length <= kFarthest)) {
    // Farther from any query that is walked for than the rest; its products would overflow.
    side.scale = 0;
    side.term = std::numeric_limits<float>::max() / 4;
  }
  return side;
}

void NibbleCoder::decode(const std::uint8_t* code, const std::uint8_t* residual, const NibbleSide& side,
                         float* out) const {
  const float* low = parameters_.data();
  const float* step = low + dimension_;
  const float* centre = step + dimension_;
  for (std::size_t j = 0; j < dimension_; ++j) {
    const int c = code[byte_of(j)] >> shift_of(j) & 15;
    const float rest = residual ? side.residual_step * static_cast<float>(residual[j] - 128) : 0.0f;
    out[j] = centre[j] + side.scale * (low[j] + step[j] * (static_cast<float>(c) + rest));
  }
}

// Sets weights_ to q - b centre (q of length 1 under the cosine) and what hangs on b.
float NibbleQuery::place(const NibbleCoder& coder, std::span<const float> query) {
  const std::size_t dimension = query.size();
  const std::span<const float> centre = coder.centre();
  const double to_unit = metric_ == Metric::kCosine ? inverse_length(query.data(), dimension) : 1;
  weights_.resize(dimension);
  for (std::size_t j = 0; j < dimension; ++j) weights_[j] = static_cast<float>(query[j] * to_unit);
  base_ = 0;
  float b = 1;
  if (!centre.empty()) {
    if (metric_ != Metric::kEuclidean) {
      double along = 0;
      for (std::size_t j = 0; j < dimension; ++j) along += static_cast<double>(weights_[j]) * centre[j];
      base_ = along;
      b = static_cast<float>(along / coder.centre_square());
    }
    for (std::size_t j = 0; j < dimension; ++j) weights_[j] -= b * centre[j];
  }
  float square;
  simd::kernels().squared_norm(weights_.data(), dimension * sizeof(float), 1, dimension, &square);
  square_ = square;
  gap_scale_ = 1;
  if (metric_ == Metric::kEuclidean && coder.spread() > 0)
    gap_scale_ = std::max(1.0, std::sqrt(square_) / coder.spread());
  if (metric_ == Metric::kDot) {
    // The rest stands at right angles to the centre.
    const double length = std::sqrt(square_ + (centre.empty() ? 0.0 : double{b} * b * coder.centre_square()));
    if (length > 0) gap_scale_ = length;
  }
  return b;
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

  const float b = place(coder, query);
  float inner;
  simd::kernels().dot(weights_.data(), coder.lows().data(), dimension * sizeof(float), 1, dimension, &inner);
  offset_ = inner;
  const float* steps = coder.steps().data();
  float largest_of[4] = {0, 0, 0, 0};  // four chains, none of which waits for another
  for (std::size_t j = 0; j < dimension; ++j) {
    weights_[j] *= steps[j];
    largest_of[j & 3] = std::max(largest_of[j & 3], std::abs(weights_[j]));
  }
  const float largest =
      std::max(std::max(largest_of[0], largest_of[1]), std::max(largest_of[2], largest_of[3]));
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
  walk_ = {walk, largest / 127, inner, metric_ == Metric::kEuclidean ? 2.0f : 1.0f, b};
  rescore_ = {high, low};
}

float NibbleQuery::estimate_of(float score) const {
  if (metric_ == Metric::kEuclidean) return finite(static_cast<double>(score) * score - square_);
  return static_cast<float>(base_ - score);
}

float NibbleQuery::score(const std::uint8_t* code, const std::uint8_t* residual,
                         const NibbleSide& side) const {
  std::int32_t sums[4];
  simd::code_kernels().rescore(rescore_, code, code_bytes_, residual, residual ? residual_bytes_ : 0, sums);
  double inner = 128.0 * sums[0] + sums[1];
  if (residual)
    inner += side.residual_step * (128.0 * (sums[2] - 128 * high_sum_) + (sums[3] - 128 * low_sum_));
  inner = side.scale > 0 ? side.scale * (offset_ + fine_step_ * inner) : 0;
  const double term = double{walk_.term_weight} * side.term;
  if (metric_ == Metric::kEuclidean)
    return static_cast<float>(-std::sqrt(std::max(0.0, square_ + term - 2 * inner)));
  return finite(base_ - term + inner);
}

}  // namespace vecstore
