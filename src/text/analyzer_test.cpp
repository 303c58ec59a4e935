#include "text/analyzer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "base/utf8.hpp"
#include "seed.hpp"
#include "text/fold.hpp"
#include "vecstore/error.hpp"

namespace vecstore::text {
namespace {

using Terms = std::vector<std::string>;

Terms neutral(std::string_view text) { return Analyzer("neutral").terms(text); }
Terms english(std::string_view text) { return Analyzer("english").terms(text); }

TEST(Analyzer, NeutralSegmentsAndFolds) {
  EXPECT_EQ(neutral("Hello, WORLD!"), (Terms{"hello", "world"}));
  EXPECT_EQ(neutral(""), Terms{});
  EXPECT_EQ(neutral(" .,;' -- "), Terms{});
  EXPECT_EQ(neutral("error E0502 in x86-64"), (Terms{"error", "e0502", "in", "x86", "64"}));
  EXPECT_EQ(neutral("dma_fence_begin() foo.bar::baz"), (Terms{"dma", "fence", "begin", "foo", "bar", "baz"}));
  EXPECT_EQ(neutral("pi is 3.14, or 1,000. 2. x.5 5.x"),
            (Terms{"pi", "is", "3.14", "or", "1,000", "2", "x", "5", "5", "x"}));
  EXPECT_EQ(neutral("don't 'quoted' rock'n'roll 90's"), (Terms{"don't", "quoted", "rock'n'roll", "90", "s"}));
  EXPECT_EQ(neutral("don\u2019t"), (Terms{"don't"}));
}

TEST(Analyzer, NeutralFoldsBeyondAscii) {
  EXPECT_EQ(neutral("Ärzte größe NAÏVE e\u0301a"), (Terms{"arzte", "grosse", "naive", "ea"}));
  EXPECT_EQ(neutral("ПОИСК Поиск"), (Terms{"поиск", "поиск"}));
  EXPECT_EQ(neutral("ｆｕｌｌ Ⅳ ﬁle"), (Terms{"full", "iv", "file"}));
  EXPECT_EQ(neutral("Σίσυφος ΣΊΣΥΦΟΣ"), (Terms{"σισυφοσ", "σισυφοσ"}));
  EXPECT_EQ(neutral("co\u00ADoperate"), (Terms{"cooperate"}));
  EXPECT_EQ(neutral("हिन्दी"), (Terms{"हिन्दी"})) << "marks that carry vowels stay";
  EXPECT_EQ(neutral("🙂 👍🏽"), Terms{});
}

TEST(Analyzer, ScriptsWithoutSpaces) {
  EXPECT_EQ(neutral("検索エンジン"), (Terms{"検", "索", "エンジン"}));
  EXPECT_EQ(neutral("これはtest"), (Terms{"こ", "れ", "は", "test"}));
  EXPECT_EQ(neutral("ｴﾝｼﾞﾝ"), (Terms{"エンジン"})) << "half width folds to full width";
  EXPECT_EQ(neutral("한국어 검색"), (Terms{"한국어", "검색"}));
  EXPECT_EQ(neutral("ที่นี่"), (Terms{"ที่", "นี่"}));
  EXPECT_EQ(neutral("上海2026年"), (Terms{"上", "海", "2026", "年"}));
}

TEST(Analyzer, EnglishStopsAndStems) {
  EXPECT_EQ(english("The wings of the flying machines were running"),
            (Terms{"wing", "fli", "machin", "were", "run"}));
  EXPECT_EQ(english("THE and Not IS"), Terms{});
  EXPECT_EQ(english("wing's wings' don't"), (Terms{"wing", "wing", "don't"}));
}

TEST(Analyzer, TokensCarryPlaces) {
  const std::string text = "The naïve  flyers fly.";
  Analyzer analyzer("english");
  std::vector<std::tuple<std::string, std::uint32_t, std::string>> got;
  analyzer.analyze(text, [&](const Token& t) {
    got.emplace_back(t.term, t.position, text.substr(t.start_byte, t.end_byte - t.start_byte));
  });
  const decltype(got) want = {{"naiv", 1, "naïve"}, {"flyer", 2, "flyers"}, {"fli", 3, "fly"}};
  EXPECT_EQ(got, want);
}

TEST(Analyzer, UnknownNameListsTheKnown) {
  try {
    Analyzer analyzer("klingon");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(e.what()).find("cjk, "), std::string::npos) << e.what();
  }
}

TEST(Analyzer, DamagedUtf8SeparatesAndNeverCrashes) {
  EXPECT_EQ(neutral("a\xFF"
                    "b \xC3(c \xE2\x82 d\xED\xA0\x80"
                    "e \xF0\x9F\x98"),
            (Terms{"a", "b", "c", "d", "e"}));
  const unsigned seed = test::seed();
  SCOPED_TRACE(seed);
  std::mt19937 rng(seed);
  static constexpr std::string_view kParts[] = {"é",        "a", "'", "\u0301", "検", "\xFF",
                                                "\xE2\x82", "9", ".", "\u200D", "ﷺ",  "ก"};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (int i = 0; i < 30; ++i) {
      if (rng() % 4 == 0)
        text.push_back(static_cast<char>(rng()));
      else
        text += kParts[rng() % std::size(kParts)];
    }
    const auto names = analyzer_names();
    Analyzer analyzer(names[rng() % names.size()]);
    const bool words = analyzer.spec().shape == Shape::kWords;
    const auto purpose = static_cast<Purpose>(rng() % 4);
    Analyzer::Stream stream = analyzer.stream(text, purpose);
    std::uint32_t last_position = 0;
    for (Token t; stream.next(t);) {
      ASSERT_FALSE(t.term.empty());
      ASSERT_TRUE(valid_utf8(t.term));
      ASSERT_LT(t.start_byte, t.end_byte);
      ASSERT_LE(t.end_byte, text.size());
      ASSERT_GE(t.position, last_position);
      last_position = t.position;
    }
    if (!words) continue;
    std::size_t end = 0;
    std::uint32_t next_position = 0;
    analyzer.analyze(text, [&](const Token& t) {
      ASSERT_FALSE(t.term.empty());
      ASSERT_GE(t.start_byte, end);
      ASSERT_LT(t.start_byte, t.end_byte);
      ASSERT_GE(t.position, next_position);
      end = t.end_byte;
      next_position = t.position + 1;
    });
    ASSERT_LE(end, text.size());
  }
}

