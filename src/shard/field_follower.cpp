#include "shard/field_follower.hpp"

#include <algorithm>
#include <chrono>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "segment/fields_part.hpp"
#include "shard/field_source.hpp"
#include "shard/read_view.hpp"
#include "storage/change_log.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"

namespace vecstore::shard {
namespace {

using storage::AuxKind;
using storage::Keyspace;

// A pack has at least so many rows; so many packs of nearly the same size become one.
constexpr std::size_t kLeastPack = 64;
constexpr std::size_t kMostPack = 4'096;  // before packs are joined
constexpr std::size_t kPacksOfASize = 8;
constexpr auto kTurn = std::chrono::milliseconds(1);

const SegmentSet::Item* item_of(const SegmentSet& set, std::uint64_t row) {
  const auto at = std::partition_point(set.items.begin(), set.items.end(),
                                       [&](const SegmentSet::Item& i) { return i.entry.end_row <= row; });
  return at == set.items.end() || row < at->entry.first_row ? nullptr : &*at;
}

bool has_fields(const SegmentSet::Item& item) { return item.segment && item.segment->fields(); }

/// Sizes of one class differ by less than the factor.
int size_class(std::size_t rows) {
  int c = 0;
  for (; rows >= kLeastPack * kPacksOfASize; rows /= kPacksOfASize) ++c;
  return c;
}

std::shared_ptr<const FieldsRead::Pack> finish_pack(
    std::vector<std::uint64_t> rows, const std::function<void(fields::FieldPartWriter&)>& write) {
  auto pack = std::make_shared<FieldsRead::Pack>();
  std::string bytes;
  fields::FieldPartWriter out(static_cast<std::uint32_t>(rows.size()),
                              [&](std::string_view b) { bytes += b; });
  write(out);
  pack->part_bytes = bytes.size() + out.directory().size();
  pack->part = std::make_unique<const fields::FieldPart>(std::move(bytes), out.directory());
  for (std::uint32_t i = 0; i < rows.size(); ++i) pack->numbers.emplace_back(rows[i], i);
  std::sort(pack->numbers.begin(), pack->numbers.end());
  pack->rows = std::move(rows);
  return pack;
}

// Nothing but how many rows there are.
std::shared_ptr<const FieldsRead> nothing_known(const ReadView& view,
                                                const std::shared_ptr<const SegmentSet>& set) {
  auto out = std::make_shared<FieldsRead>();
  out->sequence = view.state().sequence;
  out->set = set;
  storage::SegmentEntry all;
  all.end_row = view.state().next_row;
  out->runs.push_back({all, nullptr, nullptr});
  return out;
}

/// The mask, to be changed.
RowBits& own(std::shared_ptr<RowBits>& mask, bool& shared, std::size_t rows) {
  if (!mask)
    mask = std::make_shared<RowBits>(rows);
  else if (shared)
    mask = std::make_shared<RowBits>(*mask);
  shared = false;
  return *mask;
}

}  // namespace

std::shared_ptr<const FieldsRead> FieldFollower::read(ReadView& view, const Context& ctx) {
  for (;; view.renew()) {
    const auto set = view.shard().segments().at(view.txn());
    {
      std::unique_lock lock(mutex_);
      for (;;) {
        if (read_ && read_->sequence == view.state().sequence && read_->set == set) return read_;
        if (!busy_) break;
        free_.wait_for(lock, kTurn);
        ctx.check();
      }
      busy_ = true;
    }
    const Turn turn(*this);
    // What newer segments say of a row is not known of older ones any more.
    if (std::pair(view.txn().env_number(), view.txn().id()) < version_) continue;
    try {
      return step(view, set, ctx);
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kDeadline || e.code() == ErrorCode::kCancelled) throw;
      start_anew();
      if (e.code() != ErrorCode::kCorruption) throw;
      return nothing_known(view, set);
    } catch (...) {
      start_anew();
      throw;
    }
  }
}

FieldFollower::Turn::~Turn() {
  {
    const std::lock_guard lock(follower.mutex_);
    follower.busy_ = false;
  }
  follower.free_.notify_all();
}

void FieldFollower::let_go() {
  const std::lock_guard lock(mutex_);
  read_.reset();
}

