// Bytes in and out of stored values: little-endian for contents, big-endian for keys (so that they sort).
#pragma once
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/varint.hpp"

namespace vecstore {

static_assert(std::endian::native == std::endian::little,
              "stored numbers are read in place; a big-endian port needs swaps here");

/// Stored bytes are handled as string_view: cheap to slice, and what the maps and keys want anyway.
inline std::span<const std::byte> as_byte_span(std::string_view s) {
  return {reinterpret_cast<const std::byte*>(s.data()), s.size()};
}

template <class T>
  requires std::is_trivially_copyable_v<T>
T load(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
  requires std::is_trivially_copyable_v<T>
void store(char* p, T v) {
  std::memcpy(p, &v, sizeof v);
}

template <class T>
  requires std::is_arithmetic_v<T>
void put(std::string& out, T v) {
  out.append(reinterpret_cast<const char*>(&v), sizeof v);
}

template <std::unsigned_integral T>
void put_big_endian(std::string& out, T v) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8)
    out += static_cast<char>(v >> shift);
}

template <std::unsigned_integral T>
T load_big_endian(const char* p) {
  T v = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) v = static_cast<T>(v << 8) | static_cast<unsigned char>(p[i]);
  return v;
}

/// Reads stored bytes front to back; running past the end is kCorruption that names what was being read.
class ByteReader {
 public:
  ByteReader(std::string_view bytes, std::string_view what) : rest_(bytes), what_(what) {}

  template <class T>
  T get() {
    need(sizeof(T));
    T v = load<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return v;
  }
  std::uint64_t varint() {
    std::uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = get<std::uint8_t>();
      v |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (!(byte & 0x80)) return v;
    }
    fail(ErrorCode::kCorruption, what_, ": a number is longer than 64 bits");
  }
  std::string_view take(std::uint64_t n) {
    need(n);
    std::string_view v = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return v;
  }
  /// Bytes preceded by their length as a varint.
  std::string_view sized() { return take(varint()); }
  std::string_view rest() const { return rest_; }
  bool empty() const { return rest_.empty(); }

 private:
  void need(std::uint64_t n) const {
    if (n > rest_.size())
      fail(ErrorCode::kCorruption, what_, ": ends after ", rest_.size(), " bytes where ", n, " are needed");
  }
  std::string_view rest_;
  std::string_view what_;
};

inline void put_sized(std::string& out, std::string_view bytes) {
  put_varint(out, bytes.size());
  out += bytes;
}

}  // namespace vecstore
