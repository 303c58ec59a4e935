// The parts of the term kernels that no instruction set makes faster: plain C, internal linkage.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "simd/term_kernels.hpp"

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

// Without an instruction that packs what a mask chooses, postings are packed one by one.
inline void pack_and_add(const uint16_t* ids, const uint8_t* codes, size_t count, uint16_t weight,
                             const uint8_t* limits, uint16_t* sums) {
  const size_t most = 256;
  uint16_t kept_ids[256];
  uint8_t kept_codes[256];
  while (count > 0) {
    const size_t step = count < most ? count : most;
    size_t kept = 0;
    for (size_t i = 0; i < step; ++i) {
      kept_ids[kept] = ids[i];
      kept_codes[kept] = codes[i];
      kept += codes[i] > limits[ids[i] / kTermBlock % kTermBlocks];
    }
    add_sparse(kept_ids, kept_codes, kept, weight, sums);
    ids += step;
    codes += step;
    count -= step;
  }
}

// What a code may lack of its block's largest one is (slack + 1) * 256 / weight rounded up, less one: mulhi by
// this rounds to that or more.
inline uint16_t limit_factor(uint16_t weight) {
  const uint32_t factor = ((256u << 16) + weight - 1u) / weight;
  return (uint16_t)(factor < 65535 ? factor : 65535);
}

inline uint8_t code_limit(uint8_t maximum, uint16_t bound, uint16_t threshold, uint32_t factor) {
  const uint32_t slack = bound > threshold ? (uint32_t)(bound - threshold) : 0;
  const uint32_t less = ((slack < 65535 ? slack + 1 : 65535) * factor >> 16) + 1;
  return (uint8_t)(maximum > less ? maximum - less : 0);
}

}  // namespace
}  // namespace vecstore::simd
