// What dense search reads: the vectors of one field where they lie in the truth, and their 8-bit codes in
// memory.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "catalog/schema.hpp"
#include "segment/dense_segment.hpp"
#include "segment/segmented_index.hpp"
#include "shard/segments.hpp"

namespace vecstore::shard {

class ReadView;

/// The blocks of one field as one transaction sees them. Rows' checksums were verified when a block was first
/// seen by this process. Immutable, shared by queries of the same snapshot.
struct BlockDirectory {
  struct Block {
    VectorBlock view;
    std::uint64_t last_row = 0;  ///< As a number: `view` is void once its transaction ended.
    std::uint64_t sequence = 0;  ///< With the rows it identifies the content: blocks are immutable.
    std::shared_ptr<const std::vector<char>> copy;  ///< Small blocks share leaf pages, which move: copied.
  };
  std::vector<Block> blocks;
  std::vector<std::uint64_t> bad_rows;  ///< Damaged rows, ascending; they must not be returned.
  std::uint64_t degraded = 0;           ///< How many rows could not be read.
  BlockList list{0};

  // What it belongs to.
  std::uint64_t txn = 0;
  std::uint64_t map_epoch = 0;
  std::uint64_t env = 0;  ///< The environment, which is another one after a compaction.
  std::uint64_t retired_sequence = 0;
  std::uint64_t first_row = 0;  ///< Earlier rows are left out.
  std::uint64_t end_row = 0;    ///< The next row of the view it was made for.
  std::uint64_t damaged_blocks = 0;
};

struct VectorView {
  std::shared_ptr<const BlockDirectory> directory;
  std::unique_ptr<VectorIndex> index;         ///< Over the directory's blocks, and the segments before them.
  std::unique_ptr<segment::VectorPart> part;  ///< BlockFollower: its blocks by sketches, instead of `index`.
  bool has_codes = false;                     ///< False while scanning the vectors themselves is as quick.
  /// The segments that `index` searches besides; empty when it does without. When a search throws
  /// segment::PartDamaged, report it here, and a new view is without them.
  std::shared_ptr<const SegmentSet> segments;
  std::vector<std::uint64_t> part_segments;  ///< Number of the segment that part i is in.
};

/// Keeps directory and codes of one field from some row on, brought up to date by the views that ask.
class BlockFollower {
 public:
  explicit BlockFollower(const catalog::VectorFieldSchema& field) : field_(field), segment_(make_segment()) {}
  /// One thread at a time. `sketched`: when there are many rows they are searched by sketches, where those
  /// suit the field.
  VectorView view(const ReadView& view, std::uint64_t first_row, bool sketched);

 private:
  segment::DenseSegment make_segment() const { return {field_.metric, field_.dimension}; }
  std::shared_ptr<const BlockDirectory> build(const ReadView& view, const BlockDirectory* previous,
                                              std::uint64_t first_row) const;

  std::unique_ptr<segment::VectorPart> sketched_part(const BlockDirectory& directory);

  const catalog::VectorFieldSchema& field_;
  std::unique_ptr<SketchStore> sketches_;
  std::shared_ptr<const BlockDirectory> directory_;
  segment::DenseSegment segment_;
  bool scanned_ = false;  // a full scan was made since the program began
};

/// What queries of one field share. Thread-safe.
class VectorFollower {
 public:
  explicit VectorFollower(const catalog::VectorFieldSchema& field)
      : field_(field), all_(field_), tail_(field_) {}
  /// `exact`: every row by its full vector or by codes that prove; otherwise segments are used where there
  /// are any. `sketched`: the rows behind them may be searched by sketches, which miss some: only where
  /// graphs are wanted. (The field's settings may have changed since this was made.) The view must outlive
  /// what is returned.
  VectorView view(const ReadView& view, bool exact, bool sketched);

 private:
  const catalog::VectorFieldSchema field_;
  std::mutex mutex_;    // guards what follows
  BlockFollower all_;   // every row, for exact searches
  BlockFollower tail_;  // the rows behind the segments
};

}  // namespace vecstore::shard
