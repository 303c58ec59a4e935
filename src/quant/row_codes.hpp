// 8-bit codes of rows with a proven bound on the score that a row can have. No training: each row has its own
// scale.
//
// A row x (for the cosine: x / |x|) becomes scale * c + r with c in -127 .. 127. By Cauchy-Schwarz |q . r| <=
// |q| |r|, and |r| is known when the row is encoded. The query is split into two 7-bit planes, so that nearly
// all of the error is the row's. For the Euclidean distance the triangle inequality takes the place of
// Cauchy-Schwarz. Each bound has room for the rounding of the float kernels, so it holds for the score that
// they compute, not only for the true one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "simd/kernels.hpp"
#include "vecstore/metric.hpp"

namespace vecstore {

simd::BoundForm bound_form(Metric metric);
inline std::size_t code_quads(std::size_t dimension) { return (dimension + 3) / 4; }
/// Bytes of one group of 16 rows.
inline std::size_t code_group_bytes(Metric metric, std::size_t dimension) {
  return simd::group_bytes(code_quads(dimension), bound_form(metric));
}

/// Writes one row into lane 0 .. 15 of a group (simd/kernels.hpp has the layout). `inverse_norm` as
/// quant/norms.hpp computes it; only the cosine uses it. About 2 ns per component.
class RowEncoder {
 public:
  RowEncoder(Metric metric, std::size_t dimension);
  void encode(const float* row, float inverse_norm, std::uint8_t* group, std::size_t lane);

 private:
  Metric metric_;
  std::size_t dimension_;
  std::vector<std::uint8_t> codes_;
};

struct ScoreBounds {
  float lower;
  float upper;
};

/// A query as the code scan wants it.
class RowCodeQuery {
 public:
  /// `query` as the exact scorer uses it: of length 1 for the cosine. It must be `usable`.
  RowCodeQuery(Metric metric, std::span<const float> query);
  RowCodeQuery(const RowCodeQuery&) = delete;
  RowCodeQuery& operator=(const RowCodeQuery&) = delete;

  /// False for the zero vector and for lengths at which the bounds could overflow: scan the full vectors
  /// then.
  static bool usable(std::span<const float> query);

  const simd::CodeQuery& code_query() const { return query_; }
  /// Between these lies the score of the row in `lane`, given its value from the code scan.
  ScoreBounds bounds(const std::uint8_t* group, std::size_t lane, float value) const;

 private:
  std::vector<std::int8_t> high_, low_;
  simd::CodeQuery query_{};
};

}  // namespace vecstore
