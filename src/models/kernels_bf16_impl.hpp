// What the bfloat16 instruction sets share; included behind kernels_impl.hpp by files compiled with
// AVX512-BF16.
#pragma once
#include <immintrin.h>

#include "models/kernels_impl.hpp"

namespace vecstore::models {
namespace {

struct Bf16Elements {
  typedef float V __attribute__((vector_size(64)));
  using Element = std::uint16_t;
  static constexpr size_t kLanes = 16;
  static constexpr size_t kColumns = 32;
  static constexpr size_t kStep = 2;
  static V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static V max(V a, V b) { return _mm512_max_ps(a, b); }
  static V min(V a, V b) { return _mm512_min_ps(a, b); }
  static float sum(V v) { return _mm512_reduce_add_ps(v); }
  static float highest(V v) { return _mm512_reduce_max_ps(v); }
  static void interleave(const Element* const* from, Element* to) {
    const __m512i even = _mm512_loadu_si512(from[0]);
    const __m512i odd = _mm512_loadu_si512(from[1]);
    const __m512i low = _mm512_unpacklo_epi16(even, odd);  // Columns 0-3, 8-11, 16-19, 24-27.
    const __m512i high = _mm512_unpackhi_epi16(even, odd);
    const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    _mm512_storeu_si512(to, _mm512_permutex2var_epi64(low, first, high));
    _mm512_storeu_si512(to + kColumns, _mm512_permutex2var_epi64(low, second, high));
  }
  static void store(Element* p, V v) {
    const __m256bh half = _mm512_cvtneps_pbh(v);
    std::memcpy(p, &half, sizeof half);
  }
  static Element element(float x) {
    const __m128bh half = _mm_cvtneps_pbh(_mm_set_ss(x));
    Element out;
    std::memcpy(&out, &half, sizeof out);
    return out;
  }
};

bool supported_avx512_bf16() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
}

}  // namespace
}  // namespace vecstore::models
