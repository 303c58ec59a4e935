// JSON lines as records: one object per line.
#pragma once
#include <string_view>

#include "cli/line_reader.hpp"
#include "vecstore/record.hpp"

namespace vecstore::cli {

/// One object becomes one record: `_id` (a string or an integer) is the id, `title` and `text` joined by a
/// space are the text, every other key is metadata. `title_apart`: the title is metadata, too, and not in the
/// text, as for collections with a text field of that name. Throws kInvalidArgument, without the place.
Record record_from_json(std::string_view line, bool title_apart = false);

/// Record by record. Blank lines are left out.
class JsonRows {
 public:
  explicit JsonRows(std::string path, bool title_apart = false)
      : lines_(std::move(path)), title_apart_(title_apart) {}

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
  bool title_apart_;
  std::uint64_t rows_ = 0;
};

}  // namespace vecstore::cli
