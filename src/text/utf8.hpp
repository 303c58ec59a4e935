// UTF-8 that may be damaged: a byte that belongs to no valid sequence is a character of its own.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vecstore::text {

inline constexpr char32_t kInvalidByte = 0xFFFFFFFF;

struct Decoded {
  char32_t code_point;  ///< kInvalidByte for a byte that belongs to no valid sequence
  unsigned length;      ///< bytes consumed, at least 1
};

/// The character at `pos` (< s.size()). Overlong forms, surrogates and values above U+10FFFF are invalid.
Decoded decode(std::string_view s, std::size_t pos);

/// How many characters `decode` finds. `valid`: s is known to be valid UTF-8, which is much faster.
std::size_t count_characters(std::string_view s, bool valid);

void append_utf8(std::string& out, char32_t code_point);

}  // namespace vecstore::text
