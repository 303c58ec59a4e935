// Filter text to tree, by recursive descent; the functions carry the names of the rules in docs/filter.ebnf.
#include <charconv>

#include "base/error.hpp"
#include "query/filter_ast.hpp"
#include "query/filter_lexer.hpp"
#include "vecstore/filter.hpp"

namespace vecstore {
namespace {

using Kind = FilterToken::Kind;

class Parser {
 public:
  Parser(std::string_view text, const Metadata* params) : lexer_(text), params_(params) { advance(); }

  FilterNodePtr whole_filter() {
    FilterNodePtr node = disjunction();
    if (token_.kind != Kind::kEnd) expected("AND, OR or the end");
    check_all_used();
    return node;
  }

  FilterPath whole_path() {
    FilterPath p = path();
    if (token_.kind != Kind::kEnd) expected("the end of the path");
    return p;
  }

 private:
  // ---- tokens
  void advance() { token_ = lexer_.next(); }
  [[noreturn]] void expected(std::string_view what) const {
    lexer_.fail_at(token_.begin, concat("expected ", what, ", found ", lexer_.shown(token_)));
  }
  bool take_word(std::string_view word) {
    if (!token_.is_word(word)) return false;
    advance();
    return true;
  }
  bool take_sign(std::string_view sign) {
    if (!token_.is_sign(sign)) return false;
    advance();
    return true;
  }
  void need_sign(std::string_view sign) {
    if (!take_sign(sign)) expected(concat("`", sign, "`"));
  }
  void need_word(std::string_view word) {
    if (!take_word(word)) expected(word);
  }

  /// Runs a maker of the tree and puts the position before what it complains about.
  template <class Make>
  auto made_at(std::size_t position, Make&& make) const {
    try {
      return make();
    } catch (const Error& e) {
      std::string_view message = e.what();
      constexpr std::string_view kPrefix = "filter: ";
      if (message.starts_with(kPrefix)) message.remove_prefix(kPrefix.size());
      lexer_.fail_at(position, message);
    }
  }

  /// Counts how deep the descent is; the tree has a limit of its own.
  struct Deeper {
    explicit Deeper(Parser& p) : parser(p) {
      if (++parser.depth_ > kMaxFilterDepth) {
        parser.lexer_.fail_at(parser.token_.begin, concat("nested deeper than ", kMaxFilterDepth));
      }
    }
    ~Deeper() { --parser.depth_; }
    Parser& parser;
  };

  // ---- conditions
  FilterNodePtr disjunction() {
    const std::size_t begin = token_.begin;
    std::vector<FilterNodePtr> children{conjunction()};
    while (take_word("OR")) children.push_back(conjunction());
    return made_at(begin, [&] { return make_group(FilterOp::kOr, children); });
  }

  FilterNodePtr conjunction() {
    const std::size_t begin = token_.begin;
    std::vector<FilterNodePtr> children{negation()};
    while (take_word("AND")) children.push_back(negation());
    return made_at(begin, [&] { return make_group(FilterOp::kAnd, children); });
  }

  FilterNodePtr negation() {
    const std::size_t begin = token_.begin;
    if (!take_word("NOT")) return primary();
    const Deeper deeper(*this);
    return made_at(begin, [&, child = negation()] { return make_not(child); });
  }

  FilterNodePtr primary() {
    if (token_.is_sign("(")) {
      const Deeper deeper(*this);
      advance();
      FilterNodePtr node = disjunction();
      need_sign(")");
      return node;
    }
    if (++clauses_ > kMaxFilterClauses) {
      lexer_.fail_at(token_.begin, concat("more than ", kMaxFilterClauses, " predicates"));
    }
    return predicate();
  }

  FilterNodePtr predicate() {
    const FilterToken first = token_;
    if (first.is_word("AND") || first.is_word("OR")) expected("a condition");
    if (first.kind == Kind::kWord) {
      advance();
      if (token_.is_sign("(")) return function(first);
      return condition(path_from(first), first.begin);
    }
    return condition(path(), first.begin);
  }

  FilterNodePtr function(const FilterToken& name) {
    const std::size_t begin = name.begin;
    advance();
    FilterNodePtr node;
    if (name.is_word("EXISTS")) {
      node = make_test(FilterOp::kExists, path());
    } else if (name.is_word("MATCH")) {
      FilterPath p = argument_path();
      node = made_at(begin, [&, text = string("the words in single quotes")] {
        return make_text(FilterOp::kMatch, p, text);
      });
    } else if (name.is_word("GEO_RADIUS")) {
      node = geo(FilterOp::kGeoRadius, 3, begin);
    } else if (name.is_word("GEO_BOX")) {
      node = geo(FilterOp::kGeoBox, 4, begin);
    } else if (name.is_word("ANY")) {
      const Deeper deeper(*this);
      FilterPath p = argument_path();
      node = made_at(begin, [&, child = disjunction()] { return make_any(p, child); });
    } else {
      lexer_.fail_at(begin, concat("unknown function ", lexer_.shown(name),
                                   "; known are EXISTS, MATCH, GEO_RADIUS, GEO_BOX, ANY"));
    }
    need_sign(")");
    return node;
  }

