// Text query to tree, by recursive descent; the functions carry the names of the rules in
// docs/text-query.ebnf.
#include <algorithm>
#include <charconv>
#include <optional>

#include "base/error.hpp"
#include "base/utf8.hpp"
#include "text/text_query.hpp"
#include "text/utf8.hpp"

namespace vecstore::text {
namespace {

using Kind = TextQuery::Kind;

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kWideSpace = "\u3000";
constexpr std::string_view kBoosts = "0.000001 to 1000000";  // 1 / kMaxBoost to kMaxBoost
constexpr std::string_view kSigns = "\"()^~*:";

/// Bytes of the white space at `pos`, 0: none. The wide space of East Asian keyboards counts.
std::size_t space_at(std::string_view text, std::size_t pos) {
  if (pos == text.size()) return 0;
  if (kSpace.find(text[pos]) != std::string_view::npos) return 1;
  return text.substr(pos).starts_with(kWideSpace) ? kWideSpace.size() : 0;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Parser {
 public:
  Parser(std::string_view text, std::span<const std::string> fields, Occur words)
      : text_(text), fields_(fields), words_(words) {
    if (text.size() > kMaxTextQueryBytes)
      invalid("text query: ", text.size(), " bytes; the limit is ", kMaxTextQueryBytes);
    if (!valid_utf8(text)) invalid("text query: the text is not valid UTF-8");
  }

  TextQuery query() {
    skip_space();
    if (at_end()) return {};
    TextQuery out = sequence({});
    if (!at_end()) fail_at(pos_, "`)` without a `(`");
    const auto negative = [](const TextQuery& q) { return q.occur == Occur::kMustNot; };
    if (out.kind == Kind::kBool && std::all_of(out.clauses.begin(), out.clauses.end(), negative))
      fail_at(0, "a query has to say what to find, not only what not to find");
    return out;
  }

 private:
  // ---- characters
  bool at_end() const { return pos_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[pos_]; }
  bool take(char c) {
    if (at_end() || text_[pos_] != c) return false;
    ++pos_;
    return true;
  }
  void skip_space() {
    while (const std::size_t length = space_at(text_, pos_)) pos_ += length;
  }
  /// AND, OR, NOT, when they stand alone.
  bool take_keyword(std::string_view keyword) {
    if (!at_keyword(keyword)) return false;
    pos_ += keyword.size();
    skip_space();
    return true;
  }
  bool at_keyword(std::string_view keyword) const {
    if (!text_.substr(pos_).starts_with(keyword)) return false;
    const std::size_t end = pos_ + keyword.size();
    return end == text_.size() || space_at(text_, end) || text_[end] == '(' || text_[end] == ')' ||
           text_[end] == '"';
  }

  // ---- errors
  [[noreturn]] void fail_at(std::size_t position, std::string_view message) const {
    const std::size_t column = count_characters(text_.substr(0, position), true) + 1;
    invalid("text query: at byte ", position, " (column ", column, "): ", message);
  }
  [[noreturn]] void expected(std::string_view what) const {
    if (at_end()) fail_at(pos_, concat("expected ", what, ", found the end"));
    std::size_t end = std::min(text_.size(), pos_ + 40);
    while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80) --end;
    fail_at(pos_, concat("expected ", what, ", found `", text_.substr(pos_, end - pos_),
                         end < text_.size() ? "...`" : "`"));
  }

  // ---- rules
  /// Up to the end or a closing parenthesis. `field` holds for all within that name none.
  TextQuery sequence(const std::string& field) {
    TextQuery out;
    while (!at_end() && peek() != ')') {
      out.clauses.push_back(clause(field));
      skip_space();
    }
    if (out.clauses.size() != 1 || out.clauses[0].occur == Occur::kMustNot) return out;
    TextQuery only = std::move(out.clauses[0]);
    only.occur = Occur::kShould;
    return only;
  }

  TextQuery clause(const std::string& field) {
    const std::size_t start = pos_;
    if (take('+') || take('-')) {
      TextQuery out = operand(field);
      out.occur = text_[start] == '+' ? Occur::kMust : Occur::kMustNot;
      skip_space();
      if (at_keyword("AND") || at_keyword("OR"))
        fail_at(pos_, concat("`", text_[start], "` stands before a clause of its own, not beside AND or OR"));
      return out;
    }
    if (at_keyword("AND") || at_keyword("OR"))
      expected("a word before the operator (a word like it is written in quotes)");
    TextQuery out = disjunction(field);
    if (out.occur != Occur::kMustNot) out.occur = words_;
    return out;
  }

  TextQuery disjunction(const std::string& field) {
    TextQuery first = conjunction(field);
    if (!at_keyword("OR")) return first;
    TextQuery out;
    const auto add = [&](TextQuery q) {
      if (q.occur == Occur::kMustNot) q = group_of(std::move(q));
      q.occur = Occur::kShould;
      out.clauses.push_back(std::move(q));
    };
    add(std::move(first));
    while (take_keyword("OR")) add(conjunction(field));
    return out;
  }

  TextQuery conjunction(const std::string& field) {
    TextQuery first = negation(field);
    if (!at_keyword("AND")) return first;
    TextQuery out;
    const auto add = [&](TextQuery q) {
      if (q.occur != Occur::kMustNot) q.occur = Occur::kMust;
      out.clauses.push_back(std::move(q));
    };
    add(std::move(first));
    while (take_keyword("AND")) add(negation(field));
    return out;
  }

  TextQuery negation(const std::string& field) {
    bool negative = false;
    while (take_keyword("NOT")) negative = !negative;
    TextQuery out = operand(field);
    out.occur = negative ? Occur::kMustNot : Occur::kShould;
    skip_space();
    return out;
  }

  static TextQuery group_of(TextQuery clause) {
    TextQuery out;
    out.clauses.push_back(std::move(clause));
    return out;
  }

  TextQuery operand(const std::string& field) {
    const std::size_t start = pos_;
    std::optional<std::string> name;
    TextQuery out;
    if (peek() != '"' && peek() != '(') {
      std::string text = word();
      if (take(':')) {
        if (std::find(fields_.begin(), fields_.end(), text) == fields_.end())
          fail_at(start, concat("`", text.substr(0, 80), "` is no text field; ", known_fields(),
                                "; a colon inside of a word is written \\:"));
        name = std::move(text);
      } else {
        out = ending(std::move(text));
      }
    }
    const std::string& inside = name ? *name : field;
    if (out.kind == Kind::kBool) {  // nothing yet
      if (peek() == '(') {
        out = group(inside);
      } else if (peek() == '"') {
        out = phrase();
      } else {
        out = ending(word());
      }
    }
    if (out.kind != Kind::kBool && out.field.empty()) out.field = inside;
    if (take('^')) out.boost *= boost();
    if (out.boost > kMaxBoost || out.boost < 1 / kMaxBoost)
      fail_at(start, concat("a boost that all in all is ", out.boost, "; ", kBoosts, " are allowed"));
    if (!at_end() && !space_at(text_, pos_) && peek() != ')')
      expected(peek() == '*' ? "a space (`*` stands only at the end of a word)" : "a space");
    return out;
  }

  TextQuery group(const std::string& field) {
    const std::size_t start = pos_;
    if (++depth_ > kMaxTextQueryDepth)
      fail_at(start, concat("more than ", kMaxTextQueryDepth, " groups deep"));
    ++pos_;
    skip_space();
    if (peek() == ')') expected("a word in the group");
    TextQuery out = sequence(field);
    if (!take(')')) fail_at(start, "the closing `)` is missing");
    --depth_;
    return out;
  }

  TextQuery phrase() {
    const std::size_t start = pos_++;
    TextQuery out = leaf(Kind::kPhrase);
    for (;; ++pos_) {
      if (at_end()) fail_at(start, "the closing `\"` is missing");
      if (take('"')) break;
      if (peek() == '\\') {
        ++pos_;
        if (at_end()) fail_at(start, "the closing `\"` is missing");
      }
      out.text += peek();
    }
    if (take('~')) out.slop = number("a slop", 0, kMaxSlop);
    return out;
  }

  /// A word may have a star or a distance behind it.
  TextQuery ending(std::string text) {
    TextQuery out = leaf(Kind::kWord);
    out.text = std::move(text);
    if (take('*')) {
      out.kind = Kind::kPrefix;
    } else if (take('~')) {
      out.kind = Kind::kFuzzy;
      out.distance = is_digit(peek()) ? number("a distance", 1, kMaxFuzzyDistance) : 1;
    }
    return out;
  }

  TextQuery leaf(Kind kind) {
    if (++leaves_ > kMaxTextQueryClauses)
      fail_at(pos_, concat("more than ", kMaxTextQueryClauses, " words and phrases"));
    TextQuery out;
    out.kind = kind;
    return out;
  }

  std::string word() {
    if (at_keyword("AND") || at_keyword("OR") || at_keyword("NOT"))
      expected("a word (one like this is written in quotes)");
    std::string out;
    const char first = peek();
    if (first != '+' && first != '-') {
      for (; !at_end() && !space_at(text_, pos_) && kSigns.find(peek()) == std::string_view::npos; ++pos_) {
        if (peek() == '\\' && ++pos_ == text_.size()) fail_at(pos_ - 1, "nothing follows the `\\`");
        out += peek();  // the first byte of an escaped character; the others follow as they are
      }
    }
    if (out.empty()) expected("a word, `\"` or `(`");
    return out;
  }

  float boost() {
    const std::size_t start = pos_;
    while (is_digit(peek()) || peek() == '.') ++pos_;
    float value = 0;
    const char* end = text_.data() + pos_;
    const auto result = std::from_chars(text_.data() + start, end, value, std::chars_format::fixed);
    const bool whole = result.ptr == end && is_digit(text_[pos_ - 1]);
    if (result.ec != std::errc{} || !whole || !(value >= 1 / kMaxBoost && value <= kMaxBoost)) {
      pos_ = start;
      expected(concat("a boost of ", kBoosts, " after `^`"));
    }
    return value;
  }

  std::uint32_t number(std::string_view what, std::uint32_t least, std::uint32_t most) {
    const std::size_t start = pos_;
    while (is_digit(peek())) ++pos_;
    std::uint32_t value = 0;
    const auto result = std::from_chars(text_.data() + start, text_.data() + pos_, value);
    if (result.ec != std::errc{} || value < least || value > most) {
      pos_ = start;
      expected(concat(what, " of ", least, " to ", most, " after `~`"));
    }
    return value;
  }

  std::string known_fields() const {
    std::string out;
    for (const std::string& field : fields_) out += concat(out.empty() ? "known are " : ", ", field);
    return out.empty() ? "there is none" : out;
  }

  std::string_view text_;
  std::span<const std::string> fields_;
  Occur words_;
  std::size_t pos_ = 0;
  std::size_t depth_ = 0;
  std::size_t leaves_ = 0;
};

}  // namespace

TextQuery match_text_query(std::string_view text) {
  TextQuery out;
  out.kind = Kind::kText;
  out.text = text;
  return out;
}

TextQuery parse_text_query(std::string_view text, std::span<const std::string> fields, Occur words) {
  return Parser(text, fields, words).query();
}

}  // namespace vecstore::text
