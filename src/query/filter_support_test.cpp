// What filter_test_support.hpp declares.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <numbers>
#include <optional>

#include "base/error.hpp"
#include "query/filter_test_support.hpp"

namespace vecstore::filter_test {
namespace {

template <class T>
T pick(Rng& rng, std::initializer_list<T> from) {
  return from.begin()[rng() % from.size()];
}

const char* random_text(Rng& rng) {
  return pick(rng, {"",
                    "a",
                    "ab",
                    "abc",
                    "b",
                    "bc",
                    "a%b",
                    "a_c",
                    "\xC3\xA9",
                    "a\xC3\xA9z",
                    "\xF0\x9F\x98\x80",
                    "it's",
                    "two words",
                    "Two, Words!",
                    "2024-01-01",
                    "2024-02-29",
                    "2024-02-29T12:30:00Z",
                    "2024-02-29T13:30:00+01:00",
                    "2023-02-29",
                    "2024-01-01T00:00:00.000000001",
                    "x\" OR 1=1"});
}
const char* random_date(Rng& rng) {
  return pick(rng, {"2024-01-01", "2024-02-29", "2024-02-29T12:30", "2024-02-29 11:30:00.5-01:00",
                    "1969-12-31T23:59:59.9Z"});
}
double random_double(Rng& rng) {
  return pick(rng, {0.0, -0.0, 0.5, 1.0, 2.0, -1.5, 9007199254740992.0, 9007199254740994.0,
                    9.2233720368547758e18, -9.2233720368547758e18, 1e300});
}
std::int64_t random_integer(Rng& rng) {
  return pick<std::int64_t>(rng,
                            {0, 1, 2, 3, -1, 2024, 9007199254740992, 9007199254740993, INT64_MAX, INT64_MIN});
}

FilterLiteral random_literal(Rng& rng) {
  switch (rng() % 6) {
    case 0:
      return rng() % 2 == 0;
    case 1:
    case 2:
      return random_integer(rng);
    case 3:
      return random_double(rng);
    case 4:
      return std::string(random_text(rng));
    default:
      return make_date(random_date(rng));
  }
}

FilterPath random_path(Rng& rng) {
  return parse_filter_path(pick(
      rng, {"a",       "b",       "c",          "tags",       "tags[*]",       "tags[*][*]", "o.a",
            "o.b",     "o.o.a",   "items[*].a", "items[*].b", "items[*].tags", "items.a",    "\"odd name\"",
            "\"o.a\"", "\"and\"", "never",      "place",      "places",        "items"}));
}

FilterNodePtr random_leaf(Rng& rng) {
  const FilterPath path = random_path(rng);
  try {
    switch (rng() % 18) {
      case 0:
      case 1:
        return make_compare(FilterOp::kEqual, path, random_literal(rng));
      case 2:
        return make_compare(FilterOp::kNotEqual, path, random_literal(rng));
      case 3:
        return make_compare(FilterOp::kLess, path, random_literal(rng));
      case 4:
        return make_compare(FilterOp::kLessEqual, path, random_literal(rng));
      case 5:
        return make_compare(FilterOp::kGreater, path, random_literal(rng));
      case 6:
        return make_compare(FilterOp::kGreaterEqual, path, random_literal(rng));
      case 7:
      case 8: {
        std::vector<FilterLiteral> values;
        for (auto n = rng() % 5; n > 0; --n) values.push_back(random_literal(rng));
        return make_in(rng() % 2 ? FilterOp::kIn : FilterOp::kNotIn, path, values);
      }
      case 9:
        return make_between(path, random_literal(rng), random_literal(rng));
      case 10:
        return make_like(
            path,
            pick(rng, {"", "%", "_", "a%", "%b", "a_c", "%b%", "__", "_%_", "%a%b%c%", "a!%b", "%!_%", "!!"}),
            "!");
      case 11:
        return make_compare(FilterOp::kContains, path, random_literal(rng));
      case 12:
        return make_text(FilterOp::kStartsWith, path, random_text(rng));
      case 13:
        return make_text(FilterOp::kMatch, path,
                         pick(rng, {"two", "words two", "WORDS", "a", "", "!", "three"}));
      case 14:
        return make_test(pick(rng, {FilterOp::kIsNull, FilterOp::kIsNotNull, FilterOp::kExists}), path);
      case 15:
        return make_test(FilterOp::kExists, path);
      case 16:
        return make_geo(
            FilterOp::kGeoRadius, parse_filter_path(pick(rng, {"place", "places", "o"})),
            {pick(rng, {0.0, 52.5, 89.0}), pick(rng, {0.0, 13.4, 179.0}), pick(rng, {0.0, 1e3, 3e6}), 0});
      default:
        return make_geo(FilterOp::kGeoBox, parse_filter_path(pick(rng, {"place", "places"})),
                        {pick(rng, {-10.0, 40.0}), pick(rng, {-5.0, 170.0}), pick(rng, {41.0, 60.0}),
                         pick(rng, {-170.0, 20.0})});
    }
  } catch (const Error&) {
    return random_leaf(rng);  // An order of bools, or bounds the wrong way round: not in the language.
  }
}

Metadata random_scalar(Rng& rng) {
  switch (rng() % 6) {
    case 0:
      return nullptr;
    case 1:
      return rng() % 2 == 0;
    case 2:
      return random_integer(rng);
    case 3:
      return random_double(rng);
    default:
      return random_text(rng);
  }
}

Metadata random_place(Rng& rng) {
  if (rng() % 6 == 0) return random_scalar(rng);
  Metadata place = {{"lat", pick(rng, {0.0, 0.001, 52.52, 48.85, -91.0, 90.0})},
                    {"lon", pick(rng, {0.0, 0.001, 13.405, -179.5, 179.5, 181.0})}};
  if (rng() % 5 == 0) place["lat"] = 50;
  if (rng() % 8 == 0) place.erase("lon");
  return place;
}

Metadata random_value(Rng& rng) {
  if (rng() % 3 != 0) return random_scalar(rng);
  Metadata array = Metadata::array();
  for (auto n = rng() % 4; n > 0; --n)
    array.push_back(rng() % 8 == 0 ? Metadata::array({random_scalar(rng), random_scalar(rng)})
                                   : random_scalar(rng));
  return array;
}

Metadata random_object(Rng& rng) {
  Metadata object;
  for (const char* key : {"a", "b", "tags"}) {
    if (rng() % 3 != 0) object[key] = random_value(rng);
  }
  return object;
}

}  // namespace

FilterNodePtr random_node(Rng& rng, int depth) {
  if (depth == 0 || rng() % 4 == 0) return random_leaf(rng);
  switch (rng() % 4) {
    case 0:
      return make_not(random_node(rng, depth - 1));
    case 1:
      return make_any(parse_filter_path(pick(rng, {"items", "o", "tags", "items[*].tags", "a"})),
                      random_node(rng, depth - 1));
    default: {
      std::vector<FilterNodePtr> children;
      for (auto n = rng() % 3 + 1; n > 0; --n) children.push_back(random_node(rng, depth - 1));
      return make_group(rng() % 2 ? FilterOp::kAnd : FilterOp::kOr, children);
    }
  }
}

Metadata random_record(Rng& rng) {
  Metadata m = random_object(rng);
  if (rng() % 2) m["c"] = random_value(rng);
  if (rng() % 2) m["odd name"] = random_value(rng);
  if (rng() % 3 == 0) m["o.a"] = random_scalar(rng);
  if (rng() % 3 == 0) m["and"] = random_scalar(rng);
  if (rng() % 2) m["o"] = random_object(rng);
  if (rng() % 3 == 0 && m.contains("o")) m["o"]["o"] = random_object(rng);
  if (rng() % 2) m["place"] = random_place(rng);
  if (rng() % 3 == 0) m["places"] = Metadata::array({random_place(rng), random_place(rng)});
  if (rng() % 4 != 0) {
    Metadata items = Metadata::array();
    for (auto n = rng() % 4; n > 0; --n)
      items.push_back(rng() % 6 == 0 ? random_scalar(rng) : random_object(rng));
    m["items"] = items;
  }
  return m;
}

// ---- the twin

namespace {

using Values = std::vector<Metadata>;

/// Name, or "*" for [*]; the first character tells them apart: 'n' or '*'.
std::vector<std::string> steps_of(std::string text) {
  std::vector<std::string> steps;
  while (!text.empty()) {
    if (text[0] == '.') text.erase(0, 1);
    if (text.rfind("[*]", 0) == 0) {
      steps.push_back("*");
      text.erase(0, 3);
    } else if (text[0] == '"') {
      const auto end = text.find('"', 1);  // The vocabulary has no doubled quotes.
      steps.push_back("n" + text.substr(1, end - 1));
      text.erase(0, end + 1);
    } else {
      const auto end = std::min(text.find_first_of(".["), text.size());
      steps.push_back("n" + text.substr(0, end));
      text.erase(0, end);
    }
  }
  return steps;
}

Values values_at(const Metadata& root, const std::string& path) {
  Values now{root};
  for (const auto& step : steps_of(path)) {
    Values next;
    for (const Metadata& v : now) {
      if (step == "*" && v.is_array()) next.insert(next.end(), v.as_array().begin(), v.as_array().end());
      if (step[0] == 'n' && v.is_object() && v.contains(step.substr(1))) next.push_back(v[step.substr(1)]);
    }
    now = next;
  }
  return now;
}

Values flattened(const Values& values) {
  Values out;
  for (const Metadata& v : values) {
    if (v.is_array()) {
      out.insert(out.end(), v.as_array().begin(), v.as_array().end());
    } else {
      out.push_back(v);
    }
  }
  return out;
}

/// Nanoseconds since 1970, by the standard library's calendar.
std::optional<long double> instant_of(const std::string& s) {
  int y = 0, mo = 0, d = 0, used = 0;
  if (s.size() < 10 || std::sscanf(s.c_str(), "%4d-%2d-%2d%n", &y, &mo, &d, &used) != 3 || used != 10)
    return std::nullopt;
  const std::chrono::year_month_day day{std::chrono::year(y), std::chrono::month(static_cast<unsigned>(mo)),
                                        std::chrono::day(static_cast<unsigned>(d))};
  if (!day.ok()) return std::nullopt;
  long double t = std::chrono::sys_days(day).time_since_epoch().count() * 86'400.0L * 1e9L;
  if (s.size() == 10) return t;
  int h = 0, mi = 0;
  if ((s[10] != 'T' && s[10] != ' ') || std::sscanf(s.c_str() + 11, "%2d:%2d", &h, &mi) != 2)
    return std::nullopt;
  t += (h * 3600.0L + mi * 60.0L) * 1e9L;
  std::string rest = s.substr(16);
  if (!rest.empty() && rest[0] == ':') {
    t += std::stoi(rest.substr(1, 2)) * 1e9L;
    rest.erase(0, 3);
    if (!rest.empty() && rest[0] == '.') {
      long double unit = 1e8L;
      for (rest.erase(0, 1); !rest.empty() && std::isdigit(static_cast<unsigned char>(rest[0]));
           rest.erase(0, 1), unit /= 10)
        t += (rest[0] - '0') * unit;
    }
  }
  if (!rest.empty() && rest != "Z") {
    const int sign = rest[0] == '-' ? -1 : 1;
    t -= sign * (std::stoi(rest.substr(1, 2)) * 3600.0L + std::stoi(rest.substr(4, 2)) * 60.0L) * 1e9L;
  }
  return t;
}

/// -1, 0, 1; nothing across types. `literal` is {"date": ..} for dates.
std::optional<int> order_of(const Metadata& v, const Metadata& literal) {
  const auto sign = [](auto a, auto b) { return a < b ? -1 : a > b ? 1 : 0; };
  if (v.is_bool() && literal.is_bool()) return sign(v.as_bool(), literal.as_bool());
  if (v.is_number() && literal.is_number()) {
    static_assert(std::numeric_limits<long double>::digits >= 64,
                  "holds every int64 and every double exactly");
    const auto wide = [](const Metadata& m) {
      return m.is_int() ? static_cast<long double>(m.as_int()) : static_cast<long double>(m.as_double());
    };
    return sign(wide(v), wide(literal));
  }
  if (v.is_string() && literal.is_string()) return sign(v.as_string().compare(literal.as_string()), 0);
  if (v.is_string() && literal.is_object()) {
    const auto a = instant_of(v.as_string());
    if (a) return sign(*a, *instant_of(literal["date"].as_string()));
  }
  return std::nullopt;
}

std::vector<std::string> characters(const std::string& text) {
  std::vector<std::string> out;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) out.emplace_back();
    out.back() += c;
  }
  return out;
}