TEST(Analyzer, LongWordsAreCut) {
  const Terms ascii = neutral(std::string(600, 'x'));
  ASSERT_EQ(ascii.size(), 3u);
  EXPECT_EQ(ascii[0].size(), 255u);
  EXPECT_EQ(ascii[2].size(), 90u);
  std::string wide;
  for (int i = 0; i < 200; ++i) wide += "п";
  EXPECT_EQ(neutral(wide).size(), 2u);
  std::string ligatures;
  for (int i = 0; i < 85; ++i) ligatures += "ﷺ";
  EXPECT_EQ(neutral(ligatures).size(), 1u) << "folding may make a word 11 times longer";
}

TEST(Analyzer, CacheChangesNothingAndIsBounded) {
  Analyzer warm("english");
  std::mt19937 rng(5);
  for (int i = 0; i < 20000; ++i) {
    const std::string word = "w" + std::to_string(rng() % 30000) + "ing" + (i % 3 ? "" : "é");
    ASSERT_EQ(warm.terms(word), english(word));
    if (i % 100 == 0) warm.trim(200'000);
    ASSERT_LT(warm.memory_bytes(), 400'000u);
  }
}

TEST(Analyzer, AsciiPathAgreesWithTheGeneralOne) {
  // A word behind a mark-only joiner takes the general path; folding must give what the table gives.
  std::mt19937 rng(11);
  static constexpr std::string_view kAlphabet = "abcXYZ019'.,_ -";
  for (int round = 0; round < 5000; ++round) {
    std::string plain;
    for (int i = 0; i < 12; ++i) plain.push_back(kAlphabet[rng() % kAlphabet.size()]);
    std::string marked;
    for (const char c : plain) {
      marked.push_back(c);
      // An invisible word joiner after each letter or digit forces the general path.
      if (std::isalnum(static_cast<unsigned char>(c))) marked += "\u2060";
    }
    ASSERT_EQ(neutral(plain), neutral(marked)) << plain;
  }
}

struct Seen {
  std::string term;
  std::uint32_t position;
  std::string written;
  bool operator==(const Seen&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Seen& s) {
  return out << s.term << "@" << s.position << "'" << s.written << "'";
}

std::vector<Seen> tokens(Analyzer& analyzer, const std::string& text, Purpose purpose = Purpose::kDocument) {
  std::vector<Seen> out;
  Analyzer::Stream stream = analyzer.stream(text, purpose);
  for (Token t; stream.next(t);) {
    out.push_back({std::string(t.term), t.position, text.substr(t.start_byte, t.end_byte - t.start_byte)});
    if (t.prefix) out.back().term += "*";
    if (t.whole) out.back().term += "!";
  }
  return out;
}

Analyzer with(std::string_view name, const AnalyzerOptions& options) {
  return Analyzer(make_analyzer_spec(name, options));
}

TEST(Analyzer, LanguagesStemWithTheirAccents) {
  EXPECT_EQ(Analyzer("german").terms("Die Häuser der Städte"), (Terms{"haus", "stadt"}));
  EXPECT_EQ(Analyzer("french").terms("L'avion et les évènements d\u2019une école"),
            (Terms{"avion", "even", "ecol"}));
  EXPECT_EQ(with("french", {.fold_accents = false}).terms("évènements"), (Terms{"éven"}));
  EXPECT_EQ(Analyzer("russian").terms("и красивые книги"), (Terms{"красив", "книг"}));
  EXPECT_EQ(Analyzer("swedish").terms("här har"), Terms{"här"}) << "har is a stop word, här is not folded";
  EXPECT_EQ(Analyzer("turkish").terms("IŞIK ışık İstanbul"), (Terms{"ışık", "ışık", "istanbul"}));
  EXPECT_EQ(Analyzer("romanian").terms("națiunile"), Analyzer("romanian").terms("naţiunile"));
  EXPECT_EQ(Analyzer("spanish").terms("canción"), Analyzer("spanish").terms("cancion"));
}

TEST(Analyzer, NamesAreListed) {
  const auto names = analyzer_names();
  for (const std::string_view name :
       {"cjk", "code", "edge_ngram", "english", "german", "neutral", "ngram", "yiddish"})
    EXPECT_TRUE(std::binary_search(names.begin(), names.end(), name)) << name;
  for (const std::string& name : names) EXPECT_EQ(Analyzer(name).name(), name);
}

TEST(Analyzer, OwnStopWords) {
  const std::vector<std::string> own{"Foo", "ÜBER"};
  EXPECT_EQ(with("english", {.stop_words = own}).terms("the foo über bars"), (Terms{"the", "bar"}));
  EXPECT_EQ(with("neutral", {.stop_words = own}).terms("the FOO Uber bars"), (Terms{"the", "bars"}));
  EXPECT_EQ(with("english", {.stop_words = std::vector<std::string>{}}).terms("the"), (Terms{"the"}));
}

TEST(Analyzer, PairsOfCharacters) {
  Analyzer cjk("cjk");
  EXPECT_EQ(tokens(cjk, "検索エンジンtest"), (std::vector<Seen>{{"検索", 0, "検索"},
                                                                {"索エ", 1, "索エ"},
                                                                {"エン", 2, "エン"},
                                                                {"ンジ", 3, "ンジ"},
                                                                {"ジン", 4, "ジン"},
                                                                {"ン", 5, "ン"},
                                                                {"test", 6, "test"}}));
  EXPECT_EQ(tokens(cjk, "検索 引", Purpose::kQuery),
            (std::vector<Seen>{{"検索", 0, "検索"}, {"引*", 2, "引"}}));
  EXPECT_EQ(cjk.terms("ｴﾝｼﾞﾝ"), (Terms{"エン", "ンジ", "ジン", "ン"})) << "half width, voiced";
  EXPECT_EQ(tokens(cjk, "LG전자는"),
            (std::vector<Seen>{{"lg", 0, "LG"}, {"전자", 1, "전자"}, {"자는", 2, "자는"}, {"는", 3, "는"}}));
  EXPECT_EQ(with("english", {.cjk_bigrams = true}).terms("the wings 検索"), (Terms{"wing", "検索", "索"}));
  EXPECT_EQ(cjk.terms("a。検、索"), (Terms{"a", "検", "索"}));
}

TEST(Analyzer, Ngrams) {
  Analyzer grams("ngram");
  EXPECT_EQ(
      tokens(grams, "Näh x"),
      (std::vector<Seen>{{"na", 0, "Nä"}, {"nah", 0, "Näh"}, {"ah", 1, "äh"}, {"h", 2, "h"}, {"x", 3, "x"}}));
  EXPECT_EQ(tokens(grams, "nahe", Purpose::kQuery),
            (std::vector<Seen>{{"nah", 0, "nah"}, {"ahe", 1, "ahe"}}));
  EXPECT_EQ(tokens(grams, "na x", Purpose::kQuery), (std::vector<Seen>{{"na", 0, "na"}, {"x*", 2, "x"}}));
  Analyzer edge = with("edge_ngram", {.min_gram = 2, .max_gram = 3});
  EXPECT_EQ(tokens(edge, "Search a"), (std::vector<Seen>{{"se", 0, "Se"}, {"sea", 0, "Sea"}, {"a", 1, "a"}}));
  EXPECT_EQ(tokens(edge, "Search s", Purpose::kQuery),
            (std::vector<Seen>{{"sea", 0, "Sea"}, {"s*", 1, "s"}}));
}

TEST(Analyzer, Identifiers) {
  Analyzer code("code");
  EXPECT_EQ(tokens(code, "getUserName(x)"), (std::vector<Seen>{{"getusername!", 0, "getUserName"},
                                                               {"get", 0, "get"},
                                                               {"user", 1, "User"},
                                                               {"name", 2, "Name"},
                                                               {"x", 3, "x"}}));
  EXPECT_EQ(tokens(code, "__dma_fence_HTTPServer2Go"),
            (std::vector<Seen>{{"dma_fence_httpserver2go!", 0, "dma_fence_HTTPServer2Go"},
                               {"dma", 0, "dma"},
                               {"fence", 1, "fence"},
                               {"http", 2, "HTTP"},
                               {"server2", 3, "Server2"},
                               {"go", 4, "Go"}}));
  EXPECT_EQ(code.terms("std::vector a.b x86 UTF8 E0502"),
            (Terms{"std", "vector", "a", "b", "x86", "utf8", "e0502"}));
  EXPECT_EQ(code.terms("größeÄndern"), (Terms{"grosseandern", "grosse", "andern"}));
  EXPECT_EQ(code.terms(std::string(250, 'a') + "_" + std::string(250, 'b')).size(), 2u)
      << "too long for a whole";
}

// Every part of two and more characters of a run is a run of its terms at consecutive positions.
TEST(Analyzer, PairsAndNgramsFindEveryPart) {
  static constexpr std::string_view kCharacters[] = {"検", "索", "エ", "ン", "ｼﾞ", "の", "は", "전",
                                                     "자", "a",  "B",  "é",  "9",  " ",  "、"};
  for (const std::string_view name : {"cjk", "ngram"}) {
    Analyzer analyzer(name);
    const unsigned seed = test::seed();
    SCOPED_TRACE(seed);
    std::mt19937 rng(seed);
    for (int round = 0; round < 2000; ++round) {
      std::vector<std::string_view> characters;
      for (int i = 0; i < 20; ++i) characters.push_back(kCharacters[rng() % std::size(kCharacters)]);
      std::string text;
      for (const auto c : characters) text += c;
      const std::size_t first = rng() % characters.size();
      const std::size_t count = 1 + rng() % 5;
      std::string part;
      bool one_run = true;
      for (std::size_t i = first; i < std::min(first + count, characters.size()); ++i) {
        part += characters[i];
        const bool cjk = static_cast<unsigned char>(characters[i][0]) > 0xC3;
        one_run = one_run && characters[i] != " " && characters[i] != "、" && (name == "ngram" ? !cjk : cjk);
      }
      if (!one_run) continue;
      std::set<std::pair<std::string, std::uint32_t>> document;
      analyzer.analyze(text, [&](const Token& t) { document.emplace(t.term, t.position); });
      bool found = false;
      Analyzer::Stream stream = analyzer.stream(part, Purpose::kQuery);
      std::vector<Token> query;
      for (Token t; stream.next(t);) query.push_back(t);
      ASSERT_FALSE(query.empty()) << part;
      for (std::uint32_t at = 0; at < 40 && !found; ++at) {
        found = std::all_of(query.begin(), query.end(), [&](const Token& t) {
          const std::pair<std::string, std::uint32_t> wanted(t.term, at + t.position);
          if (!t.prefix) return document.contains(wanted);
          return std::any_of(document.begin(), document.end(), [&](const auto& d) {
            return d.second == wanted.second && d.first.starts_with(wanted.first);
          });
        });
      }
      ASSERT_TRUE(found) << name << ": " << part << " in " << text;
    }
  }
}

TEST(Analyzer, OptionsThatDoNotFitAreRefused) {
  const auto said = [](std::string_view name, const AnalyzerOptions& options) -> std::string {
    try {
      make_analyzer_spec(name, options, "text_fields[2]");
    } catch (const Error& e) {
      return e.code() == ErrorCode::kInvalidArgument ? e.what() : "another code";
    }
    return "accepted";
  };
  EXPECT_TRUE(
      said("klingon", {}).starts_with("text_fields[2].analyzer 'klingon' is unknown; known are arabic, "));
  EXPECT_EQ(
      said("english", {.min_gram = 2}),
      "text_fields[2].analysis.min_gram is 2, but the analyzer is 'english'; it is for ngram and edge_ngram");
  EXPECT_EQ(said("ngram", {.min_gram = 5, .max_gram = 3}),
            "text_fields[2].analysis.min_gram is 5, above max_gram 3");
  EXPECT_EQ(said("ngram", {.min_gram = 2, .max_gram = 20}),
            "text_fields[2].analysis.max_gram is 20 and min_gram 2; at most 8 apart are allowed");
  EXPECT_EQ(said("ngram", {.max_gram = 40}), "text_fields[2].analysis.max_gram is 40; 1 to 32 are allowed");
  EXPECT_EQ(said("code", {.cjk_bigrams = true}),
            "text_fields[2].analysis.cjk_bigrams is true, but the analyzer is 'code'; it is for languages "
            "and neutral");
  EXPECT_EQ(said("english", {.stop_words = std::vector<std::string>{"of", "in spite"}}),
            "text_fields[2].analysis.stop_words[1] is 'in spite'; one word is wanted");
  EXPECT_EQ(said("ngram", {.synonyms = {"a, b"}}),
            "text_fields[2].analysis.synonyms are given, but the analyzer 'ngram' knows no words");
  EXPECT_EQ(said("english", {.synonyms = {"tv"}}),
            "text_fields[2].analysis.synonyms[0] is 'tv'; two words or more are wanted");
  EXPECT_EQ(
      said("english", {.synonyms = {"car, the"}}),
      "text_fields[2].analysis.synonyms[0]: ' the' holds no word that analyzer 'english' would look for");
  EXPECT_EQ(said("english", {.synonyms = {"a => b => c"}}),
            "text_fields[2].analysis.synonyms[0] has more than one =>");
}

TEST(Analyzer, FingerprintsTellWhatIsIndexedAlike) {
  const auto print = [](std::string_view name, const AnalyzerOptions& o) {
    return make_analyzer_spec(name, o)->fingerprint;
  };
  EXPECT_EQ(print("english", {}), find_analyzer("english")->fingerprint);
  EXPECT_EQ(print("english", {.synonyms = {"car, automobile"}}), print("english", {}))
      << "they widen queries only";
  EXPECT_NE(print("english", {.fold_accents = false}), print("english", {}));
  EXPECT_NE(print("english", {.stop_words = std::vector<std::string>{}}), print("english", {}));
  EXPECT_NE(print("english", {}), print("porter", {}));
  EXPECT_EQ(print("ngram", {.min_gram = 2, .max_gram = 3}), print("ngram", {}));
}

}  // namespace
}  // namespace vecstore::text
