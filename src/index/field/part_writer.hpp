// FieldPartWriter: the bytes of a part: fields one behind the other, then a directory of them.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "index/field/field_values.hpp"
#include "index/field_query.hpp"

namespace vecstore::fields {

/// Directory: varint span, 1 byte flags (1: paths without a field may have values all the same), varint
/// number of fields, then per field, ascending by path: sized path, varint offset / 64, varint length, varint
/// rows, varint postings, varint ordinals; then varint number of irregular rows, their differences as
/// varints.
struct FieldEntry {
  FieldPathKey path;
  std::uint64_t offset = 0, length = 0;
  std::uint32_t rows = 0, postings = 0, ordinals = 0;
};

class FieldPartWriter {
 public:
  /// `sink` gets the bytes of the fields front to back.
  FieldPartWriter(std::uint32_t span, std::function<void(std::string_view)> sink)
      : span_(span), sink_(std::move(sink)) {}

  /// Paths ascending.
  void add(const FieldPathKey& path, const FieldValues& values);
  /// The rows, ascending, of which not everything is indexed. `overflow`: nor are all paths.
  void finish(std::span<const std::uint32_t> irregular, bool overflow);
  std::uint32_t span() const { return span_; }
  /// After finish().
  const std::string& directory() const { return directory_; }

 private:
  std::uint32_t span_;
  std::function<void(std::string_view)> sink_;
  std::vector<FieldEntry> entries_;
  std::uint64_t size_ = 0;
  std::string directory_;
  bool overflow_ = false;
};

}  // namespace vecstore::fields
