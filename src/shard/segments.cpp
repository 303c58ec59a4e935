#include "shard/segments.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "shard/quarantine.hpp"

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

std::optional<std::shared_ptr<const segment::Segment>> Segments::known(
    const storage::SegmentEntry& entry) const {
  for (const auto* set : {set_.get(), previous_.get()}) {
    if (!set) continue;
    const auto item = std::find_if(set->items.begin(), set->items.end(),
                                   [&](const SegmentSet::Item& i) { return i.entry == entry; });
    if (item != set->items.end()) return item->segment;
  }
  return std::nullopt;
}

// Numbers are never given twice, so what has this name is the damaged file, or nothing.
void Segments::put_aside(std::uint64_t number) const {
  if (!store_.read_only()) quarantine(store_.directory(), number);
}

// nullptr whatever is wrong with a derived file: the truth has everything, the query goes on without it.
std::shared_ptr<const segment::Segment> Segments::open(const storage::SegmentEntry& entry) const {
  try {
    auto segment =
        segment::Segment::open(storage::segment_path(store_.directory(), entry.number), identity(entry));
    if (segment->file_bytes() == entry.file_bytes) return segment;
    put_aside(entry.number);
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kOutOfMemory) throw;
    if (e.code() == ErrorCode::kCorruption) put_aside(entry.number);
  }
  return nullptr;
}

std::shared_ptr<const SegmentSet> Segments::at(const storage::ReadTxn& txn) {
  const std::pair version{txn.env_number(), txn.id()};
  const std::lock_guard lock(mutex_);
  if (set_ && version == version_) return set_;  // the same snapshot has the same list
  const std::string_view stored = storage::stored_segments(txn, collection_);
  if (set_ && stored == stored_) {
    version_ = std::max(version_, version);
    return set_;
  }
  auto set = std::make_shared<SegmentSet>();
  std::uint64_t damages = 0;
  try {
    for (const storage::SegmentEntry& entry : storage::decode_segments(collection_, stored)) {
      const auto before = known(entry);
      const bool reported = damaged_.contains(entry.number);
      set->items.push_back({entry, reported ? nullptr : before ? *before : open(entry)});
      if (set->items.back().segment) continue;
      set->usable = false;
      damages += !before && !reported;
    }
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption && e.code() != ErrorCode::kUnsupportedFormat) throw;
    set->items.clear();
    set->usable = false;
    ++damages;
  }
  // Files of an older list may be gone by right, and what newer views share stays theirs.
  if (set_ && version < version_) return set;
  damages_.fetch_add(damages, std::memory_order_relaxed);
  previous_ = std::move(set_);
  set_ = set;
  stored_ = stored;
  version_ = version;
  covered_.store(set->end_row(), std::memory_order_relaxed);
  return set;
}

void Segments::report_damage(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  if (!damaged_.insert(number).second) return;
  damages_.fetch_add(1, std::memory_order_relaxed);
  put_aside(number);
  for (auto* set : {&set_, &previous_}) {
    if (!*set) continue;
    auto changed = std::make_shared<SegmentSet>(**set);
    for (SegmentSet::Item& item : changed->items) {
      if (item.entry.number != number) continue;
      item.segment = nullptr;
      changed->usable = false;
    }
    *set = std::move(changed);
  }
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
