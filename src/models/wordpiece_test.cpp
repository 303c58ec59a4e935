#include "models/wordpiece.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace vecstore::models {
namespace {

WordPieceConfig small() {
  WordPieceConfig c;
  c.vocabulary = {"[PAD]",   "[UNK]", "[CLS]", "[SEP]", "un",     "##aff", "##able", "want",
                  "##want",  "##ed",  "wa",    "run",   "##ning", ",",     "low",    "lowest",
                  "##est",   "new",   "##er",  "a",     "b",      "##b",   "我",     "!",
                  "strasse", "ss",    "i",     "",      "e",      "##x"};
  c.added = {{"[PAD]", 0}, {"[UNK]", 1}, {"[CLS]", 2}, {"[SEP]", 3}, {"[SE", 27}};
  return c;
}

using Ids = std::vector<std::int32_t>;

Ids encode(const WordPiece& tokenizer, std::string_view text, std::size_t limit = 1000) {
  Ids ids;
  tokenizer.encode(text, limit, ids);
  return ids;
}

// Tokens between the first and the last one.
Ids inner(std::string_view text, const WordPieceConfig& config = small()) {
  const Ids ids = encode(WordPiece(config), text);
  EXPECT_EQ(ids.front(), 2);
  EXPECT_EQ(ids.back(), 3);
  return Ids(ids.begin() + 1, ids.end() - 1);
}

TEST(WordPiece, LongestPieceFirst) {
  EXPECT_EQ(inner("unaffable"), (Ids{4, 5, 6}));
  EXPECT_EQ(inner("UNwantED running, lowest newer"), (Ids{4, 8, 9, 11, 12, 13, 15, 17, 18}));
  EXPECT_EQ(inner("unaffablex"), (Ids{4, 5, 6, 29}));
  EXPECT_EQ(inner("unaffablez want"), (Ids{1, 7})) << "a word with an unknown rest is unknown as a whole";
}

TEST(WordPiece, EmptyAndBlankTexts) {
  for (const std::string_view text :
       {"", " ", "\t\n\r \x0b", "\xc2\xa0\xe3\x80\x80", "\xe2\x80\x8b\xc2\xad"}) {
    EXPECT_TRUE(inner(text).empty());
  }
}

TEST(WordPiece, CleansAndFolds) {
  EXPECT_EQ(inner("\xc3\x89"), (Ids{28})) << "an accent is dropped";
  EXPECT_EQ(inner("e\xcc\x81x"), (Ids{28, 29}));
  EXPECT_EQ(inner(std::string_view("a\0b", 3)), (Ids{19, 21})) << "a zero byte joins its neighbours";
  EXPECT_EQ(inner("a\x01\x7f\xef\xbb\xbf"
                  "b"),
            (Ids{19, 21}));
  EXPECT_EQ(inner("a\xc2\xa0"
                  "b"),
            (Ids{19, 20}));
  EXPECT_EQ(inner("\xc4\xb0"), (Ids{26})) << "I with a dot loses the dot";
}

TEST(WordPiece, BrokenUtf8IsDropped) {
  for (const char* broken : {"\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\x80", "\xc0\x80", "\xed\xa0\x80",
                             "\xf4\x90\x80\x80", "\xf8\x88"}) {
    EXPECT_EQ(inner(std::string("a") + broken), (Ids{19})) << broken;
    EXPECT_EQ(inner(std::string("a") + broken + "b"), (Ids{19, 21})) << broken;
  }
}

TEST(WordPiece, PunctuationAndIdeographsAreWords) {
  EXPECT_EQ(inner("a,b!!"), (Ids{19, 13, 20, 23, 23}));
  EXPECT_EQ(inner("a我我b"), (Ids{19, 22, 22, 20}));
  WordPieceConfig together = small();
  together.split_cjk = false;
  EXPECT_EQ(inner("我我", together), (Ids{1}));
}

TEST(WordPiece, AddedTokensAreFoundInTheRawText) {
  EXPECT_EQ(inner("a[SEP]b"), (Ids{19, 3, 20}));
  EXPECT_EQ(inner("[sep]"), (Ids{1, 1, 1})) << "only as written";
  EXPECT_EQ(inner("[SE[SEP][SEb"), (Ids{27, 3, 27, 20})) << "the longest one";
}

TEST(WordPiece, CasedModelsKeepCaseAndAccents) {
  WordPieceConfig cased = small();
  cased.lowercase = false;
  cased.strip_accents = false;
  EXPECT_EQ(inner("Want want", cased), (Ids{1, 7}));
  EXPECT_EQ(inner("e\xcc\x81", cased), (Ids{1}));
}

TEST(WordPiece, LongWordsAreUnknown) {
  WordPieceConfig c = small();
  EXPECT_EQ(inner("a" + std::string(99, 'b'), c).size(), 100u);
  EXPECT_EQ(inner("a" + std::string(100, 'b'), c), (Ids{1}));
  c.max_word = 3;
  EXPECT_EQ(inner("abb abbb", c), (Ids{19, 21, 21, 1}));
}

TEST(WordPiece, CutsAtTheLimit) {
  const WordPiece tokenizer(small());
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "want ";
  EXPECT_EQ(encode(tokenizer, text, 8), (Ids{2, 7, 7, 7, 7, 7, 7, 3}));
  EXPECT_EQ(encode(tokenizer, "unaffable unaffable", 5), (Ids{2, 4, 5, 6, 3}));
  EXPECT_EQ(encode(tokenizer, "unaffable", 4), (Ids{2, 4, 5, 3})) << "inside a word as well";
  EXPECT_EQ(encode(tokenizer, text, 2), (Ids{2, 3}));
}

TEST(WordPiece, RefusesVocabulariesWithoutSpecialTokens) {
  for (const int missing : {1, 2, 3}) {
    WordPieceConfig c = small();
    c.added.clear();
    c.vocabulary[missing].clear();
    EXPECT_THROW(WordPiece{c}, Error);
  }
  WordPieceConfig twice = small();
  twice.vocabulary.push_back("want");
  EXPECT_THROW(WordPiece{twice}, Error);
}

}  // namespace
}  // namespace vecstore::models
