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

float set_planes(const float* values, float inverse_step, uint64_t* planes, size_t words) {
  float sum = 0;
  for (size_t w = 0; w < words; ++w) {
    uint64_t middle = 0, last = 0;
    for (size_t i = 0; i < 64; ++i) {
      const float value = values[w * 64 + i];
      const float steps = __builtin_fabsf(value) * inverse_step;
      const uint64_t whole = (uint64_t)(steps >= 1) + (steps >= 2) + (steps >= 3);
      const uint64_t bits = __builtin_signbit(value) ? 3 - whole : whole;
      middle |= (bits >> 1) << i;
      last |= (bits & 1) << i;
      sum += steps * ((float)whole + 0.5f);
    }
    planes[w] = middle;
    planes[words + w] = last;
  }
  return sum;
}

// In pairs, fours and bytes at once: a library's popcount is a call where the CPU has no instruction.
uint64_t count_bits(uint64_t x) {
  x -= x >> 1 & 0x5555555555555555;
  x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return x * 0x0101010101010101 >> 56;
}

size_t scan(const uint64_t* query, const uint64_t* groups, size_t words, size_t count, uint32_t limit,
            SketchHit* hits) {
  size_t found = 0;
  for (size_t g = 0; g < count; ++g) {
    const uint64_t* group = groups + g * words * kSketchRows;
    uint64_t sums[kSketchRows] = {};
    for (size_t w = 0; w < words; ++w) {
      for (size_t r = 0; r < kSketchRows; ++r) sums[r] += count_bits(query[w] ^ group[w * kSketchRows + r]);
    }
    for (size_t r = 0; r < kSketchRows; ++r) {
      hits[found] = SketchHit{(uint32_t)(g * kSketchRows + r), (uint32_t)sums[r]};
      found += sums[r] <= limit;
    }
  }
  return found;
}

int32_t sum_set(const int8_t* query, const uint64_t* words_of_row, size_t stride, size_t words) {
  int32_t sum = 0;
  for (size_t w = 0; w < words; ++w) {
    const uint64_t bits = words_of_row[w * stride];
    for (size_t i = 0; i < 64; ++i) sum += query[w * 64 + i] & -(int32_t)(bits >> i & 1);
  }
  return sum;
}

void sums(const int8_t* query, const uint64_t* groups, size_t words, const SketchHit* hits, size_t count,
          int32_t* out) {
  for (size_t i = 0; i < count; ++i) {
    const size_t g = hits[i].row / kSketchRows, r = hits[i].row % kSketchRows;
    out[i] = sum_set(query, groups + g * words * kSketchRows + r, kSketchRows, words);
  }
}

int32_t plane_sum(const int8_t* query, const uint64_t* planes, size_t words) {
  return 2 * sum_set(query, planes, 1, words) + sum_set(query, planes + words, 1, words);
}

}  // namespace

const SketchKernels kScalarSketchKernels = {hadamard, set_signs, set_planes, scan, sums, plane_sum};

}  // namespace vecstore::simd
