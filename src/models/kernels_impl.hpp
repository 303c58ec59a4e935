// The encoder as a template over an instruction set; included once by each kernels_*.cpp. Everything is in an
// unnamed namespace and uses no inline function of the standard library: a function compiled with one
// instruction set must never be the one that the linker keeps for all.
//
// An instruction set `T` offers:
//   V, kLanes              a vector of floats (compiler vector type)
//   Element, kStep         what is multiplied: float and 1, or bfloat16 bits and 2
//   kBlockRows             rows of one block of the matrix product; a block has 2 * kLanes columns, or
//   kColumns kInnerPad              the inner dimension of a product is a multiple of it fma(a, b, c) a * b +
//   c max(a, b), min(a, b), sum(v), highest(v) store(Element*, V), element(float) interleave(from, out) out[n
//   * kStep + sub] = from[sub][n] for kColumns n block(rows, a, lda, b, steps, out)   out[rows][kColumns] =
//   a[rows][steps * kStep] * packed panel b
#pragma once
#include <cstring>

#include "models/kernels.hpp"

namespace vecstore::models {
namespace {

using std::size_t;

constexpr size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }
constexpr size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

template <class V>
inline V load(const float* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class V>
inline void store_float(float* p, V v) {
  std::memcpy(p, &v, sizeof v);
}
template <class V>
inline V splat(float x) {
  return V{} + x;
}
// e^x for x in [-80, 88] (less counts as -80), relative error below 2e-7: 2^n times a polynomial of the rest
// (Cody-Waite reduction).
template <class T>
inline typename T::V exp_lanes(typename T::V x) {
  using V = typename T::V;
  using I = decltype(V{} < V{});
  x = T::max(x, splat<V>(-80.0f));
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  const V magic = splat<V>(12582912.0f);
  const V shifted = T::fma(x, splat<V>(1.44269504f), magic);
  const V n = shifted - magic;
  V r = T::fma(n, splat<V>(-0.693359375f), x);
  r = T::fma(n, splat<V>(2.12194440e-4f), r);
  V p = splat<V>(1.0f / 720);
  p = T::fma(p, r, splat<V>(1.0f / 120));
  p = T::fma(p, r, splat<V>(1.0f / 24));
  p = T::fma(p, r, splat<V>(1.0f / 6));
  p = T::fma(p, r, splat<V>(0.5f));
  p = T::fma(p, r, splat<V>(1.0f));
  p = T::fma(p, r, splat<V>(1.0f));
  return (V)((I)p + ((I)shifted << 23));
}

// x * Phi(x). With q(|x|) = erfc(|x| / sqrt 2): max(x, 0) - |x| q / 2, which loses nothing for negative x.
// The rational form of erfc is Abramowitz and Stegun 7.1.26, absolute error 1.5e-7.
template <class T>
inline typename T::V gelu(typename T::V x) {
  using V = typename T::V;
  const V zero{};
  const V magnitude = T::max(x, -x);
  const V t = splat<V>(1.0f) / T::fma(magnitude, splat<V>(0.3275911f * 0.70710678f), splat<V>(1.0f));
  V p = splat<V>(1.061405429f);
  p = T::fma(p, t, splat<V>(-1.453152027f));
  p = T::fma(p, t, splat<V>(1.421413741f));
  p = T::fma(p, t, splat<V>(-0.284496736f));
  p = T::fma(p, t, splat<V>(0.254829592f));
  const V q = p * t * exp_lanes<T>(x * x * splat<V>(-0.5f));
  return T::max(x, zero) - magnitude * splat<V>(0.5f) * q;
}

// The same for results that are rounded to bfloat16: Phi(x) - 1/2 as x times a polynomial of x^2 (weighted
// least squares, reweighted towards the largest error), absolute error of the product below 1e-4 for |x| < 8.
template <class T>
inline typename T::V gelu_bf16(typename T::V x) {
  using V = typename T::V;
  constexpr float kBound = 4.25f;
  const V u = T::min(x * x, splat<V>(kBound * kBound));
  V p = splat<V>(4.546107934544352e-11f);
  p = T::fma(p, u, splat<V>(-4.514536744437692e-09f));
  p = T::fma(p, u, splat<V>(1.985906123991299e-07f));
  p = T::fma(p, u, splat<V>(-5.147067440702813e-06f));
  p = T::fma(p, u, splat<V>(8.848458674037829e-05f));
  p = T::fma(p, u, splat<V>(-0.0010790511732921004f));
  p = T::fma(p, u, splat<V>(0.009718691930174828f));
  p = T::fma(p, u, splat<V>(-0.06619014590978622f));
  p = T::fma(p, u, splat<V>(0.3988191485404968f));
  const V bounded = T::max(T::min(x, splat<V>(kBound)), splat<V>(-kBound));
  const V phi = T::fma(bounded, p, splat<V>(0.5f));
  return x * T::max(T::min(phi, splat<V>(1.0f)), V{});
}

// x / (1 + e^-2u) with u = sqrt(2 / pi) (x + 0.044715 x^3): the tanh form.
template <class T>
inline typename T::V gelu_tanh(typename T::V x) {
  using V = typename T::V;
  const V u = x * T::fma(x * x, splat<V>(0.044715f), splat<V>(1.0f)) * splat<V>(-2.0f * 0.79788456f);
  const V bounded = T::min(u, splat<V>(80.0f));
  return x / (splat<V>(1.0f) + exp_lanes<T>(bounded));
}

// One block of a product on vector registers: kRows x 2 accumulators. Never inlined: constants of a caller's
// loop, kept in registers, would push accumulators to the stack.
template <class T, int kRows>
__attribute__((noinline)) void register_block(const typename T::Element* a, size_t lda,
                                              const typename T::Element* b, size_t steps, float* out) {
  using V = typename T::V;
  V acc[kRows][2] = {};
  // Four row pointers three rows apart: the rows between are reached by scaled addressing, without more
  // registers.
  const typename T::Element* rows[(kRows + 2) / 3];
#pragma GCC unroll 4
  for (int r = 0; r < (kRows + 2) / 3; ++r) rows[r] = a + 3 * r * lda;
  for (size_t s = 0; s < steps; ++s) {
    const auto b0 = T::load_b(b);
    const auto b1 = T::load_b(b + T::kLanes * T::kStep);
    b += 2 * T::kLanes * T::kStep;
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const auto broadcast = T::broadcast(rows[r / 3] + (r % 3) * lda);
      acc[r][0] = T::multiply_add(broadcast, b0, acc[r][0]);
      acc[r][1] = T::multiply_add(broadcast, b1, acc[r][1]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < (kRows + 2) / 3; ++r) rows[r] += T::kStep;
  }
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) {
    store_float(out + r * 2 * T::kLanes, acc[r][0]);
    store_float(out + r * 2 * T::kLanes + T::kLanes, acc[r][1]);
  }
}

// Chooses the template for the number of rows, 1 to kRows.
template <class T, int kRows>
inline void any_register_block(size_t rows, const typename T::Element* a, size_t lda,
                               const typename T::Element* b, size_t steps, float* out) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return any_register_block<T, kRows - 1>(rows, a, lda, b, steps, out);
  }
  register_block<T, kRows>(a, lda, b, steps, out);
}

