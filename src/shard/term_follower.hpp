// What searches over terms read: the terms in segments, those of rows whose segment cannot be used, and the
// newest rows'.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "base/context.hpp"
#include "segment/sparse_part.hpp"
#include "shard/row_walk.hpp"
#include "shard/segments.hpp"
#include "shard/term_pieces.hpp"

namespace vecstore::shard {

class ReadView;
class Shard;

/// The newest rows' terms, in memory. One thread at a time; views may be searched meanwhile.
class TermTail {
 public:
  virtual ~TermTail() = default;
  /// Adds the view's live rows from the walk's next one on, until it is full. Ended by a deadline it goes on
  /// from there.
  virtual void add(const ReadView& view, RowWalk& walk, const Context& ctx) = 0;
  virtual void retire(std::uint64_t row) = 0;
  /// Whether most of what it holds is of retired rows.
  virtual bool is_stale() const = 0;
  /// As it is now, whatever is added and retired later.
  virtual segment::SparseTailView view() const = 0;
};

/// All terms in one state of the collection. Immutable.
struct TermsRead {
  std::uint64_t sequence = 0;  ///< The collection's.
  std::shared_ptr<const SegmentSet> set;
  /// By rows: those of the set whose terms can be used, and temporary ones for other rows.
  std::vector<std::shared_ptr<const segment::Segment>> segments;
  std::vector<std::uint64_t> numbers;     ///< Of those that are of the set.
  segment::SparseTailView newest;         ///< Texts have none that stand apart.
  std::vector<std::uint64_t> unreadable;  ///< Live rows that could not be read and are missing.
  bool complete = true;                   ///< All segments of the set can be used.
};
using TermsReadPtr = std::shared_ptr<const TermsRead>;

/// Some of these segments is damaged, as an error says: it is used no more, and made anew. Where the error
/// names none of them, that is all of them, so that nobody meets the same damage for ever.
void report_damaged(Shard& shard, std::span<const SegmentSet::Item> items, std::string_view error);

/// Follows the terms of a collection's texts, or of one sparse field. Thread-safe. Searches and writers do
/// not wait for each other: a search keeps what it reads while others move on.
class TermFollower {
 public:
  virtual ~TermFollower() = default;
  /// Keeps no segment open that is listed no more. Does not wait: a search that is being prepared does it.
  void let_go();

 protected:
  /// Whether the segment has the terms of its rows, as they would be made today.
  virtual bool has_terms(const ReadView& view, const segment::Segment& segment) const = 0;
  virtual std::span<const std::uint64_t> unreadable(const segment::Segment& segment) const = 0;
  virtual std::unique_ptr<TermTail> new_tail(const ReadView& view) const = 0;
  virtual std::unique_ptr<TermPieces> new_pieces(const ReadView& view, std::uint64_t first_row) const = 0;

 private:
  friend void search_terms(ReadView& view, std::span<TermFollower* const> followers, Context& ctx,
                           const std::function<void(std::span<const TermsReadPtr>)>& run);
  class Turn;
  struct Hole {
    std::uint64_t first_row;
    std::uint64_t end_row;
  };

  TermsReadPtr bring_up(ReadView& view, Context& ctx);
  bool is_at(const ReadView& view, const SegmentSet& set) const;
  bool is_usable(const ReadView& view, const SegmentSet::Item& item) const;
  bool step(const ReadView& view, const std::shared_ptr<const SegmentSet>& set, bool renewed,
            const Context& ctx);
  bool go_on(const ReadView& view, const std::shared_ptr<const SegmentSet>& set, bool renewed,
             const Context& ctx);
  std::vector<Hole> holes_of(const ReadView& view, const SegmentSet& set) const;
  void choose_tail(const ReadView& view);
  void begin_tail(const ReadView& view, std::uint64_t first_row);
  bool bring_up_tail(const ReadView& view, const Context& ctx);
  void retire(const ReadView& view);
  TermsReadPtr read_of(const ReadView& view, const std::shared_ptr<const SegmentSet>& set) const;
  /// Temporary segments are made anew.
  void forget_pieces(const Context& ctx);

  std::mutex mutex_;
  std::condition_variable_any free_;
  bool busy_ = false;  // guarded by mutex_; who has set it has what follows
  TermsReadPtr read_;
  std::map<std::uint64_t, std::unique_ptr<TermPieces>> pieces_;  // of holes, by their first row
  std::unique_ptr<TermTail> tail_;
  std::uint64_t tail_first_ = 0;
  RowWalk tail_walk_;
  std::vector<std::uint64_t>
      tail_retired_;            // the retired rows' bitmap from tail_first_ on, as the tail knows it
  std::uint64_t covered_ = 0;   // rows below it were in the set's segments
  std::uint64_t sequence_ = 0;  // of the newest state that any of this was brought to
};

/// Calls `run` with what each follower reads, all of exactly the state of `view`, which is renewed when what
/// is in memory is ahead of it. When segments turn out to be damaged, `run` is called again without them:
/// what it did before is to be thrown away. kDeadline, kCancelled: what was prepared is kept for the next
/// call.
void search_terms(ReadView& view, std::span<TermFollower* const> followers, Context& ctx,
                  const std::function<void(std::span<const TermsReadPtr>)>& run);

}  // namespace vecstore::shard
