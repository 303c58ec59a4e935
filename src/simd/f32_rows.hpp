// The f32 row kernels, written once over a vector type V that an ISA file defines before it includes this.
// Internal linkage throughout, so that each ISA file gets its own copy.
//
// V has: Reg; kWidth; zero(); load(p); load_tail(p, n) with zeros behind n < kWidth values; add, sub, fma(a,
// b, c) = a * b + c; sum(reg).
#pragma once
#include <stddef.h>

#include "simd/denormals.hpp"

namespace vecstore::simd {
namespace {

inline const float* advance(const float* p, size_t bytes) {
  return reinterpret_cast<const float*>(reinterpret_cast<const char*>(p) + bytes);
}

struct DotOp {
  template <class V>
  static typename V::Reg step(typename V::Reg q, typename V::Reg x, typename V::Reg acc) {
    return V::fma(q, x, acc);
  }
};

struct SquaredL2Op {
  template <class V>
  static typename V::Reg step(typename V::Reg q, typename V::Reg x, typename V::Reg acc) {
    const auto d = V::sub(q, x);
    return V::fma(d, d, acc);
  }
};

// R rows at once share the loads of the query and hide the latency of the additions; each row has two sums
// whatever R is, so that its result does not depend on its neighbours.
template <class V, class Op, int R>
inline void score_rows(const float* query, const float* rows, size_t stride, size_t dim, float* out) {
  typename V::Reg even[R], odd[R];
  const float* row[R];
  for (int r = 0; r < R; ++r) {
    even[r] = odd[r] = V::zero();
    row[r] = advance(rows, r * stride);
  }
  size_t i = 0;
  for (; i + 2 * V::kWidth <= dim; i += 2 * V::kWidth) {
    const auto q0 = V::load(query + i), q1 = V::load(query + i + V::kWidth);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      even[r] = Op::template step<V>(q0, V::load(row[r] + i), even[r]);
      odd[r] = Op::template step<V>(q1, V::load(row[r] + i + V::kWidth), odd[r]);
    }
  }
  if (i + V::kWidth <= dim) {
    const auto q0 = V::load(query + i);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) even[r] = Op::template step<V>(q0, V::load(row[r] + i), even[r]);
    i += V::kWidth;
  }
  if (i < dim) {
    const auto q0 = V::load_tail(query + i, dim - i);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) odd[r] = Op::template step<V>(q0, V::load_tail(row[r] + i, dim - i), odd[r]);
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) out[r] = V::sum(V::add(even[r], odd[r]));
}

template <class V, class Op>
void score_all_rows(const float* query, const float* rows, size_t stride, size_t count, size_t dim,
                    float* out) {
  const FlushDenormals guard;
  size_t i = 0;
  for (; i + 4 <= count; i += 4) score_rows<V, Op, 4>(query, advance(rows, i * stride), stride, dim, out + i);
  for (; i < count; ++i) score_rows<V, Op, 1>(query, advance(rows, i * stride), stride, dim, out + i);
}

template <class V>
void square_all_rows(const float* rows, size_t stride, size_t count, size_t dim, float* out) {
  const FlushDenormals guard;
  for (size_t i = 0; i < count; ++i) {
    const float* row = advance(rows, i * stride);
    score_rows<V, DotOp, 1>(row, row, stride, dim, out + i);
  }
}

}  // namespace
}  // namespace vecstore::simd
