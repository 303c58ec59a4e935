// FlatPart: 8-bit codes in a segment file, scanned with proven bounds.
#pragma once
#include <memory>

#include "index/vector/code_store.hpp"
#include "io/index_file.hpp"
#include "segment/segment_format.hpp"
#include "segment/vector_part.hpp"

namespace vecstore::segment {

/// What it finds is proven: rescored with full vectors, the result is exact. All its bytes are checked once,
/// at the first search.
class FlatPart final : public VectorPart {
 public:
  FlatPart(std::shared_ptr<const io::IndexFile> file, const PartMeta& meta);
  PartKind kind() const override { return kind_; }
  std::size_t rows() const override { return rows_; }
  void search(const PartQuery& query, Context& context, std::vector<PartCandidate>& out) const override;
  std::span<const std::uint64_t> row_numbers() const override;

 private:
  void every_row(const PartQuery& query, std::vector<PartCandidate>& out) const;

  std::shared_ptr<const io::IndexFile> file_;
  PartKind kind_;
  std::uint16_t field_;
  std::size_t rows_;
  Metric metric_;
  CodeView codes_;
};

}  // namespace vecstore::segment
