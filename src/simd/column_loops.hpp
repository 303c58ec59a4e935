// Columns value by value, for what is left behind the last whole vector and for CPUs without any. Internal
// linkage throughout.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace vecstore::simd {
namespace {

/// Values begin to size - 1; `begin` is a multiple of 64.
template <class T>
inline void in_range_from(size_t begin, const T* values, size_t size, T first, T count, uint64_t* words) {
  for (size_t i = begin; i < size; i += 64) {
    const size_t n = size - i < 64 ? size - i : 64;
    uint64_t bits = 0;
    for (size_t j = 0; j < n; ++j) bits |= (uint64_t)((T)(values[i + j] - first) < count) << j;
    words[i / 64] |= bits;
  }
}

}  // namespace
}  // namespace vecstore::simd
