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
  pack->part = std::make_unique<const fields::FieldPart>(std::move(bytes), out.directory());
  for (std::uint32_t i = 0; i < rows.size(); ++i) pack->numbers.emplace_back(rows[i], i);
  std::sort(pack->numbers.begin(), pack->numbers.end());
  pack->rows = std::move(rows);
  return pack;
}

}  // namespace

std::shared_ptr<const FieldsRead> FieldFollower::read(ReadView& view, const Context& ctx) {
  for (bool renewed = false;; renewed = true, view.renew()) {
    const auto set = view.shard().segments().at(view.txn());
    std::unique_lock lock(mutex_, std::defer_lock);
    while (!lock.try_lock_for(kTurn)) ctx.check();
    if (read_ && read_->sequence == view.state().sequence && read_->set == set) return read_;
    try {
      if (step(view, set, renewed, ctx)) return read_;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kDeadline && e.code() != ErrorCode::kCancelled) start_anew();
      throw;
    } catch (...) {
      start_anew();
      throw;
    }
  }
}

void FieldFollower::start_anew() {
  log_.reset();
  set_.reset();
  changed_.clear();
  runs_.clear();
  packs_.clear();
  loose_.clear();
  unreadable_.clear();
  next_row_ = 0;
}

// False: a newer view has to go on.
bool FieldFollower::step(const ReadView& view, const std::shared_ptr<const SegmentSet>& set, bool renewed,
                         const Context& ctx) {
  if (sequence_ > view.state().sequence) return false;
  // A damaged list can make segments end earlier than before; an older view's list does, too.
  if (set_ && set->end_row() < set_->end_row()) {
    if (!renewed) return false;
    start_anew();
  }
  sequence_ = view.state().sequence;
  if (set != set_) take_set(set);
  follow_log(view, *set, ctx);
  const std::uint64_t end = view.state().next_row;
  for (std::uint64_t row = view.retired().next_live(next_row_); row < end;
       row = view.retired().next_live(row + 1))
    loose_.push_back(row);
  next_row_ = std::max(next_row_, end);
  pack(view, ctx);
  join_packs(ctx);
  read_ = make_read(view, set);
  return true;
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
    auto mask = std::make_shared<RowBits>(known.pack->rows.size());
    bool any = false;
    for (std::uint32_t i = 0; i < known.pack->rows.size(); ++i) {
      if ((known.outdated && known.outdated->test(i)) || gone(known.pack->rows[i])) {
        mask->set(i);
        any = true;
      }
    }
    known.outdated = any ? std::move(mask) : nullptr;
    known.shared = false;
  }
  std::erase_if(packs_,
                [](const KnownPack& p) { return p.outdated && p.outdated->count() == p.pack->rows.size(); });
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
    if (!run.outdated) run.outdated = std::make_shared<RowBits>(item->entry.end_row - item->entry.first_row);
    run.outdated->set(row - item->entry.first_row);
  }
  for (const SegmentSet::Item& item : set->items) runs[item.entry.number];
  runs_ = std::move(runs);
  set_ = set;
  next_row_ = std::max(next_row_, set->end_row());
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
    if (!run.outdated)
      run.outdated = std::make_shared<RowBits>(item->entry.end_row - item->entry.first_row);
    else if (run.shared)
      run.outdated = std::make_shared<RowBits>(*run.outdated);
    run.shared = false;
    run.outdated->set(row - item->entry.first_row);
    if (!has_fields(*item)) return;  // all its rows are looked at
  }
  for (KnownPack& p : packs_) {
    const auto at =
        std::lower_bound(p.pack->numbers.begin(), p.pack->numbers.end(), std::pair(row, std::uint32_t{0}));
    if (at == p.pack->numbers.end() || at->first != row) continue;
    if (!p.outdated)
      p.outdated = std::make_shared<RowBits>(p.pack->rows.size());
    else if (p.shared)
      p.outdated = std::make_shared<RowBits>(*p.outdated);
    p.shared = false;
    p.outdated->set(at->second);
  }
  if (row >= next_row_) return;  // comes with the new rows
  if (std::find(loose_.begin(), loose_.end(), row) == loose_.end() &&
      std::find(unreadable_.begin(), unreadable_.end(), row) == unreadable_.end())
    loose_.push_back(row);
}

void FieldFollower::follow_log(const ReadView& view, const SegmentSet& set, const Context& ctx) {
  const std::uint64_t now = storage::read_store_state(view.txn()).sequence;
  std::uint64_t steps = 0;
  const auto change = [&](std::uint64_t sequence, const storage::ChangeEntry& c) {
    if (++steps % 256 == 0) ctx.check();
    if (c.collection == view.shard().collection() && c.kind == storage::ChangeKind::kUpdateMetadata)
      changed(c.row, sequence, set);
    return true;
  };
  if (!log_ || !storage::read_changes(view.txn(), *log_, change)) read_overlays(view, set, ctx);
  log_ = now;
}

