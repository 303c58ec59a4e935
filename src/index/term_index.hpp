// TermIndex: the contract of a full-text index over the rows of one segment or shard.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.hpp"
#include "index/top_k.hpp"
#include "index/vector_index.hpp"

namespace vecstore {

/// One occurrence of a term in a document, as the analyzer emits it. `weight` is the weight of its text
/// field: the fields of a document are scored as one text in which each occurrence counts `weight` times, for
/// the term's frequency and for the document's length alike (the combined form of BM25F). Weights are finite
/// and > 0.
struct TermOccurrence {
  std::string_view term;
  float weight = 1.0f;
};

/// One word of a query. A word that occurs several times counts several times.
struct QueryTerm {
  std::string term;
  float weight = 1.0f;
};

/// The numbers that scores depend on, for one query. They add up over segments and shards, and each search is
/// given the sum, so that a row's score does not depend on where it lives.
struct CorpusStats {
  std::uint64_t documents = 0;
  double total_length = 0;              ///< Sum of all live documents' (weighted) lengths.
  std::vector<std::uint64_t> doc_freq;  ///< Live documents with the term; parallel to the query's terms.

  double average_length() const {
    return documents == 0 ? 0.0 : total_length / static_cast<double>(documents);
  }
  /// Both must belong to the same query.
  CorpusStats& operator+=(const CorpusStats& o);
};

/// score = sum over query terms of weight * ln(1 + (N - df + 0.5) / (df + 0.5)) * tf / (tf + k1 (1 - b + b
/// len / avg)). Lucene's formula (version 8 and later: no factor k1 + 1), with exact lengths.
struct Bm25 {
  float k1 = 1.2f;  ///< >= 0
  float b = 0.75f;  ///< 0 to 1
};

/// One search. Spans and pointers are borrowed for the call.
struct TermQuery {
  std::span<const QueryTerm> terms;
  Bm25 bm25;
  const CorpusStats* stats = nullptr;  ///< Null: the index's own numbers, of the same moment as its postings.
  /// Null: every live row. Asked late, for promising rows only. Rows left out count in the statistics all the
  /// same.
  const RowFilter* filter = nullptr;
};

/// A term index. One writer at a time calls add and retire; any number of threads call the const members
/// meanwhile. Every call sees the index either before or after each write. A search may make a write wait, so
/// a filter must not call the index that asks it. There is one state, the newest. Who pairs it with an older
/// view of the records filters what is newer, and keeps `retire` away until its search is done: a retired row
/// is gone at once.
class TermIndex {
 public:
  virtual ~TermIndex() = default;

  /// Adds a document with its terms (any order, repetitions are what is counted; none is allowed: such a row
  /// counts as a document of length 0 and is never found). Throws kAlreadyExists for a row that is live,
  /// kInvalidArgument for a bad weight; nothing is changed then.
  virtual void add(std::uint64_t row, std::span<const TermOccurrence> terms) = 0;
  /// Takes a row out of results and, exactly, out of all statistics. False when the row is not live.
  virtual bool retire(std::uint64_t row) = 0;

  /// The live numbers for these terms, for summing over segments.
  virtual CorpusStats stats(std::span<const QueryTerm> terms) const = 0;
  /// Offers the live rows that the filter admits and that contain at least one of the terms to `out`, which
  /// then holds the best of them and of what it held before. Scores are > 0 and, up to the rounding of float
  /// sums, exact. Throws kInvalidArgument (bm25, a weight, statistics of another query), kDeadline,
  /// kCancelled; `out` is then to be thrown away. Adds to context.counters.
  virtual void search(const TermQuery& query, Context& context, TopK& out) const = 0;

  virtual std::uint64_t size() const = 0;        ///< Live documents.
  virtual std::size_t memory_bytes() const = 0;  ///< Bytes of memory held, for budgets and stats.
};

/// An empty in-memory index, rebuilt from the truth whenever the program starts.
std::unique_ptr<TermIndex> make_memory_term_index();

}  // namespace vecstore
