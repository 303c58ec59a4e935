// FuzzyMatcher: edit distances between a word and a sorted run of terms.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace vecstore::inverted {

/// Counts insertions, deletions, replacements and swaps of neighbours (no part edited twice: optimal string
/// alignment) in code points; a byte that is no UTF-8 is one of its own. What a term shares with the one
/// before is not computed again.
class FuzzyMatcher {
 public:
  FuzzyMatcher(std::string_view word, std::uint32_t distance);

  struct Result {
    std::uint32_t distance = 0;  ///< Exact when it is at most the limit, else larger than it.
    std::size_t dead_bytes = 0;  ///< Not 0: no term that begins with so many bytes of this one is near.
  };
  Result match(std::string_view term);

  /// The word's first `count` code points.
  std::string_view leading(std::uint32_t count) const;

 private:
  std::string_view word_;
  std::uint32_t limit_;
  std::vector<std::uint32_t> wanted_;  // code points of the word
  std::vector<std::uint32_t> seen_;    // of the last term, as far as rows_ go
  std::vector<std::uint32_t> rows_;    // row i: distances of the term's first i code points to each beginning
};

}  // namespace vecstore::inverted
