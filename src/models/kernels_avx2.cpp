// AVX2 and FMA: 6 x 16 blocks of floats.
#include "models/kernels_impl.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace vecstore::models {
#if defined(__x86_64__)
namespace {

struct Avx2 : FloatElements {
  typedef float V __attribute__((vector_size(32)));
  static constexpr size_t kLanes = 8;
  static constexpr size_t kColumns = 16;
  static constexpr size_t kBlockRows = 6;
  static V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static V max(V a, V b) { return _mm256_max_ps(a, b); }
  static V min(V a, V b) { return _mm256_min_ps(a, b); }
  static float sum(V v) {
    __m128 h = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    h = _mm_add_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
  }
  static float highest(V v) {
    __m128 h = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    h = _mm_max_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_max_ss(h, _mm_movehdup_ps(h)));
  }
  static void interleave(const float* const* from, float* to) { copy<kColumns>(from, to); }
  static V load_b(const float* p) { return _mm256_loadu_ps(p); }
  static V broadcast(const float* p) { return _mm256_broadcast_ss(p); }
  static V multiply_add(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static void store(float* p, V v) { store_float(p, v); }
  static void block(size_t rows, const float* a, size_t lda, const float* b, size_t steps, float* out) {
    any_register_block<Avx2, kBlockRows>(rows, a, lda, b, steps, out);
  }
};

bool supported() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

constexpr Kernels kTable{"avx2", Avx2::kColumns, Avx2::kStep, supported, encoder_forward<Avx2>};

}  // namespace

const Kernels* const kKernelsAvx2 = &kTable;
#else
const Kernels* const kKernelsAvx2 = nullptr;
#endif

}  // namespace vecstore::models
