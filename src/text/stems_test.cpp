// The language analyzers against PyStemmer: tests/data/stems.tsv, made by tools/oracle/stem_oracle.py, holds
// words and stems on which the versions 2.2 and 3.1 of Snowball agree. A larger file: VECSTORE_STEMS.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "text/analyzer.hpp"

namespace vecstore::text {
namespace {

TEST(Stems, EqualThoseOfPyStemmer) {
  const char* own = std::getenv("VECSTORE_STEMS");
  const std::string path = own ? own : VECSTORE_SOURCE_DIR "/tests/data/stems.tsv";
  std::ifstream in(path);
  ASSERT_TRUE(in) << path;
  // Neither stop words nor folding: what is compared is the stem.
  const AnalyzerOptions options{.stop_words = std::vector<std::string>{}, .fold_accents = false};
  std::map<std::string, Analyzer> analyzers;
  std::map<std::string, std::size_t> words;
  std::size_t wrong = 0;
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find('\t');
    const std::size_t second = line.find('\t', first + 1);
    ASSERT_NE(second, std::string::npos) << line;
    const std::string language = line.substr(0, first);
    const std::string word = line.substr(first + 1, second - first - 1);
    auto analyzer = analyzers.find(language);
    if (analyzer == analyzers.end())
      analyzer = analyzers.try_emplace(language, make_analyzer_spec(language, options)).first;
    // Where Snowball leaves nothing of a word we keep the word.
    std::string stem = line.substr(second + 1);
    if (stem.empty()) stem = word;
    const auto terms = analyzer->second.terms(word);
    if (terms != std::vector<std::string>{stem} && ++wrong <= 10)
      ADD_FAILURE() << language << " " << word << ": " << (terms.empty() ? "nothing" : terms[0]) << ", not "
                    << stem;
    ++words[language];
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_GE(words.size(), 29u);
  for (const auto& [language, count] : words) EXPECT_GE(count, 20u) << language;
}

TEST(Stems, StopWordsOfEachLanguageAreLeftOut) {
  for (const Language& language : known_languages()) {
    Analyzer analyzer(language.name);
    EXPECT_FALSE(language.stop_words.empty()) << language.name;
    EXPECT_EQ(analyzer.terms(language.stop_words), std::vector<std::string>{}) << language.name;
  }
}

}  // namespace
}  // namespace vecstore::text
