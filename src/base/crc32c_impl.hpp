// What the forms of crc32c share.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vecstore::detail {

inline constexpr std::uint32_t kCrc32cPolynomial = 0x82F63B78;  // bits reversed: bit 31 is x^0

constexpr std::uint32_t crc32c_times_x(std::uint32_t v) { return (v >> 1) ^ (v & 1 ? kCrc32cPolynomial : 0); }

/// With the instructions of SSE4.2 and PCLMUL, which the caller has made sure of.
std::uint32_t crc32c_sse42(const std::byte* p, std::size_t size, std::uint32_t seed);

}  // namespace vecstore::detail
