// What scores of text depend on besides the documents: statistics of all segments, and the formula.
#pragma once
#include <cstdint>
#include <vector>

namespace vecstore {

/// The numbers that scores depend on, for one query. They add up over segments and shards, and each search is
/// given the sum, so that a row's score does not depend on where it lives.
struct CorpusStats {
  std::uint64_t documents = 0;
  double total_length = 0;  ///< Sum of all live documents' (weighted) lengths.
  std::vector<std::uint64_t>
      doc_freq;  ///< Live documents with the term; in the order of the query's leaves, a phrase one per word.

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

}  // namespace vecstore
