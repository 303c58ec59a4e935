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
  double square = 0;
  for (std::size_t i = 0; i < dimension; ++i) square += static_cast<double>(x[i]) * x[i];
  return std::sqrt(square);
}

}  // namespace vecstore
