#include "simd/column_kernels.hpp"
#include "simd/column_loops.hpp"

namespace vecstore::simd {
namespace {

template <class T>
void in_range(const T* values, size_t size, T first, T count, uint64_t* words) {
  in_range_from<T>(0, values, size, first, count, words);
}

void in_set_8(const uint8_t* values, size_t size, const uint64_t* set, uint64_t* words) {
  in_set_from(0, values, size, set, words);
}

uint64_t deposit(uint64_t bits, uint64_t mask) {
  if (mask == ~(uint64_t)0) return bits;
  uint64_t out = 0;
  for (; bits != 0 && mask != 0; bits >>= 1, mask &= mask - 1) {
    if (bits & 1) out |= mask & (~mask + 1);
  }
  return out;
}

uint64_t extract(uint64_t bits, uint64_t mask) {
  if (mask == ~(uint64_t)0) return bits;
  uint64_t out = 0;
  for (uint64_t bit = 1; mask != 0; bit <<= 1, mask &= mask - 1) {
    if (bits & mask & (~mask + 1)) out |= bit;
  }
  return out;
}

void spread_bits(const uint64_t* places, const uint64_t* present, size_t words, uint64_t* rows) {
  spread_bits_by(deposit, places, present, words, rows);
}

void gather_bits(const uint64_t* rows, const uint64_t* present, size_t words, uint64_t* places) {
  gather_bits_by(extract, rows, present, words, places);
}

}  // namespace

const ColumnKernels kScalarColumnKernels = {in_range<uint8_t>, in_range<uint16_t>, in_range<uint32_t>,
                                            in_set_8,          spread_bits,        gather_bits};

}  // namespace vecstore::simd
