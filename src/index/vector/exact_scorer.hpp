// ExactScorer: the one place where a full vector becomes a score.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "index/vector_index.hpp"
#include "simd/kernels.hpp"

namespace vecstore {

/// One query, ready to be compared with full vectors. Const calls are thread-safe.
/// Scores are finite and never NaN, for any finite input: what float cannot hold is computed in double and
/// cut at the largest float. A cosine lies in [-1, 1]; it is 0 when one of the vectors is zero.
class ExactScorer {
 public:
  /// Copies the query. Throws kInvalidArgument for a component that is not finite.
  ExactScorer(Metric metric, std::span<const float> query);

  Metric metric() const { return metric_; }
  /// The query as the kernels see it: divided by its length for the cosine.
  std::span<const float> query() const { return query_; }

  /// out[i] = score of the block's row begin + i. A row's score has the same bits in every call.
  void score(const VectorBlock& block, std::uint32_t begin, std::uint32_t count, float* out) const;
  /// The same for one vector; `inverse_norm`, where it is known, as in a block.
  float score_one(const float* vector, const float* inverse_norm = nullptr) const;

 private:
  float score_in_double(const float* row) const;
  void finish_cosine(const VectorBlock& block, std::uint32_t begin, std::uint32_t count, float* out) const;

  Metric metric_;
  const simd::Kernels& kernels_;
  std::vector<float> query_;
};

}  // namespace vecstore
