#include "shard/segments.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"

namespace vecstore::shard {

segment::SegmentIdentity Segments::identity(const storage::SegmentEntry& entry) const {
  segment::SegmentIdentity out;
  std::memcpy(out.store_uuid.data(), store_.uuid().data(), out.store_uuid.size());
  out.collection = collection_;
  out.number = entry.number;
  out.first_row = entry.first_row;
  out.end_row = entry.end_row;
  out.sequence = entry.sequence;
  return out;
}

std::shared_ptr<const segment::Segment> Segments::open(const storage::SegmentEntry& entry) {
  try {
    auto segment =
        segment::Segment::open(storage::segment_path(store_.directory(), entry.number), identity(entry));
    if (segment->file_bytes() == entry.file_bytes) return segment;
  } catch (const Error& e) {
    // Whatever is wrong with a derived file, the truth has everything: the query goes on without it.
    if (e.code() == ErrorCode::kOutOfMemory) throw;
  }
  damages_.fetch_add(1, std::memory_order_relaxed);
  return nullptr;
}

std::shared_ptr<const SegmentSet> Segments::at(const storage::Txn& txn) {
  const std::string_view stored = storage::stored_segments(txn, collection_);
  const std::lock_guard lock(mutex_);
  if (set_ && stored == stored_) return set_;
  auto set = std::make_shared<SegmentSet>();
  try {
    for (const storage::SegmentEntry& entry : storage::decode_segments(collection_, stored)) {
      std::shared_ptr<const segment::Segment> known;
      if (set_) {
        const auto old = std::find_if(set_->items.begin(), set_->items.end(),
                                      [&](const SegmentSet::Item& i) { return i.entry == entry; });
        if (old != set_->items.end()) known = old->segment;
      }
      set->items.push_back({entry, known ? known : open(entry)});
      set->usable = set->usable && set->items.back().segment;
    }
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption && e.code() != ErrorCode::kUnsupportedFormat) throw;
    set->items.clear();
    set->usable = set->readable = false;
    damages_.fetch_add(1, std::memory_order_relaxed);
  }
  set_ = set;
  stored_ = stored;
  covered_.store(set->end_row(), std::memory_order_relaxed);
  return set;
}

void Segments::report_damage(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  if (!set_) return;
  auto changed = std::make_shared<SegmentSet>(*set_);
  for (SegmentSet::Item& item : changed->items) {
    if (item.entry.number != number || !item.segment) continue;
    item.segment = nullptr;
    changed->usable = false;
    damages_.fetch_add(1, std::memory_order_relaxed);
  }
  set_ = changed;
}

std::vector<Segments::Damage> Segments::verify(const Context& context) {
  const auto listed = [&] {
    try {
      const storage::ReadTxn txn(store_.env());
      return storage::read_segments(txn, collection_);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      return std::vector<storage::SegmentEntry>();  // reported with the truth
    }
  };
  std::vector<Damage> out;
  for (const storage::SegmentEntry& entry : listed()) {
    try {
      segment::Segment::open(storage::segment_path(store_.directory(), entry.number), identity(entry))
          ->verify(context);
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kCancelled || e.code() == ErrorCode::kDeadline) throw;
      const auto now = listed();  // it may have been merged away meanwhile
      if (std::find(now.begin(), now.end(), entry) != now.end()) out.push_back({entry.number, e.what()});
    }
  }
  return out;
}

}  // namespace vecstore::shard
