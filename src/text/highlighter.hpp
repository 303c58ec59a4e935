// Highlighter: where in a text the words of a query stand, and which pieces of it show them best.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/context.hpp"
#include "text/term_tree.hpp"
#include "vecstore/text.hpp"

namespace vecstore::text {

/// Throws kInvalidArgument for options out of range.
void check_snippet_options(const SnippetOptions& options);

/// For the texts of one field and one query. What a query only forbids is not shown, and of a phrase only the
/// words that stand together as it asks. Belongs to one thread at a time, as its analyzer does.
class Highlighter {
 public:
  /// Uses the leaves of `tree` that look in `field`. The analyzer is the field's; it must outlive this.
  Highlighter(Analyzer& analyzer, const TermTree& tree, std::uint32_t field);

  /// The places of what matches, in order; those that overlap are joined. Each, analysed again, gives a term
  /// of the query. Linear in the length of the text; each different word costs a look at the query's prefixes
  /// and fuzzy words.
  std::vector<TextRange> highlights(std::string_view text, Context& context);

  /// The pieces that show most different words of the query, the best first, the earlier of equals; pieces
  /// without any are left out. They begin and end where words do, unless a single word is longer than
  /// max_chars. When nothing matches: the beginning of the text. An empty text has none. Throws
  /// kInvalidArgument for options out of range.
  std::vector<Snippet> snippets(std::string_view text, const SnippetOptions& options, Context& context);

 private:
  struct Mark {
    TextRange range;
    std::size_t leaf;
  };
  struct PhrasePart {
    std::size_t phrase;  // place in phrases_
    std::uint32_t offset;
  };
  struct Phrase {
    std::size_t leaf;
    std::size_t terms;
    std::uint32_t slop;
    bool repeats;  // a term stands in it twice
  };
  /// One occurrence of a phrase's term: where the phrase would begin, and what it is.
  struct Occurrence {
    std::int64_t begin;
    std::uint32_t offset;
    std::uint32_t position;
    std::size_t start_byte;
    std::size_t end_byte;
  };
  struct Word {
    std::vector<std::size_t> leaves;
    std::vector<PhrasePart> phrases;
  };
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  /// Appends a place, or joins it to the last where they overlap. Places come in the order of their starts.
  static void join(std::vector<TextRange>& ranges, const TextRange& range);
  void add(const TermTree& tree, std::uint32_t field);
  std::vector<Mark> marks(std::string_view text, Context& context);
  std::vector<std::size_t> open_leaves(std::string_view term) const;
  void mark_phrase(const Phrase& phrase, std::vector<Occurrence>& occurrences, std::vector<Mark>& out) const;

  Analyzer& analyzer_;
  std::vector<float> boosts_;  // of the leaves
  std::unordered_map<std::string, Word, Hash, std::equal_to<>> words_;
  std::vector<std::pair<std::string, std::size_t>> prefixes_;  // and their leaves
  struct Fuzzy {
    std::u32string term;
    std::uint32_t distance;
    std::size_t leaf;
  };
  std::vector<Fuzzy> fuzzies_;
  std::vector<Phrase> phrases_;
};

}  // namespace vecstore::text
