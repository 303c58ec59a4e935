// What searches over terms read: the terms in segments, and the newest rows' terms in memory.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <span>
#include <vector>

#include "base/context.hpp"
#include "base/error.hpp"
#include "shard/segments.hpp"

namespace vecstore::shard {

class ReadView;
class Shard;

/// The newest rows' terms, in memory. Not used by two threads at a time while it changes.
class TermTail {
 public:
  virtual ~TermTail() = default;
  /// Adds one row of the view, if it has any; kCorruption when it cannot be read. Ends with the view.
  using Add = std::function<void(std::uint64_t row)>;
  virtual Add adder(const ReadView& view) = 0;
  /// Adds all live rows from `first_row` on; how many of them could not be read.
  virtual std::uint64_t fill(const ReadView& view, std::uint64_t first_row, const Context& ctx) = 0;
  virtual void retire(std::uint64_t row) = 0;
  /// Whether most of what it holds is of retired rows.
  virtual bool is_stale() const = 0;
};

/// Reads what a search needs of a segment and throws kCorruption if it is damaged.
using SegmentCheck = std::function<void(const segment::Segment&)>;
/// Checks these segments and reports those that are damaged. False when all are sound.
bool report_damaged(Shard& shard, std::span<const SegmentSet::Item> items, const SegmentCheck& check);

/// Follows the terms of a collection's texts, or of one sparse field. Thread-safe. While a search runs the
/// terms in memory do not move on; a newer view waits for it.
class TermFollower {
 public:
  /// Segments from the first one on whose terms can be used; rows behind them are in memory.
  struct Parts {
    std::shared_ptr<const SegmentSet> set;
    std::size_t count = 0;
    std::uint64_t end_row = 0;
    std::span<const SegmentSet::Item> items() const { return std::span(set->items).first(count); }
  };

  virtual ~TermFollower() = default;

 protected:
  /// Whether the segment has the terms of its rows, as they would be made today.
  virtual bool has_terms(const ReadView& view, const segment::Segment& segment) const = 0;
  virtual void check(const segment::Segment& segment, const Context& ctx) const = 0;
  virtual std::unique_ptr<TermTail> new_tail(const ReadView& view) const = 0;
  /// During a search.
  const TermTail& tail() const { return *tail_; }

 private:
  template <class Run>
  friend void search_terms(ReadView& view, std::span<TermFollower* const> followers, Context& ctx, Run&& run);

  Parts parts_of(const ReadView& view) const;
  Parts bring_up(ReadView& view, Context& ctx);
  /// Whether a part is damaged, which is reported then; else it was something else.
  bool is_damage(const ReadView& view, const Parts& parts, const Context& ctx) const;
  bool is_at(const ReadView& view, std::uint64_t first_row) const;
  void rebuild(const ReadView& view, std::uint64_t first_row, Context& ctx);
  bool replay(const ReadView& view, Context& ctx);

  mutable std::shared_mutex mutex_;  // guards what follows
  std::unique_ptr<TermTail> tail_;
  std::uint64_t first_row_ = 0;       // of the tail
  std::uint64_t sequence_ = 0;        // of the collection's state that the tail reflects
  std::uint64_t store_sequence_ = 0;  // of the store at that moment, for reading the log on
  std::uint64_t damaged_ = 0;         // rows that could not be read
};

/// Calls `run` with the parts of each follower, all at exactly the state of `view`, which is renewed when
/// what is in memory is ahead of it. Segments that turn out to be damaged are reported, and `run` is called
/// again without them: what it did before is to be thrown away. Followers come in the same order everywhere.
template <class Run>
void search_terms(ReadView& view, std::span<TermFollower* const> followers, Context& ctx, Run&& run) {
  for (;;) {
    std::vector<TermFollower::Parts> parts;
    for (TermFollower* f : followers) parts.push_back(f->bring_up(view, ctx));
    bool together = true;  // a later one may have renewed the view
    std::vector<std::shared_lock<std::shared_mutex>> locks;
    for (std::size_t i = 0; i < followers.size(); ++i) {
      locks.emplace_back(followers[i]->mutex_);
      together = together && followers[i]->is_at(view, parts[i].end_row);
    }
    if (!together) continue;
    try {
      run(std::span<const TermFollower::Parts>(parts));
      for (const TermFollower* f : followers) ctx.counters.records_degraded += f->damaged_;
      return;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      bool damage = false;
      for (std::size_t i = 0; i < followers.size(); ++i)
        damage = followers[i]->is_damage(view, parts[i], ctx) || damage;
      if (!damage) throw;
    }
  }
}

}  // namespace vecstore::shard
