// SparseSearch: the vectors of a sparse field with the largest products with one of a query.
#pragma once
#include <cstdint>

#include "base/context.hpp"
#include "index/top_k.hpp"
#include "index/vector_index.hpp"
#include "shard/sparse_source.hpp"
#include "vecstore/record.hpp"

namespace vecstore::shard {
class ReadView;
}

namespace vecstore::query {

/// One search; offers every live row that shares an index with the query and that the filter admits. Exact:
/// products are summed in float, by ascending index, whichever way is taken.
class SparseSearch {
 public:
  /// `query`: in order. `filter`: nullptr admits every live row.
  SparseSearch(const shard::ReadView& view, std::uint16_t field, const Sparse& query, const RowFilter* filter)
      : view_(view), field_(field), query_(query), filter_(filter) {}

  /// By the inverted index, for a query that is_plain; vectors that stand apart are read. TermsDamaged.
  void with_index(const segment::SparseIndex& index, Context& ctx, TopK& out) const;
  /// Reads all vectors.
  void scan(Context& ctx, TopK& out) const;

 private:
  void offer(std::uint64_t row, const segment::SparseRow& vector, Context& ctx, TopK& out) const;

  const shard::ReadView& view_;
  const std::uint16_t field_;
  const Sparse& query_;
  const RowFilter* filter_;
};

}  // namespace vecstore::query
