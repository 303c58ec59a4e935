// Plain C++ kernels: every CPU, and the twin of the others in tests.
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/f32_rows.hpp"
#include "simd/kernels.hpp"

namespace vecstore::simd {
namespace {

// Four floats that the compiler keeps in whatever registers it has.
struct Four {
  struct Reg {
    float lane[4];
  };
  static constexpr size_t kWidth = 4;
  static Reg zero() { return Reg{{0, 0, 0, 0}}; }
  static Reg load(const float* p) { return Reg{{p[0], p[1], p[2], p[3]}}; }
  static Reg load_tail(const float* p, size_t n) {
    Reg r = zero();
    for (size_t i = 0; i < n; ++i) r.lane[i] = p[i];
    return r;
  }
  static Reg add(Reg a, Reg b) {
    for (int i = 0; i < 4; ++i) a.lane[i] += b.lane[i];
    return a;
  }
  static Reg sub(Reg a, Reg b) {
    for (int i = 0; i < 4; ++i) a.lane[i] -= b.lane[i];
    return a;
  }
  static Reg fma(Reg a, Reg b, Reg c) {
    for (int i = 0; i < 4; ++i) c.lane[i] += a.lane[i] * b.lane[i];
    return c;
  }
  static float sum(Reg a) { return (a.lane[0] + a.lane[2]) + (a.lane[1] + a.lane[3]); }
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

const Kernels kScalarKernels = {
    Isa::kScalar,          false,     score_all_rows<Four, DotOp>, score_all_rows<Four, SquaredL2Op>,
    square_all_rows<Four>, scan_codes};

}  // namespace vecstore::simd
