#include "models/char_classes.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstddef>

#include "models/char_ranges.hpp"

namespace vecstore::models {
namespace {

utf8proc_int32_t as_int(char32_t c) { return static_cast<utf8proc_int32_t>(c); }

template <std::size_t kCount>
bool within(const CharRange (&ranges)[kCount], char32_t c) {
  const CharRange* behind = std::upper_bound(
      ranges, ranges + kCount, c, [](char32_t value, const CharRange& r) { return value < r.first; });
  return behind != ranges && c <= behind[-1].last;
}

}  // namespace

bool is_bert_control(char32_t c) {
  if (c < 0x80) return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
  return within(kControlRanges, c);
}

bool is_bert_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
         c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool is_bert_punctuation(char32_t c) {
  if (c < 0x80)
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  return within(kPunctuationRanges, c);
}

bool is_bert_ideograph(char32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
         (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

bool is_bert_accent(char32_t c) { return within(kAccentRanges, c); }

char32_t bert_lower(char32_t c) { return static_cast<char32_t>(utf8proc_tolower(as_int(c))); }

int decompose(char32_t c, char32_t out[4]) {
  utf8proc_int32_t buffer[4];
  const auto n = utf8proc_decompose_char(as_int(c), buffer, 4, UTF8PROC_DECOMPOSE, nullptr);
  if (n < 1 || n > 4) {
    out[0] = c;
    return 1;
  }
  for (int i = 0; i < n; ++i) out[i] = static_cast<char32_t>(buffer[i]);
  return static_cast<int>(n);
}

int combining_class(char32_t c) { return utf8proc_get_property(as_int(c))->combining_class; }

}  // namespace vecstore::models
