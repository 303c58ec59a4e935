// AVX-512: 12 x 32 blocks of floats.
#if defined(__GNUC__) && !defined(__clang__)
// The compiler's own AVX-512 intrinsics pass a deliberately undefined vector.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "models/kernels_impl.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace vecstore::models {
#if defined(__x86_64__)
namespace {

struct Avx512 : FloatElements {
  typedef float V __attribute__((vector_size(64)));
  static constexpr size_t kLanes = 16;
  static constexpr size_t kColumns = 32;
  static constexpr size_t kBlockRows = 12;
  static V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static V max(V a, V b) { return _mm512_max_ps(a, b); }
  static V min(V a, V b) { return _mm512_min_ps(a, b); }
  static float sum(V v) { return _mm512_reduce_add_ps(v); }
  static float highest(V v) { return _mm512_reduce_max_ps(v); }
  static void interleave(const float* const* from, float* to) { copy<kColumns>(from, to); }
  static V load_b(const float* p) { return _mm512_loadu_ps(p); }
  static V broadcast(const float* p) { return _mm512_set1_ps(*p); }
  static V multiply_add(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static void store(float* p, V v) { store_float(p, v); }
  static void block(size_t rows, const float* a, size_t lda, const float* b, size_t steps, float* out) {
    any_register_block<Avx512, kBlockRows>(rows, a, lda, b, steps, out);
  }
};

bool supported() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}

constexpr Kernels kTable{"avx512", Avx512::kColumns, Avx512::kStep, supported, encoder_forward<Avx512>};

}  // namespace

const Kernels* const kKernelsAvx512 = &kTable;
#else
const Kernels* const kKernelsAvx512 = nullptr;
#endif

}  // namespace vecstore::models
