#include "base/crc32c.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace vecstore {

namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // bits reversed: bit 31 is x^0

constexpr std::uint32_t times_x(std::uint32_t v) { return (v >> 1) ^ (v & 1 ? kPolynomial : 0); }

using SliceTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr SliceTables make_slices() {
  SliceTables t{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t v = i;
    for (int bit = 0; bit < 8; ++bit) v = times_x(v);
    t[0][i] = v;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t i = 0; i < 256; ++i) t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 255];
  }
  return t;
}

constexpr SliceTables kSlices = make_slices();

std::uint64_t load64(const std::byte* p) {
  std::uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}

#if defined(__x86_64__)
constexpr std::size_t kLanes = 4;
constexpr std::size_t kMaxLaneWords = 256;

// kShift[w] = x^(64 w - 33): the carry-less product of a CRC with it, reduced by one more step of the
// instruction, is that CRC after w further words of zeros.
constexpr auto make_shifts() {
  std::array<std::uint32_t, (kLanes - 1) * kMaxLaneWords + 1> t{};
  std::uint32_t v = 1;  // x^31
  for (std::size_t w = 1; w < t.size(); ++w) {
    t[w] = v;
    for (int i = 0; i < 64; ++i) v = times_x(v);
  }
  return t;
}

constexpr auto kShift = make_shifts();

__attribute__((target("sse4.2,pclmul"))) inline __m128i shifted(std::uint64_t crc, std::size_t words) {
  return _mm_clmulepi64_si128(_mm_cvtsi32_si128(static_cast<int>(crc)),
                              _mm_cvtsi32_si128(static_cast<int>(kShift[words])), 0);
}

// The instruction takes three cycles and one can start in each, so independent lanes run side by side.
__attribute__((target("sse4.2,pclmul"))) std::uint64_t four_lanes(const std::byte* p, std::size_t words,
                                                                  std::uint64_t crc) {
  const std::size_t lane = words * 8;
  std::uint64_t a = crc, b = 0, c = 0, d = 0;
  for (std::size_t i = 0; i < lane; i += 8) {
    a = _mm_crc32_u64(a, load64(p + i));
    b = _mm_crc32_u64(b, load64(p + lane + i));
    c = _mm_crc32_u64(c, load64(p + 2 * lane + i));
    d = _mm_crc32_u64(d, load64(p + 3 * lane + i));
  }
  const __m128i sum =
      _mm_xor_si128(_mm_xor_si128(shifted(a, 3 * words), shifted(b, 2 * words)), shifted(c, words));
  return _mm_crc32_u64(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(sum))) ^ d;
}

__attribute__((target("sse4.2,pclmul"))) std::uint32_t crc32c_hardware(const std::byte* p, std::size_t size,
                                                                       std::uint32_t seed) {
  std::uint64_t crc = ~seed;
  while (size >= 256) {
    const std::size_t words = std::min(size / (8 * kLanes), kMaxLaneWords);
    crc = four_lanes(p, words, crc);
    p += words * 8 * kLanes;
    size -= words * 8 * kLanes;
  }
  for (; size >= 8; p += 8, size -= 8) crc = _mm_crc32_u64(crc, load64(p));
  for (; size > 0; ++p, --size)
    crc = _mm_crc32_u8(static_cast<std::uint32_t>(crc), static_cast<std::uint8_t>(*p));
  return ~static_cast<std::uint32_t>(crc);
}
#endif

}  // namespace

std::uint32_t crc32c_portable(std::span<const std::byte> data, std::uint32_t seed) {
  const std::byte* p = data.data();
  std::size_t size = data.size();
  std::uint32_t crc = ~seed;
  const auto byte = [](std::byte b) { return static_cast<std::uint32_t>(b); };
  for (; size >= 8; p += 8, size -= 8) {
    crc ^= byte(p[0]) | byte(p[1]) << 8 | byte(p[2]) << 16 | byte(p[3]) << 24;
    crc = kSlices[7][crc & 255] ^ kSlices[6][crc >> 8 & 255] ^ kSlices[5][crc >> 16 & 255] ^
          kSlices[4][crc >> 24] ^ kSlices[3][byte(p[4])] ^ kSlices[2][byte(p[5])] ^ kSlices[1][byte(p[6])] ^
          kSlices[0][byte(p[7])];
  }
  for (; size > 0; ++p, --size) crc = (crc >> 8) ^ kSlices[0][(crc ^ byte(*p)) & 255];
  return ~crc;
}

std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t seed) {
#if defined(__x86_64__)
  static const bool hardware = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
  if (hardware) return crc32c_hardware(data.data(), data.size(), seed);
#endif
  return crc32c_portable(data, seed);
}

}  // namespace vecstore
