// JSON lines as records: one object per line.
#pragma once
#include <string_view>

#include "cli/line_reader.hpp"
#include "vecstore/record.hpp"

namespace vecstore::cli {

/// One object becomes one record: `_id` (a string or an integer) is the id, `title` and `text` joined by a
/// space are the text, every other key is metadata. Throws kInvalidArgument, without the place.
Record record_from_json(std::string_view line);

/// Record by record. Blank lines are left out.
class JsonRows {
 public:
  explicit JsonRows(std::string path) : lines_(std::move(path)) {}

  /// False at the end. Throws like record_from_json, with "file:line: " in front; the next call goes on
  /// behind it.
  bool next(Record& record);
  std::uint64_t line_number() const { return lines_.line_number(); }
  std::uint64_t bytes_read() const { return lines_.bytes_read(); }
  const std::string& path() const { return lines_.path(); }
  /// Rows that next gave or threw for.
  std::uint64_t rows() const { return rows_; }

 private:
  LineReader lines_;
  std::uint64_t rows_ = 0;
};

}  // namespace vecstore::cli
