// The builder: operators on Field and Filter.
#include "base/error.hpp"
#include "query/filter_ast.hpp"
#include "vecstore/filter.hpp"

namespace vecstore {
namespace {

FilterLiteral literal(const FilterValue& value) {
  if (const auto* text = std::get_if<Date>(&value.get())) return make_date(text->text);
  return make_literal(std::get<Metadata>(value.get()));
}

std::vector<FilterLiteral> literals(const std::vector<FilterValue>& values) {
  std::vector<FilterLiteral> out;
  out.reserve(values.size());
  for (const auto& value : values) out.push_back(literal(value));
  return out;
}

}  // namespace

Date date(std::string_view iso8601) {
  make_date(iso8601);
  return Date{std::string(iso8601)};
}

bool operator==(const Filter& a, const Filter& b) {
  if (a.empty() || b.empty()) return a.empty() && b.empty();
  return a.node_ == b.node_ || equal(*a.node_, *b.node_);
}

Filter operator&&(const Filter& a, const Filter& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return Filter(make_group(FilterOp::kAnd, {a.node_, b.node_}));
}

Filter operator||(const Filter& a, const Filter& b) {
  if (a.empty() || b.empty()) return Filter();
  return Filter(make_group(FilterOp::kOr, {a.node_, b.node_}));
}

Filter operator!(const Filter& a) {
  if (a.empty()) invalid("filter: a filter without a condition cannot be negated");
  return Filter(make_not(a.node_));
}

Field::Field(std::string_view path) : path_(to_string(parse_filter_path(path))) {}

#define VECSTORE_COMPARISON(sign, op)                                                \
  Filter operator sign(const Field& field, const FilterValue& value) {               \
    return Filter(make_compare(op, parse_filter_path(field.path_), literal(value))); \
  }
VECSTORE_COMPARISON(==, FilterOp::kEqual)
VECSTORE_COMPARISON(!=, FilterOp::kNotEqual)
VECSTORE_COMPARISON(<, FilterOp::kLess)
VECSTORE_COMPARISON(<=, FilterOp::kLessEqual)
VECSTORE_COMPARISON(>, FilterOp::kGreater)
VECSTORE_COMPARISON(>=, FilterOp::kGreaterEqual)
#undef VECSTORE_COMPARISON

Filter Field::in(const std::vector<FilterValue>& values) const {
  return Filter(make_in(FilterOp::kIn, parse_filter_path(path_), literals(values)));
}
Filter Field::not_in(const std::vector<FilterValue>& values) const {
  return Filter(make_in(FilterOp::kNotIn, parse_filter_path(path_), literals(values)));
}
Filter Field::between(const FilterValue& low, const FilterValue& high) const {
  return Filter(make_between(parse_filter_path(path_), literal(low), literal(high)));
}
Filter Field::like(std::string_view pattern, std::string_view escape) const {
  return Filter(make_like(parse_filter_path(path_), std::string(pattern), std::string(escape)));
}
Filter Field::contains(const FilterValue& value) const {
  return Filter(make_compare(FilterOp::kContains, parse_filter_path(path_), literal(value)));
}
Filter Field::starts_with(std::string_view prefix) const {
  return Filter(make_text(FilterOp::kStartsWith, parse_filter_path(path_), std::string(prefix)));
}
Filter Field::match(std::string_view words) const {
  return Filter(make_text(FilterOp::kMatch, parse_filter_path(path_), std::string(words)));
}
Filter Field::is_null() const { return Filter(make_test(FilterOp::kIsNull, parse_filter_path(path_))); }
Filter Field::is_not_null() const {
  return Filter(make_test(FilterOp::kIsNotNull, parse_filter_path(path_)));
}
Filter Field::exists() const { return Filter(make_test(FilterOp::kExists, parse_filter_path(path_))); }
Filter Field::geo_radius(double latitude, double longitude, double metres) const {
  return Filter(make_geo(FilterOp::kGeoRadius, parse_filter_path(path_), {latitude, longitude, metres, 0}));
}
Filter Field::geo_box(double south, double west, double north, double east) const {
  return Filter(make_geo(FilterOp::kGeoBox, parse_filter_path(path_), {south, west, north, east}));
}
Filter Field::any(const Filter& condition) const {
  if (condition.empty()) invalid("filter: ANY needs a condition");
  return Filter(make_any(parse_filter_path(path_), condition.node()));
}

}  // namespace vecstore