  FilterPath argument_path() {
    FilterPath p = path();
    need_sign(",");
    return p;
  }

  FilterNodePtr geo(FilterOp op, std::size_t count, std::size_t begin) {
    FilterPath p = path();
    std::array<double, 4> numbers{};
    for (std::size_t i = 0; i < count; ++i) {
      need_sign(",");
      numbers[i] = number();
    }
    return made_at(begin, [&] { return make_geo(op, p, numbers); });
  }

  FilterNodePtr condition(FilterPath p, std::size_t begin) {
    static constexpr std::pair<std::string_view, FilterOp> kComparisons[] = {
        {"=", FilterOp::kEqual},     {"==", FilterOp::kEqual},       {"!=", FilterOp::kNotEqual},
        {"<>", FilterOp::kNotEqual}, {"<", FilterOp::kLess},         {"<=", FilterOp::kLessEqual},
        {">", FilterOp::kGreater},   {">=", FilterOp::kGreaterEqual}};
    for (const auto& [sign, op] : kComparisons) {
      if (take_sign(sign)) return made_at(begin, [&, v = value()] { return make_compare(op, p, v); });
    }
    if (take_word("IN")) return made_at(begin, [&, l = list()] { return make_in(FilterOp::kIn, p, l); });
    if (take_word("NOT")) {
      if (!token_.is_word("IN")) expected("IN (other conditions are negated as NOT (field ...))");
      advance();
      return made_at(begin, [&, l = list()] { return make_in(FilterOp::kNotIn, p, l); });
    }
    if (take_word("BETWEEN")) {
      FilterLiteral low = value();
      need_word("AND");
      return made_at(begin, [&, high = value()] { return make_between(p, low, high); });
    }
    if (take_word("LIKE")) {
      std::string pattern = string("a pattern in single quotes");
      std::string escape;
      if (take_word("ESCAPE")) {
        const std::size_t at = token_.begin;
        escape = string("one character in single quotes");
        if (escape.empty()) lexer_.fail_at(at, "ESCAPE takes one character");
      }
      return made_at(begin, [&] { return make_like(p, pattern, escape); });
    }
    if (take_word("CONTAINS")) {
      return made_at(begin, [&, v = value()] { return make_compare(FilterOp::kContains, p, v); });
    }
    if (take_word("STARTSWITH")) {
      return made_at(begin, [&, text = string("a text in single quotes")] {
        return make_text(FilterOp::kStartsWith, p, text);
      });
    }
    if (take_word("IS")) {
      const bool negated = take_word("NOT");
      need_word("NULL");
      return make_test(negated ? FilterOp::kIsNotNull : FilterOp::kIsNull, std::move(p));
    }
    expected("an operator (= != < <= > >= IN BETWEEN LIKE CONTAINS STARTSWITH IS)");
  }

  // ---- paths
  FilterPath path() {
    const FilterToken first = token_;
    if (first.kind != Kind::kWord && first.kind != Kind::kQuotedName) expected("a field");
    advance();
    return path_from(first);
  }

  FilterPath path_from(const FilterToken& first) {
    FilterPath p{{first.text, stars()}};
    while (take_sign(".")) {
      if (token_.kind != Kind::kWord && token_.kind != Kind::kQuotedName) expected("a name");
      FilterStep step{token_.text, 0};
      advance();
      step.each = stars();
      p.push_back(std::move(step));
      if (p.size() > kMaxFilterDepth)
        lexer_.fail_at(first.begin, concat("a path of more than ", kMaxFilterDepth, " names"));
    }
    return p;
  }

  unsigned stars() {
    unsigned count = 0;
    while (token_.is_sign("[*]")) {
      if (++count > kMaxFilterDepth)
        lexer_.fail_at(token_.begin, concat("more than ", kMaxFilterDepth, " times [*]"));
      advance();
    }
    return count;
  }

  // ---- values
  FilterLiteral value() {
    const FilterToken t = token_;
    switch (t.kind) {
      case Kind::kString:
        advance();
        return t.text;
      case Kind::kNumber:
        advance();
        return number_literal(t);
      case Kind::kParameter: {
        const Metadata& m = parameter();
        return made_at(t.begin, [&] { return make_literal(m); });
      }
      case Kind::kQuotedName:
        expected("a value (texts stand in single quotes)");
      case Kind::kWord:
        if (take_word("TRUE")) return true;
        if (take_word("FALSE")) return false;
        if (t.is_word("NULL"))
          lexer_.fail_at(t.begin, "nothing compares with NULL; use IS NULL or IS NOT NULL");
        if (take_word("DATE")) {
          const std::size_t at = token_.begin;
          return made_at(at, [&, text = string("a date in single quotes")] { return make_date(text); });
        }
        [[fallthrough]];
      default:
        expected("a value");
    }
  }

