#include "text/utf8.hpp"

namespace vecstore::text {
namespace {

bool is_continuation(unsigned char c) { return (c & 0xC0) == 0x80; }

}  // namespace

Decoded decode(std::string_view s, std::size_t pos) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[pos + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const unsigned length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length == 0 || s.size() - pos < length) return {kInvalidByte, 1};
  char32_t cp = lead & (0x7FU >> length);
  for (unsigned i = 1; i < length; ++i) {
    if (!is_continuation(byte(i))) return {kInvalidByte, 1};
    cp = (cp << 6) | (byte(i) & 0x3FU);
  }
  const bool overlong = (length == 3 && cp < 0x800) || (length == 4 && cp < 0x10000);
  if (overlong || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF)) return {kInvalidByte, 1};
  return {cp, length};
}

std::size_t count_characters(std::string_view s, bool valid) {
  std::size_t count = 0;
  if (valid) {
    for (const char c : s) count += !is_continuation(static_cast<unsigned char>(c));
    return count;
  }
  for (std::size_t pos = 0; pos < s.size(); pos += decode(s, pos).length) ++count;
  return count;
}

void append_utf8(std::string& out, char32_t cp) {
  const auto put = [&](char32_t v) { out.push_back(static_cast<char>(v)); };
  if (cp < 0x80) {
    put(cp);
  } else if (cp < 0x800) {
    put(0xC0 | (cp >> 6));
    put(0x80 | (cp & 0x3F));
  } else if (cp < 0x10000) {
    put(0xE0 | (cp >> 12));
    put(0x80 | ((cp >> 6) & 0x3F));
    put(0x80 | (cp & 0x3F));
  } else {
    put(0xF0 | (cp >> 18));
    put(0x80 | ((cp >> 12) & 0x3F));
    put(0x80 | ((cp >> 6) & 0x3F));
    put(0x80 | (cp & 0x3F));
  }
}

}  // namespace vecstore::text
