// Rounding that compiles to a few instructions everywhere.
#pragma once
#include <bit>
#include <cstdint>

namespace vecstore {

/// The nearest integer (ties to even) of |x| < 2^21. The library's functions are calls on the base ISA.
inline std::int32_t round_small(float x) {
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: one unit is the last bit of the sum
  return std::bit_cast<std::int32_t>(x + kShift) - std::bit_cast<std::int32_t>(kShift);
}

}  // namespace vecstore
