// The parts of the term kernels that no instruction set makes faster: plain C, internal linkage.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace vecstore::simd {
namespace {

inline void add_sparse(const uint16_t* ids, const uint8_t* codes, size_t count, uint16_t weight,
                       uint16_t* sums) {
  size_t i = 0;
  const uint32_t w = weight;
  for (; i + 4 <= count; i += 4) {
    // The ids are distinct, so that all loads may come before the stores.
    const uint16_t a = ids[i], b = ids[i + 1], c = ids[i + 2], d = ids[i + 3];
    const uint16_t va = (uint16_t)(sums[a] + (codes[i] * w >> 8));
    const uint16_t vb = (uint16_t)(sums[b] + (codes[i + 1] * w >> 8));
    const uint16_t vc = (uint16_t)(sums[c] + (codes[i + 2] * w >> 8));
    const uint16_t vd = (uint16_t)(sums[d] + (codes[i + 3] * w >> 8));
    sums[a] = va;
    sums[b] = vb;
    sums[c] = vc;
    sums[d] = vd;
  }
  for (; i < count; ++i) sums[ids[i]] = (uint16_t)(sums[ids[i]] + (codes[i] * w >> 8));
}

inline size_t add_bits(uint64_t bits, const uint8_t* codes, uint16_t weight, uint16_t* sums) {
  size_t used = 0;
  for (; bits; bits &= bits - 1) {
    uint16_t* sum = sums + __builtin_ctzll(bits);
    *sum = (uint16_t)(*sum + ((uint32_t)codes[used++] * weight >> 8));
  }
  return used;
}

}  // namespace
}  // namespace vecstore::simd
