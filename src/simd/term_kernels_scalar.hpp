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

// Without an instruction that looks up many limits, postings that pass are packed one by one.
inline void add_sparse_blocks_plainly(const uint16_t* ids, const uint8_t* codes, const uint32_t* starts,
                                      size_t windows, uint16_t weight, const uint64_t* wanted,
                                      const uint8_t* limits, const uint16_t* slots, uint16_t* sums) {
  const uint32_t most = 256;
  uint16_t kept[256];
  for (size_t w = 0; w < windows; ++w, limits += kTermBlocks, slots += kTermBlocks) {
    if ((wanted[2 * w] | wanted[2 * w + 1]) == 0) continue;
    for (uint32_t from = starts[w]; from < starts[w + 1]; from += most) {
      const uint32_t n = starts[w + 1] - from < most ? starts[w + 1] - from : most;
      size_t passed = 0;
      for (uint32_t i = 0; i < n; ++i) {
        kept[passed] = (uint16_t)i;
        passed += codes[from + i] > limits[ids[from + i] / kTermBlock % kTermBlocks];
      }
      for (size_t i = 0; i < passed; ++i) {
        const uint32_t id = ids[from + kept[i]], code = codes[from + kept[i]];
        uint16_t* sum = sums + kTermBlock * slots[id / kTermBlock % kTermBlocks] + id % kTermBlock;
        *sum = (uint16_t)(*sum + (code * weight >> 8));
      }
    }
  }
}

// What a code may lack of its block's largest one is (slack + 1) * 256 / weight rounded up, less one: mulhi
// by this rounds to that or more.
inline uint16_t limit_factor(uint16_t weight) {
  const uint32_t factor = ((256u << 16) + weight - 1u) / weight;
  return (uint16_t)(factor < 65535 ? factor : 65535);
}

inline uint8_t code_limit(uint8_t maximum, uint16_t bound, uint16_t threshold, uint32_t factor) {
  const uint32_t slack = bound > threshold ? (uint32_t)(bound - threshold) : 0;
  const uint32_t less = ((slack < 65535 ? slack + 1 : 65535) * factor >> 16) + 1;
  return (uint8_t)(maximum > less ? maximum - less : 0);
}

// By halves; a window of a clustered term may hold thousands.
inline void find_documents(const uint16_t* ids, const uint32_t* starts, const uint32_t* documents,
                           size_t count, uint32_t* postings) {
  for (size_t i = 0; i < count; ++i) {
    const uint32_t window = documents[i] / (kTermBlock * kTermBlocks), end = starts[window + 1];
    const uint16_t id = (uint16_t)documents[i];
    uint32_t at = starts[window], left = end - at;
    while (left > 1) {
      const uint32_t half = left / 2;
      at += ids[at + half] <= id ? half : 0;
      left -= half;
    }
    postings[i] = at < end && ids[at] == id ? at : kNoTermPosting;
  }
}

}  // namespace
}  // namespace vecstore::simd
