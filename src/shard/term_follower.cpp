#include "shard/term_follower.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "base/error.hpp"
#include "shard/read_view.hpp"

namespace vecstore::shard {
namespace {

constexpr std::uint64_t kMostRowsOutside = 100'000;

bool names(std::string_view error, const storage::Store& store, std::uint64_t number) {
  return error.find(storage::segment_path(store.directory(), number)) != std::string_view::npos;
}

/// run(); where it fails, but for a deadline or a wish to end, after which it can go on, `forget` comes
/// first.
template <class Run, class Forget>
auto run_or(Run&& run, Forget&& forget) -> decltype(run()) {
  try {
    return run();
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kDeadline && e.code() != ErrorCode::kCancelled) forget();
    throw;
  } catch (...) {
    forget();
    throw;
  }
}

}  // namespace

void report_damaged(Shard& shard, std::span<const SegmentSet::Item> items, std::string_view error) {
  const bool named = std::any_of(items.begin(), items.end(), [&](const SegmentSet::Item& item) {
    return item.segment && names(error, shard.store(), item.entry.number);
  });
  for (const SegmentSet::Item& item : items) {
    if (item.segment && (!named || names(error, shard.store(), item.entry.number)))
      shard.segments().report_damage(item.entry.number);
  }
}

/// What a follower keeps belongs to one thread at a time. It may take long, so others wait for it as long as
/// they may.
class TermFollower::Turn {
 public:
  Turn(TermFollower& follower, const Context& ctx) : follower_(follower) {
    std::unique_lock lock(follower.mutex_);
    const auto free = [&] { return !follower.busy_; };
    while (!free()) {
      if (ctx.deadline)
        follower.free_.wait_until(lock, ctx.stop, *ctx.deadline, free);
      else
        follower.free_.wait(lock, ctx.stop, free);
      if (!free()) ctx.check();
    }
    follower.busy_ = true;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    {
      const std::lock_guard lock(follower_.mutex_);
      follower_.busy_ = false;
    }
    follower_.free_.notify_one();
  }

 private:
  TermFollower& follower_;
};

bool TermFollower::is_at(const ReadView& view, const SegmentSet& set) const {
  return read_ && read_->sequence == view.state().sequence && read_->set.get() == &set;
}

TermsReadPtr TermFollower::bring_up(ReadView& view, Context& ctx) {
  // Never renewed in one's turn: that may wait for all transactions to end, also for those that wait here.
  // A list that ends earlier than the one seen before may just be older: it is believed at the second look.
  for (int looks = 0;; ++looks) {
    const bool renewed = looks >= 2;
    if (looks > 0) {
      ctx.check();
      view.renew();
    }
    const auto set = view.shard().segments().at(view.txn());
    TermsReadPtr found;
    {
      const Turn turn(*this, ctx);
      if (is_at(view, *set) || step(view, set, renewed, ctx)) found = read_;
    }
    if (!found) continue;
    if (!found->complete) view.shard().look_after_segments();
    // Nothing was indexed before, or writing segments failed.
    if (view.state().next_row - set->end_row() > kMostRowsOutside && !view.shard().store().read_only())
      view.shard().catch_up();
    return found;
  }
}

// One step towards the state of the view, which is there when it returns true. Else a newer view goes on.
bool TermFollower::step(const ReadView& view, const std::shared_ptr<const SegmentSet>& set, bool renewed,
                        const Context& ctx) {
  // Another view's are newer. (A damaged list can make segments end earlier than before.)
  if (sequence_ > view.state().sequence || (covered_ > set->end_row() && !renewed)) return false;
  sequence_ = view.state().sequence;
  covered_ = set->end_row();
  // Half a tail must not be used.
  return run_or([&] { return go_on(view, set, renewed, ctx); }, [&] { tail_.reset(); });
}

bool TermFollower::go_on(const ReadView& view, const std::shared_ptr<const SegmentSet>& set, bool renewed,
                         const Context& ctx) {
  choose_tail(view);
  const std::vector<Hole> holes = holes_of(view, *set);
  std::erase_if(pieces_, [&](const auto& p) {
    return std::none_of(holes.begin(), holes.end(), [&](const Hole& h) {
      return h.first_row == p.first && p.second->next_row() <= h.end_row;
    });
  });
  for (const Hole& hole : holes) {
    auto at = pieces_.find(hole.first_row);
    if (at != pieces_.end() && at->second->next_row() == hole.end_row && at->second->is_flushed()) continue;
    if (!renewed) return false;  // a newer view may have a sound segment in its place
    if (at == pieces_.end()) at = pieces_.emplace(hole.first_row, new_pieces(view, hole.first_row)).first;
    // What was interrupted in writing lacks rows; the others are as good as before.
    run_or(
        [&] {
          if (at->second->add(view, hole.end_row, ctx)) at->second->flush(ctx);
        },
        [&] { pieces_.erase(at); });
    return false;
  }
  if (!bring_up_tail(view, ctx)) return false;
  read_ = read_of(view, set);
  return true;
}

void TermFollower::let_go() {
  const std::lock_guard lock(mutex_);
  if (!busy_) read_.reset();
}

bool TermFollower::is_usable(const ReadView& view, const SegmentSet::Item& item) const {
  try {
    if (!item.segment || !has_terms(view, *item.segment)) return false;
    unreadable(*item.segment);
    return true;
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    view.shard().segments().report_damage(item.entry.number);
    return false;
  }
}

