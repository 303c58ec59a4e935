// What the rows of a set have at some paths: how many of each value, and the numbers of each group summed up.
#pragma once
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/context.hpp"
#include "base/row_bits.hpp"
#include "index/field/field_part.hpp"

namespace vecstore::fields {

/// Sums that lose nothing that counts: integers in 128 bits, doubles with Neumaier's compensation.
struct NumberTotals {
  std::uint64_t count = 0;
  __int128 integers = 0;
  double doubles = 0, lost = 0;
  Number least, most;

  void add(const Number& n);
  void add(const NumberTotals& other);
  double sum() const;
};

/// Rows, and per path what their numbers come to.
struct Totals {
  std::uint64_t rows = 0;
  std::vector<NumberTotals> numbers;

  void add(const Totals& other);
};

/// A value that rows are grouped by; equal numbers are one, an integer where it can be. Ordered: bools,
/// numbers, strings.
struct GroupKey {
  std::variant<bool, Number, std::string> value;

  friend std::strong_ordering operator<=>(const GroupKey& a, const GroupKey& b);
  friend bool operator==(const GroupKey& a, const GroupKey& b) { return (a <=> b) == 0; }
};

/// Of equal numbers the integer.
Number as_key(const Number& n);

struct Groups {
  Totals all;
  std::map<GroupKey, Totals> by_value;
  std::uint64_t missing = 0;  ///< Rows in no group.
};

/// Nothing: no record has such a path.
struct AggregatePaths {
  bool grouped = false;
  std::optional<FieldPathKey> group;
  std::vector<std::optional<FieldPathKey>> numbers;
};

/// Adds the rows of `rows` to the groups, and returns those that were left out, since the part does not know
/// all of their values. kCorruption, kDeadline, kCancelled: `out` is unchanged.
RowBits aggregate(const FieldPart& part, const AggregatePaths& paths, RowBits rows, const Context& context,
                  Groups& out);

}  // namespace vecstore::fields
