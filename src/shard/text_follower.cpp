#include "shard/text_follower.hpp"

#include <algorithm>
#include <mutex>

#include "base/error.hpp"
#include "shard/read_view.hpp"
#include "shard/text_source.hpp"
#include "storage/change_log.hpp"

namespace vecstore::shard {

bool TextFollower::is_at(const ReadView& view, std::uint64_t first_row) const {
  return tail_ && first_row_ == first_row && sequence_ == view.state().sequence;
}

TextFollower::Parts TextFollower::parts_of(const ReadView& view) const {
  Parts out;
  out.set = view.shard().segments().at(view.txn());
  const std::uint64_t terms = view.shard().terms_fingerprint(view.schema());
  for (const SegmentSet::Item& item : out.set->items) {
    if (!item.segment || item.segment->terms() != terms) break;
    ++out.count;
    out.end_row = item.entry.end_row;
  }
  if (out.count < out.set->items.size()) view.shard().look_after_segments();
  return out;
}

TextFollower::Parts TextFollower::bring_up(ReadView& view, Context& ctx) {
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

segment::TextIndex TextFollower::index_of(const ReadView& view, const Parts& parts) const {
  segment::TextIndex out;
  for (std::size_t i = 0; i < parts.count; ++i) {
    if (const auto* texts = parts.set->items[i].segment->texts()) out.add(*texts, view.retired_bits());
  }
  out.add(*tail_);
  return out;
}

bool TextFollower::is_damage(const ReadView& view, const Parts& parts, const Context& ctx) {
  return report_damaged_texts(view.shard(), std::span(parts.set->items).first(parts.count), ctx);
}

void TextFollower::rebuild(const ReadView& view, std::uint64_t first_row, Context& ctx) {
  tail_ = std::make_unique<segment::TextTail>(view.schema().text_fields);
  first_row_ = first_row;
  damaged_ = 0;
  try {
    DocumentReader documents(view);
    for (auto row = documents.next_row(first_row); row; row = documents.next_row(*row + 1)) {
      if (*row % 256 == 0) ctx.check();
      try {
        tail_->add(*row, texts_of(view, documents.read(*row), tail_->fields()));
      } catch (const Error& e) {
        if (e.code() != ErrorCode::kCorruption) throw;
        ++damaged_;
      }
    }
    damaged_ += documents.damaged();
  } catch (...) {
    tail_.reset();  // half an index must not be used
    throw;
  }
}

// Applies what the log says happened since; false when the log was cut or is damaged.
bool TextFollower::replay(const ReadView& view, Context& ctx) {
  DocumentReader documents(view);
  std::uint64_t steps = 0;
  try {
    return storage::read_changes(
        view.txn(), store_sequence_, [&](std::uint64_t, const storage::ChangeEntry& c) {
          if (++steps % 256 == 0) ctx.check();
          if (c.collection != view.shard().collection()) return true;
          if (c.retired_row) tail_->retire(*c.retired_row);
          if (c.kind == storage::ChangeKind::kUpsert && c.row >= first_row_ && view.is_live(c.row))
            tail_->add(c.row, texts_of(view, documents.read(c.row), tail_->fields()));
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
