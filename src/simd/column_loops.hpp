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

inline void in_set_from(size_t begin, const uint8_t* values, size_t size, const uint64_t* set,
                        uint64_t* words) {
  for (size_t i = begin; i < size; i += 64) {
    const size_t n = size - i < 64 ? size - i : 64;
    uint64_t bits = 0;
    for (size_t j = 0; j < n; ++j) bits |= (set[values[i + j] / 64] >> (values[i + j] % 64) & 1) << j;
    words[i / 64] |= bits;
  }
}

/// A set of bytes by their low half: bit h of low[l] tells of 16 h + l, bit h of high[l] of 128 + 16 h + l.
struct HalvesOfSet {
  uint8_t low[16] = {}, high[16] = {};
  explicit HalvesOfSet(const uint64_t* set) {
    for (unsigned v = 0; v < 256; ++v) {
      uint8_t* const half = v < 128 ? low : high;
      half[v % 16] = (uint8_t)(half[v % 16] | (set[v / 64] >> (v % 64) & 1) << (v / 16 % 8));
    }
  }
};
inline constexpr uint8_t kBitOfHalf[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};

/// `deposit` moves the lowest bits of a word to where a mask has bits.
template <class Deposit>
inline void spread_bits_by(Deposit deposit, const uint64_t* places, const uint64_t* present, size_t words,
                           uint64_t* rows) {
  size_t at = 0;
  for (size_t w = 0; w < words; ++w) {
    const size_t count = (size_t)__builtin_popcountll(present[w]), shift = at % 64;
    if (count == 0) continue;
    uint64_t bits = places[at / 64] >> shift;
    if (shift + count > 64) bits |= places[at / 64 + 1] << (64 - shift);
    rows[w] |= deposit(bits, present[w]);
    at += count;
  }
}

/// `extract` moves the bits of a word that a mask has to the lowest places.
template <class Extract>
inline void gather_bits_by(Extract extract, const uint64_t* rows, const uint64_t* present, size_t words,
                           uint64_t* places) {
  size_t at = 0;
  for (size_t w = 0; w < words; ++w) {
    const size_t count = (size_t)__builtin_popcountll(present[w]), shift = at % 64;
    const uint64_t bits = extract(rows[w], present[w]);
    if (bits != 0) places[at / 64] |= bits << shift;
    if (shift + count > 64) places[at / 64 + 1] |= bits >> (64 - shift);
    at += count;
  }
}

}  // namespace
}  // namespace vecstore::simd
