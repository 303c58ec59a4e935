// AVX512-BF16: 12 x 32 blocks, two products of bfloat16 per lane and instruction, summed in 32 bits.
#if defined(__GNUC__) && !defined(__clang__)
// The compiler's own AVX-512 intrinsics pass a deliberately undefined vector.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "models/kernels_impl.hpp"

#if defined(__x86_64__)
#include "models/kernels_bf16_impl.hpp"
#endif

namespace vecstore::models {
#if defined(__x86_64__)
namespace {

struct Avx512Bf16 : Bf16Elements {
  static constexpr size_t kBlockRows = 12;
  static constexpr size_t kInnerPad = 2;
  struct Session {};
  static __m512bh load_b(const Element* p) {
    __m512bh v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  static __m512bh broadcast(const Element* p) {
    int pair;
    std::memcpy(&pair, p, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
  }
  static V multiply_add(__m512bh a, __m512bh b, V c) { return _mm512_dpbf16_ps(c, a, b); }
  static void block(size_t rows, const Element* a, size_t lda, const Element* b, size_t steps, float* out) {
    any_register_block<Avx512Bf16, kBlockRows>(rows, a, lda, b, steps, out);
  }
};

constexpr Kernels kTable{"avx512-bf16", Avx512Bf16::kColumns, Avx512Bf16::kStep, supported_avx512_bf16,
                         encoder_forward<Avx512Bf16>};

}  // namespace

const Kernels* const kKernelsAvx512Bf16 = &kTable;
#else
const Kernels* const kKernelsAvx512Bf16 = nullptr;
#endif

}  // namespace vecstore::models
