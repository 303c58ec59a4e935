// Plain C++ kernels: every CPU, and the twin of the others in tests.
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/f32_rows.hpp"
#include "simd/kernels.hpp"

namespace vecstore::simd {
namespace {

// Vectors of four floats are in the base set of every 64-bit CPU (SSE2, NEON). With so narrow registers loads
// are what is short, not memory: four rows at once share the loads of the query.
struct Portable {
  typedef float Reg __attribute__((vector_size(16)));
  static constexpr size_t kWidth = 4;
  static constexpr bool kFourRows = true;
  static Reg zero() { return Reg{}; }
  static Reg load(const float* p) {
    Reg r;
    __builtin_memcpy(&r, p, sizeof r);
    return r;
  }
  static Reg load_tail(const float* p, size_t n) { return Reg{p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0}; }
  static Reg add(Reg a, Reg b) { return a + b; }
  static Reg sub(Reg a, Reg b) { return a - b; }
  static Reg fma(Reg a, Reg b, Reg c) { return a * b + c; }
  static float sum(Reg a) { return (a[0] + a[2]) + (a[1] + a[3]); }
};

float upper_bound(const CodeQuery& q, const float* side, int r, float value) {
  const float inner = q.step * side[r] * value;
  const float error = side[16 + r];
  switch (q.form) {
    case BoundForm::kUnit:
      return inner + error * q.error_weight + q.norm_weight;
    case BoundForm::kInner:
      return inner + error * q.error_weight + side[32 + r] * q.norm_weight;
    case BoundForm::kDistance:
      break;
  }
  const float square = q.square + side[32 + r] - 2 * inner;
  return error + q.norm_weight - q.shrink * sqrtf(square < 0 ? 0 : square);
}

size_t scan_codes(const CodeQuery& q, const uint8_t* groups, size_t first, size_t last, float threshold,
                  float* values) {
  const size_t bytes = group_bytes(q.quads, q.form);
  for (size_t g = first; g < last; ++g) {
    const uint8_t* codes = groups + g * bytes;
    const float* side = reinterpret_cast<const float*>(codes + q.quads * 64);
    bool hit = false;
    for (int r = 0; r < 16; ++r) {
      int32_t high = -q.high_offset, low = -q.low_offset;
      for (size_t j = 0; j < q.quads; ++j) {
        const uint8_t* c = codes + j * 64 + r * 4;
        for (int b = 0; b < 4; ++b) {
          high += c[b] * q.high[j * 4 + b];
          low += c[b] * q.low[j * 4 + b];
        }
      }
      values[r] = 128.0f * static_cast<float>(high) + static_cast<float>(low);
      hit |= !(upper_bound(q, side, r, values[r]) < threshold);
    }
    if (hit) return g;
  }
  return last;
}

}  // namespace

const Kernels kScalarKernels = {Isa::kScalar,
                                false,
                                score_all_rows<Portable, DotOp>,
                                score_all_rows<Portable, SquaredL2Op>,
                                square_all_rows<Portable>,
                                scan_codes};

}  // namespace vecstore::simd
