// SparseSearch: the vectors of a sparse field with the largest products with one of a query.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/context.hpp"
#include "index/top_k.hpp"
#include "index/vector_index.hpp"
#include "shard/sparse_source.hpp"
#include "vecstore/record.hpp"

namespace vecstore::shard {
class ReadView;
}

namespace vecstore::query {

/// What is made of parts of the index that have codes instead of values.
enum class SparseCodes : std::uint8_t {
  kAlone,     ///< Their scores are the answer's.
  kRescored,  ///< The best by them are scored with their full vectors.
  kProven,    ///< And whatever else may be among the best, by what codes may be off.
};

/// One search; offers live rows that share an index with the query and that the filter admits: all of them
/// that may be among the best, but for codes that are not kProven. Products are summed in float, by ascending
/// index, whichever way is taken.
class SparseSearch {
 public:
  /// `query`: in order. `filter`: nullptr admits every live row.
  SparseSearch(const shard::ReadView& view, std::uint16_t field, const Sparse& query, const RowFilter* filter)
      : view_(view), field_(field), query_(query), filter_(filter) {}

  /// By the inverted index, for a query that is_plain; vectors that stand apart are read. `oversampling`: of
  /// so many times k the full vectors are read, when not kAlone. TermsDamaged.
  void with_index(const segment::SparseIndex& index, SparseCodes codes, float oversampling, Context& ctx,
                  TopK& out) const;
  /// Reads all vectors.
  void scan(Context& ctx, TopK& out) const;

 private:
  void offer(std::uint64_t row, const segment::SparseRow& vector, Context& ctx, TopK& out) const;
  void rescore(std::span<const RowScore> found, std::vector<std::uint64_t>& done, Context& ctx,
               TopK& out) const;
  void with_codes(const segment::SparseIndex& index, bool proven, float oversampling, Context& ctx,
                  TopK& out) const;
  segment::SparseRow query() const { return {query_.indices, query_.values}; }

  const shard::ReadView& view_;
  const std::uint16_t field_;
  const Sparse& query_;
  const RowFilter* filter_;
};

}  // namespace vecstore::query
