// What text searches of a collection read: the terms in segments, and the newest rows' terms in memory.
#pragma once
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <vector>

#include "segment/text_part.hpp"
#include "shard/segments.hpp"
#include "storage/document.hpp"

namespace vecstore::shard {

class ReadView;

/// Thread-safe. While a search runs the terms in memory do not move on; a newer view waits for it.
class TextFollower {
 public:
  /// Calls `search` with an index at exactly the state of `view`, which is renewed when what is in memory is
  /// ahead of it. Segments that turn out to be damaged are reported, and `search` is called again with an
  /// index that does without them: what it did before is to be thrown away.
  template <class Search>
  void search(ReadView& view, Context& ctx, Search&& run) {
    for (;;) {
      const Parts parts = bring_up(view, ctx);
      const std::shared_lock lock(mutex_);
      if (!is_at(view, parts.end_row)) continue;
      try {
        run(index_of(view, parts));
        ctx.counters.records_degraded += damaged_;
        return;
      } catch (const Error& e) {
        if (e.code() != ErrorCode::kCorruption || !is_damage(view, parts, ctx)) throw;
      }
    }
  }

 private:
  /// Segments from the first one on whose terms can be used; rows behind them are in memory.
  struct Parts {
    std::shared_ptr<const SegmentSet> set;
    std::size_t count = 0;
    std::uint64_t end_row = 0;
  };

  Parts parts_of(const ReadView& view) const;
  Parts bring_up(ReadView& view, Context& ctx);
  /// Whether a part is damaged, which is reported then; else it was something else.
  static bool is_damage(const ReadView& view, const Parts& parts, const Context& ctx);
  segment::TextIndex index_of(const ReadView& view, const Parts& parts) const;
  bool is_at(const ReadView& view, std::uint64_t first_row) const;
  void rebuild(const ReadView& view, std::uint64_t first_row, Context& ctx);
  bool replay(const ReadView& view, Context& ctx);

  mutable std::shared_mutex mutex_;  // guards what follows
  std::unique_ptr<segment::TextTail> tail_;
  std::uint64_t first_row_ = 0;       // of the tail
  std::uint64_t sequence_ = 0;        // of the collection's state that the tail reflects
  std::uint64_t store_sequence_ = 0;  // of the store at that moment, for reading the log on
  std::uint64_t damaged_ = 0;         // documents that could not be read
};

}  // namespace vecstore::shard
