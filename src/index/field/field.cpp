#include "index/field/field.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "simd/column_kernels.hpp"

namespace vecstore::fields {
namespace {

// So many rows of a column are looked at in the time that a posting is set.
constexpr std::uint64_t kRowsPerPosting = kRowsPerColumn;
// Of more ranges a table is made; for columns of bytes that is as fast as one range.
constexpr std::size_t kMostScans = 8, kMostByteScans = 2;

}  // namespace

Field::Field(std::string_view bytes, std::uint32_t span, std::string_view what) {
  const auto damaged = [&] [[noreturn]] {
    fail(ErrorCode::kCorruption, what, ": a field's numbers do not fit");
  };
  if (bytes.size() < sizeof header_) damaged();
  header_ = load<FieldHeader>(bytes.data());
  std::uint64_t ordinals = 0;
  for (std::size_t k = 0; k < kKinds; ++k) {
    const std::uint32_t n = header_.entries[k];
    const bool has_values = k == std::size_t(Kind::kNumber) || k == std::size_t(Kind::kString);
    if (!has_values && n > 1) damaged();
    begins_[k] = static_cast<std::uint32_t>(ordinals);
    ordinals += n;
    if (ordinals > header_.postings) damaged();  // each value is of a row
  }
  ordinals_ = begins_[kKinds] = static_cast<std::uint32_t>(ordinals);
  const std::uint8_t width = header_.column_bytes;
  if (header_.span != span || (width != 0 && width != 1 && width != 2 && width != 4) ||
      header_.number_form > NumberForm::kMixed || header_.rows > header_.postings || header_.rows > span)
    damaged();
  const FieldLayout layout(header_);
  if (layout.end != bytes.size()) damaged();
  const char* const at = bytes.data();
  if (header_.postings != ordinals_) starts_ = reinterpret_cast<const std::uint32_t*>(at + layout.starts);
  rows_ = {reinterpret_cast<const std::uint32_t*>(at + layout.rows), header_.postings};
  if (width != 0) column_ = at + layout.column;
  numbers_ = at + layout.numbers;
  if (header_.number_form == NumberForm::kMixed) doubles_ = at + layout.doubles;
  offsets_ = reinterpret_cast<const std::uint32_t*>(at + layout.offsets);
  bytes_ = at + layout.bytes;
  check(what);
}

// Afterwards nothing that is read here leads outside.
void Field::check(std::string_view what) const {
  bool good = true;
  if (starts_) {
    good = starts_[0] == 0 && starts_[ordinals_] == header_.postings;
    for (std::uint32_t o = 0; o < ordinals_; ++o) good &= starts_[o] < starts_[o + 1];
  }
  for (const std::uint32_t row : rows_) good &= row < header_.span;
  for (std::uint32_t row = 0; column_ && row < header_.span; ++row) {
    const std::uint32_t o = at(row);
    good &= o == kNoOrdinal || o < ordinals_;
  }
  if (const std::uint32_t n = header_.entries_of(Kind::kString); n > 0) {
    good &= offsets_[0] == 0 && offsets_[n] == header_.string_bytes;
    for (std::uint32_t s = 0; s < n; ++s) good &= offsets_[s] <= offsets_[s + 1];
  }
  if (!good) fail(ErrorCode::kCorruption, what, ": a field's values are out of range");
}

Ordinals Field::of_kind(Kind kind) const {
  const auto k = static_cast<std::size_t>(kind);
  return {begins_[k], begins_[k + 1]};
}

Kind Field::kind_of(std::uint32_t ordinal) const {
  std::size_t k = 0;
  while (ordinal >= begins_[k + 1]) ++k;
  return static_cast<Kind>(k);
}

Number Field::number(std::uint32_t ordinal) const {
  const std::uint32_t i = ordinal - begins_[static_cast<std::size_t>(Kind::kNumber)];
  const bool is_double =
      header_.number_form == NumberForm::kDoubles || (doubles_ && (doubles_[i / 8] >> (i % 8) & 1) != 0);
  return is_double ? Number::of(load<double>(numbers_ + std::size_t{8} * i))
                   : Number::of(load<std::int64_t>(numbers_ + std::size_t{8} * i));
}

std::string_view Field::string(std::uint32_t ordinal) const {
  const std::uint32_t i = ordinal - begins_[static_cast<std::size_t>(Kind::kString)];
  return {bytes_ + offsets_[i], offsets_[i + 1] - offsets_[i]};
}

std::uint32_t Field::at(std::uint32_t row) const {
  switch (header_.column_bytes) {
    case 1:
      return std::uint32_t{load<std::uint8_t>(column_ + row)} - 1;
    case 2:
      return std::uint32_t{load<std::uint16_t>(column_ + 2 * std::size_t{row})} - 1;
    default:
      return load<std::uint32_t>(column_ + 4 * std::size_t{row}) - 1;
  }
}

std::vector<std::uint32_t> Field::by_row() const {
  std::vector<std::uint32_t> out(header_.span, kNoOrdinal);
  for (std::uint32_t o = 0; o < ordinals_; ++o) {
    for (const std::uint32_t row : rows_of(o)) out[row] = o;
  }
  return out;
}

/// The first ordinal of the kind of which `before` does not hold.
template <class Before>
std::uint32_t Field::first_not(Kind kind, Before&& before) const {
  auto [begin, end] = of_kind(kind);
  while (begin < end) {
    const std::uint32_t middle = begin + (end - begin) / 2;
    if (before(middle))
      begin = middle + 1;
    else
      end = middle;
  }
  return begin;
}

Ordinals Field::in_range(const FieldRange& range) const {
  using End = FieldRange::End;
  const FieldBound& of_type = range.low_end != End::kOpen ? range.low : range.high;
  if (std::holds_alternative<bool>(of_type)) {
    // false < true
    bool passes[2];
    for (const bool value : {false, true}) {
      const bool* low = std::get_if<bool>(&range.low);
      const bool* high = std::get_if<bool>(&range.high);
      passes[value] = (range.low_end == End::kOpen || value > *low ||
                       (value == *low && range.low_end == End::kIncluded)) &&
                      (range.high_end == End::kOpen || value < *high ||
                       (value == *high && range.high_end == End::kIncluded));
    }
    const Ordinals no = of_kind(Kind::kFalse), yes = of_kind(Kind::kTrue);
    if (passes[0] && passes[1]) return {no.begin, yes.end};
    return passes[0] ? no : passes[1] ? yes : Ordinals{};
  }
  if (const auto* text = std::get_if<std::string>(&of_type); text) {
    Ordinals out = of_kind(Kind::kString);
    if (range.low_end != End::kOpen) {
      const std::string_view low = std::get<std::string>(range.low);
      out.begin = first_not(Kind::kString, [&](std::uint32_t o) {
        return range.low_end == End::kIncluded ? string(o) < low : string(o) <= low;
      });
    }
    if (range.high_end != End::kOpen) {
      const std::string_view high = std::get<std::string>(range.high);
      out.end = first_not(Kind::kString, [&](std::uint32_t o) {
        return range.high_end == End::kIncluded ? string(o) <= high : string(o) < high;
      });
    }
    return out;
  }
  const auto as_number = [](const FieldBound& b) {
    return std::holds_alternative<double>(b) ? Number::of(std::get<double>(b))
                                             : Number::of(std::get<std::int64_t>(b));
  };
  Ordinals out = of_kind(Kind::kNumber);
  if (range.low_end != End::kOpen) {
    const Number low = as_number(range.low);
    out.begin = first_not(Kind::kNumber, [&](std::uint32_t o) {
      const auto order = compare(number(o), low);
      return range.low_end == End::kIncluded ? order < 0 : order <= 0;
    });
  }
  if (range.high_end != End::kOpen) {
    const Number high = as_number(range.high);
    out.end = first_not(Kind::kNumber, [&](std::uint32_t o) {
      const auto order = compare(number(o), high);
      return range.high_end == End::kIncluded ? order <= 0 : order < 0;
    });
  }
  return out;
}

std::span<const std::pair<Instant, std::uint32_t>> Field::dates() const {
  std::call_once(dates_once_, [&] {
    const Ordinals strings = of_kind(Kind::kString);
    for (std::uint32_t o = strings.begin; o < strings.end; ++o) {
      if (const auto instant = parse_instant(string(o))) dates_.emplace_back(*instant, o);
    }
    std::sort(dates_.begin(), dates_.end());
  });
  return dates_;
}

void Field::scan(Ordinals range, RowBits& out) const {
  const auto& kernels = simd::column_kernels();
  std::uint64_t* const words = out.words().data();
  const std::uint32_t first = range.begin + 1, count = range.end - range.begin;
  switch (header_.column_bytes) {
    case 1:
      return kernels.in_range_8(reinterpret_cast<const std::uint8_t*>(column_), header_.span,
                                static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(count), words);
    case 2:
      return kernels.in_range_16(reinterpret_cast<const std::uint16_t*>(column_), header_.span,
                                 static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(count), words);
    default:
      return kernels.in_range_32(reinterpret_cast<const std::uint32_t*>(column_), header_.span, first, count,
                                 words);
  }
}

// A table of the ordinals that pass, asked for each row.
void Field::scan_many(std::span<const Ordinals> ordinals, RowBits& out) const {
  if (header_.column_bytes == 1) {
    std::uint64_t set[4] = {};
    for (const Ordinals& o : ordinals) {
      for (std::uint32_t value = o.begin + 1; value <= o.end; ++value)
        set[value / 64] |= std::uint64_t{1} << (value % 64);
    }
    simd::column_kernels().in_set_8(reinterpret_cast<const std::uint8_t*>(column_), header_.span, set,
                                    out.words().data());
    return;
  }
  std::vector<std::uint8_t> passes(ordinals_);
  for (const Ordinals& o : ordinals)
    std::fill(passes.begin() + o.begin, passes.begin() + o.end, std::uint8_t{1});
  for (std::uint32_t row = 0; row < header_.span; ++row) {
    const std::uint32_t o = at(row);
    if (o != kNoOrdinal && passes[o]) out.set(row);
  }
}

void Field::add_rows(std::span<const Ordinals> ordinals, RowBits& out) const {
  std::uint64_t wanted = 0;
  for (const Ordinals& o : ordinals) wanted += postings(o);
  if (wanted == 0) return;
  // The column is read in vectors of rows, or row by row.
  const bool bytes = header_.column_bytes == 1;
  const bool many = ordinals.size() > (bytes ? kMostByteScans : kMostScans);
  const std::uint64_t rows_per_posting = !many   ? kRowsPerPosting / ordinals.size()
                                         : bytes ? kRowsPerPosting / kMostByteScans
                                                 : 1;
  if (column_ && wanted > header_.span / rows_per_posting) {
    if (many) return scan_many(ordinals, out);
    for (const Ordinals& o : ordinals) scan(o, out);
    return;
  }
  // Rows that lie together share a word, which is written once.
  for (const Ordinals& o : ordinals) {
    std::uint32_t word = 0;
    std::uint64_t bits = 0;
    for (const std::uint32_t row : rows_.subspan(start(o.begin), postings(o))) {
      if (row / 64 != word) {
        out.words()[word] |= bits;
        word = row / 64;
        bits = 0;
      }
      bits |= std::uint64_t{1} << (row % 64);
    }
    out.words()[word] |= bits;
  }
}

}  // namespace vecstore::fields
