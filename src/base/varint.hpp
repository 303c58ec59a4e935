// Unsigned LEB128 and zigzag: small numbers in few bytes, the same on every machine.
#pragma once
#include <cstdint>
#include <string>

namespace vecstore {

inline constexpr int kMaxVarintBytes = 10;

inline void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

/// Reads one number and moves `p` behind it. False when it does not end before `end` or does not fit 64 bits;
/// `p` is then unspecified.
inline bool get_varint(const char*& p, const char* end, std::uint64_t& value) noexcept {
  if (p != end && static_cast<unsigned char>(*p) < 0x80) {  // Nearly always: one byte.
    value = static_cast<unsigned char>(*p++);
    return true;
  }
  value = 0;
  for (int shift = 0; shift < 64 && p != end; shift += 7) {
    const auto byte = static_cast<unsigned char>(*p++);
    if (shift == 63 && byte > 1) return false;
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

inline constexpr std::uint64_t zigzag(std::int64_t value) noexcept {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
inline constexpr std::int64_t unzigzag(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

}  // namespace vecstore
