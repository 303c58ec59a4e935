// How a stored value and a literal compare: one definition for building (BETWEEN a AND b) and evaluating.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/metadata_codec.hpp"
#include "base/numbers.hpp"
#include "query/filter_ast.hpp"

namespace vecstore {

/// The value against the literal; nothing when their types differ (then they are neither equal nor ordered).
/// A string compares with a string by bytes, which is the order of code points, and with a date by instant if
/// it is one.
inline std::optional<std::strong_ordering> compare(const EncodedValue& value,
                                                   const FilterLiteral& literal) noexcept {
  using Type = Metadata::Type;
  switch (value.type) {
    case Type::kBool:
      if (const auto* other = std::get_if<bool>(&literal)) return value.boolean <=> *other;
      break;
    case Type::kInt:
      if (const auto* other = std::get_if<std::int64_t>(&literal)) return value.integer <=> *other;
      if (const auto* other = std::get_if<double>(&literal)) return compare_numbers(value.integer, *other);
      break;
    case Type::kDouble:
      if (const auto* other = std::get_if<double>(&literal)) return compare_numbers(value.number, *other);
      if (const auto* other = std::get_if<std::int64_t>(&literal))
        return 0 <=> compare_numbers(*other, value.number);
      break;
    case Type::kString:
      if (const auto* other = std::get_if<std::string>(&literal)) return value.bytes <=> *other;
      if (const auto* other = std::get_if<FilterDate>(&literal)) {
        if (const auto instant = parse_instant(value.bytes)) return *instant <=> other->instant;
      }
      break;
    default:
      break;
  }
  return std::nullopt;
}

/// The literal as a stored value; a date becomes its text.
inline EncodedValue as_value(const FilterLiteral& literal) noexcept {
  EncodedValue value;
  if (const auto* boolean = std::get_if<bool>(&literal)) {
    value.type = Metadata::Type::kBool;
    value.boolean = *boolean;
  } else if (const auto* integer = std::get_if<std::int64_t>(&literal)) {
    value.type = Metadata::Type::kInt;
    value.integer = *integer;
  } else if (const auto* number = std::get_if<double>(&literal)) {
    value.type = Metadata::Type::kDouble;
    value.number = *number;
  } else {
    value.type = Metadata::Type::kString;
    const auto* date = std::get_if<FilterDate>(&literal);
    value.bytes = date ? std::string_view(date->text) : std::string_view(std::get<std::string>(literal));
  }
  return value;
}

}  // namespace vecstore
