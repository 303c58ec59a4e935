// RowBits: a set of rows of a fixed range, one bit each.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/count_bits.hpp"

namespace vecstore {

/// Rows 0 to size - 1. Bits beyond are never set. Operations on two sets want equal sizes.
class RowBits {
 public:
  explicit RowBits(std::size_t size = 0, bool all = false)
      : size_(size), words_((size + 63) / 64, all ? ~std::uint64_t{0} : 0) {
    trim();
  }

  std::size_t size() const noexcept { return size_; }
  bool test(std::size_t row) const noexcept { return (words_[row / 64] >> (row % 64) & 1) != 0; }
  void set(std::size_t row) noexcept { words_[row / 64] |= std::uint64_t{1} << (row % 64); }
  void reset(std::size_t row) noexcept { words_[row / 64] &= ~(std::uint64_t{1} << (row % 64)); }
  std::size_t count() const noexcept { return count_bits(words_); }
  /// The first row of the set from `row` on; size() when there is none.
  std::size_t next(std::size_t row) const noexcept {
    if (row >= size_) return size_;
    std::size_t i = row / 64;
    std::uint64_t w = words_[i] & ~std::uint64_t{0} << (row % 64);
    while (w == 0) {
      if (++i == words_.size()) return size_;
      w = words_[i];
    }
    return i * 64 + static_cast<std::size_t>(std::countr_zero(w));
  }
  bool none() const noexcept {
    for (const std::uint64_t w : words_) {
      if (w != 0) return false;
    }
    return true;
  }

  RowBits& operator|=(const RowBits& o) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= o.words_[i];
    return *this;
  }
  RowBits& operator&=(const RowBits& o) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= o.words_[i];
    return *this;
  }
  /// Without the rows of `o`.
  RowBits& operator-=(const RowBits& o) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= ~o.words_[i];
    return *this;
  }
  /// Adds the rows of a smaller set, the first of which is row `first` here.
  void add(const RowBits& part, std::size_t first) noexcept {
    const std::size_t word = first / 64, shift = first % 64;
    for (std::size_t i = 0; i < part.words_.size(); ++i) {
      words_[word + i] |= part.words_[i] << shift;
      if (shift > 0 && word + i + 1 < words_.size()) words_[word + i + 1] |= part.words_[i] >> (64 - shift);
    }
  }
  /// Rows first to first + size - 1, as a set of their own; what is beyond this one is not in it.
  RowBits slice(std::size_t first, std::size_t size) const {
    RowBits out(size);
    const std::size_t word = first / 64, shift = first % 64;
    for (std::size_t i = 0; i < out.words_.size() && word + i < words_.size(); ++i) {
      out.words_[i] = words_[word + i] >> shift;
      if (shift > 0 && word + i + 1 < words_.size()) out.words_[i] |= words_[word + i + 1] << (64 - shift);
    }
    out.trim();
    return out;
  }
  /// Removes the rows of a smaller set, the first of which is row `first` here.
  void remove(const RowBits& part, std::size_t first) noexcept {
    const std::size_t word = first / 64, shift = first % 64;
    for (std::size_t i = 0; i < part.words_.size() && word + i < words_.size(); ++i) {
      words_[word + i] &= ~(part.words_[i] << shift);
      if (shift > 0 && word + i + 1 < words_.size())
        words_[word + i + 1] &= ~(part.words_[i] >> (64 - shift));
    }
  }
  /// Adds rows first to end - 1.
  void add_range(std::size_t first, std::size_t end) noexcept {
    for (; first < end && first % 64 != 0; ++first) set(first);
    for (; first + 64 <= end; first += 64) words_[first / 64] = ~std::uint64_t{0};
    for (; first < end; ++first) set(first);
  }
  RowBits& flip() noexcept {
    for (std::uint64_t& w : words_) w = ~w;
    trim();
    return *this;
  }
  /// Calls f(row) for each row of the set, ascending.
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      for (std::uint64_t w = words_[i]; w != 0; w &= w - 1)
        f(i * 64 + static_cast<std::size_t>(std::countr_zero(w)));
    }
  }
  std::span<const std::uint64_t> words() const noexcept { return words_; }
  /// Whoever writes leaves the bits behind the last row alone.
  std::span<std::uint64_t> words() noexcept { return words_; }

  bool operator==(const RowBits&) const = default;

 private:
  void trim() noexcept {
    if (size_ % 64 != 0) words_.back() &= (std::uint64_t{1} << (size_ % 64)) - 1;
  }

  std::size_t size_;
  std::vector<std::uint64_t> words_;
};

}  // namespace vecstore
