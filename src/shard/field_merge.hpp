// FieldMerge: the metadata of some segments, for another one that takes their place.
#pragma once
#include <list>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "segment/fields_part.hpp"
#include "shard/segments.hpp"
#include "shard/shard.hpp"
#include "storage/document.hpp"

namespace vecstore::shard {

/// The metadata of rows in memory, as one part. Rows are numbered from `first_row`.
class FieldsInMemory {
 public:
  explicit FieldsInMemory(std::uint64_t first_row) : first_row_(first_row) {}
  void add(std::uint64_t row, const storage::Document& document);
  void add_unknown(std::span<const std::uint64_t> rows);
  const fields::FieldPart& finish(std::uint64_t end_row);

 private:
  const std::uint64_t first_row_;
  fields::FieldPartBuilder builder_;
  std::optional<fields::FieldPart> part_;
};

/// What is merged: the segments' own parts without retired rows; from the truth the rows of damaged ones, and
/// those whose metadata has changed since.
class FieldMerge {
 public:
  /// Neighbours, ascending. The segments outlive it.
  FieldMerge(Shard& shard, std::span<const SegmentSet::Item> segments, const segment::RetiredBits& retired,
             const Context& context);
  /// False when the truth does not say what has changed, as it is damaged.
  bool is_known() const { return known_; }
  std::span<const fields::MergeInput> inputs() const { return inputs_; }

 private:
  void add_from_truth(Shard& shard, const storage::SegmentEntry& entry, const Context& context);
  void add_segment(Shard& shard, const SegmentSet::Item& item, const segment::RetiredBits& retired,
                   const Context& context);
  std::uint32_t shift(std::uint64_t row) const { return static_cast<std::uint32_t>(row - first_row_); }

  std::uint64_t first_row_;
  bool known_ = true;
  std::vector<fields::MergeInput> inputs_;
  std::list<RowBits> keeps_;
  std::list<FieldsInMemory> read_;
};

/// Live rows whose metadata is newer than the segment, apart from damaged metadata, which would be so in
/// another segment too.
std::uint64_t newer_metadata(const ReadView& view, const storage::SegmentEntry& entry,
                             const Context& context);

}  // namespace vecstore::shard
