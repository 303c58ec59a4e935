// FlatIndex: exact search without a structure.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "index/vector/code_pass.hpp"
#include "index/vector/code_store.hpp"
#include "index/vector_index.hpp"

namespace vecstore {

/// Compares the query with every row, one way of three:
/// - lookup: a filter that admits few rows is walked, and only the vectors of its rows are read;
/// - two passes, when codes are given: 8-bit codes in memory leave a handful of rows, whose full vectors
/// decide;
/// - one pass over the full vectors.
/// All three give the same rows and the same scores, bit for bit. Cheap to make: one per read view or per
/// query.
class FlatIndex final : public VectorIndex {
 public:
  /// `source` must outlive the index. `codes`, when not empty, come from a CodeStore of the same metric and
  /// dimension that was given every row of the source below codes.end_row(); rows that the source does not
  /// have (newer than its view) are left out, rows that it has behind the codes are scanned in full. A row
  /// that has a code but no vector any more must be kept out by the filter; where it is not, the search does
  /// without codes.
  FlatIndex(Metric metric, const VectorSource& source, CodeView codes = {});

  Metric metric() const override { return metric_; }
  std::size_t dimension() const override { return source_.dimension(); }
  void search(const VectorQuery& query, Context& context, TopK& out) const override;

 private:
  struct Search;

  bool use_lookup(const VectorQuery& query) const;
  bool use_codes(const Search& search, std::size_t k) const;
  void by_lookup(const Search& search, TopK& out) const;
  void by_full_scan(const Search& search, std::uint64_t from, TopK& out) const;
  bool by_codes(const Search& search, TopK& out) const;
  bool rescore(const Search& search, const std::vector<Candidate>& candidates, TopK& out) const;

  const Metric metric_;
  const VectorSource& source_;
  const CodeView codes_;
};

}  // namespace vecstore
