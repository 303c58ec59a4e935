#include "index/vector/exact_scorer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/norms.hpp"

namespace vecstore {

ExactScorer::ExactScorer(Metric metric, std::span<const float> query)
    : metric_(metric), kernels_(simd::kernels()), query_(query.begin(), query.end()) {
  const double length = norm_in_double(query_.data(), query_.size());
  if (!std::isfinite(length)) {  // squares of floats do not overflow a double
    for (std::size_t i = 0; i < query_.size(); ++i) {
      if (!std::isfinite(query_[i])) invalid("query vector: component ", i, " is not a finite number");
    }
  }
  if (metric_ != Metric::kCosine) return;
  const double inverse = length > 0 ? 1 / length : 0;
  for (float& v : query_) v = static_cast<float>(v * inverse);
}

void ExactScorer::score(const VectorBlock& block, std::uint32_t begin, std::uint32_t count,
                        float* out) const {
  const float* rows = block.vector(begin);
  if (metric_ == Metric::kEuclidean) {
    kernels_.squared_l2(query_.data(), rows, block.stride_bytes, count, query_.size(), out);
    for (std::uint32_t i = 0; i < count; ++i) out[i] = -std::sqrt(out[i]);
  } else {
    kernels_.dot(query_.data(), rows, block.stride_bytes, count, query_.size(), out);
    if (metric_ == Metric::kCosine) return finish_cosine(block, begin, count, out);
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!std::isfinite(out[i])) out[i] = score_in_double(block.vector(begin + i));
  }
}

void ExactScorer::finish_cosine(const VectorBlock& block, std::uint32_t begin, std::uint32_t count,
                                float* out) const {
  for (std::uint32_t i = 0; i < count; ++i) {
    const float* row = block.vector(begin + i);
    const float inverse =
        block.inverse_norms ? block.inverse_norms[begin + i] : inverse_norm(row, query_.size());
    out[i] = inverse != 0 ? std::clamp(out[i] * inverse, -1.0f, 1.0f) : score_in_double(row);
  }
}

float ExactScorer::score_in_double(const float* row) const {
  double sum = 0;
  for (std::size_t i = 0; i < query_.size(); ++i) {
    const double q = query_[i], x = row[i];
    sum += metric_ == Metric::kEuclidean ? (q - x) * (q - x) : q * x;
  }
  if (metric_ == Metric::kCosine) {
    const double length = norm_in_double(row, query_.size());
    return length > 0 ? static_cast<float>(std::clamp(sum / length, -1.0, 1.0)) : 0.0f;
  }
  constexpr double kLargest = std::numeric_limits<float>::max();
  if (metric_ == Metric::kEuclidean) sum = -std::sqrt(sum);
  return static_cast<float>(std::clamp(sum, -kLargest, kLargest));
}

}  // namespace vecstore
