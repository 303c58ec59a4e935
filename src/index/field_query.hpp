// FieldNode: a condition on the metadata of rows, as a tree of plain data; RowSet: the rows that meet it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/context.hpp"
#include "base/instant.hpp"
#include "base/metadata_names.hpp"
#include "base/row_bits.hpp"
#include "base/varint.hpp"

namespace vecstore {

/// A path as field indexes store it: names by their numbers in the collection's FieldNames, and each [*].
/// `a[*].b` = name, each, name. Equal paths are equal strings.
using FieldPathKey = std::string;
inline void append_name(FieldPathKey& key, std::uint32_t number) {
  put_varint(key, std::uint64_t{number} + 1);
}
inline void append_each(FieldPathKey& key) { key += '\0'; }

/// A record's fields beside its metadata, as names of paths.
enum class OwnField : std::uint32_t { kSource = FieldNames::kMaxNames, kStart, kEnd, kPart };

/// A bound of a range. Bools, numbers, strings and instants are never compared with each other; integers and
/// doubles are, exactly. An instant looks at strings that are dates.
using FieldBound = std::variant<bool, std::int64_t, double, std::string, Instant>;

/// Values of one type between two bounds; at least one bound is there and says which type.
struct FieldRange {
  enum class End : std::uint8_t { kOpen, kIncluded, kExcluded };  ///< kOpen: there is no bound.
  End low_end = End::kOpen, high_end = End::kOpen;
  FieldBound low, high;

  static FieldRange point(FieldBound value) { return {End::kIncluded, End::kIncluded, value, value}; }
  static FieldRange all_strings() { return {End::kIncluded, End::kOpen, std::string(), {}}; }
};

/// Rows that have at `path` a value that passes. A path with [*] leads to several values, any of which will
/// do.
struct FieldLeaf {
  /// Which values are looked at.
  enum class At : std::uint8_t {
    kPath,              ///< Those at the path; an array is one value.
    kPathOrElements,    ///< The same, but an array counts as its elements.
    kElements,          ///< The elements of arrays at the path.
    kStringsOrElements  ///< Strings at the path must pass `text`, elements of arrays the ranges.
  };
  /// Which of these pass.
  enum class Pass : std::uint8_t {
    kAny,  ///< All.
    kNotNull,
    kRanges,     ///< Those in one of the ranges; strings among them also have to pass `text` if it is given.
    kNotRanges,  ///< Those that are not null and in none of the ranges.
  };
  FieldPathKey path;
  At at = At::kPath;
  Pass pass = Pass::kAny;
  std::vector<FieldRange> ranges;
  std::function<bool(std::string_view)> text;
};

/// Rows with an object at the path (or in an array there) whose members `lat` and `lon` are numbers that
/// pass.
struct FieldPlaces {
  FieldPathKey path;
  std::uint32_t lat = 0, lon = 0;  ///< Numbers of the names.
  double south = -90, north = 90;  ///< No place outside passes.
  std::function<bool(double lat, double lon)> test;
};

/// Rows that match for certain, and those that may: `maybe` contains `sure`.
struct RowSet {
  RowBits sure, maybe;
};

/// How many rows may match: never fewer than `least`, never more than `most`.
struct Cardinality {
  std::uint64_t least = 0;
  double expected = 0;
  std::uint64_t most = 0;
};

/// Rows that another index finds, by their numbers in the collection. Retired ones may be among them.
struct FoundRows {
  std::function<RowSet(const Context&)> find;
  std::function<Cardinality()> estimate;
};

struct FieldNode {
  enum class Kind : std::uint8_t {
    kAnd,
    kOr,
    kNot,
    kLeaf,
    kPlaces,
    kFound,    ///< Of the collection's rows, not of a part's; uncertain where its child, if there is one, may
               ///< match.
    kMaybe,    ///< Its only child's rows may match, no others: each has to be looked at.
    kUnknown,  ///< Any row may match.
    kNone,     ///< None does.
  };
  Kind kind = Kind::kUnknown;
  std::vector<FieldNode> children;
  FieldLeaf leaf;
  FieldPlaces places;
  FoundRows found;

  /// Whether any part of it is kFound.
  bool has_found() const {
    return kind == Kind::kFound ||
           std::any_of(children.begin(), children.end(), [](const FieldNode& c) { return c.has_found(); });
  }
};

}  // namespace vecstore