// Rows for which the set has no terms. Cut as the background cuts what no segment covers, so that those it
// has done leave the others as they are.
std::vector<TermFollower::Hole> TermFollower::holes_of(const ReadView& view, const SegmentSet& set) const {
  std::vector<Hole> out;
  const auto add = [&](std::uint64_t first, std::uint64_t end) {
    for (; first < end; first = out.back().end_row)
      out.push_back({first, first + std::min(kMostRowsPerCheckpoint, end - first)});
  };
  for (const SegmentSet::Item& item : set.items) {
    if (!is_usable(view, item)) add(item.entry.first_row, item.entry.end_row);
  }
  add(set.end_row(), tail_first_);
  return out;
}

// Behind the segments, unless too many rows are.
void TermFollower::choose_tail(const ReadView& view) {
  if (tail_ && tail_first_ >= covered_ && !tail_->is_stale()) return;
  const std::uint64_t next = view.state().next_row;
  if (!tail_ || tail_first_ < covered_)
    tail_first_ = next - covered_ > view.shard().segment_options().tail_rows ? next : covered_;
  begin_tail(view, tail_first_);
}

void TermFollower::begin_tail(const ReadView& view, std::uint64_t first_row) {
  tail_ = new_tail(view);
  tail_first_ = first_row;
  tail_walk_ = {first_row, {}};
  tail_retired_.clear();
}

// False when it is full: then its rows become a hole, as if their segment could not be used.
bool TermFollower::bring_up_tail(const ReadView& view, const Context& ctx) {
  const std::uint64_t next = view.state().next_row;
  retire(view);
  if (next - tail_first_ <= 2 * view.shard().segment_options().tail_rows) tail_->add(view, tail_walk_, ctx);
  if (tail_walk_.next_row >= next) return true;
  begin_tail(view, next);
  return false;
}

// What was retired since goes; rows that it does not have yet will not come.
void TermFollower::retire(const ReadView& view) {
  const std::vector<std::uint64_t>& words = view.retired().words();
  const std::size_t first = tail_first_ / 64;
  if (words.size() > first) tail_retired_.resize(std::max(tail_retired_.size(), words.size() - first));
  for (std::size_t w = first; w < words.size(); ++w) {
    std::uint64_t& known = tail_retired_[w - first];
    for (std::uint64_t left = words[w] & ~known; left != 0; left &= left - 1)
      tail_->retire(std::uint64_t{w} * 64 + static_cast<std::uint64_t>(std::countr_zero(left)));
    known = words[w];
  }
}

TermsReadPtr TermFollower::read_of(const ReadView& view, const std::shared_ptr<const SegmentSet>& set) const {
  auto out = std::make_shared<TermsRead>();
  out->sequence = view.state().sequence;
  out->set = set;
  const auto add_unreadable = [&](std::span<const std::uint64_t> rows) {
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(out->unreadable),
                 [&](std::uint64_t row) { return view.is_live(row); });
  };
  for (const SegmentSet::Item& item : set->items) {
    if (!is_usable(view, item)) {
      out->complete = false;
      continue;
    }
    out->segments.push_back(item.segment);
    out->numbers.push_back(item.entry.number);
    add_unreadable(unreadable(*item.segment));
  }
  for (const auto& [first_row, pieces] : pieces_) {
    out->segments.insert(out->segments.end(), pieces->segments().begin(), pieces->segments().end());
    add_unreadable(pieces->unreadable());
  }
  out->newest = tail_->view();
  add_unreadable(tail_walk_.unreadable);
  return out;
}

void TermFollower::forget_pieces(const Context& ctx) {
  const Turn turn(*this, ctx);
  pieces_.clear();
  read_.reset();
}

void search_terms(ReadView& view, std::span<TermFollower* const> followers, Context& ctx,
                  const std::function<void(std::span<const TermsReadPtr>)>& run) {
  for (bool forgotten = false;;) {
    std::vector<TermsReadPtr> reads;
    for (TermFollower* f : followers) reads.push_back(f->bring_up(view, ctx));
    // A later one may have renewed the view.
    if (std::any_of(reads.begin(), reads.end(),
                    [&](const auto& r) { return r->sequence != view.state().sequence; }))
      continue;
    try {
      run(reads);
      return;
    } catch (const segment::TermsDamaged& damage) {
      std::vector<std::uint64_t> numbers, named;
      bool temporary = false;
      for (const auto& read : reads) {
        numbers.insert(numbers.end(), read->numbers.begin(), read->numbers.end());
        temporary = temporary || read->segments.size() > read->numbers.size();
      }
      std::copy_if(numbers.begin(), numbers.end(), std::back_inserter(named),
                   [&](std::uint64_t number) { return names(damage.what, view.shard().store(), number); });
      if (named.empty() && temporary && !std::exchange(forgotten, true)) {
        for (TermFollower* f : followers) f->forget_pieces(ctx);
        continue;
      }
      if (numbers.empty()) fail(ErrorCode::kCorruption, damage.what);
      // Where nobody is named, none of them is used again, so that nobody meets this damage for ever.
      for (const std::uint64_t number : named.empty() ? numbers : named)
        view.shard().segments().report_damage(number);
    }
  }
}

}  // namespace vecstore::shard
