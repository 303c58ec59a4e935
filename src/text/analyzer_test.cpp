#include "text/analyzer.hpp"

#include <gtest/gtest.h>

#include <random>

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
  const unsigned seed = std::random_device{}();
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
    Analyzer analyzer(rng() % 2 ? "english" : "neutral");
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

}  // namespace
}  // namespace vecstore::text
