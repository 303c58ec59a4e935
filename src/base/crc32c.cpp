#include "base/crc32c.hpp"

#include <array>

#include "base/crc32c_impl.hpp"

namespace vecstore {

namespace {

using SliceTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr SliceTables make_slices() {
  SliceTables t{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t v = i;
    for (int bit = 0; bit < 8; ++bit) v = detail::crc32c_times_x(v);
    t[0][i] = v;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t i = 0; i < 256; ++i) t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 255];
  }
  return t;
}

constexpr SliceTables kSlices = make_slices();

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
  if (hardware) return detail::crc32c_sse42(data.data(), data.size(), seed);
#endif
  return crc32c_portable(data, seed);
}

}  // namespace vecstore
