// What the bfloat16 instruction sets share; included behind kernels_impl.hpp by files compiled with AVX512-BF16.
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
