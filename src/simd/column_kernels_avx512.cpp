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

// Of a byte, its low half chooses a row of the set, its high half a bit there.
void in_set_8(const uint8_t* values, size_t size, const uint64_t* set, uint64_t* words) {
  const HalvesOfSet halves(set);
  const auto table = [](const uint8_t* t) {
    return _mm512_maskz_broadcast_i32x4(0xffff, _mm_loadu_si128((const __m128i*)t));
  };
  const __m512i low = table(halves.low), high = table(halves.high), bit_of = table(kBitOfHalf);
  const __m512i top = _mm512_set1_epi8((char)0x80), half = _mm512_set1_epi8(0x0f);
  const __m512i place = _mm512_or_si512(top, half);
  size_t i = 0;
  for (; i + 64 <= size; i += 64) {
    const __m512i v = _mm512_loadu_si512(values + i);
    // Looking up where the top bit is set finds 0.
    const __m512i rows =
        _mm512_or_si512(_mm512_shuffle_epi8(low, _mm512_and_si512(v, place)),
                        _mm512_shuffle_epi8(high, _mm512_and_si512(_mm512_xor_si512(v, top), place)));
    const __m512i bits = _mm512_shuffle_epi8(bit_of, _mm512_and_si512(_mm512_srli_epi16(v, 4), half));
    words[i / 64] |= _mm512_test_epi8_mask(rows, bits);
  }
  in_set_from(i, values, size, set, words);
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

const ColumnKernels kAvx512ColumnKernels = {in_range_8, in_range_16, in_range_32,
                                            in_set_8,   spread_bits, gather_bits};

}  // namespace vecstore::simd
#endif
