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

void add_maxima(const uint8_t* maxima, size_t count, uint16_t weight, uint16_t* bounds) {
  const uint32_t w = weight;
  for (size_t i = 0; i < count; ++i) bounds[i] = (uint16_t)(bounds[i] + (maxima[i] * w >> 8));
}

size_t find_at_least(const uint16_t* values, size_t count, uint16_t limit, uint64_t* bits) {
  size_t found = 0;
  for (size_t i = 0; i < count; i += 64) {
    uint64_t word = 0;
    for (size_t j = 0; j < 64; ++j) word |= (uint64_t)(values[i + j] >= limit) << j;
    bits[i / 64] = word;
    for (; word; word &= word - 1) ++found;
  }
  return found;
}

void code_limits(const uint8_t* maxima, const uint16_t* bounds, size_t count, uint16_t threshold,
                 uint16_t weight, const uint64_t* wanted, uint8_t* limits) {
  const uint32_t factor = limit_factor(weight);
  for (size_t b = 0; b < count; ++b) {
    if (!(wanted[b / 64] >> (b % 64) & 1))
      limits[b] = 255;
    else
      limits[b] = maxima ? code_limit(maxima[b], bounds[b], threshold, factor) : 0;
  }
}

void add_dense_blocks(const DenseTerm* terms, size_t count, const uint32_t* blocks, size_t block_count,
                      uint16_t* sums) {
  for (size_t t = 0; t < count; ++t) {
    for (size_t i = 0; i < block_count; ++i)
      add_bits(terms[t].bits[blocks[i]], terms[t].codes + terms[t].ranks[blocks[i]], terms[t].weight,
               sums + 64 * i);
  }
}

}  // namespace

const TermKernels kScalarTermKernels = {4,
                                        3,
                                        8,
                                        add_sparse,
                                        add_dense,
                                        collect,
                                        add_maxima,
                                        find_at_least,
                                        code_limits,
                                        add_sparse_blocks_plainly,
                                        add_dense_blocks,
                                        find_documents};

}  // namespace vecstore::simd
