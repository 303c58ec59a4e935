#include "text/term_tree.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "base/error.hpp"
#include "seed.hpp"

namespace vecstore::text {
namespace {

using Kind = TermTree::Kind;

/// Leaves as they are easiest to read: term, pre*, fuzzy~1, "a b"~slop with the gaps, /fields, ^boost.
std::string shown(const TermTree& tree) {
  std::string out;
  switch (tree.kind) {
    case Kind::kTerm:
      out = tree.term;
      break;
    case Kind::kPrefix:
      out = tree.term + "*";
      break;
    case Kind::kFuzzy:
      out = concat(tree.term, "~", tree.distance);
      break;
    case Kind::kPhrase: {
      out = "\"";
      std::uint32_t position = 0;
      for (const PhraseTerm& part : tree.phrase) {
        for (; position < part.position; ++position) out += "_ ";
        out += part.term + " ";
        position = part.position + 1;
      }
      out.back() = '"';
      if (tree.slop > 0) out += concat("~", tree.slop);
      break;
    }
    case Kind::kBool:
      for (const TermTree& clause : tree.clauses) {
        out += out.empty() ? "" : " ";
        if (clause.occur != Occur::kShould) out += clause.occur == Occur::kMust ? "+" : "-";
        out += clause.is_leaf() ? shown(clause) : "(" + shown(clause) + ")";
      }
      return out;
  }
  if (tree.fields != std::vector<std::uint32_t>{0}) {
    out += "/";
    for (const std::uint32_t field : tree.fields) out += std::to_string(field);
  }
  if (tree.boost != 1) out += "^" + std::to_string(tree.boost).substr(0, 3);
  return out;
}

/// One field with this analyzer.
struct Field {
  explicit Field(std::string_view name, const AnalyzerOptions& options = {})
      : analyzer(make_analyzer_spec(name, options)) {}
  std::string query(std::string_view text) {
    const std::vector<std::string> names{"text"};
    return shown(analyze_query(parse_text_query(text, names), fields()).tree);
  }
  std::string match(std::string_view text) {
    return shown(analyze_query(match_text_query(text), fields()).tree);
  }
  std::vector<QueryField> fields() { return {{"text", &analyzer}}; }
  Analyzer analyzer;
};

TEST(TermTree, Words) {
  Field english("english");
  EXPECT_EQ(english.query("Flying wings"), "fli wing");
  EXPECT_EQ(english.query("+Flying -wings the"), "+fli -wing");
  EXPECT_EQ(english.query("\"state of the art\"~2"), "\"state _ _ art\"~2");
  EXPECT_EQ(english.query("\"the art\""), "art");
  EXPECT_EQ(english.query("x-ray"), "\"x ray\"");
  EXPECT_EQ(english.query("flyin* flyin~2 the~"), "flyin* flyin~2 the~1");
  EXPECT_EQ(english.query("x-ra* e-mal~1"), "(+x +ra*) (+e~1 +mal~1)");
  EXPECT_EQ(english.query("(wing^2 \"a b\"^3)^2"), "wing^4.0 b^6.0");
  EXPECT_EQ(english.query(""), "");
}

TEST(TermTree, WordsWithoutTermsAreIgnored) {
  Field english("english");
  EXPECT_EQ(english.query("the"), "");
  EXPECT_EQ(english.query("+the wing"), "wing");
  EXPECT_EQ(english.query("the -wing"), "") << "not everything without wings";
  EXPECT_EQ(english.query("+fly +(the -wing)"), "+fli -wing");
  EXPECT_EQ(english.query("fly (the -wing)"), "fli");
  EXPECT_EQ(english.query("fly (-wing)"), "fli") << "a group that only forbids finds nothing";
  EXPECT_EQ(english.query("fly -the ... +(of to)"), "fli");
}

TEST(TermTree, PlainText) {
  Field english("english");
  EXPECT_EQ(english.match("wing +fly -(wings \"AND the"), "wing^2.0 fli");
  EXPECT_EQ(english.match(""), "");
  EXPECT_EQ(english.match("\xFF ( ) *"), "");
}

TEST(TermTree, CharactersWithoutSpaces) {
  Field cjk("cjk");
  EXPECT_EQ(cjk.query("検索エンジン"), "\"検索 索エ エン ンジ ジン\"");
  EXPECT_EQ(cjk.match("検索エ 検索"), "検索^2.0 索エ");
  EXPECT_EQ(cjk.query("検"), "検*");
  EXPECT_EQ(cjk.query("検索エ*"), "\"検索 索エ\"") << "found inside of longer runs anyway";
  EXPECT_EQ(cjk.query("LG전*"), "+lg +전*");
}

TEST(TermTree, Grams) {
  Field grams("ngram");
  EXPECT_EQ(grams.query("search s"), "\"sea ear arc rch\" s*");
  EXPECT_EQ(grams.match("abcd, efg x"), "\"abc bcd\" efg x*");
  EXPECT_EQ(grams.query("sea*"), "sea");
  Field edge("edge_ngram");
  EXPECT_EQ(edge.query("sea"), "sea");
  EXPECT_EQ(edge.match("sea shells"), "sea shells");
}

TEST(TermTree, Identifiers) {
  Field code("code");
  EXPECT_EQ(code.query("getUserName"), "getusername \"get user name\"");
  EXPECT_EQ(code.match("getUserName"), "getusername get user name");
  EXPECT_EQ(code.query("\"call getUserName\""), "\"call get user name\"");
  EXPECT_EQ(code.query("foo.getUserName"), "\"foo get user name\"");
  EXPECT_EQ(code.query("getUserNa*"), "getuserna* (+\"get user\" +na*)");
  EXPECT_EQ(code.query("getUs*"), "getus* (+get +us*)");
}

TEST(TermTree, Synonyms) {
  Field english("english",
                {.synonyms = {"car, automobile, motor car", "TV => televisions", "united states => usa"}});
  EXPECT_EQ(english.query("cars"), "car automobil \"motor car\"");
  EXPECT_EQ(english.query("+cars -tv"), "+(car automobil \"motor car\") -(tv televis)");
  EXPECT_EQ(english.query("television"), "televis");
  EXPECT_EQ(english.query("\"cars\""), "car") << "quoted words are meant as they are written";
  EXPECT_EQ(english.match("a motor car in the united states"), "motor car unit state automobil usa");
  EXPECT_EQ(english.query("cars^2"), "car^2.0 automobil^2.0 \"motor car\"^2.0");
}

TEST(TermTree, SeveralFields) {
  Analyzer english("english");
  Analyzer also_english("english");
  Analyzer neutral("neutral");
  const std::vector<QueryField> fields{{"text", &english}, {"title", &also_english}, {"author", &neutral}};
  const std::vector<std::string> names{"text", "title", "author"};
  const auto query = [&](std::string_view text) {
    return shown(analyze_query(parse_text_query(text, names), fields).tree);
  };
  EXPECT_EQ(query("wing"), "wing/012");
  EXPECT_EQ(query("wings"), "wing/01 wings/2");
  EXPECT_EQ(query("title:wings author:wings"), "wing/1 wings/2");
  EXPECT_EQ(query("+wings +fly"), "+(wing/01 wings/2) +(fli/01 fly/2)");
  EXPECT_EQ(query("+the +wing"), "+the/2 +wing/012");
  EXPECT_EQ(shown(analyze_query(match_text_query("wings wing fly"), fields).tree),
            "wing/012^2.0 fli/01 wings/2 fly/2");
  EXPECT_THROW(analyze_query({.kind = TextQuery::Kind::kWord, .text = "a", .field = "body"}, fields), Error);
}

TEST(TermTree, SizesAreBounded) {
  Field neutral("neutral");
  std::string words;
  for (int i = 0; i < 3000; ++i) words += concat("w", i, " ");
  const AnalyzedQuery cut = analyze_query(match_text_query(words), neutral.fields());
  EXPECT_EQ(cut.tree.clauses.size(), kMaxTermTreeLeaves);
  EXPECT_TRUE(cut.truncated);
  EXPECT_FALSE(analyze_query(match_text_query("a b"), neutral.fields()).truncated);
  EXPECT_THROW(neutral.query("\"" + words + "\""), Error) << "a phrase";
  EXPECT_NO_THROW(neutral.query(words.substr(0, 4000)));
}

// Whatever the bytes and the analyzer: plain text is no error, and what the parser accepts can be analysed;
// leaves are well-formed.
void check(const TermTree& tree, std::size_t fields, std::size_t depth = 0) {
  ASSERT_LE(depth, 2 * kMaxTextQueryDepth + 4);
  if (!tree.is_leaf()) {
    ASSERT_EQ(tree.boost, 1);
    for (const TermTree& clause : tree.clauses) check(clause, fields, depth + 1);
    return;
  }
  ASSERT_FALSE(tree.fields.empty());
  ASSERT_LT(tree.fields.back(), fields);
  ASSERT_TRUE(std::is_sorted(tree.fields.begin(), tree.fields.end()));
  ASSERT_EQ(tree.kind == Kind::kPhrase, tree.term.empty());
  if (tree.kind != Kind::kPhrase) return;
  ASSERT_GE(tree.phrase.size(), 2u);
  ASSERT_EQ(tree.phrase[0].position, 0u);
}

TEST(TermTree, RandomQueries) {
  static constexpr std::string_view kParts[] = {
      "wing", "Flying", " ",  " ",   " ",        "+",   "-",    "(",  ")",  "\"",
      "*",    "~",      "^2", ":",   "AND ",     "OR ", "NOT ", "a:", "b:", "検索",
      "エ",   "전자",   "é",  "the", "get_user", "X",   "\xFF", "'",  "."};
  const auto names = analyzer_names();
  const std::vector<std::string> field_names{"a", "b"};
  const unsigned seed = test::seed();
  SCOPED_TRACE(seed);
  std::mt19937 rng(seed);
  for (int analyzers = 0; analyzers < 60; ++analyzers) {
    const std::string& first_name = names[rng() % names.size()];
    AnalyzerOptions options;
    if (first_name.find("ngram") == std::string::npos)
      options.synonyms = {"wing, flying", "flying wing => X, étude"};
    Analyzer first(make_analyzer_spec(first_name, options));
    Analyzer second(names[rng() % names.size()]);
    const std::vector<QueryField> fields{{"a", &first}, {"b", &second}};
    for (int round = 0; round < 300; ++round) {
      std::string text;
      for (std::size_t n = rng() % 14; n > 0; --n) text += kParts[rng() % std::size(kParts)];
      check(analyze_query(match_text_query(text), fields).tree, fields.size());
      TextQuery query;
      try {
        query = parse_text_query(text, field_names);
      } catch (const Error&) {
        continue;
      }
      check(analyze_query(query, fields).tree, fields.size());
    }
  }
}

}  // namespace
}  // namespace vecstore::text
