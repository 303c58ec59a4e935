// The bytes of one field in a part: which values its rows have, sorted, and which rows have each value.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace vecstore::fields {

/// Values in the order of their ordinals. Of the kinds without a value of their own there is one ordinal at
/// most.
enum class Kind : std::uint8_t {
  kNull,
  kArray,
  kObject,
  kFalse,
  kTrue,
  kNumber,
  kString,
  kLongString,  ///< Longer than kMostStringBytes: which one is not known.
};
inline constexpr std::size_t kKinds = 8;
inline constexpr std::size_t kMostStringBytes = 256;
/// So many values of one record are indexed; of records with more nothing is known.
inline constexpr std::size_t kMostValues = 4'096;
/// So many paths of one part are indexed; of others nothing is known.
inline constexpr std::size_t kMostFields = 1'024;
/// Lists of rows are quicker than a column, and smaller, when there are fewer values.
inline constexpr std::uint32_t kRowsPerColumn = 16;

enum class NumberForm : std::uint8_t { kIntegers, kDoubles, kMixed };

/// The beginning of a field's bytes, which lie at a multiple of 64. Then, each at a multiple of 8:
///   starts    (ordinals + 1) x 4   where the rows of each ordinal begin; absent when each has one row
///   rows      postings x 4         relative to the part's first row; ascending within an ordinal
///   column    span x column_bytes  ordinal + 1 of each row, 0 = none; absent when a row has two values, or
///                              when there are no more values than one for kRowsPerColumn rows
///   numbers   numbers x 8          integers or doubles, ascending
///   doubles   numbers bits         which numbers are doubles; absent unless the form is mixed
///   offsets   (strings + 1) x 4    where each string ends and the next begins
///   bytes     string_bytes         the strings, ascending
struct FieldHeader {
  std::array<std::uint32_t, kKinds> entries{};  ///< How many distinct values of each kind.
  std::uint32_t span = 0;                       ///< Rows of the part, with those that have no value.
  std::uint32_t postings = 0;                   ///< (value, row) pairs.
  std::uint32_t rows = 0;                       ///< Rows with a value.
  std::uint32_t string_bytes = 0;
  std::uint8_t column_bytes = 0;  ///< 0 (absent), 1, 2 or 4.
  NumberForm number_form = NumberForm::kIntegers;
  std::uint8_t zero[14] = {};

  std::uint32_t ordinals() const {
    std::uint32_t n = 0;
    for (const std::uint32_t e : entries) n += e;
    return n;
  }
  std::uint32_t entries_of(Kind kind) const { return entries[static_cast<std::size_t>(kind)]; }
};
static_assert(sizeof(FieldHeader) == 64);

/// Where everything lies, from the header's numbers.
struct FieldLayout {
  std::uint64_t starts, rows, column, numbers, doubles, offsets, bytes, end;

  explicit FieldLayout(const FieldHeader& h) {
    const std::uint64_t ordinals = h.ordinals();
    std::uint64_t at = sizeof(FieldHeader);
    const auto take = [&](std::uint64_t size) {
      const std::uint64_t begin = at;
      at += (size + 7) / 8 * 8;
      return begin;
    };
    starts = take(h.postings == ordinals ? 0 : 4 * (ordinals + 1));
    rows = take(4 * std::uint64_t{h.postings});
    column = take(std::uint64_t{h.span} * h.column_bytes);
    const std::uint64_t n = h.entries_of(Kind::kNumber);
    numbers = take(8 * n);
    doubles = take(h.number_form == NumberForm::kMixed ? (n + 7) / 8 : 0);
    const std::uint64_t s = h.entries_of(Kind::kString);
    offsets = take(s == 0 ? 0 : 4 * (s + 1));
    bytes = take(h.string_bytes);
    end = at;
  }
};

}  // namespace vecstore::fields
