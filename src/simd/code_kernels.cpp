#include "simd/code_kernels.hpp"

#include "simd/kernels.hpp"

namespace vecstore::simd {

const CodeKernels* code_kernels_for(Isa isa) {
  if (!kernels_for(isa)) return nullptr;
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx512:
      return &kAvx512CodeKernels;
    case Isa::kAvx2:
      return &kAvx2CodeKernels;
#endif
    default:
      return &kScalarCodeKernels;
  }
}

const CodeKernels& code_kernels() {
  static const CodeKernels& table = *code_kernels_for(active_isa());
  return table;
}

}  // namespace vecstore::simd
