// BitWriter, BitReader: small numbers in few bits, for posting lists.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace vecstore::inverted {

/// A number v with parameter k (Rice): v >> k zeros, a one, the k low bits; where that were 24 zeros or more:
/// 24 zeros, a one, 32 bits. Frozen: lists in files are made of it.
inline constexpr unsigned kRiceLimit = 24;
inline constexpr unsigned kMostRiceParameter = 31;

inline std::uint64_t rice_bits(std::uint32_t v, unsigned k) {
  const std::uint32_t q = v >> k;
  return q < kRiceLimit ? q + 1 + k : kRiceLimit + 1 + 32;
}
/// A good parameter for numbers with this sum.
inline unsigned rice_parameter(std::uint64_t sum, std::uint64_t count) {
  // The best one is about log2(mean * ln 2).
  const std::uint64_t scaled = count == 0 ? 0 : (sum * 11 / count + 8) / 16;
  return scaled == 0 ? 0 : std::min<unsigned>(std::bit_width(scaled) - 1, kMostRiceParameter);
}

/// Appends to a string, lowest bits first.
class BitWriter {
 public:
  explicit BitWriter(std::string& out) : out_(out) {}
  /// `bits` <= 56; value < 2^bits.
  void put(std::uint64_t value, unsigned bits) {
    word_ |= value << used_;
    used_ += bits;
    while (used_ >= 8) {
      out_.push_back(static_cast<char>(word_));
      word_ >>= 8;
      used_ -= 8;
    }
    written_ += bits;
  }
  void put_rice(std::uint32_t v, unsigned k) {
    const std::uint32_t q = v >> k;
    if (q < kRiceLimit) {
      put(std::uint64_t{1} << q, q + 1);
      put(v & ((std::uint64_t{1} << k) - 1), k);
    } else {
      put(std::uint64_t{1} << kRiceLimit, kRiceLimit + 1);
      put(v, 32);
    }
  }
  std::uint64_t bits() const { return written_; }
  /// Fills up the last byte.
  void finish() {
    if (used_ != 0) out_.push_back(static_cast<char>(word_));
    word_ = 0;
    used_ = 0;
  }

 private:
  std::string& out_;
  std::uint64_t word_ = 0, written_ = 0;
  unsigned used_ = 0;
};

/// Behind the end there are zeros, so that damaged bytes end in wrong numbers and overrun(), never outside.
class BitReader {
 public:
  explicit BitReader(std::span<const std::byte> bytes, std::uint64_t at = 0)
      : data_(reinterpret_cast<const unsigned char*>(bytes.data())), size_(bytes.size()), at_(at) {}

  /// `bits` <= 56.
  std::uint64_t get(unsigned bits) {
    const std::uint64_t v = peek() & ((std::uint64_t{1} << bits) - 1);
    at_ += bits;
    return v;
  }
  std::uint32_t get_rice(unsigned k) {
    const std::uint64_t word = peek();
    const auto q = static_cast<unsigned>(std::countr_zero(word | std::uint64_t{1} << kRiceLimit));
    if (q == kRiceLimit) [[unlikely]] {
      at_ += kRiceLimit + 1;
      return static_cast<std::uint32_t>(get(32));
    }
    at_ += q + 1 + k;
    return q << k | static_cast<std::uint32_t>(word >> (q + 1) & ((std::uint64_t{1} << k) - 1));
  }
  std::uint64_t position() const { return at_; }
  bool overrun() const { return at_ > size_ * 8; }

 private:
  std::uint64_t peek() const {
    const std::uint64_t byte = at_ / 8;
    std::uint64_t word = 0;
    if (byte + 8 <= size_) [[likely]]
      std::memcpy(&word, data_ + byte, 8);
    else if (byte < size_)
      std::memcpy(&word, data_ + byte, size_ - byte);
    return word >> (at_ % 8);
  }
  const unsigned char* data_;
  std::uint64_t size_;
  std::uint64_t at_;
};

}  // namespace vecstore::inverted
