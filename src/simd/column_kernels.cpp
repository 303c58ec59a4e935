#include "simd/column_kernels.hpp"

namespace vecstore::simd {

const ColumnKernels* column_kernels_for(Isa isa) {
  if (!kernels_for(isa)) return nullptr;
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx512:
      return &kAvx512ColumnKernels;
    case Isa::kAvx2:
      return &kAvx2ColumnKernels;
#endif
    default:
      return &kScalarColumnKernels;
  }
}

const ColumnKernels& column_kernels() {
  static const ColumnKernels& table = *column_kernels_for(active_isa());
  return table;
}

}  // namespace vecstore::simd
