// Norms of vectors, as every index uses them.
#pragma once
#include <cstddef>

namespace vecstore {

/// Vectors whose norm lies in [kMinNorm, kMaxNorm] are scored in float: no product or sum over- or
/// underflows.
inline constexpr float kMinNorm = 0x1p-40f;
inline constexpr float kMaxNorm = 0x1p40f;

/// 1 / |x| for the cosine, or 0 when |x| lies outside [kMinNorm, kMaxNorm] (the zero vector included): such a
/// row is scored in double. Kept beside the vectors, which are stored as they came.
float inverse_norm(const float* x, std::size_t dimension);

/// |x| in double: exact enough for any finite vector, slow.
double norm_in_double(const float* x, std::size_t dimension);

}  // namespace vecstore
