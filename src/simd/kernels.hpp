// Distance and code kernels, chosen once at run time. This header is included by the ISA files, so it holds
// plain C only: an inline std:: function compiled there could be the copy that the linker keeps for the whole
// program.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace vecstore::simd {

enum class Isa : uint8_t { kScalar, kAvx2, kAvx512 };

/// out[i] = f(query, row i) for `count` rows of `dim` floats that lie `stride_bytes` apart. Any dim and
/// count, 0 included; pointers are aligned to 4 bytes. A row's result depends on query and row alone, not on
/// count or the row's place, so one row gives the same bits as many. Subnormal numbers count as zero (no slow
/// path, the caller's MXCSR is kept). Error against exact arithmetic: at most (dim + 8) * 2^-24 * sum
/// |query_i * row_i| (dot), relative for the others.
using RowsKernel = void (*)(const float* query, const float* rows, size_t stride_bytes, size_t count,
                            size_t dim, float* out);
using RowNormsKernel = void (*)(const float* rows, size_t stride_bytes, size_t count, size_t dim, float* out);

/// Codes are scanned in groups of 16 rows. A group is `quads` lines of 64 bytes, byte 4 r + b of line j being
/// component 4 j + b of row r plus 128 (1 to 255, padding 128), followed by 16 floats `scale`, 16 floats
/// `error` and, unless the form is kUnit, 16 floats `norm`.
inline constexpr size_t kGroupRows = 16;

/// How a row's upper bound follows from v = sum (128 high_i + low_i) * code_i, computed exactly in integers:
/// kUnit:      step * scale * v + error * error_weight + norm_weight            (cosine)
/// kInner:     step * scale * v + error * error_weight + norm * norm_weight     (dot)
/// kDistance:  error + norm_weight - shrink * sqrt(max(0, square + norm - 2 * step * scale * v)) (Euclidean)
enum class BoundForm : uint8_t { kUnit, kInner, kDistance };

struct CodeQuery {
  const int8_t* high;  ///< 4 * quads values in [-63, 63]: u8 times s8 pairs then fit 16 bits (AVX2).
  const int8_t* low;   ///< likewise [-64, 63]
  size_t quads;
  int32_t high_offset;  ///< 128 * sum of high, likewise low.
  int32_t low_offset;
  BoundForm form;
  float step;
  float error_weight;
  float norm_weight;
  float square;
  float shrink;
};

inline size_t group_bytes(size_t quads, BoundForm form) {
  return quads * 64 + (form == BoundForm::kUnit ? 128 : 192);
}

struct Kernels {
  Isa isa;
  /// Whether scanning codes is faster than scanning the vectors: a matter of small integers' multiplications.
  bool fast_codes;
  RowsKernel dot;
  RowsKernel squared_l2;
  RowNormsKernel squared_norm;
  /// Looks at groups first .. last - 1 of `groups` (64-byte aligned) and returns the first that has a row
  /// whose upper bound is not below `threshold` (NaN counts as not below), with the 16 values v in `values`;
  /// `last` when there is none.
  size_t (*scan_codes)(const CodeQuery& query, const uint8_t* groups, size_t first, size_t last,
                       float threshold, float* values);
};

/// The table that VECSTORE_SIMD (scalar, avx2, avx512) names, else the best that the CPU has. Resolved at the
/// first call. Throws kInvalidArgument when the variable names an unknown ISA or one that this CPU lacks.
const Kernels& kernels();
Isa active_isa();
/// nullptr when this CPU (or this build) lacks the ISA. avx512 means F, BW, DQ, VL and VNNI.
const Kernels* kernels_for(Isa isa);
const char* to_string(Isa isa);

// One per ISA file.
extern const Kernels kScalarKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;

}  // namespace vecstore::simd
