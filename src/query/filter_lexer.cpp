#include "query/filter_lexer.hpp"

#include <array>

#include "base/error.hpp"
#include "base/utf8.hpp"

namespace vecstore {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool same_word(std::string_view word, std::string_view keyword) {
  if (word.size() != keyword.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (upper(word[i]) != keyword[i]) return false;
  }
  return true;
}

}  // namespace

bool FilterToken::is_word(std::string_view keyword) const noexcept {
  return kind == Kind::kWord && same_word(text, keyword);
}

FilterLexer::FilterLexer(std::string_view text) : text_(text) {
  if (!valid_utf8(text)) invalid("filter: the text is not valid UTF-8");
}

FilterToken FilterLexer::next() {
  while (pos_ < text_.size() && is_space(text_[pos_])) ++pos_;
  FilterToken token;
  token.begin = token.end = pos_;
  if (pos_ == text_.size()) return token;
  const char c = text_[pos_];
  const char after = pos_ + 1 < text_.size() ? text_[pos_ + 1] : '\0';
  if (c == '\'' || c == '"') return quoted(token, c);
  if (is_letter(c) || (c == ':' && is_letter(after))) {
    token.kind = c == ':' ? FilterToken::Kind::kParameter : FilterToken::Kind::kWord;
    if (c == ':') ++pos_;
    const std::size_t start = pos_;
    while (pos_ < text_.size() && (is_letter(text_[pos_]) || is_digit(text_[pos_]))) ++pos_;
    token.text = text_.substr(start, pos_ - start);
  } else if (is_digit(c) || ((c == '-' || c == '+') && is_digit(after))) {
    number(token);
  } else if (c == '?') {
    token.kind = FilterToken::Kind::kParameter;
    ++pos_;
  } else {
    static constexpr std::array<std::string_view, 15> kSigns = {"==", "!=", "<>", "<=", ">=", "[*]", "=", "<",
                                                                ">",  "(",  ")",  "[",  "]",  ",",   "."};
    for (const std::string_view sign : kSigns) {
      if (!text_.substr(pos_).starts_with(sign)) continue;
      token.kind = FilterToken::Kind::kSign;
      token.text = sign;
      pos_ += sign.size();
      break;
    }
    if (token.kind == FilterToken::Kind::kEnd) {
      fail_at(pos_, concat("unexpected '", c, "'",
                           c == '-' ? "; a name with a hyphen is written \"in double quotes\"" : ""));
    }
  }
  token.end = pos_;
  return token;
}

/// The quote itself is written twice inside.
FilterToken FilterLexer::quoted(FilterToken token, char quote) {
  token.kind = quote == '"' ? FilterToken::Kind::kQuotedName : FilterToken::Kind::kString;
  ++pos_;
  for (;;) {
    const std::size_t end = text_.find(quote, pos_);
    if (end == std::string_view::npos) fail_at(token.begin, concat("the closing ", quote, " is missing"));
    token.text += text_.substr(pos_, end - pos_);
    pos_ = end + 1;
    if (pos_ == text_.size() || text_[pos_] != quote) break;
    token.text += quote;
    ++pos_;
  }
  token.end = pos_;
  return token;
}

void FilterLexer::number(FilterToken& token) {
  const auto digits = [&] {
    while (pos_ < text_.size() && is_digit(text_[pos_])) ++pos_;
  };
  const auto digit_at = [&](std::size_t i) { return i < text_.size() && is_digit(text_[i]); };
  token.kind = FilterToken::Kind::kNumber;
  ++pos_;
  digits();
  if (pos_ < text_.size() && text_[pos_] == '.' && digit_at(pos_ + 1)) {
    ++pos_;
    digits();
  }
  if (pos_ < text_.size() && upper(text_[pos_]) == 'E') {
    const bool sign = pos_ + 1 < text_.size() && (text_[pos_ + 1] == '-' || text_[pos_ + 1] == '+');
    if (digit_at(pos_ + 1 + sign)) {
      pos_ += 1 + sign;
      digits();
    }
  }
  token.text = text_.substr(token.begin, pos_ - token.begin);
  if (pos_ == text_.size()) return;
  const char c = text_[pos_];
  if (c == '-' && digit_at(pos_ + 1)) fail_at(token.begin, "a date is written DATE '2026-02-28'");
  if (is_letter(c) || c == '.')
    fail_at(token.begin, concat("'", token.text, c, "' begins no number; a text stands in single quotes"));
}

std::string FilterLexer::shown(const FilterToken& token) const {
  if (token.kind == FilterToken::Kind::kEnd) return "the end";
  constexpr std::size_t kMost = 40;
  const std::string_view text = text_.substr(token.begin, token.end - token.begin);
  std::size_t cut = std::min(text.size(), kMost);
  while (cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return concat("`", text.substr(0, cut), cut < text.size() ? "...`" : "`");
}

void FilterLexer::fail_at(std::size_t position, std::string_view message) const {
  std::size_t line = 1;
  std::size_t column = 1;
  for (std::size_t i = 0; i < position && i < text_.size(); ++i) {
    if (text_[i] == '\n') {
      ++line;
      column = 1;
    } else if ((static_cast<unsigned char>(text_[i]) & 0xC0) != 0x80) {
      ++column;
    }
  }
  if (line == 1) invalid("filter: at byte ", position, " (column ", column, "): ", message);
  invalid("filter: at byte ", position, " (line ", line, ", column ", column, "): ", message);
}

bool is_plain_name(std::string_view name) noexcept {
  // More than the grammar has to reserve: a name that looks like a keyword is easier to read in quotes.
  static constexpr std::string_view kKeywords[] = {
      "AND", "OR",   "NOT",    "IN",    "BETWEEN",    "LIKE",    "ESCAPE", "CONTAINS", "STARTSWITH",
      "IS",  "NULL", "EXISTS", "MATCH", "GEO_RADIUS", "GEO_BOX", "ANY",    "TRUE",     "FALSE"};
  if (name.empty() || !is_letter(name.front())) return false;
  for (const char c : name) {
    if (!is_letter(c) && !is_digit(c)) return false;
  }
  for (const std::string_view keyword : kKeywords) {
    if (same_word(name, keyword)) return false;
  }
  return true;
}

}  // namespace vecstore
