#include "shard/field_merge.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "shard/field_source.hpp"
#include "shard/read_view.hpp"
#include "shard/text_source.hpp"

namespace vecstore::shard {

void FieldsInMemory::add(std::uint64_t row, const storage::Document& document) {
  add_fields(document, static_cast<std::uint32_t>(row - first_row_), builder_);
}

void FieldsInMemory::add_unknown(std::span<const std::uint64_t> rows) {
  for (const std::uint64_t row : rows) builder_.add_unknown(static_cast<std::uint32_t>(row - first_row_));
}

const fields::FieldPart& FieldsInMemory::finish(std::uint64_t end_row) {
  std::string bytes;
  fields::FieldPartWriter out(static_cast<std::uint32_t>(end_row - first_row_),
                              [&](std::string_view b) { bytes += b; });
  builder_.write(out);
  return part_.emplace(std::move(bytes), out.directory());
}

FieldMerge::FieldMerge(Shard& shard, std::span<const SegmentSet::Item> segments,
                       const segment::RetiredBits& retired, const Context& context)
    : first_row_(segments.front().entry.first_row) {
  for (const SegmentSet::Item& item : segments) {
    if (item.segment && item.segment->fields())
      add_segment(shard, item, retired, context);
    else
      add_from_truth(shard, item.entry, context);
  }
}

void FieldMerge::add_from_truth(Shard& shard, const storage::SegmentEntry& entry, const Context& context) {
  for (std::uint64_t first = entry.first_row; first < entry.end_row; first += kMostRowsPerCheckpoint) {
    const std::uint64_t end = std::min(entry.end_row, first + kMostRowsPerCheckpoint);
    FieldsInMemory& rows = read_.emplace_back(first);
    const auto add = [&](std::uint64_t row, const storage::Document& document) { rows.add(row, document); };
    rows.add_unknown(for_each_document(shard, first, end, context, add));
    inputs_.push_back({&rows.finish(end), nullptr, shift(first)});
  }
}

void FieldMerge::add_segment(Shard& shard, const SegmentSet::Item& item, const segment::RetiredBits& retired,
                             const Context& context) {
  const storage::SegmentEntry& entry = item.entry;
  RowBits& keep = keeps_.emplace_back(entry.end_row - entry.first_row, true);
  for (std::uint64_t row = entry.first_row; row < entry.end_row; ++row) {
    if (retired.contains(row)) keep.reset(row - entry.first_row);
  }
  const ReadView view(shard);
  DocumentReader documents(view);
  FieldsInMemory* changed = nullptr;
  const auto change = [&](std::uint64_t row, std::uint64_t sequence) {
    if (sequence <= entry.sequence || !keep.test(row - entry.first_row)) return;
    keep.reset(row - entry.first_row);
    if (!changed) changed = &read_.emplace_back(entry.first_row);
    try {
      changed->add(row, documents.read(row));
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      changed->add_unknown(std::span(&row, 1));
    }
  };
  try {
    for_each_overlay(view, entry.first_row, entry.end_row, context, change);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    known_ = false;
  }
  inputs_.push_back({item.segment->fields(), &keep, shift(entry.first_row)});
  if (changed) inputs_.push_back({&changed->finish(entry.end_row), nullptr, shift(entry.first_row)});
}

std::uint64_t newer_metadata(const ReadView& view, const storage::SegmentEntry& entry,
                             const Context& context) {
  std::uint64_t rows = 0;
  try {
    for_each_overlay(view, entry.first_row, entry.end_row, context,
                     [&](std::uint64_t row, std::uint64_t sequence) {
                       rows += sequence > entry.sequence && sequence != kDamagedOverlay && view.is_live(row);
                     });
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    return 0;  // nor could another segment tell
  }
  return rows;
}

}  // namespace vecstore::shard
