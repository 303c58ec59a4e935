// Filter: which records a query may return. Written as text, built in code, or read from JSON; all three are
// one value.
#pragma once
#include <concepts>
#include <cstddef>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "vecstore/metadata.hpp"

namespace vecstore {

struct FilterNode;

/// A condition on a record's metadata and on its own fields (_id, _text, _source, _start, _end, _part).
///
///     Filter::parse("year >= 2024 AND tags CONTAINS 'search'")
///     Filter::parse("lang = ? AND year >= ?", {"en", 2024})
///     Filter::parse("lang = :lang", {{"lang", "en"}})
///     field("year") >= 2024 && field("tags").contains("search")
///
/// docs/filter.ebnf has the grammar, docs/filter.md the meaning. In short: two-valued logic; a comparison
/// with a missing or null field is false, != included; different types are never equal nor ordered; integers
/// and doubles compare by their exact values; an array satisfies a comparison when one of its elements does.
///
/// Limits: 1,024 predicates, 65,536 elements of IN lists in all, nesting 32 deep. Everything that is not a
/// valid filter is kInvalidArgument, with the position (text) or the place (JSON) and what was expected.
/// Values that come from users belong into parameters or the builder: they are never read as filter text.
///
/// An immutable value; copies are cheap and share the tree; safe to use from any thread.
class Filter {
 public:
  /// No condition: every record matches.
  Filter() noexcept = default;

  /// Reads filter text, which must not be empty.
  static Filter parse(std::string_view text);
  /// With parameters: an array gives the values of ? in their order, an object those of :name. Each value is
  /// a scalar, or an array where a whole IN list stands. All must be used.
  static Filter parse(std::string_view text, const Metadata& params);
  /// Reads the JSON form (docs/filter.md); unknown keys and operators are errors.
  static Filter from_json(std::string_view json);
  static Filter from_value(const Metadata& value);

  /// Text that parses to an equal filter; "" when there is no condition.
  std::string to_string() const;
  /// JSON that from_json reads to an equal filter; {} when there is no condition.
  std::string to_json() const;
  Metadata to_value() const;

  /// True when there is no condition.
  bool empty() const noexcept { return node_ == nullptr; }
  /// The same condition, written the same way up to spelling (== or =, redundant parentheses).
  friend bool operator==(const Filter& a, const Filter& b);
  friend std::ostream& operator<<(std::ostream& out, const Filter& filter);

  /// With a filter that has no condition: && gives the other one, || matches everything, ! is
  /// kInvalidArgument.
  friend Filter operator&&(const Filter& a, const Filter& b);
  friend Filter operator||(const Filter& a, const Filter& b);
  friend Filter operator!(const Filter& a);

  /// For the library: the tree, whose type is not public.
  explicit Filter(std::shared_ptr<const FilterNode> node) noexcept : node_(std::move(node)) {}
  const std::shared_ptr<const FilterNode>& node() const noexcept { return node_; }

 private:
  std::shared_ptr<const FilterNode> node_;
};

/// A date in a filter, ISO 8601: date("2026-02-28"), date("2026-02-28T12:30:00+01:00"). Compares with strings
/// that are ISO 8601 dates, by instant.
struct Date {
  std::string text;
};
/// kInvalidArgument for a date that does not exist.
Date date(std::string_view iso8601);

/// What a field is compared with: a string, number, bool or date. Null is kInvalidArgument: see
/// Field::is_null.
class FilterValue {
 public:
  template <class T>
    requires(!std::same_as<std::remove_cvref_t<T>, FilterValue> &&
             !std::same_as<std::remove_cvref_t<T>, Date> && std::constructible_from<Metadata, T>)
  FilterValue(T&& value) : value_(Metadata(std::forward<T>(value))) {}
  FilterValue(Date value) : value_(std::move(value)) {}

  const std::variant<Metadata, Date>& get() const noexcept { return value_; }

 private:
  std::variant<Metadata, Date> value_;
};

/// A field in the builder. Every function below makes the filter of the same name in the text form.
class Field {
 public:
  /// A path as in filter text: "year", "author.name", "items[*].price", "\"odd name\".x".
  explicit Field(std::string_view path);

  friend Filter operator==(const Field& field, const FilterValue& value);
  friend Filter operator!=(const Field& field, const FilterValue& value);
  friend Filter operator<(const Field& field, const FilterValue& value);
  friend Filter operator<=(const Field& field, const FilterValue& value);
  friend Filter operator>(const Field& field, const FilterValue& value);
  friend Filter operator>=(const Field& field, const FilterValue& value);

  Filter in(const std::vector<FilterValue>& values) const;
  Filter not_in(const std::vector<FilterValue>& values) const;
  template <class T>
  Filter in(const std::vector<T>& values) const {
    return in(std::vector<FilterValue>(values.begin(), values.end()));
  }
  template <class T>
  Filter not_in(const std::vector<T>& values) const {
    return not_in(std::vector<FilterValue>(values.begin(), values.end()));
  }
  /// low <= field <= high; low > high is kInvalidArgument.
  Filter between(const FilterValue& low, const FilterValue& high) const;
  /// % stands for any text, _ for one character; `escape`, one character, takes their meaning away.
  Filter like(std::string_view pattern, std::string_view escape = {}) const;
  /// An element of an array, or a part of a string.
  Filter contains(const FilterValue& value) const;
  Filter starts_with(std::string_view prefix) const;
  /// The text has all these words, as the field's analyzer splits both.
  Filter match(std::string_view words) const;
  /// Missing or null.
  Filter is_null() const;
  Filter is_not_null() const;
  /// Present, also when null.
  Filter exists() const;
  /// {"lat": .., "lon": ..} within so many metres.
  Filter geo_radius(double latitude, double longitude, double metres) const;
  /// Within the box; west > east crosses the 180th meridian.
  Filter geo_box(double south, double west, double north, double east) const;
  /// One element of the array satisfies the whole condition, whose paths begin at the element.
  Filter any(const Filter& condition) const;

 private:
  std::string path_;
};

inline Field field(std::string_view path) { return Field(path); }
inline Filter any(std::string_view path, const Filter& condition) { return Field(path).any(condition); }

}  // namespace vecstore
