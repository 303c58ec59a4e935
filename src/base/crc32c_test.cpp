#include "base/crc32c.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string_view>
#include <vector>

namespace vecstore {
namespace {

std::span<const std::byte> bytes_of(std::string_view s) { return std::as_bytes(std::span(s)); }

// One bit at a time, straight from the definition.
std::uint32_t bitwise(std::span<const std::byte> data) {
  std::uint32_t crc = ~0u;
  for (std::byte b : data) {
    crc ^= static_cast<std::uint32_t>(b);
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78u : 0);
  }
  return ~crc;
}

TEST(Crc32c, PublishedValues) {
  EXPECT_EQ(crc32c({}), 0u);
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xE3069283u);
  EXPECT_EQ(crc32c_portable(bytes_of("123456789")), 0xE3069283u);
  EXPECT_EQ(crc32c(std::vector<std::byte>(32, std::byte{0})), 0x8A9136AAu);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::vector<std::byte>(32, std::byte{0xFF})), 0x62A8AB43u);
}

TEST(Crc32c, EveryLengthAndSplitEqualsTheDefinition) {
  std::mt19937 rng(7);
  std::vector<std::byte> data(20000);
  for (std::byte& b : data) b = static_cast<std::byte>(rng());
  for (std::size_t n = 0; n < data.size(); n += n < 1100 ? 1 : 613) {
    const std::size_t at = rng() % std::min<std::size_t>(64, data.size() - n);
    const auto part = std::span<const std::byte>(data).subspan(at, n);
    const std::uint32_t expected = bitwise(part);
    ASSERT_EQ(crc32c(part), expected) << n;
    ASSERT_EQ(crc32c_portable(part), expected) << n;
    const std::size_t cut = n ? rng() % n : 0;
    ASSERT_EQ(crc32c(part.subspan(cut), crc32c(part.first(cut))), expected) << n << " cut at " << cut;
    ASSERT_EQ(crc32c_portable(part.subspan(cut), crc32c(part.first(cut))), expected)
        << n << " cut at " << cut;
  }
}

}  // namespace
}  // namespace vecstore
