// IdsPart: what answers say of a record besides score, text, metadata and vectors, for the rows of a segment.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/context.hpp"
#include "io/index_file.hpp"

namespace vecstore::segment {

/// Borrowed. A row's head never changes.
struct RecordHead {
  std::string_view id;
  std::string_view source;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint32_t part = 0;

  bool operator==(const RecordHead&) const = default;
};

/// The heads of a segment's rows. Thread-safe. Views last as long as the segment; the bytes that a call reads
/// are checked first, and damage is kCorruption. Whether a row is still live, the truth has to say.
class IdsPart {
 public:
  /// Reads nothing of the body. `rows`: how many rows it has.
  IdsPart(std::shared_ptr<const io::IndexFile> file, std::uint64_t first_row, std::uint64_t end_row,
          std::uint64_t rows);

  std::uint64_t rows() const { return rows_; }
  /// nullopt when it does not have the row: the row is of another segment, was retired, or could not be read.
  std::optional<std::string_view> find_id(std::uint64_t row) const;
  std::optional<RecordHead> find(std::uint64_t row) const;
  /// Asks the memory for what `find` will probably read.
  void prefetch(std::uint64_t row) const;
  /// The rows from `first_row` on and before `end_row` that it has, ascending.
  template <class Fn>
  void scan(std::uint64_t first_row, std::uint64_t end_row, Fn&& fn) const {
    for (std::uint64_t row = std::max(first_row, first_row_); row < std::min(end_row, end_row_); ++row) {
      if (const auto head = find(row)) fn(row, *head);
    }
  }
  /// Checks everything, once. False when that was done before.
  bool warm_up() const;
  /// Looks every row up; kCorruption.
  void verify(const Context& context) const;

 private:
  struct Place {
    std::string_view bytes;
    bool is_id = false;  ///< The id alone, without a place.
  };
  Place locate(std::uint64_t row) const;
  std::string_view checked(std::uint64_t begin, std::uint64_t length) const;
  std::uint64_t bytes_behind(const char* words, std::uint32_t width, std::uint32_t index,
                             std::uint32_t count) const;
  [[noreturn]] void damaged(std::uint64_t row) const;

  std::shared_ptr<const io::IndexFile> file_;
  std::uint64_t first_row_;
  std::uint64_t end_row_;
  std::uint64_t rows_;
  std::string_view groups_;  // unchecked, as the next one
  std::string_view records_;
  mutable std::atomic<bool> warm_{false};
};

/// Lays the heads of ascending rows out as a part has them. `take` what is ready from time to time: what is
/// kept is then bounded, but for 8 bytes per 64 rows.
class IdsBuilder {
 public:
  IdsBuilder(std::uint64_t first_row, std::uint64_t end_row) : first_row_(first_row), end_row_(end_row) {}

  /// Rows ascend from first_row on, below end_row.
  void add(std::uint64_t row, const RecordHead& head);
  std::uint64_t rows() const { return rows_; }
  std::size_t ready_bytes() const { return ready_.size(); }
  /// The next bytes of the section of records.
  std::string take();
  /// Ends the last group; afterwards the section of groups is complete, and take() returns the last records.
  const std::vector<std::uint64_t>& finish();

 private:
  static constexpr std::uint64_t kGroup = 64;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  void put_source(std::string_view id, std::string_view source);
  void end_group();

  std::uint64_t first_row_;
  std::uint64_t end_row_;
  std::uint64_t rows_ = 0;
  std::uint64_t taken_ = 0;            // bytes that take() gave away
  std::string ready_;                  // whole groups, then the records of the current one
  std::vector<std::uint64_t> groups_;  // of whole groups
  std::array<std::uint32_t, kGroup> words_{};
  std::unordered_map<std::string, std::uint64_t, Hash, std::equal_to<>> sources_;  // where one stands
};

}  // namespace vecstore::segment
