// SegmentedIndex: one vector field's segments and the rows behind them, searched as one index.
#pragma once
#include <memory>

#include "catalog/schema.hpp"
#include "index/vector_index.hpp"
#include "shard/segments.hpp"

namespace vecstore::shard {

class ReadView;

/// Thrown by a search that met a damaged segment, which is reported by then: search again without it.
struct SegmentDamaged {};

/// Lives as long as the view. The rows behind the segments are searched exactly; so are segments that hold
/// codes; graphs are walked. What is found is scored with the full vectors of the truth, unless the query
/// wants the estimates.
class SegmentedIndex final : public VectorIndex {
 public:
  /// `tail` has the rows from set->end_row() on.
  SegmentedIndex(const ReadView& view, const catalog::VectorFieldSchema& field,
                 std::shared_ptr<const SegmentSet> set, std::unique_ptr<VectorIndex> tail);

  Metric metric() const override { return field_.metric; }
  std::size_t dimension() const override { return field_.dimension; }
  void search(const VectorQuery& query, Context& context, TopK& out) const override;
  /// Any part that is walked, so that a search is not exact.
  bool approximate() const;

 private:
  class Rescorer;

  const ReadView& view_;
  const catalog::VectorFieldSchema& field_;
  std::shared_ptr<const SegmentSet> set_;
  std::unique_ptr<VectorIndex> tail_;
};

}  // namespace vecstore::shard
