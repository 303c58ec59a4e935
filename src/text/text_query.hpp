// Text queries as they are written: a tree of surface words. docs/text-query.ebnf has the grammar.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vecstore::text {

inline constexpr std::size_t kMaxTextQueryBytes =
    65'536;                                            ///< Of the query language; plain text may be longer.
inline constexpr std::size_t kMaxTextQueryDepth = 32;  ///< Groups within groups.
inline constexpr std::size_t kMaxTextQueryClauses = 1'024;  ///< Words and phrases of a query.
inline constexpr std::uint32_t kMaxSlop = 1'000;
inline constexpr std::uint32_t kMaxFuzzyDistance = 2;
inline constexpr float kMaxBoost = 1e6f;  ///< And 1 / kMaxBoost the least.

/// What a clause of a kBool means for the documents that it finds. With a kMust clause the kShould clauses
/// only add to scores; else one of them at least has to match. Only kMustNot clauses find nothing; as a
/// kMust clause such a group forbids what it names.
enum class Occur : std::uint8_t { kShould, kMust, kMustNot };

/// Plain data. What does not belong to a kind has its default.
struct TextQuery {
  enum class Kind : std::uint8_t {
    kText,    ///< Plain text: any of its words, whatever characters it has.
    kWord,    ///< Without white space; an analyzer may see several words in it, which then are a phrase.
    kPrefix,  ///< Words that begin so.
    kFuzzy,   ///< Words within `distance` edits.
    kPhrase,  ///< Words in this order, `slop` moves apart at most.
    kBool,    ///< Clauses; none: finds nothing.
  };
  Kind kind = Kind::kBool;
  Occur occur = Occur::kShould;  ///< Within the kBool that this is a clause of.
  std::string text;              ///< Without quotes and escapes.
  std::string field;             ///< Name of a text field; empty: all.
  std::uint32_t distance = 0;    ///< kFuzzy: 1 to kMaxFuzzyDistance.
  std::uint32_t slop = 0;        ///< kPhrase: 0 to kMaxSlop.
  float boost = 1;               ///< Factor of all scores below.
  std::vector<TextQuery> clauses;

  bool operator==(const TextQuery&) const = default;
};

/// Mode `match`: every text is a query and nothing in it has a meaning beside its words.
TextQuery match_text_query(std::string_view text);

/// Mode `query`: the language of docs/text-query.ebnf. `fields` are the names that may stand before a colon.
/// `words` says what words side by side are, kShould or kMust. Throws kInvalidArgument that says where the
/// text is wrong and what was expected; an empty text finds nothing.
TextQuery parse_text_query(std::string_view text, std::span<const std::string> fields,
                           Occur words = Occur::kShould);

/// A text in the query language that gives an equal tree (with words == kShould), for trees that the parser
/// makes. Neither kText nor an empty kBool below the root can be written.
std::string to_string(const TextQuery& query);

}  // namespace vecstore::text