void FieldFollower::start_anew() {
  log_.reset();
  walk_.reset();
  set_.reset();
  end_row_ = 0;
  changed_.clear();
  runs_.clear();
  packs_.clear();
  loose_.clear();
  unreadable_.clear();
  next_row_ = 0;
}

std::shared_ptr<const FieldsRead> FieldFollower::step(const ReadView& view,
                                                      const std::shared_ptr<const SegmentSet>& set,
                                                      const Context& ctx) {
  version_ = {view.txn().env_number(), view.txn().id()};
  if (set->end_row() < end_row_) start_anew();  // a damaged list
  if (set_.lock() != set) take_set(set);
  follow_log(view, *set, ctx);
  pack(view, ctx);
  join_packs(view, ctx);
  auto read = make_read(view, set);
  const std::lock_guard lock(mutex_);
  return read_ = std::move(read);
}

/// Whether the segment does not know the row as it is.
bool FieldFollower::is_needed(std::uint64_t row, const SegmentSet& set) const {
  const SegmentSet::Item* item = item_of(set, row);
  if (!item) return row >= set.end_row();
  const auto at = changed_.find(row);
  return at != changed_.end() && at->second > item->entry.sequence && has_fields(*item);
}

// Rows that segments have now go out of memory.
void FieldFollower::take_set(const std::shared_ptr<const SegmentSet>& set) {
  std::erase_if(changed_, [&](const auto& c) {
    const SegmentSet::Item* item = item_of(*set, c.first);
    return item && c.second <= item->entry.sequence;
  });
  const auto gone = [&](std::uint64_t row) { return !is_needed(row, *set); };
  std::erase_if(loose_, gone);
  std::erase_if(unreadable_, gone);
  for (KnownPack& known : packs_) {
    const auto& rows = known.pack->rows;
    for (std::uint32_t i = 0; i < rows.size(); ++i) {
      if (gone(rows[i]) && !(known.outdated && known.outdated->test(i)))
        own(known.outdated, known.shared, rows.size()).set(i);
    }
  }
  std::map<std::uint64_t, KnownRun> runs;
  for (const SegmentSet::Item& item : set->items) {
    const auto known = runs_.find(item.entry.number);
    if (known != runs_.end()) runs[item.entry.number] = known->second;
  }
  // New ones may have been made before the last changes.
  for (const auto& [row, sequence] : changed_) {
    const SegmentSet::Item* item = item_of(*set, row);
    if (!item || runs_.count(item->entry.number)) continue;
    KnownRun& run = runs[item->entry.number];
    own(run.outdated, run.shared, item->entry.end_row - item->entry.first_row)
        .set(row - item->entry.first_row);
  }
  for (const SegmentSet::Item& item : set->items) runs[item.entry.number];
  runs_ = std::move(runs);
  add_missed(*set);
  set_ = set;
  end_row_ = set->end_row();
  next_row_ = std::max(next_row_, end_row_);
}

// Newer metadata of rows whose segment was of no use when it was written: they were looked at all the same.
void FieldFollower::add_missed(const SegmentSet& set) {
  RowBits kept(set.end_row());
  for (const KnownPack& known : packs_) {
    for (std::uint32_t i = 0; i < known.pack->rows.size(); ++i) {
      const std::uint64_t row = known.pack->rows[i];
      if (row < kept.size() && !(known.outdated && known.outdated->test(i))) kept.set(row);
    }
  }
  for (const auto& [row, sequence] : changed_) {
    if (row < kept.size() && !kept.test(row) && !unreadable_.contains(row) && is_needed(row, set))
      loose_.insert(row);
  }
}

void FieldFollower::changed(std::uint64_t row, std::uint64_t sequence, const SegmentSet& set) {
  std::uint64_t& known = changed_[row];
  if (known >= sequence) return;
  known = sequence;
  const SegmentSet::Item* item = item_of(set, row);
  if (item && sequence <= item->entry.sequence) {
    changed_.erase(row);
    return;
  }
  if (item) {
    KnownRun& run = runs_[item->entry.number];
    own(run.outdated, run.shared, item->entry.end_row - item->entry.first_row)
        .set(row - item->entry.first_row);
    if (!has_fields(*item)) return;  // all its rows are looked at
  }
  for (KnownPack& p : packs_) {
    const auto& numbers = p.pack->numbers;
    const auto at = std::lower_bound(numbers.begin(), numbers.end(), std::pair(row, std::uint32_t{0}));
    if (at != numbers.end() && at->first == row)
      own(p.outdated, p.shared, p.pack->rows.size()).set(at->second);
  }
  // Those behind come with the new rows.
  if (row < next_row_ && !unreadable_.contains(row)) loose_.insert(row);
}

