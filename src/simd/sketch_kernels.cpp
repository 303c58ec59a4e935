#include "simd/sketch_kernels.hpp"

namespace vecstore::simd {

const SketchKernels* sketch_kernels_for(Isa isa) {
  if (!kernels_for(isa)) return nullptr;
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx512:
      return &kAvx512SketchKernels;
    case Isa::kAvx2:
      return &kAvx2SketchKernels;
#endif
    default:
      return &kScalarSketchKernels;
  }
}

const SketchKernels& sketch_kernels() {
  static const SketchKernels& table = *sketch_kernels_for(active_isa());
  return table;
}

}  // namespace vecstore::simd
