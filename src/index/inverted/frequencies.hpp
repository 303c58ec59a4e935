// Frequencies: one byte for the (weighted) frequency of a term in a document.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace vecstore::inverted {

/// Codes 0 to 254 stand for 255 different values, handed out as they come (1, 2, ... 32 from the start); a
/// posting whose value came too late has kEscape, and its value is kept by (term, slot). So every value is
/// exact, and nearly all of them cost one byte.
class Frequencies {
 public:
  static constexpr std::uint8_t kEscape = 255;

  Frequencies() {
    for (std::size_t i = 0; i < kPreset; ++i) values_[i] = static_cast<float>(i + 1);
  }

  std::uint8_t encode(float value, std::uint32_t term, std::uint32_t slot) {
    const auto preset = static_cast<std::size_t>(value < 1 || value > kPreset ? 0 : value);
    if (preset != 0 && static_cast<float>(preset) == value) return static_cast<std::uint8_t>(preset - 1);
    if (const auto known = codes_.find(value); known != codes_.end()) return known->second;
    if (used_ < kEscape) {
      codes_.emplace(value, static_cast<std::uint8_t>(used_));
      values_[used_] = value;
      return static_cast<std::uint8_t>(used_++);
    }
    escaped_[key(term, slot)] = value;
    return kEscape;
  }
  float decode(std::uint8_t code, std::uint32_t term, std::uint32_t slot) const {
    return code != kEscape ? values_[code] : escaped_.at(key(term, slot));
  }
  /// By code; kEscape has none.
  const float* values() const { return values_.data(); }

  std::size_t memory_bytes() const {
    constexpr std::size_t kNode = 32;  // a hash map's node, about
    return sizeof *this + (codes_.size() + escaped_.size()) * kNode;
  }

 private:
  static constexpr std::size_t kPreset = 32;
  static std::uint64_t key(std::uint32_t term, std::uint32_t slot) {
    return std::uint64_t{term} << 32 | slot;
  }

  std::array<float, 256> values_{};
  std::size_t used_ = kPreset;
  std::unordered_map<float, std::uint8_t> codes_;
  std::unordered_map<std::uint64_t, float> escaped_;
};

}  // namespace vecstore::inverted
