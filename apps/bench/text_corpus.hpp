// Texts and queries for vecstore-bench text: read or made, cut to so many words, and answered by going
// through all.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "text/analyzer.hpp"
#include "vecstore/options.hpp"

namespace vecstore::bench {

struct TextCorpus {
  std::vector<std::string> texts;
  std::vector<std::string> queries;
};

/// The key text of JSON lines, plain or gzip.
std::vector<std::string> read_texts(const std::string& path, std::size_t most);
/// Always the same `count` texts of 20 to 100 words, half of them from the most frequent words of English and
/// the others from 40,000 made ones (Zipf), and queries of 16 words that stand in one of the texts or are
/// drawn alike.
TextCorpus make_corpus(std::size_t count, std::size_t queries);

/// A number from 0 to 99 for each record, for filters that let a share through.
inline std::uint64_t share_of(std::uint64_t record) {
  return ((record * 2'654'435'761u & 0xffffffffu) * 100) >> 32;
}

/// The field of the measured collection: English, with or without its stop words.
TextField measured_field(bool stop_words_kept);

/// A query of one kind, in the words of its text.
struct Asked {
  std::string text;  ///< For TextQueryOptions::syntax: plain for `or`, else the query language.
  std::vector<std::string> terms;
};

/// The first `words` terms of a query, asked for as `op`: "or", "and" or "phrase". Empty when the query has
/// fewer and words <= 4; longer ones take what there is.
Asked ask_for(text::Analyzer& analyzer, const std::string& query, std::string_view op, std::size_t words);

/// Writes what peers index: terms.txt, a text per line with "_" where a stop word was left out, and
/// queries.txt.
void dump_terms(const std::filesystem::path& folder, const TextCorpus& corpus, bool stop_words_kept);

/// Scores of every text by Lucene's formula, for `or` queries: one walk through all texts for all queries.
std::vector<std::vector<double>> score_all(const TextCorpus& corpus, const TextField& field,
                                           const std::vector<Asked>& queries);

}  // namespace vecstore::bench
