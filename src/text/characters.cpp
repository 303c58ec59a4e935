#include "text/characters.hpp"

#include <utf8proc.h>

#include "text/utf8.hpp"

namespace vecstore::text {
namespace {

enum class Case { kUpper, kLower, kOther, kMark };

Case case_of(char32_t c) {
  if (c < 0x80)
    return c >= 'A' && c <= 'Z' ? Case::kUpper : c >= 'a' && c <= 'z' ? Case::kLower : Case::kOther;
  if (c == kInvalidByte) return Case::kOther;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
      return Case::kUpper;
    case UTF8PROC_CATEGORY_LL:
      return Case::kLower;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
      return Case::kMark;
    default:
      return Case::kOther;
  }
}

bool in(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

}  // namespace

std::size_t character_end(std::string_view text, std::size_t pos) {
  Decoded last = decode(text, pos);
  std::size_t end = pos + last.length;
  utf8proc_int32_t state = 0;
  while (last.code_point != kInvalidByte && end < text.size()) {
    if (last.code_point < 0x80 && static_cast<unsigned char>(text[end]) < 0x80 && last.code_point != '\r')
      break;
    const Decoded next = decode(text, end);
    if (next.code_point == kInvalidByte ||
        utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(last.code_point),
                                         static_cast<utf8proc_int32_t>(next.code_point), &state)) {
      break;
    }
    end += next.length;
    last = next;
  }
  return end;
}

bool is_cjk(char32_t c) {
  return in(c, 0x1100, 0x11FF) || in(c, 0x2E80, 0x2FDF) || in(c, 0x3005, 0x3007) || in(c, 0x3041, 0x309F) ||
         in(c, 0x30A1, 0x30FA) || in(c, 0x30FC, 0x30FF) || in(c, 0x3131, 0x318E) || in(c, 0x31F0, 0x31FF) ||
         in(c, 0x3400, 0x4DBF) || in(c, 0x4E00, 0x9FFF) || in(c, 0xA960, 0xA97F) || in(c, 0xAC00, 0xD7FF) ||
         in(c, 0xF900, 0xFAFF) || in(c, 0xFF66, 0xFFDC) || in(c, 0x1B100, 0x1B16F) || in(c, 0x20000, 0x3FFFF);
}

void split_identifier(std::string_view text, std::size_t start, std::size_t end,
                      std::vector<IdentifierPart>& parts) {
  Case last = Case::kOther;
  std::size_t last_pos = start;
  std::size_t part = start;
  for (std::size_t pos = start; pos < end;) {
    const Decoded d = decode(text, pos);
    const Case now = case_of(d.code_point);
    if (now != Case::kMark) {
      std::size_t cut = part;
      if (now == Case::kUpper && last != Case::kUpper) cut = pos;
      if (now == Case::kLower && last == Case::kUpper) cut = last_pos;
      if (cut > part) {
        parts.push_back({part, cut});
        part = cut;
      }
      last = now;
      last_pos = pos;
    }
    pos += d.length;
  }
  if (part < end) parts.push_back({part, end});
}

}  // namespace vecstore::text
