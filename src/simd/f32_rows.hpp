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

// How far ahead a scan asks for its rows: the CPU's own prefetcher stops at every page. Best of 0, 2, 4 and 8
// KiB.
constexpr size_t kAhead = 8192;

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

// One row after the other, in the order of memory: two, four or eight at once read as many streams, which
// cost more than the shared loads of the query saved. Consecutive rows overlap in the CPU anyway, so two sums
// per row are enough.
template <class V, class Op, bool kPrefetch>
inline float score_row(const float* query, const float* row, size_t dim) {
  auto even = V::zero(), odd = V::zero();
  size_t i = 0;
  for (; i + 2 * V::kWidth <= dim; i += 2 * V::kWidth) {
    if constexpr (kPrefetch) {
      for (size_t b = 0; b < 2 * V::kWidth * sizeof(float); b += 64)
        __builtin_prefetch(advance(row + i, kAhead + b));
    }
    even = Op::template step<V>(V::load(query + i), V::load(row + i), even);
    odd = Op::template step<V>(V::load(query + i + V::kWidth), V::load(row + i + V::kWidth), odd);
  }
  if (i + V::kWidth <= dim) {
    even = Op::template step<V>(V::load(query + i), V::load(row + i), even);
    i += V::kWidth;
  }
  if (i < dim)
    odd = Op::template step<V>(V::load_tail(query + i, dim - i), V::load_tail(row + i, dim - i), odd);
  return V::sum(V::add(even, odd));
}

template <class V, class Op>
void score_all_rows(const float* query, const float* rows, size_t stride, size_t count, size_t dim,
                    float* out) {
  const FlushDenormals guard;
  // Few rows are not a scan: what lies behind them is not read next.
  const size_t scanned = count >= 16 ? count : 0;
  size_t i = 0;
  for (; i < scanned; ++i) out[i] = score_row<V, Op, true>(query, advance(rows, i * stride), dim);
  for (; i < count; ++i) out[i] = score_row<V, Op, false>(query, advance(rows, i * stride), dim);
}

template <class V>
void square_all_rows(const float* rows, size_t stride, size_t count, size_t dim, float* out) {
  const FlushDenormals guard;
  for (size_t i = 0; i < count; ++i) {
    const float* row = advance(rows, i * stride);
    out[i] = score_row<V, DotOp, false>(row, row, dim);
  }
}

}  // namespace
}  // namespace vecstore::simd
