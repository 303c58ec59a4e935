// Field: the values of one path in a part, as searches read them.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/instant.hpp"
#include "base/row_bits.hpp"
#include "index/field/field_values.hpp"
#include "index/field_query.hpp"

namespace vecstore::fields {

/// Ordinals begin to end - 1.
struct Ordinals {
  std::uint32_t begin = 0, end = 0;
  bool empty() const { return begin >= end; }
};

/// Borrows the bytes. Thread-safe.
class Field {
 public:
  /// Checks everything once, about 1 ns per value; kCorruption that names `what`.
  Field(std::string_view bytes, std::uint32_t span, std::string_view what);

  std::uint32_t rows() const { return header_.rows; }
  std::uint32_t ordinals() const { return ordinals_; }
  Ordinals of_kind(Kind kind) const;
  /// The ordinals of a range's values, without long strings. Of instants see dates().
  Ordinals in_range(const FieldRange& range) const;
  /// Strings that are dates, ascending by instant, with their ordinals. Made at the first call.
  std::span<const std::pair<Instant, std::uint32_t>> dates() const;
  Number number(std::uint32_t ordinal) const;
  std::string_view string(std::uint32_t ordinal) const;

  /// (value, row) pairs: no fewer than the rows with one of the values.
  std::uint64_t postings(Ordinals ordinals) const { return start(ordinals.end) - start(ordinals.begin); }
  /// Adds the rows that have one of the values.
  void add_rows(std::span<const Ordinals> ordinals, RowBits& out) const;
  /// Whether no row has two values.
  bool is_single() const { return header_.rows == header_.postings; }
  bool has_column() const { return column_ != nullptr; }
  static constexpr std::uint32_t kNoOrdinal = ~std::uint32_t{0};
  /// The row's value, kNoOrdinal when it has none. There is a column.
  std::uint32_t at(std::uint32_t row) const;
  /// The same for all rows, of a field where no row has two values.
  std::vector<std::uint32_t> by_row() const;
  /// The rows of one value, ascending.
  std::span<const std::uint32_t> rows_of(std::uint32_t ordinal) const {
    return rows_.subspan(start(ordinal), start(ordinal + 1) - start(ordinal));
  }
  Kind kind_of(std::uint32_t ordinal) const;

 private:
  std::uint32_t start(std::uint32_t ordinal) const { return starts_ ? starts_[ordinal] : ordinal; }
  void check(std::string_view what) const;
  template <class Before>
  std::uint32_t first_not(Kind kind, Before&& before) const;
  void scan(Ordinals range, RowBits& out) const;
  void scan_many(std::span<const Ordinals> ordinals, RowBits& out) const;

  FieldHeader header_;
  std::uint32_t ordinals_;
  std::array<std::uint32_t, kKinds + 1> begins_{};  // ordinals per kind
  const std::uint32_t* starts_ = nullptr;
  std::span<const std::uint32_t> rows_;
  const char* column_ = nullptr;
  const char* numbers_ = nullptr;
  const char* doubles_ = nullptr;
  const std::uint32_t* offsets_ = nullptr;
  const char* bytes_ = nullptr;
  mutable std::once_flag dates_once_;
  mutable std::vector<std::pair<Instant, std::uint32_t>> dates_;
};

}  // namespace vecstore::fields
