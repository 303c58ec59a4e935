// How numbers of different types compare: exactly.
#pragma once
#include <cmath>
#include <compare>
#include <cstdint>

namespace vecstore {

/// Nothing is rounded to double. `b` is finite.
inline std::strong_ordering compare_numbers(std::int64_t a, double b) noexcept {
  constexpr double kTwo63 = 9223372036854775808.0;
  if (b >= kTwo63) return std::strong_ordering::less;
  if (b < -kTwo63) return std::strong_ordering::greater;
  const double floor = std::floor(b);
  const auto whole = static_cast<std::int64_t>(floor);
  if (a != whole) return a <=> whole;
  return floor < b ? std::strong_ordering::less : std::strong_ordering::equal;
}

inline std::strong_ordering compare_numbers(double a, double b) noexcept {
  return a < b   ? std::strong_ordering::less
         : a > b ? std::strong_ordering::greater
                 : std::strong_ordering::equal;
}

}  // namespace vecstore
