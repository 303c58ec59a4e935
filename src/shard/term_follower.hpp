// The full-text index of a collection, in memory, built at the first text query and brought up to each view
// that asks.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "segment/text_segment.hpp"
#include "storage/document.hpp"

namespace vecstore::shard {

class ReadView;

/// Thread-safe. While a search runs the index does not move on; a newer view waits for it.
class TermFollower {
 public:
  /// Calls `search` with the index at exactly the state of `view`, which is renewed when the index is ahead
  /// of it.
  template <class Search>
  void search(ReadView& view, Context& ctx, Search&& run) {
    // Damaged documents are missing from the index; the search says so.
    for (;;) {
      bring_up(view, ctx);
      std::shared_lock lock(mutex_);
      if (!is_at(view)) continue;
      run(static_cast<const segment::TextSegment&>(*index_));
      ctx.counters.records_degraded += damaged_;
      return;
    }
  }

 private:
  void bring_up(ReadView& view, Context& ctx);
  bool is_at(const ReadView& view) const;
  void rebuild(const ReadView& view, Context& ctx);
  bool replay(const ReadView& view, Context& ctx);
  void add(const ReadView& view, const storage::Document& document, std::uint64_t row);

  std::shared_mutex mutex_;
  std::unique_ptr<segment::TextSegment> index_;
  std::uint64_t sequence_ = 0;        // of the collection's state that the index reflects
  std::uint64_t store_sequence_ = 0;  // of the store at that moment, for reading the log on
  std::uint64_t damaged_ = 0;
};

}  // namespace vecstore::shard
