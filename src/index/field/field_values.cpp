#include "index/field/field_values.hpp"

#include <algorithm>
#include <cstring>

#include "base/bytes.hpp"

namespace vecstore::fields {
namespace {

/// Ordinal + 1 by row; empty when there is to be no column.
std::vector<std::uint32_t> column_of(const FieldValues& values, std::uint32_t ordinals, std::uint32_t span) {
  if (values.rows.size() <= span / kRowsPerColumn) return {};
  std::vector<std::uint32_t> column(span);
  for (std::uint32_t o = 0; o < ordinals; ++o) {
    for (std::uint32_t i = values.starts[o]; i < values.starts[o + 1]; ++i) {
      std::uint32_t& code = column[values.rows[i]];
      if (code != 0) return {};
      code = o + 1;
    }
  }
  return column;
}

template <class T>
void put_column(char* out, const std::vector<std::uint32_t>& column) {
  for (std::size_t i = 0; i < column.size(); ++i) store(out + i * sizeof(T), static_cast<T>(column[i]));
}

NumberForm form_of(const std::vector<Number>& numbers) {
  const auto doubles =
      std::count_if(numbers.begin(), numbers.end(), [](const Number& n) { return n.is_double; });
  return doubles == 0                                          ? NumberForm::kIntegers
         : static_cast<std::size_t>(doubles) == numbers.size() ? NumberForm::kDoubles
                                                               : NumberForm::kMixed;
}

}  // namespace

std::string encode_field(const FieldValues& values, std::uint32_t span) {
  FieldHeader header;
  header.entries = values.entries;
  header.span = span;
  header.postings = static_cast<std::uint32_t>(values.rows.size());
  header.number_form = form_of(values.numbers);
  std::uint64_t string_bytes = 0;
  for (const std::string_view s : values.strings) string_bytes += s.size();
  if (string_bytes > UINT32_MAX || values.rows.size() > UINT32_MAX) return {};
  header.string_bytes = static_cast<std::uint32_t>(string_bytes);
  const std::uint32_t ordinals = header.ordinals();
  const std::vector<std::uint32_t> column = column_of(values, ordinals, span);
  if (!column.empty()) {
    header.column_bytes = ordinals < 0xff ? 1 : ordinals < 0xffff ? 2 : 4;
    header.rows = header.postings;
  } else {
    std::vector<bool> seen(span);
    for (const std::uint32_t row : values.rows) {
      header.rows += !seen[row];
      seen[row] = true;
    }
  }
  const FieldLayout layout(header);
  std::string out(layout.end, '\0');
  store(out.data(), header);
  if (header.postings != ordinals)
    std::memcpy(out.data() + layout.starts, values.starts.data(), 4 * (std::size_t{ordinals} + 1));
  if (!values.rows.empty()) std::memcpy(out.data() + layout.rows, values.rows.data(), 4 * values.rows.size());
  if (header.column_bytes == 1) put_column<std::uint8_t>(out.data() + layout.column, column);
  if (header.column_bytes == 2) put_column<std::uint16_t>(out.data() + layout.column, column);
  if (header.column_bytes == 4) put_column<std::uint32_t>(out.data() + layout.column, column);
  for (std::size_t i = 0; i < values.numbers.size(); ++i) {
    store(out.data() + layout.numbers + 8 * i, values.numbers[i].integer);  // the bits of either
    if (header.number_form == NumberForm::kMixed && values.numbers[i].is_double)
      out[layout.doubles + i / 8] = static_cast<char>(out[layout.doubles + i / 8] | 1 << (i % 8));
  }
  std::uint32_t at = 0;
  for (std::size_t i = 0; i < values.strings.size(); ++i) {
    values.strings[i].copy(out.data() + layout.bytes + at, values.strings[i].size());
    at += static_cast<std::uint32_t>(values.strings[i].size());
    store(out.data() + layout.offsets + 4 * (i + 1), at);
  }
  return out;
}

}  // namespace vecstore::fields
