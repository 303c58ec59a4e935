#include "base/analyzer_options.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace vecstore {
namespace {

template <class Work>
std::string message(Work&& work) {
  try {
    work();
  } catch (const Error& e) {
    return e.code() == ErrorCode::kInvalidArgument ? e.what() : "another code";
  }
  return "accepted";
}

TEST(AnalyzerOptions, ComeBackFromJson) {
  const AnalyzerOptions all{.stop_words = std::vector<std::string>{"und", "über"},
                            .synonyms = {"tv => television", "a, b"},
                            .fold_accents = false,
                            .cjk_bigrams = true,
                            .min_gram = 2,
                            .max_gram = 5};
  EXPECT_EQ(parse_analyzer_options(to_json(all)), all);
  const AnalyzerOptions no_stop_words{.stop_words = std::vector<std::string>{}};
  EXPECT_EQ(parse_analyzer_options(to_json(no_stop_words)), no_stop_words) << "none is not the default list";
  EXPECT_EQ(to_json({}), "{}");
  EXPECT_EQ(parse_analyzer_options("{}"), AnalyzerOptions{});
}

TEST(AnalyzerOptions, WhatIsWrongIsNamed) {
  const auto said = [](std::string_view json) { return message([&] { parse_analyzer_options(json); }); };
  EXPECT_EQ(said(R"({"stopwords": []})"),
            "analysis: 'stopwords' is unknown; known are stop_words, synonyms, fold_accents, cjk_bigrams, "
            "min_gram, max_gram");
  EXPECT_EQ(said(R"({"stop_words": "the"})"), "analysis.stop_words is \"the\"; a list of texts is wanted");
  EXPECT_EQ(said(R"({"synonyms": ["a, b", 3]})"), "analysis.synonyms[1] is 3; a text is wanted");
  EXPECT_EQ(said(R"({"fold_accents": 1})"), "analysis.fold_accents is 1; true or false is wanted");
  EXPECT_EQ(said(R"({"min_gram": -1})"), "analysis.min_gram is -1; a whole number is wanted");
  EXPECT_EQ(said(R"({"max_gram": 65})"), "analysis.max_gram is 65; 1 to 64 are allowed");
  EXPECT_EQ(said(R"({"stop_words": [""]})"), "analysis.stop_words[0] has 0 bytes; 1 to 255 are allowed");
  EXPECT_EQ(said("[]"), "analysis is []; an object is wanted");
}

TEST(AnalyzerOptions, SizesAreBounded) {
  const auto said = [](const AnalyzerOptions& o) {
    return message([&] { check_analyzer_options("text_fields[1].analysis", o); });
  };
  EXPECT_EQ(said({.stop_words = std::vector<std::string>(10'001, "x")}),
            "text_fields[1].analysis.stop_words has 10001 elements; the limit is 10000");
  EXPECT_EQ(said({.synonyms = {std::string(4097, 'x')}}),
            "text_fields[1].analysis.synonyms[0] has 4097 bytes; 1 to 4096 are allowed");
  EXPECT_EQ(said({.synonyms = std::vector<std::string>(200, std::string(4096, 'x'))}),
            "text_fields[1].analysis: stop words and synonyms have 819200 bytes; the limit is 524288");
  EXPECT_EQ(said({.stop_words = std::vector<std::string>{"\xFF"}}),
            "text_fields[1].analysis.stop_words[0] is not valid UTF-8");
  EXPECT_EQ(said({.stop_words = std::vector<std::string>(10'000, "word")}), "accepted");
}

}  // namespace
}  // namespace vecstore
