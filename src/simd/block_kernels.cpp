#include "simd/block_kernels.hpp"

namespace vecstore::simd {

const BlockKernels* block_kernels_for(Isa isa) {
  if (!kernels_for(isa)) return nullptr;
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx512:
      return &kAvx512BlockKernels;
    case Isa::kAvx2:
      return &kAvx2BlockKernels;
#endif
    default:
      return &kScalarBlockKernels;
  }
}

const BlockKernels& block_kernels() {
  static const BlockKernels& table = *block_kernels_for(active_isa());
  return table;
}

}  // namespace vecstore::simd