// a[m][k] times a packed matrix of n columns; `finish(row, rows, column, block)` takes each block of kColumns
// columns.
template <class T, class Finish>
inline void product(const typename T::Element* a, size_t lda, const typename T::Element* packed, size_t m,
                    size_t n, size_t k, Finish&& finish) {
  alignas(64) float block[T::kBlockRows * T::kColumns];
  const size_t steps = k / T::kStep;
  for (size_t column = 0; column < n; column += T::kColumns) {
    const typename T::Element* panel = packed + column * k;
    for (size_t row = 0; row < m; row += T::kBlockRows) {
      const size_t rows = smaller(T::kBlockRows, m - row);
      T::block(rows, a + row * lda, lda, panel, steps, block);
      finish(row, rows, column, block);
    }
  }
}

// Calls `f(i, value)` for the vectors of a row of a block.
template <class T, class F>
inline void each_vector(const float* block_row, F&& f) {
  using V = typename T::V;
#pragma GCC unroll 4
  for (size_t i = 0; i < T::kColumns; i += T::kLanes) f(i, load<V>(block_row + i));
}

template <class T, class F>
inline void dense_map(const typename T::Element* a, const DenseView& dense, size_t m,
                      typename T::Element* out, F&& map) {
  using V = typename T::V;
  product<T>(a, dense.in, static_cast<const typename T::Element*>(dense.weights), m, dense.out, dense.in,
             [&](size_t row, size_t rows, size_t column, const float* block) {
               for (size_t r = 0; r < rows; ++r) {
                 typename T::Element* to = out + (row + r) * dense.out + column;
                 each_vector<T>(block + r * T::kColumns, [&](size_t i, V v) {
                   T::store(to + i, map(v + load<V>(dense.bias + column + i)));
                 });
               }
             });
}