void FieldFollower::read_overlays(const ReadView& view, const SegmentSet& set, const Context& ctx) {
  for_each_overlay(view, 0, ~std::uint64_t{0}, ctx,
                   [&](std::uint64_t row, std::uint64_t sequence) { changed(row, sequence, set); });
}

// What is ready is kept when the deadline passes.
void FieldFollower::pack(const ReadView& view, const Context& ctx) {
  std::erase_if(loose_, [&](std::uint64_t row) { return !view.is_live(row); });
  while (loose_.size() >= kLeastPack) {
    ctx.check();
    const std::size_t count = std::min(loose_.size(), kMostPack);
    const auto begin = loose_.end() - static_cast<std::ptrdiff_t>(count);
    std::sort(begin, loose_.end());
    fields::FieldPartBuilder builder;
    std::vector<std::uint64_t> rows, unreadable;
    DocumentReader documents(view);
    for (auto row = begin; row != loose_.end(); ++row) {
      try {
        add_fields(documents.read(*row), static_cast<std::uint32_t>(rows.size()), builder);
        rows.push_back(*row);
      } catch (const Error& e) {
        if (e.code() != ErrorCode::kCorruption) throw;
        unreadable.push_back(*row);
      }
    }
    auto made = finish_pack(std::move(rows), [&](fields::FieldPartWriter& out) { builder.write(out); });
    unreadable_.insert(unreadable_.end(), unreadable.begin(), unreadable.end());
    loose_.erase(begin, loose_.end());
    if (!made->rows.empty()) packs_.push_back({std::move(made), nullptr, false});
  }
}

void FieldFollower::join_packs(const Context& ctx) {
  for (;;) {
    const auto last_class = packs_.empty() ? -1 : size_class(packs_.back().pack->rows.size());
    std::size_t first = packs_.size();
    while (first > 0 && size_class(packs_[first - 1].pack->rows.size()) <= last_class) --first;
    if (packs_.size() - first < kPacksOfASize) return;
    std::vector<fields::MergeInput> inputs;
    std::vector<RowBits> keeps;
    std::vector<std::uint64_t> rows;
    keeps.reserve(packs_.size());
    for (std::size_t i = first; i < packs_.size(); ++i) {
      const FieldsRead::Pack& p = *packs_[i].pack;
      const RowBits* keep = nullptr;
      if (packs_[i].outdated) keep = &keeps.emplace_back(*packs_[i].outdated).flip();
      inputs.push_back({p.part.get(), keep, static_cast<std::uint32_t>(rows.size())});
      rows.insert(rows.end(), p.rows.begin(), p.rows.end());
    }
    // Rows that are outdated keep their numbers, but stay outdated.
    Mask outdated;
    std::size_t begin = 0;
    for (std::size_t i = first; i < packs_.size(); ++i) {
      if (packs_[i].outdated) {
        if (!outdated) outdated = std::make_shared<RowBits>(rows.size());
        outdated->add(*packs_[i].outdated, begin);
      }
      begin += packs_[i].pack->rows.size();
    }
    auto joined = finish_pack(std::move(rows),
                              [&](fields::FieldPartWriter& out) { fields::merge_parts(inputs, out, ctx); });
    packs_.resize(first);
    packs_.push_back({std::move(joined), std::move(outdated), false});
  }
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
  for (KnownPack& p : packs_) {
    p.shared = true;
    out->packs.push_back({p.pack, p.outdated});
  }
  out->loose = loose_;
  out->loose.insert(out->loose.end(), unreadable_.begin(), unreadable_.end());
  return out;
}

RowSet matching_rows(const FieldsRead& read, const FieldNode& node, const ReadView& view,
                     const Context& ctx) {
  const std::uint64_t end = view.state().next_row;
  RowSet out{RowBits(end), RowBits(end)};
  for (const FieldsRead::Run& run : read.runs) {
    const std::uint64_t last = std::min(run.entry.end_row, end);
    try {
      if (!run.segment) {
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
  const std::vector<std::uint64_t>& retired = view.retired().words();
  for (RowBits* bits : {&out.sure, &out.maybe}) {
    const auto words = bits->words();
    for (std::size_t w = 0; w < std::min(words.size(), retired.size()); ++w) words[w] &= ~retired[w];
  }
  return out;
}

}  // namespace vecstore::shard
