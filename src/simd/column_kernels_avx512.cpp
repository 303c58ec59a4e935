// Column kernels for AVX-512 (F, BW).
#if defined(__AVX512F__) && defined(__AVX512BW__)
#include <immintrin.h>

#include "simd/column_kernels.hpp"
#include "simd/column_loops.hpp"

namespace vecstore::simd {
namespace {

void in_range_8(const uint8_t* values, size_t size, uint8_t first, uint8_t count, uint64_t* words) {
  const __m512i begin = _mm512_set1_epi8((char)first), end = _mm512_set1_epi8((char)count);
  size_t i = 0;
  for (; i + 64 <= size; i += 64)
    words[i / 64] |= _mm512_cmplt_epu8_mask(_mm512_sub_epi8(_mm512_loadu_si512(values + i), begin), end);
  in_range_from<uint8_t>(i, values, size, first, count, words);
}

void in_range_16(const uint16_t* values, size_t size, uint16_t first, uint16_t count, uint64_t* words) {
  const __m512i begin = _mm512_set1_epi16((short)first), end = _mm512_set1_epi16((short)count);
  size_t i = 0;
  for (; i + 64 <= size; i += 64) {
    uint64_t bits = 0;
    for (size_t j = 0; j < 64; j += 32) {
      const __m512i x = _mm512_sub_epi16(_mm512_loadu_si512(values + i + j), begin);
      bits |= (uint64_t)_mm512_cmplt_epu16_mask(x, end) << j;
    }
    words[i / 64] |= bits;
  }
  in_range_from<uint16_t>(i, values, size, first, count, words);
}

void in_range_32(const uint32_t* values, size_t size, uint32_t first, uint32_t count, uint64_t* words) {
  const __m512i begin = _mm512_set1_epi32((int)first), end = _mm512_set1_epi32((int)count);
  size_t i = 0;
  for (; i + 64 <= size; i += 64) {
    uint64_t bits = 0;
    for (size_t j = 0; j < 64; j += 16) {
      const __m512i x = _mm512_sub_epi32(_mm512_loadu_si512(values + i + j), begin);
      bits |= (uint64_t)_mm512_cmplt_epu32_mask(x, end) << j;
    }
    words[i / 64] |= bits;
  }
  in_range_from<uint32_t>(i, values, size, first, count, words);
}

void spread_bits(const uint64_t* places, const uint64_t* present, size_t words, uint64_t* rows) {
  const auto deposit = [](uint64_t bits, uint64_t mask) -> uint64_t { return _pdep_u64(bits, mask); };
  spread_bits_by(deposit, places, present, words, rows);
}

void gather_bits(const uint64_t* rows, const uint64_t* present, size_t words, uint64_t* places) {
  const auto extract = [](uint64_t bits, uint64_t mask) -> uint64_t { return _pext_u64(bits, mask); };
  gather_bits_by(extract, rows, present, words, places);
}

}  // namespace

const ColumnKernels kAvx512ColumnKernels = {in_range_8, in_range_16, in_range_32, spread_bits, gather_bits};

}  // namespace vecstore::simd
#endif
