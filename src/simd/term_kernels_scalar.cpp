// Term kernels for every CPU.
#include "simd/term_kernels_scalar.hpp"
#include "simd/term_kernels.hpp"

namespace vecstore::simd {
namespace {

void add_dense(const DenseTerm* terms, size_t count, size_t words, uint16_t* sums) {
  for (size_t t = 0; t < count; ++t) {
    const uint8_t* codes = terms[t].codes;
    for (size_t w = 0; w < words; ++w)
      codes += add_bits(terms[t].bits[w], codes, terms[t].weight, sums + 64 * w);
  }
}

size_t collect(uint16_t* sums, size_t words, uint16_t threshold, const uint64_t* allowed, uint16_t* places,
               uint16_t* values) {
  size_t found = 0;
  for (size_t i = 0; i < 64 * words; ++i) {
    const uint16_t sum = sums[i];
    sums[i] = 0;
    if (sum < threshold || (allowed && !(allowed[i / 64] >> (i % 64) & 1))) continue;
    places[found] = (uint16_t)i;
    values[found++] = sum;
  }
  return found;
}

}  // namespace

const TermKernels kScalarTermKernels = {4, add_sparse, add_dense, collect};

}  // namespace vecstore::simd