  FilterLiteral number_literal(const FilterToken& t) const {
    const char* begin = t.text.data() + (t.text.front() == '+');
    const char* end = t.text.data() + t.text.size();
    if (t.text.find_first_of(".eE") == std::string::npos) {
      std::int64_t integer = 0;
      if (std::from_chars(begin, end, integer).ec != std::errc()) {
        lexer_.fail_at(t.begin, concat("the integer ", lexer_.shown(t), " does not fit 64 bits"));
      }
      return integer;
    }
    double real = 0;
    if (std::from_chars(begin, end, real).ec != std::errc()) {
      lexer_.fail_at(t.begin, concat("the number ", lexer_.shown(t), " is beyond the range of a double"));
    }
    return real;
  }

  double number() {
    const FilterToken t = token_;
    if (t.kind != Kind::kNumber && t.kind != Kind::kParameter) expected("a number");
    const FilterLiteral v = value();
    if (const auto* integer = std::get_if<std::int64_t>(&v)) return static_cast<double>(*integer);
    if (const auto* real = std::get_if<double>(&v)) return *real;
    lexer_.fail_at(t.begin, "expected a number as the parameter's value");
  }

  std::string string(std::string_view what) {
    const FilterToken t = token_;
    if (t.kind == Kind::kString) {
      advance();
      return t.text;
    }
    if (t.kind != Kind::kParameter) expected(what);
    const Metadata& m = parameter();
    if (!m.is_string()) lexer_.fail_at(t.begin, "expected a string as the parameter's value");
    return m.as_string();
  }

  std::vector<FilterLiteral> list() {
    const FilterToken open = token_;
    std::vector<FilterLiteral> values;
    const auto add = [&](FilterLiteral v, std::size_t at) {
      if (++elements_ > kMaxFilterElements) {
        lexer_.fail_at(at, concat("more than ", kMaxFilterElements, " elements in IN lists"));
      }
      values.push_back(std::move(v));
    };
    if (open.kind == Kind::kParameter) {
      const Metadata& m = parameter();
      if (!m.is_array()) lexer_.fail_at(open.begin, "expected an array as the parameter's value");
      for (const Metadata& element : m.as_array()) {
        add(made_at(open.begin, [&] { return make_literal(element); }), open.begin);
      }
      return values;
    }
    if (!open.is_sign("(") && !open.is_sign("[")) expected("a list: `(`, `[` or a parameter");
    advance();
    const std::string_view close = open.is_sign("(") ? ")" : "]";
    if (take_sign(close)) return values;
    do {
      const std::size_t at = token_.begin;
      add(value(), at);
    } while (take_sign(","));
    if (!take_sign(close)) expected(concat("`,` or `", close, "`"));
    return values;
  }

  // ---- parameters
  const Metadata& parameter() {
    const FilterToken t = token_;
    advance();
    if (!params_) lexer_.fail_at(t.begin, concat("the parameter ", lexer_.shown(t), " has no value"));
    if (t.text.empty()) {
      if (params_->is_object() && !params_->empty())
        lexer_.fail_at(t.begin, "? needs an array of values; :name takes them by name");
      const std::size_t count = params_->is_object() ? 0 : params_->is_array() ? params_->size() : 1;
      if (next_param_ >= count)
        lexer_.fail_at(t.begin, concat("the parameter number ", next_param_ + 1, " has no value; ", count,
                                       " are given"));
      ++next_param_;
      return params_->is_array() ? params_->at(next_param_ - 1) : *params_;
    }
    const Metadata* m = params_->find(t.text);
    if (!m) lexer_.fail_at(t.begin, concat("the parameter ", lexer_.shown(t), " has no value"));
    used_.push_back(t.text);
    return *m;
  }

  void check_all_used() const {
    if (!params_) return;
    if (params_->is_object()) {
      for (const auto& [key, unused] : params_->as_object()) {
        bool found = false;
        for (const auto& name : used_) found = found || name == key;
        if (!found) invalid("filter: the text has no parameter :", key.substr(0, 64));
      }
      return;
    }
    const std::size_t count = params_->is_array() ? params_->size() : 1;
    if (next_param_ != count)
      invalid("filter: ", count, " values are given for ", next_param_, " parameters");
  }

  FilterLexer lexer_;
  const Metadata* params_;
  FilterToken token_;
  std::size_t depth_ = 0;
  std::size_t clauses_ = 0;
  std::size_t elements_ = 0;
  std::size_t next_param_ = 0;
  std::vector<std::string> used_;
};

}  // namespace

Filter Filter::parse(std::string_view text) { return Filter(Parser(text, nullptr).whole_filter()); }

Filter Filter::parse(std::string_view text, const Metadata& params) {
  return Filter(Parser(text, &params).whole_filter());
}

FilterPath parse_filter_path(std::string_view text) { return Parser(text, nullptr).whole_path(); }

}  // namespace vecstore
