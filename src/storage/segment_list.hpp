// The list of a collection's segment files, which the truth keeps so that every process sees the same one.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/lmdb_env.hpp"

namespace vecstore::storage {

/// One segment file: what is derived from the rows [first_row, end_row) that were live at `sequence`.
struct SegmentEntry {
  std::uint64_t number = 0;  ///< Its file is segment_path(directory, number). Unique in the directory.
  std::uint64_t first_row = 0;
  std::uint64_t end_row = 0;
  std::uint64_t sequence = 0;    ///< The newest commit of the snapshot it was built from.
  std::uint64_t rows = 0;        ///< Rows in it.
  std::uint64_t file_bytes = 0;  ///< Length of the file.

  bool operator==(const SegmentEntry&) const = default;
};

/// Ascending, without gaps from row 0 on; empty when there are none. kCorruption when the list is damaged,
/// which costs speed only: without segments every query is answered from the truth.
std::vector<SegmentEntry> read_segments(const Txn& txn, std::uint32_t collection);
/// The stored bytes, to see whether a list has changed; empty when there is none.
std::string_view stored_segments(const Txn& txn, std::uint32_t collection);
std::vector<SegmentEntry> decode_segments(std::uint32_t collection, std::string_view stored);
void write_segments(WriteTxn& txn, std::uint32_t collection, std::uint64_t sequence,
                    std::span<const SegmentEntry> segments);

std::string segment_directory(const std::string& directory);
std::string segment_path(const std::string& directory, std::uint64_t number);
/// The number in a segment's file name; 0 when it is none.
std::uint64_t segment_number(std::string_view file_name);

}  // namespace vecstore::storage