bool like(const std::vector<std::string>& text, std::size_t t, const std::vector<std::string>& pattern,
          std::size_t p, const std::string& escape) {
  if (p == pattern.size()) return t == text.size();
  if (pattern[p] == escape)
    return t < text.size() && text[t] == pattern[p + 1] && like(text, t + 1, pattern, p + 2, escape);
  if (pattern[p] == "%") {
    for (std::size_t skip = t; skip <= text.size(); ++skip) {
      if (like(text, skip, pattern, p + 1, escape)) return true;
    }
    return false;
  }
  return t < text.size() && (pattern[p] == "_" || pattern[p] == text[t]) &&
         like(text, t + 1, pattern, p + 1, escape);
}

/// " word word " in lower case, so that a word is found as " word ".
std::string spaced(const std::string& text) {
  std::string out = " ";
  for (const char c : text)
    out +=
        std::isalnum(static_cast<unsigned char>(c)) || (c & 0x80) ? static_cast<char>(std::tolower(c)) : ' ';
  return out + " ";
}

bool has_words(const std::string& text, const std::string& words) {
  const std::string wanted = spaced(words);
  bool any = false;
  for (std::size_t i = 0; i < wanted.size();) {
    const auto begin = wanted.find_first_not_of(' ', i);
    if (begin == std::string::npos) break;
    const auto end = wanted.find(' ', begin);
    any = true;
    if (spaced(text).find(" " + wanted.substr(begin, end - begin) + " ") == std::string::npos) return false;
    i = end;
  }
  return any;
}