void FieldFollower::follow_log(const ReadView& view, const SegmentSet& set, const Context& ctx) {
  const std::uint64_t now = storage::read_store_state(view.txn()).sequence;
  while (walk_ || !log_ || !read_log(view, set, ctx)) {
    log_.reset();
    if (!walk_) walk_ = OverlayWalk{0, now};
    read_overlays(view, set, ctx);
    log_ = walk_->since;
    walk_.reset();
    if (log_ == now) break;
  }
  log_ = now;
}

/// False when the log does not go back so far, or is damaged.
bool FieldFollower::read_log(const ReadView& view, const SegmentSet& set, const Context& ctx) {
  std::uint64_t steps = 0, commit = 0;
  const auto change = [&](std::uint64_t sequence, const storage::ChangeEntry& c) {
    // What a deadline leaves unread is all that the next call has to read.
    if (sequence != commit) log_ = (commit = sequence) - 1;
    if (++steps % 256 == 0) ctx.check();
    if (c.collection == view.shard().collection() && c.kind == storage::ChangeKind::kUpdateMetadata)
      changed(c.row, sequence, set);
    return true;
  };
  try {
    return storage::read_changes(view.txn(), *log_, change);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    return false;
  }
}

void FieldFollower::read_overlays(const ReadView& view, const SegmentSet& set, const Context& ctx) {
  for_each_overlay(view, walk_->next_row, ~std::uint64_t{0}, ctx,
                   [&](std::uint64_t row, std::uint64_t sequence) {
                     changed(row, sequence, set);
                     walk_->next_row = row + 1;
                   });
}

/// Whether memory holds as much as it may: further rows are looked at.
bool FieldFollower::is_full(const ReadView& view) const {
  std::size_t bytes = 0;
  for (const KnownPack& p : packs_) bytes += p.pack->memory_bytes();
  return bytes >= view.shard().segment_options().field_bytes;
}

// What is ready is kept when the deadline passes.
void FieldFollower::pack(const ReadView& view, const Context& ctx) {
  std::erase_if(packs_,
                [](const KnownPack& p) { return p.outdated && p.outdated->count() == p.pack->rows.size(); });
  const auto retired = [&](std::uint64_t row) { return !view.is_live(row); };
  std::erase_if(loose_, retired);
  std::erase_if(unreadable_, retired);
  const std::uint64_t end = view.state().next_row;
  while (!is_full(view)) {
    while (next_row_ < end && loose_.size() < kMostPack) {
      const std::uint64_t row = view.retired().next_live(next_row_);
      if (row < end) loose_.insert(loose_.end(), row);
      next_row_ = std::min(row, end - 1) + 1;
    }
    if (loose_.size() < kLeastPack) return;
    make_pack(view);
    ctx.check();
  }
}

void FieldFollower::make_pack(const ReadView& view) {
  fields::FieldPartBuilder builder;
  std::vector<std::uint64_t> rows, unreadable;
  DocumentReader documents(view);
  auto end = loose_.begin();
  for (; end != loose_.end() && rows.size() < kMostPack; ++end) {
    try {
      add_fields(documents.read(*end), static_cast<std::uint32_t>(rows.size()), builder);
      rows.push_back(*end);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      unreadable.push_back(*end);
    }
  }
  auto made = finish_pack(std::move(rows), [&](fields::FieldPartWriter& out) { builder.write(out); });
  if (!made->rows.empty()) packs_.push_back({std::move(made), nullptr, false});
  unreadable_.insert(unreadable.begin(), unreadable.end());
  loose_.erase(loose_.begin(), end);
}

// What a call has no time for is left to another one: more packs are slower to ask, not wrong.
void FieldFollower::join_packs(const ReadView& view, const Context& ctx) {
  for (;;) {
    const auto last_class = packs_.empty() ? -1 : size_class(packs_.back().pack->rows.size());
    std::size_t first = packs_.size();
    while (first > 0 && size_class(packs_[first - 1].pack->rows.size()) <= last_class) --first;
    if (packs_.size() - first < kPacksOfASize || !join_last(first, view, ctx)) return;
  }
}

