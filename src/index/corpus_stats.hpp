// What scores of text depend on besides the documents: statistics of all segments, and the formula.
#pragma once
#include <cstdint>
#include <vector>

namespace vecstore {

/// The numbers that scores depend on, for one query: summed over all parts, so that a row's score does not
/// depend on where it lives. Retired documents count until their part is merged.
struct CorpusStats {
  std::uint64_t documents = 0;
  double total_length = 0;  ///< Sum of all documents' (weighted) lengths.
  /// Documents with the term, in the order of the query's leaves, a phrase one per word.
  std::vector<std::uint64_t> doc_freq;

  double average_length() const {
    return documents == 0 ? 0.0 : total_length / static_cast<double>(documents);
  }
};

/// score = sum over query terms of weight * ln(1 + (N - df + 0.5) / (df + 0.5)) * tf / (tf + k1 (1 - b + b
/// len / avg)). Lucene's formula (version 8 and later: no factor k1 + 1), with exact lengths.
struct Bm25 {
  float k1 = 1.2f;  ///< >= 0
  float b = 0.75f;  ///< 0 to 1
};

}  // namespace vecstore
