// How the text of a field becomes the terms that are searched: which analyzers there are, and what can be
// set.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vecstore {

/// Refinements of an analyzer, stored with the collection. The analyzer itself is chosen by its name
/// (TextField::analyzer):
///
/// - a language, `english`, `german`, `russian`, ...: words, folded, without its stop words, reduced to their
///   stems. `analyzer_names` lists the languages;
/// - `neutral`: words, folded, nothing else: for names, mixed languages, languages without a stemmer;
/// - `cjk`: as neutral, but Chinese, Japanese and Korean text is cut into pairs of neighbouring characters,
/// so
///   that every part of two and more characters is found without a dictionary;
/// - `code`: as neutral, with the parts of identifiers beside the whole: `getUserName` and `get_user_name`
/// are
///   found by `user`, by `get user` and as a whole;
/// - `ngram`: every run of min_gram to max_gram characters inside the words: finds any part of a word;
/// - `edge_ngram`: the first min_gram to max_gram characters of each word: search while typing.
struct AnalyzerOptions {
  /// Words that are left out, instead of the analyzer's own list; an empty list leaves nothing out. Each is
  /// one word, at most 10,000 of them. Write them as in the text: they are folded, not stemmed.
  std::optional<std::vector<std::string>> stop_words;
  /// Rules that widen queries; documents are indexed as they are written, so rules may change at any time.
  /// "car, automobile, motor car": each also finds the others. "tv => television, telly": tv also finds
  /// television and telly, not the other way round. Both sides go through the analyzer, so one form of a word
  /// is enough. What stands in quotation marks in a query is not widened. At most 10,000 rules of at most 64
  /// words.
  std::vector<std::string> synonyms;
  /// Whether accents are dropped ("café" = "cafe"). Not given: yes, except in the languages where the
  /// accented letters are letters of their own (Danish, Finnish, Norwegian, Swedish, Turkish and others; see
  /// docs/text.md).
  std::optional<bool> fold_accents;
  /// Pairs of neighbouring characters for Chinese, Japanese and Korean, with a language or `neutral`; `cjk`
  /// has them always.
  bool cjk_bigrams = false;
  /// For `ngram` (2 and 3 unless given; 1 to 32, at most 8 apart) and `edge_ngram` (1 and 16 unless given; 1
  /// to 64), in characters as a reader counts them; 0 = not given.
  std::uint32_t min_gram = 0;
  std::uint32_t max_gram = 0;

  bool operator==(const AnalyzerOptions&) const = default;
};

/// The names that TextField::analyzer may have, in alphabetical order.
std::vector<std::string> analyzer_names();

/// An object of what is given: {"synonyms": ["tv => television"], "fold_accents": false}.
std::string to_json(const AnalyzerOptions& options);
/// The inverse. Throws kInvalidArgument for an unknown member, a wrong type and a value out of range; the
/// message names them.
AnalyzerOptions parse_analyzer_options(std::string_view json);

}  // namespace vecstore
