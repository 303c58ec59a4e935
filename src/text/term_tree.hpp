// Text queries as an index evaluates them: a tree of terms, made from a TextQuery by the fields' analyzers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "text/analyzer.hpp"
#include "text/text_query.hpp"

namespace vecstore::text {

inline constexpr std::size_t kMaxTermTreeLeaves = 1'024;  ///< Terms, prefixes and phrases of a query.
inline constexpr std::size_t kMaxPhraseTerms = 256;
/// Terms that a prefix or fuzzy word may stand for in one index; who looks them up enforces it.
inline constexpr std::size_t kMaxTermExpansions = 1'024;

struct PhraseTerm {
  std::string term;
  std::uint32_t position = 0;  ///< Counted from the first term's, which has 0; stop words leave gaps.

  bool operator==(const PhraseTerm&) const = default;
};

/// Plain data. What does not belong to a kind has its default. Boosts stand at the leaves only.
struct TermTree {
  enum class Kind : std::uint8_t { kTerm, kPrefix, kFuzzy, kPhrase, kBool };
  Kind kind = Kind::kBool;
  Occur occur = Occur::kShould;       ///< Within the kBool that this is a clause of; see Occur.
  std::string term;                   ///< Of kTerm, kPrefix, kFuzzy.
  std::vector<PhraseTerm> phrase;     ///< kPhrase: two terms or more.
  std::vector<std::uint32_t> fields;  ///< Of leaves: numbers of the text fields to look in, ascending.
  /// kFuzzy: 1 to kMaxFuzzyDistance edits: insert, delete or replace a code point, swap two neighbours.
  std::uint32_t distance = 0;
  /// kPhrase: a document matches when it has all terms and position - PhraseTerm::position differs by no more
  /// than this between them.
  std::uint32_t slop = 0;
  float boost = 1;  ///< Factor of a leaf's score: boosts above it, times its number in plain text.
  std::vector<TermTree> clauses;  ///< kBool: none finds nothing.

  bool is_leaf() const { return kind != Kind::kBool; }
  bool operator==(const TermTree&) const = default;
};

/// A text field of the collection; its number is its place in the list.
struct QueryField {
  std::string name;
  Analyzer* analyzer = nullptr;
};

struct AnalyzedQuery {
  TermTree tree;  ///< Without a clause: nothing in the query can be found, as when all words are stop words.
  bool truncated =
      false;  ///< Plain text with more than kMaxTermTreeLeaves different terms: the rest is left out.
};

/// Looks at each word as each field's analyzer does. Fields whose analyzers see the same share a leaf; where
/// they differ, each form is looked for in its fields, and one of them is enough.
///
/// - Words of the query language that an analyzer cuts in several (x-ray, 検索エンジン) become phrases; an
///   identifier of a field with `code` is the whole or the phrase of its parts.
/// - Plain text is a kBool of kShould terms; equal ones are one with a boost of their number. With n-grams
/// the
///   characters of each word stay a phrase.
/// - Synonyms join the words outside of quotation marks. Rules of several words apply in plain text only.
/// - Words of which no term is left (stop words, punctuation) are ignored, as if they were not written.
///
/// Throws kInvalidArgument for a field that is not in the list and where a limit above is passed.
AnalyzedQuery analyze_query(const TextQuery& query, std::span<const QueryField> fields);

}  // namespace vecstore::text
