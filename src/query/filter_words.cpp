#include "query/filter_words.hpp"

#include <cstring>

#include <algorithm>

#include "base/error.hpp"
#include "query/filter_ast.hpp"

namespace vecstore {

char32_t next_code_point(std::string_view text, std::size_t& pos) noexcept {
  const auto lead = static_cast<unsigned char>(text[pos]);
  const std::size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (lead < 0x80 || lead < 0xC0 || pos + length > text.size()) {
    ++pos;
    return lead;
  }
  char32_t point = lead & (0xFF >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[pos + i]);
    if ((byte & 0xC0) != 0x80) {
      ++pos;
      return lead;
    }
    point = point << 6 | (byte & 0x3F);
  }
  pos += length;
  return point;
}

LikePattern::LikePattern(std::string_view pattern, std::string_view escape) {
  if (pattern.size() > kMaxLikeBytes) {
    invalid("filter: a LIKE pattern of ", pattern.size(), " bytes; at most ", kMaxLikeBytes, " are allowed");
  }
  bool escaping = false;
  char32_t escape_point = 0;
  if (!escape.empty()) {
    std::size_t end = 0;
    escape_point = next_code_point(escape, end);
    escaping = true;
    if (end != escape.size()) invalid("filter: ESCAPE takes one character");
  }
  pieces_.emplace_back();
  for (std::size_t pos = 0; pos < pattern.size();) {
    std::size_t start = pos;
    char32_t point = next_code_point(pattern, pos);
    if (escaping && point == escape_point) {
      start = pos;
      if (pos < pattern.size()) point = next_code_point(pattern, pos);
      if (start == pos || (point != '%' && point != '_' && point != escape_point)) {
        invalid("filter: in LIKE the escape character stands before %, _ or itself");
      }
    } else if (point == '%') {
      pieces_.emplace_back();
      continue;
    } else if (point == '_') {
      pieces_.back().symbols += kOne;
      pieces_.back().plain = false;
      continue;
    }
    pieces_.back().symbols += point;
    pieces_.back().bytes += pattern.substr(start, pos - start);
  }
  for (Piece& piece : pieces_) piece.prepare();
}

void LikePattern::Piece::prepare() {
  if (plain) return;
  for (const char32_t symbol : symbols) {
    if (symbol != kOne) alphabet.push_back(symbol);
  }
  std::sort(alphabet.begin(), alphabet.end());
  alphabet.erase(std::unique(alphabet.begin(), alphabet.end()), alphabet.end());
  words = (symbols.size() + 63) / 64;
  masks.assign(words * (alphabet.size() + 1), 0);
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    for (std::size_t letter = 0; letter <= alphabet.size(); ++letter) {
      if (symbols[i] == kOne || (letter < alphabet.size() && symbols[i] == alphabet[letter])) {
        masks[letter * words + i / 64] |= std::uint64_t{1} << (i % 64);
      }
    }
  }
}

bool LikePattern::Piece::fits_at(std::string_view text, std::size_t& length) const {
  if (plain) {
    length = bytes.size();
    return text.starts_with(bytes);
  }
  std::size_t pos = 0;
  for (const char32_t symbol : symbols) {
    if (pos == text.size()) return false;
    const char32_t point = next_code_point(text, pos);
    if (symbol != kOne && symbol != point) return false;
  }
  length = pos;
  return true;
}

std::size_t LikePattern::Piece::find(std::string_view text, std::size_t from) const {
  if (plain) {
    if (bytes.empty()) return from;
    if (text.size() - from < bytes.size()) return std::string_view::npos;
    // memmem is linear; string_view::find is not.
    const void* found = memmem(text.data() + from, text.size() - from, bytes.data(), bytes.size());
    if (!found) return std::string_view::npos;
    return static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) + bytes.size();
  }
  // Shift-And: bit i of `state` says that the last i + 1 code points fit the first i + 1 symbols.
  std::vector<std::uint64_t> state(words, 0);
  const std::size_t last = symbols.size() - 1;
  for (std::size_t pos = from; pos < text.size();) {
    const char32_t point = next_code_point(text, pos);
    const auto letter = std::lower_bound(alphabet.begin(), alphabet.end(), point);
    const bool known = letter != alphabet.end() && *letter == point;
    const std::uint64_t* mask =
        &masks[(known ? static_cast<std::size_t>(letter - alphabet.begin()) : alphabet.size()) * words];
    std::uint64_t carry = 1;
    for (std::size_t w = 0; w < words; ++w) {
      const std::uint64_t next = state[w] >> 63;
      state[w] = (state[w] << 1 | carry) & mask[w];
      carry = next;
    }
    if (state[last / 64] >> (last % 64) & 1) return pos;
  }
  return std::string_view::npos;
}

bool LikePattern::matches(std::string_view text) const {
  std::size_t begin = 0;
  if (!pieces_.front().fits_at(text, begin)) return false;
  if (pieces_.size() == 1) return begin == text.size();
  for (std::size_t i = 1; i + 1 < pieces_.size(); ++i) {
    begin = pieces_[i].find(text, begin);
    if (begin == std::string_view::npos) return false;
  }
  // The last piece ends at the end: step back as many code points as it has.
  const Piece& suffix = pieces_.back();
  if (suffix.plain) return text.substr(begin).ends_with(suffix.bytes);
  std::size_t start = text.size();
  for (std::size_t n = suffix.symbols.size(); n > 0; --n) {
    if (start == begin) return false;
    --start;
    while (start > begin && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
  }
  std::size_t length = 0;
  return suffix.fits_at(text.substr(start), length) && start + length == text.size();
}

std::vector<std::string> simple_words(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool upper = c >= 'A' && c <= 'Z';
    const bool part = byte >= 0x80 || upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (part && !inside) words.emplace_back();
    if (part) words.back() += upper ? static_cast<char>(c - 'A' + 'a') : c;
    inside = part;
  }
  return words;
}

}  // namespace vecstore