// x += a W + bias
template <class T>
inline void dense_residual(const typename T::Element* a, const DenseView& dense, size_t m, float* x) {
  using V = typename T::V;
  product<T>(a, dense.in, static_cast<const typename T::Element*>(dense.weights), m, dense.out, dense.in,
             [&](size_t row, size_t rows, size_t column, const float* block) {
               for (size_t r = 0; r < rows; ++r) {
                 float* to = x + (row + r) * dense.out + column;
                 each_vector<T>(block + r * T::kColumns, [&](size_t i, V v) {
                   store_float(to + i, load<V>(to + i) + (v + load<V>(dense.bias + column + i)));
                 });
               }
             });
}

// Normalises the row in place and writes it as elements.
template <class T>
inline void layer_norm(float* x, size_t hidden, float epsilon, const NormView& norm,
                       typename T::Element* out) {
  using V = typename T::V;
  const size_t whole = hidden / T::kLanes * T::kLanes;
  V sums{};
  for (size_t i = 0; i < whole; i += T::kLanes) sums += load<V>(x + i);
  float sum = T::sum(sums);
  for (size_t i = whole; i < hidden; ++i) sum += x[i];
  const float mean = sum / static_cast<float>(hidden);
  V squares{};
  for (size_t i = 0; i < whole; i += T::kLanes) {
    const V d = load<V>(x + i) - mean;
    squares = T::fma(d, d, squares);
  }
  float square = T::sum(squares);
  for (size_t i = whole; i < hidden; ++i) square += (x[i] - mean) * (x[i] - mean);
  const float scale = 1.0f / __builtin_sqrtf(square / static_cast<float>(hidden) + epsilon);
  for (size_t i = 0; i < whole; i += T::kLanes) {
    const V y = T::fma((load<V>(x + i) - mean) * scale, load<V>(norm.gain + i), load<V>(norm.bias + i));
    store_float(x + i, y);
    T::store(out + i, y);
  }
  for (size_t i = whole; i < hidden; ++i) {
    x[i] = (x[i] - mean) * scale * norm.gain[i] + norm.bias[i];
    out[i] = T::element(x[i]);
  }
}

template <class T>
inline void embed_tokens(const EncoderView& e, const Batch& batch, const Scratch& s, size_t width) {
  auto* activations = static_cast<typename T::Element*>(s.activations);
  for (size_t i = 0; i + 1 < batch.offsets.size(); ++i) {
    for (size_t t = batch.offsets[i]; t < batch.offsets[i + 1]; ++t) {
      const float* word = e.words + static_cast<size_t>(batch.ids[t]) * e.hidden;
      const float* position = e.positions + (t - batch.offsets[i]) * e.hidden;
      float* x = s.x + t * width;
      const size_t whole = e.hidden / T::kLanes * T::kLanes;
      for (size_t j = 0; j < whole; j += T::kLanes) {
        store_float(x + j, load<typename T::V>(word + j) + load<typename T::V>(position + j));
      }
      for (size_t j = whole; j < e.hidden; ++j) x[j] = word[j] + position[j];
      for (size_t j = e.hidden; j < width; ++j) x[j] = 0;
      layer_norm<T>(x, e.hidden, e.epsilon, e.norm_embedding, activations + t * width);
    }
  }
}

