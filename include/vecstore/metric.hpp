// Metrics: how two vectors are compared. Larger scores are better, always.
#pragma once
#include <cstdint>
#include <string_view>

namespace vecstore {

/// The numbers are stored on disk and frozen.
///
/// | metric       | score                        | distance   |
/// |--------------|------------------------------|------------|
/// | kCosine      | cosine of the angle, -1 to 1 | 1 - score  |
/// | kDot         | inner product                | -score     |
/// | kEuclidean   | minus the distance           | -score     |
enum class Metric : std::uint8_t {
  kCosine = 1,
  kDot = 2,
  kEuclidean = 3,
};

/// "cosine", "dot", "euclidean".
std::string_view to_string(Metric metric);
/// The inverse; throws kInvalidArgument that lists the names.
Metric parse_metric(std::string_view name);
/// The distance that belongs to a score.
inline float distance_from_score(Metric metric, float score) {
  return metric == Metric::kCosine ? 1.0f - score : -score;
}

}  // namespace vecstore