bool in_place(const Metadata& f, const Metadata& v) {
  if (!v.is_object() || !v["lat"].is_number() || !v["lon"].is_number()) return false;
  const double lat = v["lat"].as_double(), lon = v["lon"].as_double();
  if (std::abs(lat) > 90 || std::abs(lon) > 180) return false;
  if (f["op"] == "geo_box") {
    const double west = f["west"].as_double(), east = f["east"].as_double();
    if (lat < f["south"].as_double() || lat > f["north"].as_double()) return false;
    return west <= east ? west <= lon && lon <= east : !(east < lon && lon < west);
  }
  // The angle between two unit vectors, from the chord.
  const auto unit = [](double a, double b) {
    a *= std::numbers::pi / 180, b *= std::numbers::pi / 180;
    return std::array{std::cos(a) * std::cos(b), std::cos(a) * std::sin(b), std::sin(a)};
  };
  const auto p = unit(lat, lon), q = unit(f["lat"].as_double(), f["lon"].as_double());
  const double chord = std::sqrt((p[0] - q[0]) * (p[0] - q[0]) + (p[1] - q[1]) * (p[1] - q[1]) +
                                 (p[2] - q[2]) * (p[2] - q[2]));
  return 2 * std::asin(std::min(1.0, chord / 2)) * 6371008.8 <= f["metres"].as_double() + 1e-6;
}

