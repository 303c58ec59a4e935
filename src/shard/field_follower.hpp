// FieldFollower: the metadata of a collection's rows by path and value, in segments and in memory.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/context.hpp"
#include "base/row_bits.hpp"
#include "segment/fields_part.hpp"
#include "shard/segments.hpp"

namespace vecstore::shard {

class ReadView;

/// The metadata of all rows in one state of the collection. Immutable.
struct FieldsRead {
  /// Rows of a segment. Without one (it is damaged or has no fields, or they are of none) each of them has to
  /// be looked at.
  struct Run {
    storage::SegmentEntry entry;
    std::shared_ptr<const segment::Segment> segment;
    std::shared_ptr<const RowBits> outdated;  ///< Whose metadata changed later; nullptr: none's.
  };
  /// Some rows, in memory: newer than segments, or with newer metadata.
  struct Pack {
    std::vector<std::uint64_t> rows;                               ///< By the pack's own numbers.
    std::vector<std::pair<std::uint64_t, std::uint32_t>> numbers;  ///< The inverse, ascending.
    std::unique_ptr<const fields::FieldPart> part;
    std::size_t part_bytes = 0;

    std::size_t memory_bytes() const {
      return part_bytes + rows.size() * (sizeof rows[0] + sizeof numbers[0]);
    }
  };
  struct PackRun {
    std::shared_ptr<const Pack> pack;
    std::shared_ptr<const RowBits> outdated;
  };
  std::uint64_t sequence = 0;  ///< The collection's.
  std::shared_ptr<const SegmentSet> set;
  std::vector<Run> runs;
  std::vector<PackRun> packs;
  std::vector<std::uint64_t> loose;  ///< Rows that have to be looked at: too few for a pack, or unreadable.
};

/// Thread-safe. One thread at a time brings it up; others wait as long as they may.
class FieldFollower {
 public:
  /// What is known at the state of `view`, which is renewed when the follower is ahead of it. kDeadline,
  /// kCancelled: what was prepared is kept for the next call, and each call prepares something. Where the
  /// truth does not say what changed, as it is damaged, nothing is known of any row.
  std::shared_ptr<const FieldsRead> read(ReadView& view, const Context& ctx);
  /// Keeps no segment.
  void let_go();

 private:
  using Mask = std::shared_ptr<RowBits>;
  struct KnownPack {
    std::shared_ptr<const FieldsRead::Pack> pack;
    Mask outdated;
    bool shared = false;  // some reader has the mask: it is copied before it changes
  };
  struct KnownRun {
    Mask outdated;
    bool shared = false;
  };
  /// A walk over all newer metadata: how far it came, and which commit the log has to be read from then.
  struct OverlayWalk {
    std::uint64_t next_row = 0;
    std::uint64_t since = 0;
  };

  /// Of the one thread that is at it.
  struct Turn {
    explicit Turn(FieldFollower& f) : follower(f) {}
    ~Turn();
    FieldFollower& follower;
  };

  std::shared_ptr<const FieldsRead> step(const ReadView& view, const std::shared_ptr<const SegmentSet>& set,
                                         const Context& ctx);
  void start_anew();
  void follow_log(const ReadView& view, const SegmentSet& set, const Context& ctx);
  bool read_log(const ReadView& view, const SegmentSet& set, const Context& ctx);
  void read_overlays(const ReadView& view, const SegmentSet& set, const Context& ctx);
  void changed(std::uint64_t row, std::uint64_t sequence, const SegmentSet& set);
  void take_set(const std::shared_ptr<const SegmentSet>& set);
  void add_missed(const SegmentSet& set);
  bool is_needed(std::uint64_t row, const SegmentSet& set) const;
  void pack(const ReadView& view, const Context& ctx);
  void make_pack(const ReadView& view);
  bool is_full(const ReadView& view) const;
  void join_packs(const ReadView& view, const Context& ctx);
  bool join_last(std::size_t first, const ReadView& view, const Context& ctx);
  std::shared_ptr<const FieldsRead> make_read(const ReadView& view,
                                              const std::shared_ptr<const SegmentSet>& set);

  std::mutex mutex_;              // guards what follows
  std::condition_variable free_;  // when nobody is busy
  std::shared_ptr<const FieldsRead> read_;
  bool busy_ = false;
  // Of the thread that is busy:
  std::weak_ptr<const SegmentSet> set_;                // that what follows goes with
  std::uint64_t end_row_ = 0;                          // of its segments
  std::pair<std::uint64_t, std::uint64_t> version_{};  // generation and transaction of the newest view seen
  std::optional<std::uint64_t> log_;  // the store's: changes up to there are known; none: nothing is
  std::optional<OverlayWalk> walk_;   // one that a deadline ended
  std::uint64_t next_row_ = 0;  // rows below it are in segments, packs or loose, unless they are retired
  /// Rows with metadata newer than their segment's, or than their own document: the commit.
  std::unordered_map<std::uint64_t, std::uint64_t> changed_;
  std::map<std::uint64_t, KnownRun> runs_;  // by number of the segment
  std::vector<KnownPack> packs_;            // the largest first, nearly; a row is up to date in one at most
  std::set<std::uint64_t> loose_;
  std::set<std::uint64_t> unreadable_;
  double join_cost_ = 20e-9;  // seconds per byte, no less than it takes
};

/// The rows of the view that match for certain, and that may: of these the documents decide. Neither has
/// retired rows. A damaged segment is reported, and its rows may all match. What finds the node's kFound rows
/// may throw.
RowSet matching_rows(const FieldsRead& read, const FieldNode& node, const ReadView& view, const Context& ctx);
/// How many rows of the view may match, without looking for them. A damaged segment's rows may all match.
Cardinality estimated_rows(const FieldsRead& read, const FieldNode& node, const ReadView& view);

/// The same for a node without kFound. Retired rows may be among them.
RowSet rows_by_fields(const FieldsRead& read, const FieldNode& node, const ReadView& view,
                      const Context& ctx);

}  // namespace vecstore::shard
