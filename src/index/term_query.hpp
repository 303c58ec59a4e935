// TermNode: a query over terms, as a tree of plain data. Texts are analysed before.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vecstore {

inline constexpr std::uint32_t kAnyField = ~std::uint32_t{0};
/// Edits that a fuzzy word may be away at most.
inline constexpr std::uint32_t kMostDistance = 2;

/// How a clause takes part in its kBool node.
enum class Occur : std::uint8_t {
  kShould,   ///< Adds to the score where it matches. Without a must clause at least one has to.
  kMust,     ///< Has to match, and adds to the score.
  kMustNot,  ///< Must not match. A node without other clauses matches nothing.
};

/// What a node matches, and its score where it matches (N, df, average length: CorpusStats; all fields of a
/// document count as one text in which each occurrence counts its field's weight):
/// - kTerm: documents with the term. idf * tf / (tf + norm), as Bm25 says. df counts documents with the
///   term in any field, also when `field` restricts tf.
/// - kPhrase: documents in which, within one field, the words stand at the distances that `offsets` gives, up
///   to moves of `slop` in sum (largest minus smallest displacement). idf is the sum of the words' idfs; tf
///   the sum of 1 / (1 + moves) over the phrase's occurrences.
/// - kPrefix, kFuzzy: documents with one of the terms; all these count as one term, whose df is the number of
///   documents with any of them (in the restricting field), and whose tf is their sum. In a fuzzy word's tf
///   an occurrence counts 1 / (1 + edits).
/// - kBool: see Occur. The sum of the clauses that match.
struct TermNode {
  enum class Kind : std::uint8_t { kTerm, kPhrase, kPrefix, kFuzzy, kBool };

  Kind kind = Kind::kBool;
  Occur occur = Occur::kShould;        ///< In the parent; without meaning at the root.
  float boost = 1.0f;                  ///< Times the score; finite and > 0. Multiplies down the tree.
  std::uint32_t field = kAnyField;     ///< Of leaves: only occurrences in this field count.
  std::vector<std::string> words;      ///< Leaves: one; phrases: one or more.
  std::vector<std::uint32_t> offsets;  ///< Of a phrase's words from its beginning; empty: 0, 1, 2, ...
  std::uint32_t slop = 0;              ///< kPhrase
  std::uint32_t distance = 1;          ///< kFuzzy: 0 to kMostDistance edits (insert, delete, replace a code
                                       ///< point, swap two neighbours).
  std::uint32_t exact = 0;             ///< kFuzzy: so many leading code points must agree.
  std::vector<TermNode> children;      ///< kBool

  static TermNode term(std::string word, float boost = 1.0f) {
    TermNode n;
    n.kind = Kind::kTerm;
    n.boost = boost;
    n.words.push_back(std::move(word));
    return n;
  }
  static TermNode phrase(std::vector<std::string> words, std::uint32_t slop = 0) {
    TermNode n;
    n.kind = Kind::kPhrase;
    n.words = std::move(words);
    n.slop = slop;
    return n;
  }
  static TermNode prefix(std::string beginning) {
    TermNode n = term(std::move(beginning));
    n.kind = Kind::kPrefix;
    return n;
  }
  static TermNode fuzzy(std::string word, std::uint32_t distance) {
    TermNode n = term(std::move(word));
    n.kind = Kind::kFuzzy;
    n.distance = distance;
    return n;
  }
  static TermNode any(std::vector<TermNode> clauses) { return combine(std::move(clauses), Occur::kShould); }
  static TermNode all(std::vector<TermNode> clauses) { return combine(std::move(clauses), Occur::kMust); }
  TermNode as(Occur o) && {
    occur = o;
    return std::move(*this);
  }

 private:
  static TermNode combine(std::vector<TermNode> clauses, Occur occur) {
    TermNode n;
    for (TermNode& c : clauses) c.occur = occur;
    n.children = std::move(clauses);
    return n;
  }
};

}  // namespace vecstore