bool leaf_matches(const Metadata& f, const Metadata& v) {
  const std::string op = f["op"].as_string();
  if (v.is_null()) return false;
  const auto is = [&](const Metadata& literal) { return order_of(v, literal) == 0; };
  const auto order = order_of(v, f["value"]);
  if (op == "=") return order == 0;
  if (op == "!=") return order != 0;
  if (op == "<") return order && *order < 0;
  if (op == "<=") return order && *order <= 0;
  if (op == ">") return order && *order > 0;
  if (op == ">=") return order && *order >= 0;
  if (op == "in" || op == "not_in") {
    bool found = false;
    for (const Metadata& literal : f["values"].as_array()) found |= is(literal);
    return found == (op == "in");
  }
  if (op == "between") {
    const auto low = order_of(v, f["low"]), high = order_of(v, f["high"]);
    return low && high && *low >= 0 && *high <= 0;
  }
  if (op == "geo_radius" || op == "geo_box") return in_place(f, v);
  if (!v.is_string()) return false;
  const std::string text = v.as_string(), value = f["value"].as_string();
  if (op == "like")
    return like(characters(text), 0, characters(value), 0,
                f["escape"].is_null() ? "none" : f["escape"].as_string());
  if (op == "starts_with") return text.substr(0, value.size()) == value;
  if (op == "match") return has_words(text, value);
  throw std::logic_error("twin: " + op);
}

}  // namespace

bool naive_matches(const Metadata& f, const Metadata& record) {
  if (f.contains("not")) return !naive_matches(f["not"], record);
  if (f.contains("and") || f.contains("or")) {
    std::size_t yes = 0;
    const Metadata& list = f[f.contains("and") ? "and" : "or"];
    for (const Metadata& child : list.as_array()) yes += naive_matches(child, record);
    return f.contains("and") ? yes == list.size() : yes > 0;
  }
  const std::string op = f["op"].as_string();
  const Values values = values_at(record, f["path"].as_string());
  if (op == "exists") return !values.empty();
  if (op == "is_null" || op == "is_not_null") {
    std::size_t solid = 0;
    for (const Metadata& v : values) solid += !v.is_null();
    return (solid == 0) == (op == "is_null");
  }
  std::size_t yes = 0;
  if (op == "contains") {
    for (const Metadata& v : values) {
      if (v.is_array()) {
        for (const Metadata& e : v.as_array()) yes += order_of(e, f["value"]) == 0;
      } else if (v.is_string() && f["value"].is_string()) {
        yes += v.as_string().find(f["value"].as_string()) != std::string::npos;
      }
    }
    return yes > 0;
  }
  for (const Metadata& v : flattened(values))
    yes += op == "any" ? naive_matches(f["where"], v) : leaf_matches(f, v);
  return yes > 0;
}

}  // namespace vecstore::filter_test
