#include "text/highlighter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "base/error.hpp"
#include "base/utf8.hpp"
#include "seed.hpp"
#include "text/edit_distance.hpp"
#include "text/utf8.hpp"

namespace vecstore::text {
namespace {

struct Shown {
  Shown(std::string_view name, std::string_view query, bool plain = false,
        const AnalyzerOptions& options = {})
      : analyzer(make_analyzer_spec(name, options)) {
    const std::vector<QueryField> fields{{"text", &analyzer}};
    const std::vector<std::string> names{"text"};
    tree = analyze_query(plain ? match_text_query(query) : parse_text_query(query, names), fields).tree;
  }
  /// The text with what matches in brackets.
  std::string marked(const std::string& text) {
    return bracketed(text, {0, text.size(), 0, 0}, Highlighter(analyzer, tree, 0).highlights(text, context));
  }
  std::vector<std::string> snippets(const std::string& text, const SnippetOptions& options) {
    std::vector<std::string> out;
    for (const Snippet& s : Highlighter(analyzer, tree, 0).snippets(text, options, context))
      out.push_back(bracketed(text, s.range, s.highlights));
    return out;
  }
  static std::string bracketed(const std::string& text, const TextRange& range,
                               const std::vector<TextRange>& marks) {
    std::string out;
    std::size_t at = range.start_byte;
    for (const TextRange& m : marks) {
      out += text.substr(at, m.start_byte - at) + "[" + text.substr(m.start_byte, m.end_byte - m.start_byte) +
             "]";
      at = m.end_byte;
    }
    return out + text.substr(at, range.end_byte - at);
  }
  Analyzer analyzer;
  TermTree tree;
  Context context;
};

TEST(Highlighter, MarksWhatMatches) {
  EXPECT_EQ(Shown("english", "fly wing").marked("Flying machines have WINGS."),
            "[Flying] machines have [WINGS].");
  EXPECT_EQ(Shown("english", "fly -wing").marked("flying wings"), "[flying] wings")
      << "not what is forbidden";
  EXPECT_EQ(Shown("english", "mach*").marked("machines, mace"), "[machines], mace");
  EXPECT_EQ(Shown("neutral", "machnie~1").marked("machine mace"), "[machine] mace");
  EXPECT_EQ(Shown("english", "tv", false, {.synonyms = {"tv => television set"}})
                .marked("my television, a television set"),
            "my television, a [television] [set]");
  EXPECT_EQ(Shown("german", "häuser").marked("Ein Haus für Häuser: HÄUSERN"),
            "Ein [Haus] für [Häuser]: [HÄUSERN]");
  EXPECT_EQ(Shown("french", "avion").marked("L'avion"), "[L'avion]");
  EXPECT_EQ(Shown("english", "the").marked("the wing"), "the wing");
}

TEST(Highlighter, OfAPhraseOnlyWhatStandsTogether) {
  EXPECT_EQ(Shown("neutral", "\"a b\"").marked("b a b a a b"), "b [a] [b] a [a] [b]");
  EXPECT_EQ(Shown("neutral", "\"a b\"~1").marked("a x b, a y y b"), "[a] x [b], a y y b");
  EXPECT_EQ(Shown("neutral", "\"a b\"~2").marked("b a"), "[b] [a]");
  EXPECT_EQ(Shown("neutral", "\"a a\"~1").marked("x a x a a"), "x [a] x [a] [a]");
  EXPECT_EQ(Shown("neutral", "\"a a\"~1").marked("a x x a"), "a x x a");
  EXPECT_EQ(Shown("english", "\"state of the art\"").marked("a state of art, state of the art"),
            "a state of art, [state] of the [art]");
}

TEST(Highlighter, PartsOfWords) {
  EXPECT_EQ(Shown("cjk", "エンジン").marked("検索エンジンとエン"), "検索[エンジン]とエン");
  EXPECT_EQ(Shown("cjk", "検").marked("検索 再検"), "[検索] 再[検]") << "the pair that begins so";
  EXPECT_EQ(Shown("ngram", "arch").marked("Searching, Art"), "Se[arch]ing, Art");
  EXPECT_EQ(Shown("edge_ngram", "sea").marked("Searching the sea"), "[Sea]rching the [sea]");
  EXPECT_EQ(Shown("code", "user").marked("getUserName get_user"), "get[User]Name get_[user]");
  EXPECT_EQ(Shown("code", "getUserName").marked("getUserName, get_user_name, user"),
            "[getUserName], [get]_[user]_[name], user");
}

TEST(Highlighter, PlacesCountCodePointsToo) {
  Shown s("neutral", "wing");
  const std::string text = "äö \xFF wing";
  const auto got = Highlighter(s.analyzer, s.tree, 0).highlights(text, s.context);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0], (TextRange{7, 11, 5, 9}));
}

