// Synonyms: rules that widen a query.
#pragma once
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vecstore::text {

class Analyzer;

/// A word or phrase as the analyzer sees it: terms that follow each other.
using TermSequence = std::vector<std::string>;

/// Immutable; any number of threads may ask.
class Synonyms {
 public:
  /// Reads the rules (AnalyzerOptions::synonyms) with an analyzer that has none itself. Throws
  /// kInvalidArgument for a rule that means nothing; `what` and the rule's number begin the message.
  Synonyms(std::span<const std::string> rules, Analyzer& analyzer, std::string_view what);

  struct Match {
    std::size_t length = 0;  ///< How many of the terms, 0: no rule begins here.
    const std::vector<TermSequence>* others = nullptr;
  };
  /// The longest left side of a rule that the terms begin with.
  Match find(std::span<const std::string_view> terms) const;

 private:
  void add(const TermSequence& from, const TermSequence& to);

  // The left side, its terms joined by U+0000; the number of terms of the longest.
  std::map<std::string, std::vector<TermSequence>, std::less<>> rules_;
  std::size_t longest_ = 0;
};

}  // namespace vecstore::text
