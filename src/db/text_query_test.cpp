// Text queries through the public API: what the query language finds, and what is highlighted in hits.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <random>
#include <set>

#include "seed.hpp"
#include "text/analyzer.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWords[] = {"wing",       "wings",    "tail",  "swept",  "flutter",
                                  "fluttering", "boundary", "layer", "layers", "heat",
                                  "heated",     "transfer", "the",   "of",     "Überschall",
                                  "naïve",      "x-ray",    "3.14",  "don't",  "supersonic"};

class TextQueryTest : public ::testing::Test {
 protected:
  TextQueryTest() {
    std::string t = (fs::temp_directory_path() / "vecstore-XXXXXX").string();
    base_ = mkdtemp(t.data());
    std::printf("seed %u\n", seed_);
    db_.emplace(VecDatabase::open(base_ + "/db", {.checkpoint_rows = 100}));
  }
  ~TextQueryTest() override {
    db_.reset();
    fs::remove_all(base_);
  }

  std::string words(std::size_t n) {
    std::string out;
    for (; n > 0; --n) {
      out += kWords[rng_() % std::size(kWords)];
      out += n > 1 ? (rng_() % 8 == 0 ? ".\n" : " ") : "";
    }
    return out;
  }

  /// Some rows in segments, some behind them.
  Collection filled(const CollectionOptions& options = {}) {
    Collection c = db_->create_collection("c", options);
    std::vector<Record> batch;
    for (int i = 0; i < 260; ++i) {
      texts_.push_back(words(1 + rng_() % 60));
      batch.push_back({.id = std::to_string(i),
                       .vector = Vector{static_cast<float>(rng_() % 100), 1.0f},
                       .text = texts_.back(),
                       .metadata = {{"title", words(3)}}});
      if (i % 200 != 0 && i != 259) continue;
      c.batch_upsert(batch);
      batch.clear();
      if (i == 200) c.optimize();
    }
    return c;
  }

