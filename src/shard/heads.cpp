#include "shard/heads.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace vecstore::shard {

HeadReader::HeadReader(const ReadView& view) : view_(view), set_(view.shard().segments().at(view.txn())) {}

const segment::Segment* HeadReader::covering(std::uint64_t row) {
  if (!last_ || row < last_->entry.first_row || row >= last_->entry.end_row) {
    const auto& items = set_->items;
    const auto at = std::partition_point(items.begin(), items.end(),
                                         [&](const auto& i) { return i.entry.end_row <= row; });
    if (at == items.end() || row < at->entry.first_row) return nullptr;
    last_ = &*at;
  }
  return last_->segment.get();
}

template <class Find>
auto HeadReader::in_segment(std::uint64_t row, Find&& find)
    -> decltype(find(std::declval<const segment::IdsPart&>())) {
  const segment::Segment* segment = covering(row);
  if (!segment) return std::nullopt;
  try {
    return find(segment->ids());
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    // What it said before was checked, and stays good as long as this set has the file.
    view_.shard().segments().report_damage(last_->entry.number);
    return std::nullopt;
  }
}

void HeadReader::prefetch(std::uint64_t row) {
  if (const auto* segment = covering(row)) segment->ids().prefetch(row);
}

std::optional<std::string_view> HeadReader::find_id(std::uint64_t row) {
  return in_segment(row, [&](const segment::IdsPart& ids) { return ids.find_id(row); });
}

std::optional<segment::RecordHead> HeadReader::find(std::uint64_t row) {
  return in_segment(row, [&](const segment::IdsPart& ids) { return ids.find(row); });
}

}  // namespace vecstore::shard