bool FieldFollower::join_last(std::size_t first, const ReadView& view, const Context& ctx) {
  std::vector<fields::MergeInput> inputs;
  std::vector<std::vector<std::uint32_t>> numbers(packs_.size() - first);
  std::vector<RowBits> keeps(packs_.size() - first);
  std::vector<std::uint64_t> rows;
  std::size_t bytes = 0;
  // What is outdated or retired is left behind.
  for (std::size_t i = first; i < packs_.size(); ++i) {
    const FieldsRead::Pack& p = *packs_[i].pack;
    RowBits& keep = keeps[i - first] = RowBits(p.rows.size());
    for (std::uint32_t r = 0; r < p.rows.size(); ++r) {
      numbers[i - first].push_back(static_cast<std::uint32_t>(rows.size()));
      if ((packs_[i].outdated && packs_[i].outdated->test(r)) || !view.is_live(p.rows[r])) continue;
      keep.set(r);
      rows.push_back(p.rows[r]);
    }
    inputs.push_back({p.part.get(), &keep, 0, numbers[i - first]});
    bytes += p.memory_bytes();
  }
  using std::chrono::steady_clock;
  if (ctx.deadline && std::chrono::duration<double>(*ctx.deadline - steady_clock::now()).count() <
                          join_cost_ * static_cast<double>(bytes))
    return false;
  std::shared_ptr<const FieldsRead::Pack> joined;
  try {
    joined = finish_pack(std::move(rows),
                         [&](fields::FieldPartWriter& out) { fields::merge_parts(inputs, out, ctx); });
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kDeadline) join_cost_ *= 2;
    throw;
  }
  packs_.resize(first);
  if (!joined->rows.empty()) packs_.push_back({std::move(joined), nullptr, false});
  return true;
}

std::shared_ptr<const FieldsRead> FieldFollower::make_read(const ReadView& view,
                                                           const std::shared_ptr<const SegmentSet>& set) {
  auto out = std::make_shared<FieldsRead>();
  out->sequence = view.state().sequence;
  out->set = set;
  for (const SegmentSet::Item& item : set->items) {
    KnownRun& run = runs_[item.entry.number];
    run.shared = true;
    out->runs.push_back({item.entry, has_fields(item) ? item.segment : nullptr, run.outdated});
  }
  if (next_row_ < view.state().next_row) {
    storage::SegmentEntry behind;
    behind.first_row = next_row_;
    behind.end_row = view.state().next_row;
    out->runs.push_back({behind, nullptr, nullptr});
  }
  for (KnownPack& p : packs_) {
    p.shared = true;
    out->packs.push_back({p.pack, p.outdated});
  }
  out->loose.assign(loose_.begin(), loose_.end());
  out->loose.insert(out->loose.end(), unreadable_.begin(), unreadable_.end());
  return out;
}

RowSet rows_by_fields(const FieldsRead& read, const FieldNode& node, const ReadView& view,
                      const Context& ctx) {
  const std::uint64_t end = view.state().next_row;
  RowSet out{RowBits(end), RowBits(end)};
  for (const FieldsRead::Run& run : read.runs) {
    const std::uint64_t last = std::min(run.entry.end_row, end);
    try {
      if (!run.segment || run.entry.end_row > end) {
        out.maybe.add_range(run.entry.first_row, last);
        continue;
      }
      RowSet found = fields::evaluate(node, *run.segment->fields(), ctx);
      if (run.outdated) {
        found.sure -= *run.outdated;
        found.maybe -= *run.outdated;
      }
      out.sure.add(found.sure, run.entry.first_row);
      out.maybe.add(found.maybe, run.entry.first_row);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      view.shard().segments().report_damage(run.entry.number);
      out.maybe.add_range(run.entry.first_row, last);
    }
  }
  for (const FieldsRead::PackRun& run : read.packs) {
    RowSet found = fields::evaluate(node, *run.pack->part, ctx);
    if (run.outdated) {
      found.sure -= *run.outdated;
      found.maybe -= *run.outdated;
    }
    found.sure.for_each([&](std::size_t i) { out.sure.set(run.pack->rows[i]); });
    found.maybe.for_each([&](std::size_t i) { out.maybe.set(run.pack->rows[i]); });
  }
  for (const std::uint64_t row : read.loose) out.maybe.set(row);
  return out;
}

}  // namespace vecstore::shard