TEST(Highlighter, Snippets) {
  const std::string text =
      "The first sentence says nothing. A wing carries the machine, and the tail steers it. Later on there "
      "is much more of "
      "nothing, line by line, until a second wing appears near the end of the text.";
  Shown s("english", "wing tail");
  EXPECT_EQ(s.snippets(text, {.max_chars = 60}),
            (std::vector<std::string>{"nothing. A [wing] carries the machine, and the [tail] steers it"}));
  EXPECT_EQ(s.snippets(text, {.max_chars = 60, .max_snippets = 3}),
            (std::vector<std::string>{"nothing. A [wing] carries the machine, and the [tail] steers it",
                                      "by line, until a second [wing] appears near the end of the"}));
  EXPECT_EQ(Shown("english", "nowhere").snippets(text, {.max_chars = 30}),
            (std::vector<std::string>{"The first sentence says"}));
  EXPECT_EQ(s.snippets("", {}), std::vector<std::string>{});
  EXPECT_EQ(s.snippets("... !!", {}), (std::vector<std::string>{"... !!"}));
  EXPECT_EQ(s.snippets("wing", {}), (std::vector<std::string>{"[wing]"}));
  EXPECT_EQ(Shown("ngram", "arch").snippets("It is Searching here", {.max_chars = 16}),
            (std::vector<std::string>{"It is Se[arch]ing"}));
  EXPECT_EQ(Shown("neutral", "b")
                .snippets("abcdefghijklmnopqrstuvwxyz b abcdefghijklmnopqrstuvwxyz", {.max_chars = 16}),
            (std::vector<std::string>{"[b]"}));
  EXPECT_EQ(Shown("ngram", "mno").snippets("abcdefghijklmnopqrstuvwxyz", {.max_chars = 16}),
            (std::vector<std::string>{"ghijkl[mno]pqrstuv"}));
  EXPECT_THROW(s.snippets(text, {.max_chars = 15}), Error);
  EXPECT_THROW(s.snippets(text, {.max_snippets = 0}), Error);
}

// A slow twin: all orders of what stands in the text.
bool within_edits_slowly(const std::u32string& a, const std::u32string& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()] <= 2;
}

TEST(EditDistance, EqualsTheWholeTable) {
  std::mt19937 rng(3);
  std::size_t within = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::u32string a, b;
    for (std::size_t n = rng() % 8; n > 0; --n) a += U'a' + rng() % 3;
    b = a;
    for (std::size_t edits = rng() % 4; edits > 0; --edits) {
      const std::size_t at = rng() % (b.size() + 1);
      if (rng() % 3 == 0) {
        b.insert(at, 1, U'a' + rng() % 3);
      } else if (at < b.size() && rng() % 2) {
        b.erase(at, 1);
      } else if (at + 1 < b.size()) {
        std::swap(b[at], b[at + 1]);
      }
    }
    ASSERT_EQ(within_edits(a, b, 2), within_edits_slowly(a, b));
    within += within_edits(a, b, 2);
  }
  EXPECT_GT(within, 1'000u);
}

/// Whether a term is one that the tree asks for.
bool asks_for(const TermTree& tree, std::string_view term) {
  switch (tree.kind) {
    case TermTree::Kind::kTerm:
      return tree.term == term;
    case TermTree::Kind::kPrefix:
      return term.starts_with(tree.term);
    case TermTree::Kind::kFuzzy: {
      std::u32string a, b;
      for (std::size_t i = 0; i < term.size(); i += decode(term, i).length) a += decode(term, i).code_point;
      for (std::size_t i = 0; i < tree.term.size(); i += decode(tree.term, i).length)
        b += decode(tree.term, i).code_point;
      return within_edits(a, b, tree.distance);
    }
    case TermTree::Kind::kPhrase:
      return std::any_of(tree.phrase.begin(), tree.phrase.end(),
                         [&](const PhraseTerm& p) { return p.term == term; });
    case TermTree::Kind::kBool:
      return std::any_of(tree.clauses.begin(), tree.clauses.end(),
                         [&](const TermTree& c) { return c.occur != Occur::kMustNot && asks_for(c, term); });
  }
  return false;
}

