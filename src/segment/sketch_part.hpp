// SketchPart: one bit per component in a segment file, scanned. And the same in memory, for the newest rows.
#pragma once
#include <memory>

#include "index/vector/block_list.hpp"
#include "index/vector/sketch_store.hpp"
#include "io/index_file.hpp"
#include "segment/segment_format.hpp"
#include "segment/vector_part.hpp"

namespace vecstore::segment {

/// Whether vectors of this kind are sketched.
inline bool has_sketches(Metric metric, std::size_t dimension) {
  return metric != Metric::kEuclidean && sketches_suit(dimension);
}

/// What it leaves out is very likely none of the k best. Norms are checked at once, its other bytes at
/// the first search.
class SketchPart final : public VectorPart {
 public:
  SketchPart(std::shared_ptr<const io::IndexFile> file, const PartMeta& meta);
  PartKind kind() const override { return PartKind::kSketched; }
  std::size_t rows() const override { return rows_; }
  void search(const PartQuery& query, Context& context, std::vector<PartCandidate>& out) const override;
  std::span<const std::uint64_t> row_numbers() const override;

 private:
  std::shared_ptr<const io::IndexFile> file_;
  std::uint16_t field_;
  std::size_t rows_;
  bool norms_;
};

/// Sketches of the rows behind the segments. `blocks` must outlive it and has, from `first_row` on, what is
/// to be searched: rows that `sketches` does not have are candidates.
class SketchedTail final : public VectorPart {
 public:
  SketchedTail(const BlockList& blocks, SketchView sketches, std::uint64_t first_row)
      : blocks_(blocks), sketches_(std::move(sketches)), first_row_(first_row) {}
  PartKind kind() const override { return PartKind::kSketched; }
  std::size_t rows() const override { return static_cast<std::size_t>(blocks_.row_count()); }
  void search(const PartQuery& query, Context& context, std::vector<PartCandidate>& out) const override;
  std::span<const std::uint64_t> row_numbers() const override { return {}; }

 private:
  const BlockList& blocks_;
  const SketchView sketches_;
  const std::uint64_t first_row_;
};

}  // namespace vecstore::segment
