// Column kernels for AVX2.
#if defined(__AVX2__)
#include <immintrin.h>

#include "simd/column_kernels.hpp"
#include "simd/column_loops.hpp"

namespace vecstore::simd {
namespace {

inline __m256i load(const void* p) { return _mm256_loadu_si256((const __m256i*)p); }

// Unsigned x < count is min(x, count - 1) == x for count >= 1.
inline __m256i below_8(const uint8_t* values, __m256i first, __m256i last) {
  const __m256i x = _mm256_sub_epi8(load(values), first);
  return _mm256_cmpeq_epi8(_mm256_min_epu8(x, last), x);
}
inline __m256i below_16(const uint16_t* values, __m256i first, __m256i last) {
  const __m256i x = _mm256_sub_epi16(load(values), first);
  return _mm256_cmpeq_epi16(_mm256_min_epu16(x, last), x);
}
inline __m256i below_32(const uint32_t* values, __m256i first, __m256i last) {
  const __m256i x = _mm256_sub_epi32(load(values), first);
  return _mm256_cmpeq_epi32(_mm256_min_epu32(x, last), x);
}

void in_range_8(const uint8_t* values, size_t size, uint8_t first, uint8_t count, uint64_t* words) {
  if (count == 0) return;
  const __m256i begin = _mm256_set1_epi8((char)first), last = _mm256_set1_epi8((char)(count - 1));
  size_t i = 0;
  for (; i + 64 <= size; i += 64) {
    const uint64_t low = (uint32_t)_mm256_movemask_epi8(below_8(values + i, begin, last));
    const uint64_t high = (uint32_t)_mm256_movemask_epi8(below_8(values + i + 32, begin, last));
    words[i / 64] |= low | high << 32;
  }
  in_range_from<uint8_t>(i, values, size, first, count, words);
}

void in_range_16(const uint16_t* values, size_t size, uint16_t first, uint16_t count, uint64_t* words) {
  if (count == 0) return;
  const __m256i begin = _mm256_set1_epi16((short)first), last = _mm256_set1_epi16((short)(count - 1));
  size_t i = 0;
  for (; i + 64 <= size; i += 64) {
    uint64_t bits = 0;
    for (size_t j = 0; j < 64; j += 32) {
      const __m256i a = below_16(values + i + j, begin, last), b = below_16(values + i + j + 16, begin, last);
      // Packing works within halves of a register.
      const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xd8);
      bits |= (uint64_t)(uint32_t)_mm256_movemask_epi8(bytes) << j;
    }
    words[i / 64] |= bits;
  }
  in_range_from<uint16_t>(i, values, size, first, count, words);
}

void in_range_32(const uint32_t* values, size_t size, uint32_t first, uint32_t count, uint64_t* words) {
  if (count == 0) return;
  const __m256i begin = _mm256_set1_epi32((int)first), last = _mm256_set1_epi32((int)(count - 1));
  size_t i = 0;
  for (; i + 64 <= size; i += 64) {
    uint64_t bits = 0;
    for (size_t j = 0; j < 64; j += 8) {
      const __m256 below = _mm256_castsi256_ps(below_32(values + i + j, begin, last));
      bits |= (uint64_t)(unsigned)_mm256_movemask_ps(below) << j;
    }
    words[i / 64] |= bits;
  }
  in_range_from<uint32_t>(i, values, size, first, count, words);
}

// Of a byte, its low half chooses a row of the set, its high half a bit there.
void in_set_8(const uint8_t* values, size_t size, const uint64_t* set, uint64_t* words) {
  const HalvesOfSet halves(set);
  const auto table = [](const uint8_t* t) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i*)t));
  };
  const __m256i low = table(halves.low), high = table(halves.high), bit_of = table(kBitOfHalf);
  const __m256i top = _mm256_set1_epi8((char)0x80), half = _mm256_set1_epi8(0x0f);
  const __m256i place = _mm256_or_si256(top, half);
  const auto passing = [&](const uint8_t* p) {
    const __m256i v = load(p);
    // Looking up where the top bit is set finds 0.
    const __m256i rows =
        _mm256_or_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(v, place)),
                        _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_xor_si256(v, top), place)));
    const __m256i bits = _mm256_shuffle_epi8(bit_of, _mm256_and_si256(_mm256_srli_epi16(v, 4), half));
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(rows, bits), bits));
  };
  size_t i = 0;
  for (; i + 64 <= size; i += 64) words[i / 64] |= passing(values + i) | passing(values + i + 32) << 32;
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

const ColumnKernels kAvx2ColumnKernels = {in_range_8, in_range_16, in_range_32,
                                          in_set_8,   spread_bits, gather_bits};

}  // namespace vecstore::simd
#endif
