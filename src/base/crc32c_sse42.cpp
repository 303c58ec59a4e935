// CRC32C by the CPU's instruction; the flags of this file allow SSE4.2 and PCLMUL.
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "base/crc32c_impl.hpp"

namespace vecstore {
namespace {

std::uint64_t load64(const std::byte* p) {
  std::uint64_t v;
  memcpy(&v, p, 8);
  return v;
}

constexpr std::size_t kLanes = 4;
constexpr std::size_t kMaxLaneWords = 256;

// kShift[w] = x^(64 w - 33): the carry-less product of a CRC with it, reduced by one more step of the
// instruction, is that CRC after w further words of zeros.
struct Shifts {
  std::uint32_t of[(kLanes - 1) * kMaxLaneWords + 1];
};
constexpr Shifts make_shifts() {
  Shifts t{};
  std::uint32_t v = 1;  // x^31
  for (std::size_t w = 1; w <= (kLanes - 1) * kMaxLaneWords; ++w) {
    t.of[w] = v;
    for (int i = 0; i < 64; ++i) v = detail::crc32c_times_x(v);
  }
  return t;
}

constexpr auto kShift = make_shifts();

inline __m128i shifted(std::uint64_t crc, std::size_t words) {
  return _mm_clmulepi64_si128(_mm_cvtsi32_si128(static_cast<int>(crc)),
                              _mm_cvtsi32_si128(static_cast<int>(kShift.of[words])), 0);
}

// The instruction takes three cycles and one can start in each, so independent lanes run side by side.
std::uint64_t four_lanes(const std::byte* p, std::size_t words, std::uint64_t crc) {
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

}  // namespace

std::uint32_t detail::crc32c_sse42(const std::byte* p, std::size_t size, std::uint32_t seed) {
  std::uint64_t crc = ~seed;
  while (size >= 256) {
    const std::size_t fitting = size / (8 * kLanes);
    const std::size_t words = fitting < kMaxLaneWords ? fitting : kMaxLaneWords;
    crc = four_lanes(p, words, crc);
    p += words * 8 * kLanes;
    size -= words * 8 * kLanes;
  }
  for (; size >= 8; p += 8, size -= 8) crc = _mm_crc32_u64(crc, load64(p));
  for (; size > 0; ++p, --size)
    crc = _mm_crc32_u8(static_cast<std::uint32_t>(crc), static_cast<std::uint8_t>(*p));
  return ~static_cast<std::uint32_t>(crc);
}

}  // namespace vecstore
#endif
