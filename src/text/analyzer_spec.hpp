// AnalyzerSpec: what an analyzer does, worked out from its name and options.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/languages.hpp"
#include "vecstore/analyzer_options.hpp"

namespace vecstore::text {

class Synonyms;

/// How segments become tokens.
enum class Shape : std::uint8_t {
  kWords,       ///< Each segment is a token.
  kBigrams,     ///< As kWords, but pairs of neighbouring characters in Chinese, Japanese and Korean.
  kNgrams,      ///< Runs of characters inside of each segment.
  kEdgeNgrams,  ///< Beginnings of each segment.
  kCode,        ///< Identifiers: the whole and its parts.
};

/// Immutable; any number of threads may share one.
struct AnalyzerSpec {
  std::string name;
  Shape shape = Shape::kWords;
  const char* stemmer = nullptr;  ///< A Snowball algorithm, or none.
  Prelude prelude = Prelude::kNone;
  bool folds_accents = true;
  /// Accents go before stop words and stemming. Else after them: most languages' algorithms need the accents.
  bool accents_first = true;
  std::vector<std::string> elisions;
  std::vector<std::string> stop_words;  ///< Normalised and sorted.
  std::uint32_t min_gram = 0;
  std::uint32_t max_gram = 0;
  std::shared_ptr<const Synonyms> synonyms;  ///< Null: none.
  /// Equal for two analyzers that make the same terms of every document. Postings that were made under
  /// another one have to be made anew: it changes with the options (except synonyms), with the version of
  /// this code and with the stemmer's.
  std::uint64_t fingerprint = 0;

  /// One word: folded, without what is elided. The word must be valid UTF-8.
  void normalize(std::string_view word, std::string& out) const;
  /// The word that is left when an elided article is taken off: "l'avion" -> "avion".
  std::string_view without_elision(std::string_view normalized) const;
  bool is_stop_word(std::string_view normalized) const;
};

/// The analyzer of that name with its defaults; made once. Throws kInvalidArgument that lists the names.
std::shared_ptr<const AnalyzerSpec> find_analyzer(std::string_view name);
/// The same with options. Costs as much as the options are long; keep the result. Throws kInvalidArgument
/// when the options do not fit the analyzer; `what` begins the message, like "text_fields[0]".
std::shared_ptr<const AnalyzerSpec> make_analyzer_spec(std::string_view name, const AnalyzerOptions& options,
                                                       std::string_view what = "text field");

}  // namespace vecstore::text
