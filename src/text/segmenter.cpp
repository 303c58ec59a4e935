#include "text/segmenter.hpp"

#include <utf8proc.h>

#include <array>
#include <cstdint>

#include "text/utf8.hpp"

namespace vecstore::text {
namespace {

enum class Class : std::uint8_t {
  kSeparator,
  kLetter,
  kDigit,
  kKatakana,
  kSingle,      // a segment by itself, with the marks that follow
  kExtend,      // marks and invisible format characters: continue what is there, begin nothing
  kApostrophe,  // joins letters
  kPoint,       // joins digits
  kNonAscii,    // only in the table: look closer
};

constexpr std::array<Class, 256> make_byte_classes() {
  std::array<Class, 256> table{};
  for (int c = 'a'; c <= 'z'; ++c) table[c] = Class::kLetter;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = Class::kLetter;
  for (int c = '0'; c <= '9'; ++c) table[c] = Class::kDigit;
  table['\''] = Class::kApostrophe;
  table['.'] = table[','] = Class::kPoint;
  for (int c = 0x80; c < 0x100; ++c) table[c] = Class::kNonAscii;
  return table;
}
constexpr std::array<Class, 256> kByteClass = make_byte_classes();

bool is_letter_or_digit(Class c) { return c == Class::kLetter || c == Class::kDigit; }

bool in(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

bool written_without_spaces(char32_t c) {
  return in(c, 0x0E00, 0x0EFF) || in(c, 0x1000, 0x109F) ||
         in(c, 0x1780, 0x17FF) ||  // Thai, Lao, Myanmar, Khmer
         in(c, 0x2E80, 0x2FDF) || in(c, 0x3005, 0x3007) || in(c, 0x3041, 0x309F) ||  // radicals, Hiragana
         in(c, 0x3400, 0x4DBF) || in(c, 0x4E00, 0x9FFF) || in(c, 0xF900, 0xFAFF) ||  // ideographs
         in(c, 0x1B100, 0x1B11F) || in(c, 0x1B150, 0x1B152) || in(c, 0x20000, 0x3FFFF);
}

bool is_katakana(char32_t c) {
  return in(c, 0x30A1, 0x30FA) || in(c, 0x30FC, 0x30FF) || in(c, 0x31F0, 0x31FF) || in(c, 0xFF66, 0xFF9F);
}

Class classify(char32_t c) {
  if (c < 0x80) return kByteClass[c];
  if (c == kInvalidByte) return Class::kSeparator;
  if (c == 0x2019 || c == 0xFF07) return Class::kApostrophe;
  if (c == 0x200B)
    return Class::kSeparator;  // zero width space: by its category invisible, by purpose a break
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      if (written_without_spaces(c)) return Class::kSingle;
      return is_katakana(c) ? Class::kKatakana : Class::kLetter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return written_without_spaces(c) && !in(c, 0x0E50, 0x17FF) ? Class::kSingle : Class::kDigit;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
      return Class::kExtend;
    default:
      return Class::kSeparator;
  }
}

/// Whether a character of class `c` may continue a segment whose last character (marks aside) is of class
/// `last`.
bool continues(Class last, Class c) {
  if (last == Class::kKatakana) return c == Class::kKatakana;
  return is_letter_or_digit(last) && is_letter_or_digit(c);
}

}  // namespace

bool Segmenter::next(Segment& out) {
  const std::size_t size = text_.size();
  const auto byte_class = [&](std::size_t i) { return kByteClass[static_cast<unsigned char>(text_[i])]; };
  std::size_t pos = pos_;
  while (pos < size) {
    const Class first = byte_class(pos);
    if (first == Class::kNonAscii) {
      const Decoded d = decode(text_, pos);
      const Class c = classify(d.code_point);
      if (c == Class::kLetter || c == Class::kDigit || c == Class::kKatakana || c == Class::kSingle)
        return next_general(out, pos);
      pos += d.length;
      continue;
    }
    if (!is_letter_or_digit(first)) {
      ++pos;
      continue;
    }
    std::size_t end = pos + 1;
    for (; end < size && end - pos < kMaxSegmentBytes; ++end) {
      const Class c = byte_class(end);
      if (is_letter_or_digit(c)) continue;
      if (c == Class::kNonAscii) return next_general(out, pos);
      const Class joined = c == Class::kApostrophe ? Class::kLetter : Class::kDigit;
      if (c == Class::kSeparator || byte_class(end - 1) != joined || end + 1 >= size) break;
      if (byte_class(end + 1) == Class::kNonAscii) return next_general(out, pos);
      if (byte_class(end + 1) != joined) break;
    }
    out = {pos, end, true};
    pos_ = end;
    return true;
  }
  pos_ = size;
  return false;
}

bool Segmenter::next_general(Segment& out, std::size_t start) {
  Decoded d = decode(text_, start);
  Class last = classify(d.code_point);
  bool ascii = d.code_point < 0x80;
  std::size_t end = start + d.length;
  while (end < text_.size()) {
    d = decode(text_, end);
    const Class c = classify(d.code_point);
    std::size_t length = d.length;
    bool this_ascii = d.code_point < 0x80;
    if (c == Class::kApostrophe || c == Class::kPoint) {
      const Class joined = c == Class::kApostrophe ? Class::kLetter : Class::kDigit;
      if (last != joined || end + length >= text_.size()) break;
      const Decoded after = decode(text_, end + length);
      if (classify(after.code_point) != joined) break;
      length += after.length;
      this_ascii = this_ascii && after.code_point < 0x80;
    } else if (c != Class::kExtend) {
      if (!continues(last, c)) break;
      last = c;
    }
    if (end + length - start > kMaxSegmentBytes) break;
    ascii = ascii && this_ascii;
    end += length;
  }
  out = {start, end, ascii};
  pos_ = end;
  return true;
}

}  // namespace vecstore::text
