// The JSON form of filters; docs/filter.md describes it.
#include <algorithm>
#include <array>
#include <initializer_list>

#include "base/error.hpp"
#include "base/json.hpp"
#include "query/filter_ast.hpp"

namespace vecstore {
namespace {

struct OpName {
  FilterOp op;
  std::string_view name;
};
constexpr std::array kOpNames = {
    OpName{FilterOp::kAny, "any"},
    OpName{FilterOp::kEqual, "="},
    OpName{FilterOp::kNotEqual, "!="},
    OpName{FilterOp::kLess, "<"},
    OpName{FilterOp::kLessEqual, "<="},
    OpName{FilterOp::kGreater, ">"},
    OpName{FilterOp::kGreaterEqual, ">="},
    OpName{FilterOp::kIn, "in"},
    OpName{FilterOp::kNotIn, "not_in"},
    OpName{FilterOp::kBetween, "between"},
    OpName{FilterOp::kLike, "like"},
    OpName{FilterOp::kContains, "contains"},
    OpName{FilterOp::kStartsWith, "starts_with"},
    OpName{FilterOp::kMatch, "match"},
    OpName{FilterOp::kIsNull, "is_null"},
    OpName{FilterOp::kIsNotNull, "is_not_null"},
    OpName{FilterOp::kExists, "exists"},
    OpName{FilterOp::kGeoRadius, "geo_radius"},
    OpName{FilterOp::kGeoBox, "geo_box"},
};
// One JSON object or array per level of the tree, twice, and room for a value.
constexpr std::size_t kFilterJsonDepth = 2 * kMaxFilterDepth + 8;

constexpr std::array<std::string_view, 3> kRadiusKeys = {"lat", "lon", "metres"};
constexpr std::array<std::string_view, 4> kBoxKeys = {"south", "west", "north", "east"};

// ---- reading

/// The place in the JSON, kept as a chain on the stack and written only for a message.
struct Place {
  const Place* parent = nullptr;
  std::string_view key;  // Of a member; empty for an element.
  std::size_t index = 0;

  std::string text() const {
    if (!parent) return "$";
    return parent->text() + (key.empty() ? concat("[", index, "]") : concat(".", key));
  }
};

[[noreturn]] void fail_at(const Place& place, std::string_view message) {
  invalid("filter: ", place.text(), ": ", message);
}

template <class Make>
auto made_at(const Place& place, Make&& make) {
  try {
    return make();
  } catch (const Error& e) {
    std::string_view message = e.what();
    constexpr std::string_view kPrefix = "filter: ";
    if (message.starts_with(kPrefix)) message.remove_prefix(kPrefix.size());
    fail_at(place, message);
  }
}

class Reader {
 public:
  FilterNodePtr node(const Metadata& m, const Place& at, std::size_t depth) {
    if (depth > kMaxFilterDepth) fail_at(at, concat("nested deeper than ", kMaxFilterDepth));
    if (!m.is_object() || m.empty())
      fail_at(at, "expected an object with \"op\", \"and\", \"or\" or \"not\"");
    if (m.contains("and")) return group(FilterOp::kAnd, "and", m, at, depth);
    if (m.contains("or")) return group(FilterOp::kOr, "or", m, at, depth);
    if (m.contains("not")) {
      only(m, at, {"not"});
      const Place inner{&at, "not"};
      const FilterNodePtr child = node(m["not"], inner, depth + 1);
      return made_at(at, [&] { return make_not(child); });
    }
    return predicate(m, at, depth);
  }

 private:
  FilterNodePtr group(FilterOp op, std::string_view key, const Metadata& m, const Place& at,
                      std::size_t depth) {
    only(m, at, {key});
    const Place list{&at, key};
    if (!m[key].is_array() || m[key].empty()) fail_at(list, "expected an array of at least one condition");
    std::vector<FilterNodePtr> children;
    for (const Metadata& element : m[key].as_array()) {
      const Place place{&list, {}, children.size()};
      children.push_back(node(element, place, depth + 1));
    }
    return made_at(at, [&] { return make_group(op, children); });
  }

