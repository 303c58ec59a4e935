// Splits filter text into tokens that know where they stand.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace vecstore {

struct FilterToken {
  enum class Kind { kEnd, kWord, kQuotedName, kString, kNumber, kParameter, kSign };
  Kind kind = Kind::kEnd;
  std::string text;       // Of a string or quoted name: its content; of a parameter: its name, empty for ?.
  std::size_t begin = 0;  // Bytes.
  std::size_t end = 0;

  bool is_sign(std::string_view sign) const noexcept { return kind == Kind::kSign && text == sign; }
  /// A keyword, in any case. `keyword` is in upper case.
  bool is_word(std::string_view keyword) const noexcept;
};

class FilterLexer {
 public:
  /// Throws when the text is not valid UTF-8. The text must outlive the lexer.
  explicit FilterLexer(std::string_view text);
  FilterToken next();
  /// The token as the user wrote it, for messages: quoted, cut when long, "the end" at the end.
  std::string shown(const FilterToken& token) const;
  /// Throws kInvalidArgument: where, then the message.
  [[noreturn]] void fail_at(std::size_t position, std::string_view message) const;

 private:
  FilterToken quoted(FilterToken token, char quote);
  void number(FilterToken& token);

  std::string_view text_;
  std::size_t pos_ = 0;
};

/// True when the name can stand in a path without quotes.
bool is_plain_name(std::string_view name) noexcept;

}  // namespace vecstore
