// FieldValues: what the rows of a part have at one path, in memory; made into bytes.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/metadata_codec.hpp"
#include "base/numbers.hpp"
#include "index/field/field_format.hpp"

namespace vecstore::fields {

/// An integer or a double.
struct Number {
  bool is_double = false;
  union {
    std::int64_t integer = 0;
    double real;
  };
  static Number of(std::int64_t v) {
    Number n;
    n.integer = v;
    return n;
  }
  static Number of(double v) {
    Number n;
    n.is_double = true;
    n.real = v;
    return n;
  }
};
/// Exact; equal numbers of different types are equal.
inline std::strong_ordering compare(const Number& a, const Number& b) noexcept {
  if (!a.is_double) return b.is_double ? compare_numbers(a.integer, b.real) : a.integer <=> b.integer;
  return b.is_double ? compare_numbers(a.real, b.real) : 0 <=> compare_numbers(b.integer, a.real);
}
/// The order in a part: of equal numbers the integer comes first, and each is an ordinal of its own.
inline bool before(const Number& a, const Number& b) noexcept {
  const auto order = compare(a, b);
  return order != 0 ? order < 0 : a.is_double < b.is_double;
}

/// Rows by value, one value after the other as ordinals go. Strings are borrowed.
struct FieldValues {
  std::array<std::uint32_t, kKinds> entries{};
  std::vector<Number> numbers;            ///< Ascending (before), distinct.
  std::vector<std::string_view> strings;  ///< Ascending, distinct.
  std::vector<std::uint32_t> starts;      ///< Per ordinal, and the end.
  std::vector<std::uint32_t> rows;        ///< Ascending and distinct within an ordinal.

  void end_ordinal(Kind kind) {
    ++entries[static_cast<std::size_t>(kind)];
    starts.push_back(static_cast<std::uint32_t>(rows.size()));
  }
};

/// The field's bytes; none when they are more than an index takes (4 GiB of strings, 4 G values). `span`:
/// rows of the part; all of `rows` are below.
std::string encode_field(const FieldValues& values, std::uint32_t span);

}  // namespace vecstore::fields
