#include "simd/column_kernels.hpp"
#include "simd/column_loops.hpp"

namespace vecstore::simd {
namespace {

template <class T>
void in_range(const T* values, size_t size, T first, T count, uint64_t* words) {
  in_range_from<T>(0, values, size, first, count, words);
}

}  // namespace

const ColumnKernels kScalarColumnKernels = {in_range<uint8_t>, in_range<uint16_t>, in_range<uint32_t>};

}  // namespace vecstore::simd
