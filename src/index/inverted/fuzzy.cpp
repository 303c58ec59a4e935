#include "index/inverted/fuzzy.hpp"

#include <algorithm>

namespace vecstore::inverted {

namespace {

/// The code point at the front of `s` and its bytes.
std::uint32_t take(std::string_view s, std::size_t& bytes) {
  constexpr std::uint32_t kNoText = 0x110000;
  const auto lead = static_cast<unsigned char>(s[0]);
  bytes = 1;
  if (lead < 0x80) return lead;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
  if (length == 0 || length > s.size()) return kNoText + lead;
  std::uint32_t point = lead & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto c = static_cast<unsigned char>(s[i]);
    if ((c & 0xc0) != 0x80) return kNoText + lead;
    point = point << 6 | (c & 0x3f);
  }
  bytes = length;
  return point;
}

}  // namespace

FuzzyMatcher::FuzzyMatcher(std::string_view word, std::uint32_t distance) : word_(word), limit_(distance) {
  for (std::size_t at = 0, bytes; at < word.size(); at += bytes)
    wanted_.push_back(take(word.substr(at), bytes));
  for (std::uint32_t j = 0; j <= wanted_.size(); ++j) rows_.push_back(j);
}

std::string_view FuzzyMatcher::leading(std::uint32_t count) const {
  std::size_t at = 0, bytes;
  for (; count > 0 && at < word_.size(); at += bytes, --count) take(word_.substr(at), bytes);
  return word_.substr(0, at);
}

FuzzyMatcher::Result FuzzyMatcher::match(std::string_view term) {
  const std::size_t width = wanted_.size() + 1;
  bool same = true;
  std::size_t i = 0, bytes;
  for (std::size_t at = 0; at < term.size(); at += bytes, ++i) {
    const std::uint32_t point = take(term.substr(at), bytes);
    if (same && i < seen_.size() && seen_[i] == point) continue;
    if (same) {
      same = false;
      seen_.resize(i);
      rows_.resize((i + 1) * width);
    }
    seen_.push_back(point);
    rows_.resize((i + 2) * width);
    const std::uint32_t* before = rows_.data() + i * width;
    std::uint32_t* row = rows_.data() + (i + 1) * width;
    std::uint32_t least = row[0] = static_cast<std::uint32_t>(i + 1);
    for (std::size_t j = 1; j < width; ++j) {
      std::uint32_t d = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + (wanted_[j - 1] != point)});
      if (i > 0 && j > 1 && wanted_[j - 1] == seen_[i - 1] && wanted_[j - 2] == point)
        d = std::min(d, rows_[(i - 1) * width + j - 2] + 1);
      row[j] = d;
      least = std::min(least, d);
    }
    if (least > limit_) return {limit_ + 1, at + bytes};
  }
  // The rows of a longer term before stay; this term ends at its own.
  const std::uint32_t d = rows_[i * width + width - 1];
  return {std::min(d, limit_ + 1), 0};
}

}  // namespace vecstore::inverted
