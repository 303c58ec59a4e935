// Plain C++: what every x86-64 (and any other) processor runs. Four lanes, which the compiler maps to its
// baseline.
#include "models/kernels_impl.hpp"

namespace vecstore::models {
namespace {

struct Scalar : FloatElements {
  typedef float V __attribute__((vector_size(16)));
  static constexpr size_t kLanes = 4;
  static constexpr size_t kColumns = 8;
  static constexpr size_t kBlockRows = 4;
  static V fma(V a, V b, V c) { return a * b + c; }
  static V max(V a, V b) { return a > b ? a : b; }
  static V min(V a, V b) { return a < b ? a : b; }
  static float sum(V v) { return (v[0] + v[1]) + (v[2] + v[3]); }
  static float highest(V v) {
    const float low = v[0] > v[1] ? v[0] : v[1];
    const float high = v[2] > v[3] ? v[2] : v[3];
    return low > high ? low : high;
  }
  static void interleave(const float* const* from, float* to) { copy<kColumns>(from, to); }
  static V load_b(const float* p) { return load<V>(p); }
  static V broadcast(const float* p) { return splat<V>(*p); }
  static V multiply_add(V a, V b, V c) { return a * b + c; }
  static void store(float* p, V v) { store_float(p, v); }
  static void block(size_t rows, const float* a, size_t lda, const float* b, size_t steps, float* out) {
    any_register_block<Scalar, kBlockRows>(rows, a, lda, b, steps, out);
  }
};

constexpr Kernels kTable{"scalar", Scalar::kColumns, Scalar::kStep, [] { return true; },
                         encoder_forward<Scalar>};

}  // namespace

const Kernels* const kKernelsScalar = &kTable;

}  // namespace vecstore::models
