// The BERT encoder's arithmetic, once per instruction set; the best table for this processor is chosen at run
// time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace vecstore::models {

/// Widths of activations and of packed weights are padded to this many elements; what is added is zero.
inline constexpr std::size_t kPad = 32;
/// Kernels may read (never write) this many rows behind the last one of an activation buffer.
inline constexpr std::size_t kSlackRows = 32;

constexpr std::size_t padded(std::size_t n) { return (n + kPad - 1) / kPad * kPad; }

enum class Activation : std::uint8_t { kGelu, kGeluTanh, kRelu };

/// y = x W + bias. The matrix is stored in panels of `Kernels::panel` columns; within a panel, for each step
/// of `Kernels::step` rows, the columns one after the other: panel p, step s, column n, sub-row r. So one
/// step of one column is always 32 bits: one float, or two bfloat16.
struct DenseView {
  const void* weights;
  const float* bias;  ///< `out` floats.
  std::size_t in;     ///< Rows of the matrix, padded.
  std::size_t out;    ///< Columns, padded.
};

struct NormView {
  const float* gain;
  const float* bias;
};

struct LayerView {
  DenseView qkv;      ///< hidden -> query, key, value, one after the other, without padding between them.
  DenseView context;  ///< hidden -> hidden, behind the attention.
  DenseView inner;    ///< hidden -> intermediate, followed by the activation.
  DenseView outer;    ///< intermediate -> hidden.
  NormView norm_context;
  NormView norm_outer;
};

struct EncoderView {
  std::size_t hidden;
  std::size_t heads;
  float epsilon;
  Activation activation;
  const float* words;      ///< [vocabulary][hidden]
  const float* positions;  ///< [positions][hidden], the embedding of token type 0 added.
  NormView norm_embedding;
  std::span<const LayerView> layers;
};

/// Whole sequences, one behind the other, without padding. `offsets` has one entry more than there are
/// sequences.
struct Batch {
  const std::int32_t* ids;
  std::span<const std::uint32_t> offsets;
};

/// Work space of one thread; every buffer begins at a multiple of 64 bytes and has kSlackRows rows more than
/// named here. An element is a float or a bfloat16, as `Kernels::step` says.
struct Scratch {
  float* x;             ///< [tokens][padded(hidden)]: the hidden states, and the result.
  void* activations;    ///< Elements [tokens][padded(hidden)]: x as the kernels multiply it; zeroed by the
                        ///< caller.
  void* context;        ///< As activations.
  void* qkv;            ///< Elements [tokens][qkv.out]
  void* inner;          ///< Elements [tokens][inner.out]
  float* scores;        ///< [longest][padded(longest)]
  void* probabilities;  ///< Elements, as scores.
  void* keys;           ///< Elements [padded(longest)][padded(head)]: one head's keys, packed.
  void* values;         ///< As keys.
  float* row_scale;     ///< [longest]
};

struct Kernels {
  std::string_view name;
  std::size_t panel;  ///< Columns per panel of packed weights.
  std::size_t step;   ///< 1: elements are floats. 2: bfloat16.
  bool (*supported)();
  /// Runs the encoder over the batch; the last layer's hidden states are in scratch.x.
  void (*forward)(const EncoderView& encoder, const Batch& batch, const Scratch& scratch);
};

/// Null where the compiler cannot make them for the target.
extern const Kernels* const kKernelsScalar;
extern const Kernels* const kKernelsAvx2;
extern const Kernels* const kKernelsAvx512;
extern const Kernels* const kKernelsAvx512Bf16;
extern const Kernels* const kKernelsAmx;

/// Every table that this processor can run, best first.
std::span<const Kernels* const> supported_kernels();

/// The best table for a precision. The environment variable VECSTORE_SIMD (scalar, avx2, avx512, amx) sets
/// the highest instruction set; AVX512-BF16 belongs to avx512. Throws kInvalidArgument if it names one that
/// is unknown or not supported.
const Kernels& choose_kernels(bool allow_bfloat16);

}  // namespace vecstore::models
