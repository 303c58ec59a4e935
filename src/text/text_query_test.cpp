#include "text/text_query.hpp"

#include <gtest/gtest.h>

#include <random>

#include "base/error.hpp"
#include "seed.hpp"

namespace vecstore::text {
namespace {

using Kind = TextQuery::Kind;

const std::vector<std::string> kFields = {"text", "title", "meta.a b"};

TextQuery parse(std::string_view text, Occur words = Occur::kShould) {
  return parse_text_query(text, kFields, words);
}

std::string refused(std::string_view text) {
  try {
    return "accepted as " + to_string(parse(text));
  } catch (const Error& e) {
    return e.code() == ErrorCode::kInvalidArgument ? e.what() : "another code";
  }
}

/// The query, written with nothing but + - and parentheses.
std::string plain(std::string_view text) { return to_string(parse(text)); }

TEST(TextQuery, Leaves) {
  EXPECT_EQ(parse("word"), (TextQuery{.kind = Kind::kWord, .text = "word"}));
  EXPECT_EQ(parse("pre*"), (TextQuery{.kind = Kind::kPrefix, .text = "pre"}));
  EXPECT_EQ(parse("fuzy~"), (TextQuery{.kind = Kind::kFuzzy, .text = "fuzy", .distance = 1}));
  EXPECT_EQ(parse("fuzy~2"), (TextQuery{.kind = Kind::kFuzzy, .text = "fuzy", .distance = 2}));
  EXPECT_EQ(parse("\"a b\"~2^1.5"),
            (TextQuery{.kind = Kind::kPhrase, .text = "a b", .slop = 2, .boost = 1.5f}));
  EXPECT_EQ(parse("title:word"), (TextQuery{.kind = Kind::kWord, .text = "word", .field = "title"}));
  EXPECT_EQ(parse("meta.a\\ b:\"x\""), (TextQuery{.kind = Kind::kPhrase, .text = "x", .field = "meta.a b"}));
  EXPECT_EQ(parse("a\\:b\\*"), (TextQuery{.kind = Kind::kWord, .text = "a:b*"}));
  EXPECT_EQ(parse("\"say \\\"hi\\\" \\\\ * (\""),
            (TextQuery{.kind = Kind::kPhrase, .text = "say \"hi\" \\ * ("}));
  EXPECT_EQ(parse("well-known c++ x+y"), parse("(well-known) (c++) (x+y)"));
  EXPECT_EQ(parse("\\AND"), (TextQuery{.kind = Kind::kWord, .text = "AND"}));
  EXPECT_EQ(parse("and or not"), parse("(and) (or) (not)")) << "operators are written in capitals";
  EXPECT_EQ(parse(""), TextQuery{});
  EXPECT_EQ(parse(" \n\u3000"), TextQuery{});
  EXPECT_EQ(plain("東京\u3000大阪"), "東京 大阪");
}

TEST(TextQuery, Operators) {
  EXPECT_EQ(plain("a b"), "a b");
  EXPECT_EQ(plain("a AND b"), "+a +b");
  EXPECT_EQ(plain("a OR b"), "a b");
  EXPECT_EQ(plain("a OR b AND c"), "a (+b +c)");
  EXPECT_EQ(plain("a b AND c d"), "a (+b +c) d");
  EXPECT_EQ(plain("a NOT b"), "a -b");
  EXPECT_EQ(plain("a AND NOT b"), "+a -b");
  EXPECT_EQ(plain("a OR NOT b"), "a (-b)");
  EXPECT_EQ(plain("NOT NOT a"), "a");
  EXPECT_EQ(plain("+a -b c"), "+a -b c");
  EXPECT_EQ(plain("(a OR b) AND c"), "+(a b) +c");
  EXPECT_EQ(plain("((a))"), "a");
  EXPECT_EQ(plain("(+a)"), "a");
  EXPECT_EQ(plain("(a b)^2"), "(a b)^2");
  EXPECT_EQ(plain("((a)^2)^3"), "a^6");
  EXPECT_EQ(plain("title:(a text:b \"c d\")"), "title:a text:b title:\"c d\"");
  EXPECT_EQ(plain("-(a b) c"), "-(a b) c");
  EXPECT_EQ(plain("NOT(a) b"), "-a b");
  EXPECT_EQ(to_string(parse("a b (c d)", Occur::kMust)), "+a +b +(+c +d)");
  EXPECT_EQ(to_string(parse("a b OR c -d", Occur::kMust)), "+a +(b c) -d");
}

TEST(TextQuery, ErrorsSayWhereAndWhat) {
  EXPECT_EQ(refused("a AND"),
            "text query: at byte 5 (column 6): expected a word, `\"` or `(`, found the end");
  EXPECT_EQ(refused("é (b"), "text query: at byte 3 (column 3): the closing `)` is missing");
  EXPECT_EQ(refused("a) b"), "text query: at byte 1 (column 2): `)` without a `(`");
  EXPECT_EQ(refused("x \"abc"), "text query: at byte 2 (column 3): the closing `\"` is missing");
  EXPECT_EQ(refused("x \"abc\\"), "text query: at byte 2 (column 3): the closing `\"` is missing");
  EXPECT_EQ(refused("()"), "text query: at byte 1 (column 2): expected a word in the group, found `)`");
  EXPECT_EQ(refused("body:x"),
            "text query: at byte 0 (column 1): `body` is no text field; known are text, title, meta.a b; a "
            "colon inside of a "
            "word is written \\:");
  EXPECT_EQ(refused("title: x"),
            "text query: at byte 6 (column 7): expected a word, `\"` or `(`, found ` x`");
  EXPECT_EQ(refused("title:text:x"), "text query: at byte 10 (column 11): expected a space, found `:x`");
  EXPECT_EQ(refused("a*b"), "text query: at byte 2 (column 3): expected a space, found `b`");
  EXPECT_EQ(refused("*"), "text query: at byte 0 (column 1): expected a word, `\"` or `(`, found `*`");
  EXPECT_EQ(refused("a~3"),
            "text query: at byte 2 (column 3): expected a distance of 1 to 2 after `~`, found `3`");
  EXPECT_EQ(refused("\"a b\"~"),
            "text query: at byte 6 (column 7): expected a slop of 0 to 1000 after `~`, found the end");
  EXPECT_EQ(
      refused("\"a b\"*"),
      "text query: at byte 5 (column 6): expected a space (`*` stands only at the end of a word), found `*`");
  EXPECT_EQ(refused("a^0"),
            "text query: at byte 2 (column 3): expected a boost of 0.000001 to 1000000 after `^`, found `0`");
  EXPECT_EQ(
      refused("a^1.2.3"),
      "text query: at byte 2 (column 3): expected a boost of 0.000001 to 1000000 after `^`, found `1.2.3`");
  EXPECT_EQ(refused("(a^1000)^100000"),
            "text query: at byte 0 (column 1): a boost that all in all is 100000000.000000; 0.000001 to "
            "1000000 are allowed");
  EXPECT_EQ(refused("+a AND b"),
            "text query: at byte 3 (column 4): `+` stands before a clause of its own, not beside AND or OR");
  EXPECT_EQ(refused("a AND -b"),
            "text query: at byte 6 (column 7): expected a word, `\"` or `(`, found `-b`");
  EXPECT_EQ(refused("OR a"),
            "text query: at byte 0 (column 1): expected a word before the operator (a word like it is "
            "written in quotes), "
            "found `OR a`");
  EXPECT_EQ(refused("-a"),
            "text query: at byte 0 (column 1): a query has to say what to find, not only what not to find");
  EXPECT_EQ(refused("a -"), "text query: at byte 3 (column 4): expected a word, `\"` or `(`, found the end");
  EXPECT_EQ(refused("a\\"), "text query: at byte 1 (column 2): nothing follows the `\\`");
  EXPECT_EQ(refused("a\xFF"), "text query: the text is not valid UTF-8");
}

TEST(TextQuery, SizesAreBounded) {
  const auto nested = [](std::size_t n) { return std::string(n, '(') + "a b" + std::string(n, ')'); };
  EXPECT_EQ(plain(nested(32)), "a b");
  EXPECT_EQ(refused(nested(33)), "text query: at byte 32 (column 33): more than 32 groups deep");
  EXPECT_EQ(refused(nested(30'000)), "text query: at byte 32 (column 33): more than 32 groups deep");
  std::string many;
  for (int i = 0; i < 1024; ++i) many += "a ";
  EXPECT_EQ(parse(many).clauses.size(), 1024u);
  EXPECT_EQ(refused(many + "b c"),
            "text query: at byte 2049 (column 2050): more than 1024 words and phrases");
  EXPECT_EQ(refused(std::string(65'537, 'a')), "text query: 65537 bytes; the limit is 65536");
  std::string nots;
  for (int i = 0; i < 10'000; ++i) nots += "NOT ";
  EXPECT_EQ(plain(nots + "a"), "a");
}

// ---- random trees: what is printed is read back as the same tree

struct TreeMaker {
  std::mt19937 rng;
  std::size_t below(std::size_t n) { return rng() % n; }

  std::string text(bool phrase) {
    static constexpr std::string_view kParts[] = {"a",  "Word", "+",  "-",      "(", ")", "\"", "*",
                                                  "~",  "^",    ":",  "\\",     " ", "é", "検", "AND",
                                                  "OR", "NOT",  "\n", "\u3000", "1", "."};
    if (!phrase && below(8) == 0) return std::string(kParts[15 + below(3)]);
    std::string out;
    for (std::size_t n = phrase ? below(6) : 1 + below(4); n > 0; --n)
      out += kParts[below(std::size(kParts))];
    return out;
  }

  TextQuery leaf() {
    TextQuery q;
    q.kind = static_cast<Kind>(1 + below(4));
    q.text = text(q.kind == Kind::kPhrase);
    if (below(3) == 0) q.field = kFields[below(kFields.size())];
    if (q.kind == Kind::kFuzzy) q.distance = 1 + static_cast<std::uint32_t>(below(2));
    if (q.kind == Kind::kPhrase && below(2)) q.slop = static_cast<std::uint32_t>(below(kMaxSlop + 1));
    return q;
  }

  TextQuery tree(std::size_t depth) {
    TextQuery q;
    if (depth == 0 || below(3) == 0) {
      q = leaf();
    } else {
      const bool negation = depth < 5 && below(6) == 0;
      const std::size_t n = negation ? 1 : 2 + below(3);
      for (std::size_t i = 0; i < n; ++i) {
        q.clauses.push_back(tree(depth - 1));
        q.clauses[i].occur = negation ? Occur::kMustNot : static_cast<Occur>(below(3));
      }
      if (depth == 5) q.clauses[0].occur = Occur::kShould;
    }
    if (below(4) == 0) q.boost = static_cast<float>(1 + below(100'000)) / static_cast<float>(1 + below(1000));
    return q;
  }
};

TEST(TextQuery, PrintedTreesAreReadBack) {
  const unsigned seed = test::seed();
  SCOPED_TRACE(seed);
  TreeMaker make{std::mt19937(seed)};
  std::size_t bools = 0;
  for (int round = 0; round < 20'000; ++round) {
    const TextQuery q = make.tree(5);
    bools += q.kind == Kind::kBool;
    const std::string written = to_string(q);
    ASSERT_EQ(parse(written), q) << written;
  }
  EXPECT_GT(bools, 5'000u);
}

// Whatever the bytes: a tree or an Error that is no fault of ours; and what is accepted can be printed and
// read.
TEST(TextQuery, RandomTextsNeverCrash) {
  static constexpr std::string_view kParts[] = {"a",    "bc",     " ", " ",  "+", "-",      "(",    ")",
                                                "\"",   "*",      "~", "^",  ":", "\\",     "AND ", "OR ",
                                                "NOT ", "title:", "2", ".5", "é", "\u3000", "\xFF", "\t"};
  const unsigned seed = test::seed();
  SCOPED_TRACE(seed);
  std::mt19937 rng(seed);
  std::size_t accepted = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string text;
    for (std::size_t n = rng() % 12; n > 0; --n) {
      if (rng() % 50 == 0) text.push_back(static_cast<char>(rng()));
      text += kParts[rng() % std::size(kParts)];
    }
    const TextQuery plain_text = match_text_query(text);
    EXPECT_EQ(plain_text.text, text);
    try {
      const TextQuery q = parse(text);
      ++accepted;
      ASSERT_EQ(parse(to_string(q)), q) << text;
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), ErrorCode::kInvalidArgument) << text;
    }
  }
  EXPECT_GT(accepted, 1'000u);
}

}  // namespace
}  // namespace vecstore::text
