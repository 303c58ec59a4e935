// The formula of BM25, once for all searches: the same inputs give the same bits everywhere.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "index/corpus_stats.hpp"

namespace vecstore::inverted {

/// What of the formula is the same for all terms: tf / (tf + base + slope * length).
struct Norm {
  float base = 0;
  float slope = 0;

  float share(float tf, float length) const { return tf / (tf + base + slope * length); }
  float score(float weight, float tf, float length) const {
    return weight * tf / (tf + base + slope * length);
  }
  bool operator==(const Norm&) const = default;
};

/// Codes for one are near enough for the other: searches allow for an average length that is off by so
/// little.
inline bool near(const Norm& a, const Norm& b) {
  constexpr float kNearSlopes = 1.0f / 512;
  return a.base == b.base && std::abs(a.slope - b.slope) <= kNearSlopes * std::min(a.slope, b.slope);
}

inline Norm make_norm(const Bm25& bm25, double average_length) {
  const double k1 = bm25.k1, b = bm25.b;
  return {static_cast<float>(k1 * (1 - b)),
          average_length > 0 ? static_cast<float>(k1 * b / average_length) : 0.0f};
}

inline double idf(std::uint64_t documents, std::uint64_t doc_freq) {
  const auto n = static_cast<double>(documents), df = static_cast<double>(std::min(doc_freq, documents));
  return std::log1p((n - df + 0.5) / (df + 0.5));
}

}  // namespace vecstore::inverted
