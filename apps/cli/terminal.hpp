// What the program writes: colours and bars only where a person looks, JSON where a program asked for it.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "vecstore/metadata.hpp"
#include "vecstore/query.hpp"
#include "vecstore/record.hpp"

namespace vecstore::cli {

/// True when `file` (1 or 2) is a terminal that understands colours and NO_COLOR is not set.
bool wants_colour(int file);
bool is_terminal(int file);
/// Columns of the terminal; 80 where that is unknown.
std::size_t terminal_width();

/// Text of documents for a terminal: control characters become spaces, so that no document can drive it.
std::string printable(std::string_view text);
/// 1234567 -> "1,234,567".
std::string grouped(std::uint64_t value);
/// 1536 -> "1.5 KiB".
std::string bytes_text(std::uint64_t bytes);
/// The shortest decimal that is this float, as a JSON number.
Metadata json_number(float value);
std::string fixed(double value, int digits);
/// One line of JSON on standard output.
void print_json(const Metadata& document);

/// {"id", "text", "metadata", "source", "start", "end", "part", "vector", ...} without what the record does
/// not have.
Metadata to_json(const Record& record);
Metadata to_json(const PlanNode& plan);

/// A piece of a text on one line; what matched stands between `on` and `off`.
std::string snippet_line(std::string_view text, const Snippet& snippet, std::string_view on = {},
                         std::string_view off = {});
/// The beginning of a text on one line of at most about `width` bytes.
std::string beginning_line(std::string_view text, std::size_t width);

/// One line on standard error that is redrawn at most ten times a second; silent where that is no terminal.
class ProgressBar {
 public:
  explicit ProgressBar(std::uint64_t total, bool enabled);
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// `done` of the total, and how many records that makes.
  void update(std::uint64_t done, std::uint64_t records);
  /// Takes the line away; the next update draws it again.
  void clear();

 private:
  std::uint64_t total_;
  bool enabled_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace vecstore::cli
