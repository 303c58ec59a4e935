#include "vecstore/metric.hpp"

#include "base/error.hpp"

namespace vecstore {

std::string_view to_string(Metric metric) {
  switch (metric) {
    case Metric::kCosine:
      return "cosine";
    case Metric::kDot:
      return "dot";
    case Metric::kEuclidean:
      return "euclidean";
  }
  return "unknown";
}

Metric parse_metric(std::string_view name) {
  for (Metric m : {Metric::kCosine, Metric::kDot, Metric::kEuclidean}) {
    if (to_string(m) == name) return m;
  }
  invalid("metric '", name, "' is unknown; known are cosine, dot, euclidean");
}

}  // namespace vecstore