// Keys as a packed matrix [head][length]: 32-bit words, one step of one key each.
template <class T>
inline void pack_keys(const typename T::Element* keys, size_t ld, size_t length, size_t head,
                      typename T::Element* out) {
  const size_t steps = round_up(head, T::kInnerPad) / T::kStep;
  const size_t used = (head + T::kStep - 1) / T::kStep;
  auto* words = reinterpret_cast<unsigned char*>(out);
  for (size_t first = 0; first < round_up(length, T::kColumns); first += T::kColumns) {
    unsigned char* panel = words + first * steps * 4;
    if (used < steps || first + T::kColumns > length) std::memset(panel, 0, T::kColumns * steps * 4);
    for (size_t n = 0; n < T::kColumns && first + n < length; ++n) {
      const auto* key = reinterpret_cast<const unsigned char*>(keys + (first + n) * ld);
      for (size_t st = 0; st < used; ++st) std::memcpy(panel + (st * T::kColumns + n) * 4, key + st * 4, 4);
      // A head of odd size: the other half of the last word belongs to the next head.
      if (head % T::kStep != 0) std::memset(panel + ((used - 1) * T::kColumns + n) * 4 + 2, 0, 2);
    }
  }
}

// Values as a packed matrix [length][head].
template <class T>
inline void pack_values(const typename T::Element* values, size_t ld, size_t length, size_t head,
                        typename T::Element* out) {
  using Element = typename T::Element;
  const size_t rows = round_up(length, T::kInnerPad);
  const Element zeros[T::kColumns] = {};
  for (size_t first = 0; first < round_up(head, T::kColumns); first += T::kColumns) {
    Element* to = out + first * rows;
    const size_t columns = smaller(T::kColumns, head - first);
    for (size_t k = 0; k < rows; k += T::kStep, to += T::kColumns * T::kStep) {
      const Element* from[T::kStep];
      for (size_t sub = 0; sub < T::kStep; ++sub)
        from[sub] = k + sub < length ? values + (k + sub) * ld + first : zeros;
      if (columns == T::kColumns) {
        T::interleave(from, to);
      } else {
        for (size_t n = 0; n < T::kColumns; ++n) {
          for (size_t sub = 0; sub < T::kStep; ++sub)
            to[n * T::kStep + sub] = n < columns ? from[sub][n] : Element{};
        }
      }
    }
  }
}

// Turns one row of scores into e^(scale (s - max)) elements; returns the reciprocal of their sum.
template <class T>
inline float softmax_row(const float* scores, size_t length, float scale, typename T::Element* out) {
  using V = typename T::V;
  using I = decltype(V{} < V{});
  alignas(64) static constexpr int kNumbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  I lane;
  std::memcpy(&lane, kNumbers, sizeof lane);
  const V low = splat<V>(-1e30f);
  const size_t whole = length / T::kLanes * T::kLanes;
  // What is behind the row's end is blended away in registers: written to memory, it would be waited for.
  const auto last = [&] {
    return lane < I{} + static_cast<int>(length - whole) ? load<V>(scores + whole) : low;
  };

  V best = whole < length ? last() : low;
  for (size_t i = 0; i < whole; i += T::kLanes) best = T::max(best, load<V>(scores + i));
  const V shift = splat<V>(-scale * T::highest(best));
  V sums{};
  const auto put = [&](size_t i, V v) {
    const V e = exp_lanes<T>(T::fma(v, splat<V>(scale), shift));
    sums += e;
    T::store(out + i, e);
  };
  for (size_t i = 0; i < whole; i += T::kLanes) put(i, load<V>(scores + i));
  if (whole < length) put(whole, last());
  const size_t used = round_up(length, T::kLanes);
  for (size_t i = used; i < round_up(length, T::kInnerPad); i += T::kLanes) T::store(out + i, V{});
  return 1.0f / T::sum(sums);
}

