// The tree behind Filter: nodes, how they are made, and the limits that every way of making them enforces.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/instant.hpp"
#include "vecstore/filter.hpp"

namespace vecstore {

inline constexpr std::size_t kMaxFilterClauses = 1'024;
inline constexpr std::size_t kMaxFilterElements = 65'536;  ///< Of all IN lists of one filter together.
inline constexpr std::size_t kMaxFilterDepth = 32;         ///< AND, OR, NOT, ANY within each other.
inline constexpr std::size_t kMaxLikeBytes = 1'024;        ///< Of a LIKE pattern.

enum class FilterOp : std::uint8_t {
  kAnd,
  kOr,
  kNot,
  kAny,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
  kBetween,
  kLike,
  kContains,
  kStartsWith,
  kMatch,
  kIsNull,
  kIsNotNull,
  kExists,
  kGeoRadius,
  kGeoBox,
};

/// One name of a path and how many [*] follow it.
struct FilterStep {
  std::string name;
  unsigned each = 0;
  friend bool operator==(const FilterStep&, const FilterStep&) = default;
};
using FilterPath = std::vector<FilterStep>;

/// A date literal: the instant decides, the text is kept for printing.
struct FilterDate {
  Instant instant;
  std::string text;
  friend bool operator==(const FilterDate&, const FilterDate&) = default;
};
using FilterLiteral = std::variant<bool, std::int64_t, double, std::string, FilterDate>;

struct FilterNode;
using FilterNodePtr = std::shared_ptr<const FilterNode>;

/// Immutable once made. Which members are used depends on `op`.
struct FilterNode {
  FilterOp op;
  FilterPath path;                      // Every op but kAnd, kOr, kNot.
  std::vector<FilterLiteral> values;    // Comparisons: one; kBetween: two; kIn, kNotIn: the list.
  std::string escape;                   // kLike; empty = none.
  std::array<double, 4> numbers{};      // kGeoRadius: lat, lon, metres; kGeoBox: south, west, north, east.
  std::vector<FilterNodePtr> children;  // kAnd, kOr: two or more, none of the same op; kNot, kAny: one.

  // Of the whole tree below, so that limits cost nothing to check.
  std::size_t clauses = 0;
  std::size_t elements = 0;
  std::size_t depth = 0;
};

/// The makers check everything that the language forbids and throw kInvalidArgument; the message says what is
/// wrong, the caller adds where.
FilterNodePtr make_group(FilterOp op, const std::vector<FilterNodePtr>& children);  // kAnd, kOr; flattens.
FilterNodePtr make_not(FilterNodePtr child);
FilterNodePtr make_any(FilterPath path, FilterNodePtr condition);
FilterNodePtr make_compare(FilterOp op, FilterPath path, FilterLiteral value);  // Also kContains.
FilterNodePtr make_in(FilterOp op, FilterPath path, std::vector<FilterLiteral> values);
FilterNodePtr make_between(FilterPath path, FilterLiteral low, FilterLiteral high);
FilterNodePtr make_like(FilterPath path, std::string pattern, std::string escape);
FilterNodePtr make_text(FilterOp op, FilterPath path, std::string text);  // kStartsWith, kMatch.
FilterNodePtr make_test(FilterOp op, FilterPath path);                    // kIsNull, kIsNotNull, kExists.
FilterNodePtr make_geo(FilterOp op, FilterPath path, std::array<double, 4> numbers);

/// A bool, number or string; null, arrays and objects are kInvalidArgument.
FilterLiteral make_literal(const Metadata& value);
FilterLiteral make_date(std::string_view text);

bool equal(const FilterNode& a, const FilterNode& b);

/// The path in filter text; names are quoted where they have to be.
std::string to_string(const FilterPath& path);
/// The inverse (in filter_parser.cpp); the whole text must be one path.
FilterPath parse_filter_path(std::string_view text);

}  // namespace vecstore