  FilterNodePtr predicate(const Metadata& m, const Place& at, std::size_t depth) {
    if (++clauses_ > kMaxFilterClauses) fail_at(at, concat("more than ", kMaxFilterClauses, " predicates"));
    const FilterOp op = operation(m, at);
    switch (op) {
      case FilterOp::kAny: {
        only(m, at, {"op", "path", "where"});
        const Place inner{&at, "where"};
        return made(m, at, [&, child = node(m["where"], inner, depth + 1)](FilterPath p) {
          return make_any(std::move(p), child);
        });
      }
      case FilterOp::kIn:
      case FilterOp::kNotIn:
        only(m, at, {"op", "path", "values"});
        return made(m, at,
                    [&, list = values(m, at)](FilterPath p) { return make_in(op, std::move(p), list); });
      case FilterOp::kBetween:
        only(m, at, {"op", "path", "low", "high"});
        return made(m, at, [&, low = value(m, at, "low"), high = value(m, at, "high")](FilterPath p) {
          return make_between(std::move(p), low, high);
        });
      case FilterOp::kLike:
        only(m, at, {"op", "path", "value", "escape"});
        return made(m, at, [&](FilterPath p) {
          return make_like(std::move(p), string(m, at, "value"),
                           m.contains("escape") ? string(m, at, "escape") : "");
        });
      case FilterOp::kStartsWith:
      case FilterOp::kMatch:
        only(m, at, {"op", "path", "value"});
        return made(m, at, [&](FilterPath p) { return make_text(op, std::move(p), string(m, at, "value")); });
      case FilterOp::kIsNull:
      case FilterOp::kIsNotNull:
      case FilterOp::kExists:
        only(m, at, {"op", "path"});
        return made(m, at, [&](FilterPath p) { return make_test(op, std::move(p)); });
      case FilterOp::kGeoRadius:
        only(m, at, {"op", "path", "lat", "lon", "metres"});
        return geo(op, m, at, kRadiusKeys.data(), kRadiusKeys.size());
      case FilterOp::kGeoBox:
        only(m, at, {"op", "path", "south", "west", "north", "east"});
        return geo(op, m, at, kBoxKeys.data(), kBoxKeys.size());
      default:
        only(m, at, {"op", "path", "value"});
        return made(m, at, [&, v = value(m, at, "value")](FilterPath p) {
          return make_compare(op, std::move(p), v);
        });
    }
  }

  template <class Make>
  FilterNodePtr made(const Metadata& m, const Place& at, Make&& make) {
    const Place place{&at, "path"};
    if (!m["path"].is_string()) fail_at(place, "expected the path of a field as a string");
    FilterPath path = made_at(place, [&] { return parse_filter_path(m["path"].as_string()); });
    return made_at(at, [&] { return make(std::move(path)); });
  }

  FilterNodePtr geo(FilterOp op, const Metadata& m, const Place& at, const std::string_view* keys,
                    std::size_t count) {
    std::array<double, 4> numbers{};
    for (std::size_t i = 0; i < count; ++i) {
      if (!m[keys[i]].is_number()) fail_at(Place{&at, keys[i]}, "expected a number");
      numbers[i] = m[keys[i]].as_double();
    }
    return made(m, at, [&](FilterPath p) { return make_geo(op, std::move(p), numbers); });
  }

  static FilterOp operation(const Metadata& m, const Place& at) {
    const Metadata& op = m["op"];
    const Place place{&at, "op"};
    if (!op.is_string()) {
      // A misspelt "and" has no "op" either: name the key that is there.
      if (!m.contains("op") && !m.contains("path"))
        fail_at(Place{&at, m.as_object().front().key}, "unknown key");
      fail_at(place, "expected the name of an operator");
    }
    for (const auto& [value, name] : kOpNames) {
      if (name == op.as_string()) return value;
    }
    std::string known;
    for (const auto& [value, name] : kOpNames) known += concat(known.empty() ? "" : " ", name);
    fail_at(place, concat("unknown operator '", op.as_string().substr(0, 64), "'; known are ", known));
  }

  static void only(const Metadata& m, const Place& at, std::initializer_list<std::string_view> keys) {
    for (const auto& [key, value] : m.as_object()) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) fail_at(Place{&at, key}, "unknown key");
    }
  }