/// Ranges are in order and agree with themselves; where the text is valid UTF-8 none cuts a sequence.
void check_range(const std::string& text, const TextRange& r, bool valid) {
  ASSERT_LT(r.start_byte, r.end_byte);
  ASSERT_LE(r.end_byte, text.size());
  ASSERT_EQ(r.start_char, count_characters(std::string_view(text).substr(0, r.start_byte), valid));
  ASSERT_EQ(r.end_char, count_characters(std::string_view(text).substr(0, r.end_byte), valid));
  ASSERT_TRUE(!valid || valid_utf8(std::string_view(text).substr(r.start_byte, r.end_byte - r.start_byte)));
}

TEST(Highlighter, RandomTexts) {
  static constexpr std::string_view kParts[] = {"wing",        "Flying",
                                                "flies",       "machines",
                                                "the",         "É",
                                                "école",       "l'école",
                                                "検索",        "エンジン",
                                                "전자",        "get_user",
                                                "getUserName", "X1",
                                                "'",           ".",
                                                "naïve",       "a",
                                                "b",           "\u0301",
                                                "🙂",          "supercalifragilistic"};
  static constexpr std::string_view kQueries[] = {
      "wing",        "fly -the", "\"flying machines\"", "\"a b\"~3", "ma*",          "wang~1",
      "検索",        "エン*",    "getUserName",         "user",      "+école naive", "\"検索 エンジン\"",
      "a b X1 전자", "ing"};
  const auto names = analyzer_names();
  const unsigned seed = test::seed();
  SCOPED_TRACE(seed);
  std::mt19937 rng(seed);
  std::size_t highlighted = 0;
  for (int round = 0; round < 4'000; ++round) {
    const std::string& name = names[rng() % names.size()];
    Shown s(name, kQueries[rng() % std::size(kQueries)], rng() % 4 == 0);
    std::string text;
    for (std::size_t n = rng() % 60; n > 0; --n) {
      text += kParts[rng() % std::size(kParts)];
      if (rng() % 4) text += rng() % 6 ? " " : "\n. ";
      if (round % 2 && rng() % 20 == 0) text.push_back(static_cast<char>(rng()));
    }
    const bool valid = valid_utf8(text);
    Highlighter highlighter(s.analyzer, s.tree, 0);
    Context& context = s.context;
    const auto highlights = highlighter.highlights(text, context);
    std::size_t end = 0;
    for (const TextRange& r : highlights) {
      check_range(text, r, valid);
      ASSERT_GE(r.start_byte, end);
      end = r.end_byte;
      const auto terms = Analyzer(name).terms(text.substr(r.start_byte, r.end_byte - r.start_byte));
      ASSERT_TRUE(std::any_of(terms.begin(), terms.end(), [&](const auto& t) { return asks_for(s.tree, t); }))
          << name << ": " << text.substr(r.start_byte, r.end_byte - r.start_byte) << " in " << text;
      ++highlighted;
    }
    // Borders of words: where a segment begins or ends, or a character of one that is too long.
    const SnippetOptions options{.max_chars = 16 + rng() % 60, .max_snippets = 1 + rng() % 4};
    std::set<std::size_t> starts, ends;
    Segmenter segments(text);
    for (Segment g; segments.next(g);) {
      starts.insert(g.start);
      ends.insert(g.end);
      const std::string_view word = std::string_view(text).substr(g.start, g.end - g.start);
      if (count_characters(word, true) <= options.max_chars) continue;
      for (std::size_t at = g.start; at < g.end; ++at) starts.insert(at), ends.insert(at);
    }
    const auto snippets = highlighter.snippets(text, options, context);
    ASSERT_EQ(snippets.empty(), text.empty());
    ASSERT_LE(snippets.size(), options.max_snippets);
    for (const Snippet& snippet : snippets) {
      check_range(text, snippet.range, valid);
      ASSERT_LE(snippet.range.end_char - snippet.range.start_char, options.max_chars);
      if (!starts.empty()) {
        ASSERT_TRUE(starts.contains(snippet.range.start_byte)) << text;
        ASSERT_TRUE(ends.contains(snippet.range.end_byte)) << text;
      }
      ASSERT_EQ(snippet.score > 0, !snippet.highlights.empty());
      for (const TextRange& r : snippet.highlights) {
        check_range(text, r, valid);
        ASSERT_GE(r.start_byte, snippet.range.start_byte);
        ASSERT_LE(r.end_byte, snippet.range.end_byte);
      }
      for (const Snippet& other : snippets) {
        if (&other == &snippet) continue;
        ASSERT_TRUE(other.range.end_byte <= snippet.range.start_byte ||
                    other.range.start_byte >= snippet.range.end_byte);
      }
    }
  }
  EXPECT_GT(highlighted, 1'000u);
}

}  // namespace
}  // namespace vecstore::text
