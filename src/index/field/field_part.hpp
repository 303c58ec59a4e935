// FieldPart: the metadata of a run of rows, by path and value.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index/field/field.hpp"
#include "index/field/part_writer.hpp"
#include "io/index_file.hpp"

namespace vecstore::fields {

/// Rows are numbered from 0. In a file, or in memory. Thread-safe. A field is checked at its first use;
/// damage is kCorruption.
class FieldPart {
 public:
  /// Sections first_section (the fields) and first_section + 1 (their directory).
  FieldPart(std::shared_ptr<const io::IndexFile> file, std::uint32_t first_section);
  /// What a FieldPartWriter made. For the newest rows.
  FieldPart(std::string fields, std::string_view directory);

  std::uint32_t span() const { return span_; }
  /// What is known of a path without reading its values; nullptr when no row has one (or see complete()).
  const FieldEntry* find(std::string_view path) const;
  /// Whether a path that is not found has no values.
  bool complete() const { return !overflow_; }
  std::span<const FieldEntry> entries() const { return entries_; }
  /// `entry` is one of entries().
  const Field& field(const FieldEntry& entry) const;
  /// Rows of which not everything is indexed: whether they match is not known.
  std::span<const std::uint32_t> irregular() const { return irregular_; }
  /// Checks everything, once. False when that was done before.
  bool warm_up() const;

 private:
  void read_directory(std::string_view directory);
  std::string_view bytes(const FieldEntry& entry) const;

  std::shared_ptr<const io::IndexFile> file_;
  std::uint32_t section_ = 0;
  std::string memory_;
  std::string name_;  // for messages
  std::uint32_t span_ = 0;
  bool overflow_ = false;
  std::vector<FieldEntry> entries_;  // by path
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<const Field>> owned_;  // guarded by mutex_
  std::unique_ptr<std::atomic<const Field*>[]> opened_;      // by entry; nullptr: not used yet
  std::vector<std::uint32_t> irregular_;
  mutable std::atomic<bool> warm_{false};
};

}  // namespace vecstore::fields
