#include "quant/norms.hpp"

#include <cmath>

#include "simd/kernels.hpp"

namespace vecstore {

float inverse_norm(const float* x, std::size_t dimension) {
  float square = 0;
  simd::kernels().squared_norm(x, 0, 1, dimension, &square);
  if (!(square >= kMinNorm * kMinNorm && square <= kMaxNorm * kMaxNorm)) return 0;
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(square)));
}

double norm_in_double(const float* x, std::size_t dimension) {
  // Four sums, so that one addition does not wait for the last.
  double sum[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= dimension; i += 4) {
    for (std::size_t j = 0; j < 4; ++j) sum[j] += static_cast<double>(x[i + j]) * x[i + j];
  }
  for (; i < dimension; ++i) sum[0] += static_cast<double>(x[i]) * x[i];
  return std::sqrt((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

}  // namespace vecstore
