// Sketch kernels for every CPU.
#include <stddef.h>
#include <stdint.h>

#include "simd/sketch_kernels.hpp"

namespace vecstore::simd {
namespace {

void hadamard(float* values, const float* signs, size_t count) {
  for (size_t i = 0; i < count; ++i) values[i] *= signs[i];
  for (size_t half = 1; half < count; half *= 2) {
    for (size_t begin = 0; begin < count; begin += 2 * half) {
      for (size_t i = begin; i < begin + half; ++i) {
        const float a = values[i], b = values[i + half];
        values[i] = a + b;
        values[i + half] = a - b;
      }
    }
  }
}

void set_signs(const float* values, uint64_t* group, size_t lane, size_t words) {
  for (size_t w = 0; w < words; ++w) {
    uint64_t bits = 0;
    for (size_t i = 0; i < 64; ++i) {
      uint32_t value;
      __builtin_memcpy(&value, values + w * 64 + i, sizeof value);
      bits |= (uint64_t)(~value >> 31) << i;
    }
    group[w * kSketchRows + lane] = bits;
  }
}

// In pairs, fours and bytes at once: a library's popcount is a call where the CPU has no instruction.
uint64_t count_bits(uint64_t x) {
  x -= x >> 1 & 0x5555555555555555;
  x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return x * 0x0101010101010101 >> 56;
}

size_t scan(const uint64_t* query, const uint64_t* groups, size_t words, size_t first, size_t last,
            uint32_t limit, uint32_t* distances) {
  for (size_t g = first; g < last; ++g) {
    const uint64_t* group = groups + g * words * kSketchRows;
    uint64_t sums[kSketchRows] = {};
    for (size_t w = 0; w < words; ++w) {
      for (size_t r = 0; r < kSketchRows; ++r) sums[r] += count_bits(query[w] ^ group[w * kSketchRows + r]);
    }
    bool any = false;
    for (size_t r = 0; r < kSketchRows; ++r) {
      distances[r] = (uint32_t)sums[r];
      any |= distances[r] <= limit;
    }
    if (any) return g;
  }
  return last;
}

int32_t sum_set(const int8_t* query, const uint64_t* group, size_t lane, size_t words) {
  int32_t sum = 0;
  for (size_t w = 0; w < words; ++w) {
    const uint64_t bits = group[w * kSketchRows + lane];
    for (size_t i = 0; i < 64; ++i) sum += query[w * 64 + i] & -(int32_t)(bits >> i & 1);
  }
  return sum;
}

}  // namespace

const SketchKernels kScalarSketchKernels = {hadamard, set_signs, scan, sum_set};

}  // namespace vecstore::simd