template <class T>
inline void attend_head(const EncoderView& e, const Scratch& s, size_t first, size_t length, size_t h,
                        size_t ld, size_t width) {
  using Element = typename T::Element;
  using V = typename T::V;
  const size_t head = e.hidden / e.heads;
  const size_t columns = padded(length);
  const Element* query = static_cast<const Element*>(s.qkv) + first * ld + h * head;
  auto* keys = static_cast<Element*>(s.keys);
  auto* values = static_cast<Element*>(s.values);
  auto* probabilities = static_cast<Element*>(s.probabilities);
  auto* context = static_cast<Element*>(s.context) + first * width + h * head;

  pack_keys<T>(query + e.hidden, ld, length, head, keys);
  product<T>(query, ld, keys, length, round_up(length, T::kColumns), round_up(head, T::kInnerPad),
             [&](size_t row, size_t rows, size_t column, const float* block) {
               for (size_t r = 0; r < rows; ++r) {
                 float* to = s.scores + (row + r) * columns + column;
                 each_vector<T>(block + r * T::kColumns, [&](size_t i, V v) { store_float(to + i, v); });
               }
             });
  const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(head));
  for (size_t r = 0; r < length; ++r) {
    s.row_scale[r] = softmax_row<T>(s.scores + r * columns, length, scale, probabilities + r * columns);
  }
  pack_values<T>(query + 2 * e.hidden, ld, length, head, values);
  product<T>(probabilities, columns, values, length, round_up(head, T::kColumns),
             round_up(length, T::kInnerPad), [&](size_t row, size_t rows, size_t column, const float* block) {
               for (size_t r = 0; r < rows; ++r) {
                 Element* to = context + (row + r) * width + column;
                 const float* from = block + r * T::kColumns;
                 const V weight = splat<V>(s.row_scale[row + r]);
                 if (column + T::kColumns <= head) {
                   each_vector<T>(from, [&](size_t i, V v) { T::store(to + i, v * weight); });
                 } else {
                   for (size_t i = 0; column + i < head; ++i)
                     to[i] = T::element(from[i] * s.row_scale[row + r]);
                 }
               }
             });
}

template <class T>
void encoder_forward(const EncoderView& e, const Batch& batch, const Scratch& s) {
  using Element = typename T::Element;
  using V = typename T::V;
  const size_t width = padded(e.hidden);
  const size_t tokens = batch.offsets.back();
  auto* activations = static_cast<Element*>(s.activations);
  auto* context = static_cast<Element*>(s.context);
  auto* inner = static_cast<Element*>(s.inner);
  [[maybe_unused]] const typename T::Session session;

  embed_tokens<T>(e, batch, s, width);
  for (const LayerView& layer : e.layers) {
    dense_map<T>(activations, layer.qkv, tokens, static_cast<Element*>(s.qkv), [](V v) { return v; });
    for (size_t i = 0; i + 1 < batch.offsets.size(); ++i) {
      const size_t first = batch.offsets[i];
      const size_t length = batch.offsets[i + 1] - first;
      for (size_t h = 0; h < e.heads; ++h) attend_head<T>(e, s, first, length, h, layer.qkv.out, width);
    }
    dense_residual<T>(context, layer.context, tokens, s.x);
    for (size_t t = 0; t < tokens; ++t) {
      layer_norm<T>(s.x + t * width, e.hidden, e.epsilon, layer.norm_context, activations + t * width);
    }
    switch (e.activation) {
      case Activation::kGelu:
        dense_map<T>(activations, layer.inner, tokens, inner,
                     [](V v) { return T::kStep == 1 ? gelu<T>(v) : gelu_bf16<T>(v); });
        break;
      case Activation::kGeluTanh:
        dense_map<T>(activations, layer.inner, tokens, inner, [](V v) { return gelu_tanh<T>(v); });
        break;
      case Activation::kRelu:
        dense_map<T>(activations, layer.inner, tokens, inner, [](V v) { return T::max(v, V{}); });
        break;
    }
    dense_residual<T>(inner, layer.outer, tokens, s.x);
    for (size_t t = 0; t < tokens; ++t) {
      layer_norm<T>(s.x + t * width, e.hidden, e.epsilon, layer.norm_outer, activations + t * width);
    }
  }
}

// What the instruction sets that multiply floats share.
struct FloatElements {
  using Element = float;
  static constexpr size_t kStep = 1;
  static constexpr size_t kInnerPad = 1;
  struct Session {};
  static float element(float x) { return x; }
  template <size_t kCount>
  static void copy(const float* const* from, float* to) {
    std::memcpy(to, from[0], kCount * sizeof(float));
  }
};

}  // namespace
}  // namespace vecstore::models
