// TermSearch: the best documents of a query over terms, from several parts with one threshold.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/context.hpp"
#include "index/corpus_stats.hpp"
#include "index/inverted/query_plan.hpp"
#include "index/inverted/term_source.hpp"
#include "index/term_query.hpp"
#include "index/top_k.hpp"
#include "index/vector_index.hpp"

namespace vecstore::inverted {

/// One search of a query over parts whose rows are disjoint. Everything is borrowed for the object's life.
/// One thread. Exact: `out` holds the best of what the query matches, up to the rounding of float sums,
/// whatever the parts; a row's score depends on the query, the statistics and the row alone.
///
/// Statistics count the documents that parts hold: a row that was retired counts until its part is merged.
/// Damage is kCorruption that names the part's file.
class TermSearch {
 public:
  /// `live`: see TermPartView. Throws kInvalidArgument for a query that means nothing (a boost, a field,
  /// ...).
  TermSearch(std::span<const TermPartView> parts, const TermNode& query, Context& context)
      : plan_(parts, query, context) {}

  /// The parts' own numbers, for summing over shards: doc_freq has the query's statistics in the order of its
  /// leaves, a phrase one per word.
  const CorpusStats& stats() const { return plan_.stats(); }

  /// May be called once. `filter` is asked late, for promising rows only; nullptr admits every live row.
  /// Throws kInvalidArgument (bm25, statistics of another query), kDeadline, kCancelled; `out` is then to be
  /// thrown away.
  void run(const Bm25& bm25, const CorpusStats& stats, const RowFilter* filter, Context& context, TopK& out);

 private:
  QueryPlan plan_;
};

}  // namespace vecstore::inverted