  std::set<std::string> terms_of(std::string_view text) {
    const auto terms = analyzer_.terms(text);
    return {terms.begin(), terms.end()};
  }
  std::set<std::string> ids(const Hits& hits) {
    std::set<std::string> out;
    for (const Hit& h : hits) out.insert(h.id);
    return out;
  }
  /// Ids of the texts whose terms pass.
  std::set<std::string> where(const std::function<bool(const std::set<std::string>&)>& pass) {
    std::set<std::string> out;
    for (std::size_t i = 0; i < texts_.size(); ++i)
      if (pass(terms_of(texts_[i]))) out.insert(std::to_string(i));
    return out;
  }
  static TextQueryOptions asking(TextSyntax syntax, std::optional<SnippetOptions> highlight = {}) {
    return {.k = 1'000, .mode = Mode::kText, .syntax = syntax, .highlight = highlight};
  }

  unsigned seed_ = test::seed();
  std::mt19937 rng_{seed_};
  text::Analyzer analyzer_{"english"};
  std::string base_;
  std::optional<VecDatabase> db_;
  std::vector<std::string> texts_;
};

void expect_in_order(const Snippet& s, const std::string& text, const SnippetOptions& options) {
  ASSERT_LE(s.range.start_byte, s.range.end_byte);
  ASSERT_LE(s.range.end_byte, text.size());
  EXPECT_LE(s.range.end_char - s.range.start_char, options.max_chars);
  std::size_t at = s.range.start_byte;
  for (const TextRange& h : s.highlights) {
    EXPECT_LE(at, h.start_byte);
    EXPECT_LT(h.start_byte, h.end_byte);
    at = h.end_byte;
  }
  EXPECT_LE(at, s.range.end_byte);
}

TEST_F(TextQueryTest, HighlightsAnalysedAgainAreTermsOfTheQuery) {
  const Collection c = filled();
  std::size_t shown = 0;
  for (int round = 0; round < 60; ++round) {
    const std::string query = words(1 + rng_() % 5);
    const std::set<std::string> wanted = terms_of(query);
    const SnippetOptions options{.max_chars = 16 + rng_() % 200, .max_snippets = 1 + rng_() % 4};
    for (const Hit& hit : c.query_text(query, asking(TextSyntax::kMatch, options))) {
      ASSERT_FALSE(hit.snippets.empty()) << query;
      ASSERT_LE(hit.snippets.size(), options.max_snippets);
      EXPECT_FALSE(hit.snippets[0].highlights.empty()) << query << " in " << hit.text;
      for (const Snippet& s : hit.snippets) {
        expect_in_order(s, hit.text, options);
        for (const TextRange& h : s.highlights) {
          const std::string_view place =
              std::string_view(hit.text).substr(h.start_byte, h.end_byte - h.start_byte);
          const std::set<std::string> again = terms_of(place);
          EXPECT_FALSE(again.empty()) << place;
          EXPECT_TRUE(std::includes(wanted.begin(), wanted.end(), again.begin(), again.end())) << place;
          ++shown;
        }
      }
    }
  }
  EXPECT_GT(shown, 1'000u);
}

TEST_F(TextQueryTest, HighlightsOfTheQueryLanguage) {
  Collection c = db_->create_collection("c");
  const std::string text =
      "Heat transfer in the swept wing: heated tails, sweeping layers. The wing swept the tail.";
  c.upsert({.id = "a", .text = text});
  const auto shown = [&](std::string_view query) {
    std::vector<std::string> out;
    const Hits hits = c.query_text(query, asking(TextSyntax::kQuery, SnippetOptions{}));
    if (hits.empty()) return out;
    for (const TextRange& h : hits[0].snippets.at(0).highlights)
      out.push_back(text.substr(h.start_byte, h.end_byte - h.start_byte));
    return out;
  };
  using Strings = std::vector<std::string>;
  EXPECT_EQ(shown("\"swept wing\""), (Strings{"swept", "wing"}));  // not "wing swept"
  EXPECT_EQ(shown("tra*"), (Strings{"transfer"}));
  EXPECT_EQ(shown("layrs~1 -absent"), (Strings{"layers"}));
  EXPECT_EQ(shown("+tail -gear"), (Strings{"tails", "tail"}));
  EXPECT_EQ(shown("heat OR absent"), (Strings{"Heat", "heated"}));
  EXPECT_EQ(shown("+tail -wing"), Strings{});
}

TEST_F(TextQueryTest, OnlyWhereAskedAndOnlyOfTheText) {
  const Collection c = filled({.text_fields = {TextField{}, TextField{.path = "title", .weight = 2}}});
  const std::string query = "wing tail";
  for (const Hit& hit : c.query_text(query, asking(TextSyntax::kMatch))) EXPECT_TRUE(hit.snippets.empty());
  const Hits with = c.query_text(query, asking(TextSyntax::kMatch, SnippetOptions{}));
  TextQueryOptions bare = asking(TextSyntax::kMatch, SnippetOptions{});
  bare.with_text = false;
  bare.with_metadata = false;
  const Hits without = c.query_text(query, bare);
  ASSERT_EQ(with.size(), without.size());
  for (std::size_t i = 0; i < with.size(); ++i) {
    EXPECT_EQ(with[i].snippets, without[i].snippets);
    EXPECT_TRUE(without[i].text.empty());
    EXPECT_TRUE(without[i].metadata.empty());
    // What was found by its title alone shows its beginning.
    if (terms_of(with[i].text).count("wing") + terms_of(with[i].text).count("tail") == 0) {
      ASSERT_EQ(with[i].snippets.size(), 1u);
      EXPECT_TRUE(with[i].snippets[0].highlights.empty());
      EXPECT_EQ(with[i].snippets[0].range.start_byte, 0u);
    }
  }
  Collection titles = db_->create_collection("titles", {.text_fields = {TextField{.path = "title"}}});
  titles.upsert({.id = "a", .text = "wing", .metadata = {{"title", "wing"}}});
  const Hits found = titles.query_text("wing", asking(TextSyntax::kMatch, SnippetOptions{}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].snippets.empty());
}

TEST_F(TextQueryTest, HybridQueriesHighlightToo) {
  const Collection c = filled();
  const Hits hits = c.hybrid_query(HybridQuery(Vector{5.0f, 1.0f}, "+flutter -heat")
                                       .syntax(TextSyntax::kQuery)
                                       .k(200)
                                       .highlight({.max_chars = 40}));
  std::size_t shown = 0;
  for (const Hit& hit : hits) {
    const std::set<std::string> terms = terms_of(hit.text);
    ASSERT_EQ(hit.snippets.size(), hit.text.empty() ? 0u : 1u);
    EXPECT_EQ(!hit.snippets[0].highlights.empty(), terms.count("flutter") == 1) << hit.text;
    shown += hit.snippets[0].highlights.size();
  }
  EXPECT_GT(shown, 0u);
}

TEST_F(TextQueryTest, TheLanguageFindsWhatItSays) {
  const Collection c = filled();
  const auto found = [&](std::string_view query) {
    return ids(c.query_text(query, asking(TextSyntax::kQuery)));
  };
  using Terms = std::set<std::string>;
  EXPECT_EQ(found("wing tail"), where([](const Terms& t) { return t.count("wing") || t.count("tail"); }));
  EXPECT_EQ(found("+wing -tail heat"),
            where([](const Terms& t) { return t.count("wing") && !t.count("tail"); }));
  EXPECT_EQ(found("wing AND (heat OR layer)"),
            where([](const Terms& t) { return t.count("wing") && (t.count("heat") || t.count("layer")); }));
  EXPECT_EQ(found("supers*"), where([](const Terms& t) { return t.count("superson"); }));
  EXPECT_EQ(found("fluttr~1"), where([](const Terms& t) { return t.count("flutter"); }));
  EXPECT_EQ(found("the"), Terms{});  // a stop word
  EXPECT_EQ(found(""), Terms{});
  // Plain text knows no signs.
  EXPECT_EQ(ids(c.query_text("+wing -tail", asking(TextSyntax::kMatch))),
            where([](const Terms& t) { return t.count("wing") || t.count("tail"); }));
}

TEST_F(TextQueryTest, WhatIsWrongIsRefused) {
  const Collection c = filled();
  const auto refused = [&](std::string_view query, const TextQueryOptions& options, std::string_view word) {
    try {
      c.query_text(query, options);
      ADD_FAILURE() << query << " was not refused";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
    }
  };
  for (const char* query :
       {"\"open", "(wing", "wing)", "nofield:wing", "wing AND", "-wing", "wing^x", "wing~9"}) {
    refused(query, asking(TextSyntax::kQuery), "");
    EXPECT_NO_THROW(c.query_text(query, asking(TextSyntax::kMatch))) << query;
  }
  refused("wing", asking(TextSyntax::kMatch, SnippetOptions{.max_chars = 3}), "max_chars is 3");
  refused("wing", asking(TextSyntax::kMatch, SnippetOptions{.max_snippets = 0}), "max_snippets is 0");
  TextQueryOptions dense = asking(TextSyntax::kMatch, SnippetOptions{});
  dense.mode = Mode::kDense;
  refused("wing", dense, "highlight");
}

TEST_F(TextQueryTest, OptionsOfTheAnalyzerHoldForQueriesAndFilters) {
  TextField field;
  field.analysis.stop_words.emplace();
  field.analysis.synonyms = {"tail => empennage"};
  Collection c = db_->create_collection("c", {.text_fields = {field}});
  c.upsert({.id = "a", .text = "the wing"});
  c.upsert({.id = "b", .text = "an empennage"});
  for (int again = 0; again < 3; ++again) {  // analyzers are used again
    EXPECT_EQ(ids(c.query_text("the", asking(TextSyntax::kMatch))), std::set<std::string>{"a"});
    EXPECT_EQ(ids(c.query_text("tails", asking(TextSyntax::kMatch))), std::set<std::string>{"b"});
  }
  EXPECT_EQ(c.count(Filter::parse("MATCH(_text, 'the wing')")), 1u);
}

}  // namespace
}  // namespace vecstore
