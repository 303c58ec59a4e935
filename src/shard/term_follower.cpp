#include "shard/term_follower.hpp"

#include <algorithm>
#include <mutex>

#include "shard/read_view.hpp"
#include "storage/change_log.hpp"

namespace vecstore::shard {
namespace {

constexpr std::uint64_t kMostRowsOutside = 100'000;

}  // namespace

bool report_damaged(Shard& shard, std::span<const SegmentSet::Item> items, const SegmentCheck& check) {
  bool found = false;
  for (const SegmentSet::Item& item : items) {
    if (!item.segment) continue;
    try {
      check(*item.segment);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      shard.segments().report_damage(item.entry.number);
      found = true;
    }
  }
  return found;
}

bool TermFollower::is_at(const ReadView& view, std::uint64_t first_row) const {
  return tail_ && first_row_ == first_row && sequence_ == view.state().sequence;
}

TermFollower::Parts TermFollower::parts_of(const ReadView& view) const {
  Parts out;
  out.set = view.shard().segments().at(view.txn());
  for (const SegmentSet::Item& item : out.set->items) {
    if (!item.segment || !has_terms(view, *item.segment)) break;
    ++out.count;
    out.end_row = item.entry.end_row;
  }
  if (out.count < out.set->items.size()) view.shard().look_after_segments();
  // Nothing was indexed before, or writing segments failed: what is in memory must not grow for good.
  if (view.state().next_row - out.set->end_row() > kMostRowsOutside && !view.shard().store().read_only())
    view.shard().catch_up();
  return out;
}

TermFollower::Parts TermFollower::bring_up(ReadView& view, Context& ctx) {
  // Never renewed under the lock: that may wait for all transactions to end, also for those that wait here.
  for (bool renewed = false;;) {
    const Parts parts = parts_of(view);
    {
      const std::shared_lock lock(mutex_);
      if (is_at(view, parts.end_row)) return parts;
    }
    {
      const std::unique_lock lock(mutex_);
      if (is_at(view, parts.end_row)) return parts;
      const std::uint64_t sequence = view.state().sequence;
      // Another view's tail is newer. (A damaged segment can make it begin earlier than before.)
      const bool behind = tail_ && (sequence_ > sequence || (first_row_ > parts.end_row && !renewed));
      if (!behind) {
        if (!tail_ || first_row_ != parts.end_row || tail_->is_stale() || !replay(view, ctx))
          rebuild(view, parts.end_row, ctx);
        sequence_ = sequence;
        store_sequence_ = storage::read_store_state(view.txn()).sequence;
        return parts;
      }
    }
    view.renew();
    renewed = true;
  }
}

bool TermFollower::is_damage(const ReadView& view, const Parts& parts, const Context& ctx) const {
  return report_damaged(view.shard(), parts.items(),
                        [&](const segment::Segment& segment) { check(segment, ctx); });
}

void TermFollower::rebuild(const ReadView& view, std::uint64_t first_row, Context& ctx) {
  tail_ = new_tail(view);
  first_row_ = first_row;
  try {
    damaged_ = tail_->fill(view, first_row, ctx);
  } catch (...) {
    tail_.reset();  // half an index must not be used
    throw;
  }
}

// Applies what the log says happened since; false when the log was cut or is damaged.
bool TermFollower::replay(const ReadView& view, Context& ctx) {
  const TermTail::Add add = tail_->adder(view);
  std::uint64_t steps = 0;
  try {
    return storage::read_changes(
        view.txn(), store_sequence_, [&](std::uint64_t, const storage::ChangeEntry& c) {
          if (++steps % 256 == 0) ctx.check();
          if (c.collection != view.shard().collection()) return true;
          if (c.retired_row) tail_->retire(*c.retired_row);
          if (c.kind == storage::ChangeKind::kUpsert && c.row >= first_row_ && view.is_live(c.row))
            add(c.row);
          return true;
        });
  } catch (const Error& e) {
    tail_.reset();
    if (e.code() != ErrorCode::kCorruption) throw;
    return false;
  } catch (...) {
    tail_.reset();
    throw;
  }
}

}  // namespace vecstore::shard
