// The f32 row kernels, written once over a vector type V that an ISA file defines before it includes this.
// Internal linkage throughout, so that each ISA file gets its own copy.
//
// V has: Reg; kWidth; kFourRows; zero(); load(p); load_tail(p, n) with zeros behind n < kWidth values; add,
// sub, fma(a, b, c) = a * b + c; sum(reg).
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
    const auto d = V::sub(x, q);
    return V::fma(d, d, acc);
  }
};

// One row after the other, in the order of memory: with wide registers two, four or eight at once read as
// many streams, which cost more than the shared loads of the query saved. Consecutive rows overlap in the CPU
// anyway, so two sums per row are enough.
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

// For narrow registers (kFourRows), where the loads of the query weigh more than four streams: four rows at
// once, each summed in the same order as one alone.
template <class V, class Op, bool kPrefetch>
inline void score_four_rows(const float* query, const float* rows, size_t stride, size_t dim, float* out) {
  const float *row0 = rows, *row1 = advance(rows, stride);
  const float *row2 = advance(row1, stride), *row3 = advance(row2, stride);
  auto even0 = V::zero(), even1 = even0, even2 = even0, even3 = even0;
  auto odd0 = even0, odd1 = even0, odd2 = even0, odd3 = even0;
  const size_t ahead = 4 * stride > kAhead ? 4 * stride : kAhead;
  const auto step = [](auto q, auto x, auto& sum) { sum = Op::template step<V>(q, x, sum); };
  size_t i = 0;
  for (; i + 2 * V::kWidth <= dim; i += 2 * V::kWidth) {
    if constexpr (kPrefetch) {
      // As much as the four rows read, in the order of memory, and all of it before the next four begin.
      for (size_t b = 0; b < 8 * V::kWidth * sizeof(float); b += 64)
        __builtin_prefetch(advance(rows + 4 * i, ahead + b));
    }
    const auto q0 = V::load(query + i), q1 = V::load(query + i + V::kWidth);
    step(q0, V::load(row0 + i), even0);
    step(q0, V::load(row1 + i), even1);
    step(q0, V::load(row2 + i), even2);
    step(q0, V::load(row3 + i), even3);
    step(q1, V::load(row0 + i + V::kWidth), odd0);
    step(q1, V::load(row1 + i + V::kWidth), odd1);
    step(q1, V::load(row2 + i + V::kWidth), odd2);
    step(q1, V::load(row3 + i + V::kWidth), odd3);
  }
  if (i + V::kWidth <= dim) {
    const auto q = V::load(query + i);
    step(q, V::load(row0 + i), even0);
    step(q, V::load(row1 + i), even1);
    step(q, V::load(row2 + i), even2);
    step(q, V::load(row3 + i), even3);
    i += V::kWidth;
  }
  if (i < dim) {
    const size_t n = dim - i;
    const auto q = V::load_tail(query + i, n);
    step(q, V::load_tail(row0 + i, n), odd0);
    step(q, V::load_tail(row1 + i, n), odd1);
    step(q, V::load_tail(row2 + i, n), odd2);
    step(q, V::load_tail(row3 + i, n), odd3);
  }
  out[0] = V::sum(V::add(even0, odd0));
  out[1] = V::sum(V::add(even1, odd1));
  out[2] = V::sum(V::add(even2, odd2));
  out[3] = V::sum(V::add(even3, odd3));
}

template <class V, class Op, bool kPrefetch>
inline void score_run(const float* query, const float* rows, size_t stride, size_t count, size_t dim,
                      float* out) {
  size_t i = 0;
  if constexpr (V::kFourRows) {
    for (; i + 4 <= count; i += 4)
      score_four_rows<V, Op, kPrefetch>(query, advance(rows, i * stride), stride, dim, out + i);
  }
  for (; i < count; ++i) out[i] = score_row<V, Op, kPrefetch>(query, advance(rows, i * stride), dim);
}

template <class V, class Op>
void score_all_rows(const float* query, const float* rows, size_t stride, size_t count, size_t dim,
                    float* out) {
  const FlushDenormals guard;
  // Few rows are not a scan: what lies behind them is not read next.
  if (count >= 16)
    score_run<V, Op, true>(query, rows, stride, count, dim, out);
  else
    score_run<V, Op, false>(query, rows, stride, count, dim, out);
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
