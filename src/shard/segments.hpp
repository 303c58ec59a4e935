// The segment files of a collection as transactions list them, opened once and shared by queries.
#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "segment/segment.hpp"
#include "storage/segment_list.hpp"
#include "storage/store.hpp"

namespace vecstore::shard {

/// The segments that one transaction lists. Immutable.
struct SegmentSet {
  struct Item {
    storage::SegmentEntry entry;
    std::shared_ptr<const segment::Segment> segment;  ///< nullptr: damaged or missing.
  };
  std::vector<Item> items;
  bool usable = true;  ///< The list and every file could be read, and no search has met damage.

  /// Rows below this are in segments.
  std::uint64_t end_row() const { return items.empty() ? 0 : items.back().entry.end_row; }
};

/// Thread-safe.
class Segments {
 public:
  Segments(storage::Store& store, std::uint32_t collection) : store_(store), collection_(collection) {}

  /// The set of this transaction; files that are not open yet are opened, at some microseconds each.
  std::shared_ptr<const SegmentSet> at(const storage::ReadTxn& txn);
  /// Damage was met in this segment: no view uses it again, its file is put aside (by the process that
  /// writes), and maintenance makes it anew.
  void report_damage(std::uint64_t number);
  /// Damaged and missing files met since the collection was opened.
  std::uint64_t damages() const { return damages_.load(std::memory_order_relaxed); }

  struct Damage {
    std::uint64_t number;
    std::string what;
  };
  /// Reads every listed file and names those that are missing or damaged. The caller holds no transaction.
  std::vector<Damage> verify(const Context& context);

  segment::SegmentIdentity identity(const storage::SegmentEntry& entry) const;
  /// Rows below this are in segments, as far as this process has seen; quick.
  std::uint64_t covered() const { return covered_.load(std::memory_order_relaxed); }

 private:
  /// nullopt when neither of the last sets has it.
  std::optional<std::shared_ptr<const segment::Segment>> known(const storage::SegmentEntry& entry) const;
  std::shared_ptr<const segment::Segment> open(const storage::SegmentEntry& entry) const;
  void put_aside(std::uint64_t number) const;

  storage::Store& store_;
  const std::uint32_t collection_;
  std::atomic<std::uint64_t> damages_{0};
  std::atomic<std::uint64_t> covered_{0};

  std::mutex mutex_;                                   // guards what follows
  std::string stored_;                                 // the list that set_ was made from
  std::pair<std::uint64_t, std::uint64_t> version_{};  // generation and transaction that had it
  std::shared_ptr<const SegmentSet> set_;
  std::shared_ptr<const SegmentSet> previous_;  // views that are a little older find their files open
  std::set<std::uint64_t> damaged_;             // numbers that were reported
};

}  // namespace vecstore::shard
