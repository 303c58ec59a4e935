#include "simd/term_kernels.hpp"

namespace vecstore::simd {

const TermKernels* term_kernels_for(Isa isa) {
  if (!kernels_for(isa)) return nullptr;
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx512:
      // Expanding and packing bytes came later than the rest; without it bitmaps are walked as under AVX2.
      return __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vbmi")
                 ? &kAvx512TermKernels
                 : &kAvx2TermKernels;
    case Isa::kAvx2:
      return &kAvx2TermKernels;
#endif
    default:
      return &kScalarTermKernels;
  }
}

const TermKernels& term_kernels() {
  static const TermKernels& table = *term_kernels_for(active_isa());
  return table;
}

}  // namespace vecstore::simd