  static std::string string(const Metadata& m, const Place& at, std::string_view key) {
    if (!m[key].is_string()) fail_at(Place{&at, key}, "expected a string");
    return m[key].as_string();
  }

  static FilterLiteral literal(const Metadata& m, const Place& at) {
    if (!m.is_object()) return made_at(at, [&] { return make_literal(m); });
    only(m, at, {"date"});
    const Place place{&at, "date"};
    if (!m["date"].is_string()) fail_at(place, "expected a date as a string");
    return made_at(place, [&] { return make_date(m["date"].as_string()); });
  }

  static FilterLiteral value(const Metadata& m, const Place& at, std::string_view key) {
    const Place place{&at, key};
    if (!m.contains(key)) fail_at(place, "the value is missing");
    return literal(m[key], place);
  }

  std::vector<FilterLiteral> values(const Metadata& m, const Place& at) {
    const Place list{&at, "values"};
    if (!m["values"].is_array()) fail_at(list, "expected an array");
    elements_ += m["values"].size();
    if (elements_ > kMaxFilterElements)
      fail_at(list, concat("more than ", kMaxFilterElements, " elements in IN lists"));
    std::vector<FilterLiteral> out;
    for (const Metadata& element : m["values"].as_array()) {
      const Place place{&list, {}, out.size()};
      out.push_back(literal(element, place));
    }
    return out;
  }

  std::size_t clauses_ = 0;
  std::size_t elements_ = 0;
};

// ---- writing

Metadata written(const FilterLiteral& literal) {
  if (const auto* boolean = std::get_if<bool>(&literal)) return *boolean;
  if (const auto* integer = std::get_if<std::int64_t>(&literal)) return *integer;
  if (const auto* number = std::get_if<double>(&literal)) return *number;
  if (const auto* date = std::get_if<FilterDate>(&literal)) return Metadata{{"date", date->text}};
  return std::get<std::string>(literal);
}

Metadata written(const FilterNode& node) {
  Metadata m;
  if (node.op == FilterOp::kNot) {
    m["not"] = written(*node.children[0]);
    return m;
  }
  if (node.op == FilterOp::kAnd || node.op == FilterOp::kOr) {
    Metadata& list = m[node.op == FilterOp::kAnd ? "and" : "or"] = Metadata::array();
    for (const auto& child : node.children) list.push_back(written(*child));
    return m;
  }
  const auto name =
      std::find_if(kOpNames.begin(), kOpNames.end(), [&](const OpName& n) { return n.op == node.op; });
  m["op"] = name->name;
  m["path"] = to_string(node.path);
  switch (node.op) {
    case FilterOp::kAny:
      m["where"] = written(*node.children[0]);
      break;
    case FilterOp::kIn:
    case FilterOp::kNotIn: {
      Metadata& list = m["values"] = Metadata::array();
      for (const auto& value : node.values) list.push_back(written(value));
      break;
    }
    case FilterOp::kBetween:
      m["low"] = written(node.values[0]);
      m["high"] = written(node.values[1]);
      break;
    case FilterOp::kGeoRadius:
      for (std::size_t i = 0; i < kRadiusKeys.size(); ++i) m[kRadiusKeys[i]] = node.numbers[i];
      break;
    case FilterOp::kGeoBox:
      for (std::size_t i = 0; i < kBoxKeys.size(); ++i) m[kBoxKeys[i]] = node.numbers[i];
      break;
    default:
      if (!node.values.empty()) m["value"] = written(node.values[0]);
      if (!node.escape.empty()) m["escape"] = node.escape;
  }
  return m;
}

}  // namespace

Filter Filter::from_value(const Metadata& value) {
  if (value.is_object() && value.empty()) return Filter();
  return Filter(Reader().node(value, Place{}, 0));
}

Filter Filter::from_json(std::string_view json) {
  return from_value(parse_json(json, {.max_depth = kFilterJsonDepth}));
}

Metadata Filter::to_value() const { return node_ ? written(*node_) : Metadata(); }
std::string Filter::to_json() const { return to_value().to_json(); }

}  // namespace vecstore
