#include "catalog/schema.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "vecstore/metadata.hpp"

namespace vecstore::catalog {
namespace {

TEST(Schema, ComesBackFromJson) {
  CollectionOptions options;
  options.metric = Metric::kDot;
  options.dimension = 12;
  options.index = {.profile = Profile::kSmall, .m = 20, .oversampling = 2.5f};
  options.vectors["title"] = {Metric::kCosine, 3, {.codes = Codes::kF32}};
  options.vectors["plain"] = {Metric::kEuclidean, 4};
  const Schema schema = make_schema(options);
  EXPECT_EQ(schema_from_json(to_json(schema)), schema);
  EXPECT_EQ(schema.find("")->index, options.index);
  EXPECT_EQ(schema.find("title")->index.codes, Codes::kF32);
}

// Written by the version before there were options of the index.
constexpr const char* kBefore =
    R"({"vectors":[{"name":"","element":1,"number":0,"metric":"cosine","dimension":3},)"
    R"({"name":"t","element":1,"number":1,"metric":"dot","dimension":0}],"next_number":2,)"
    R"("text_fields":[{"path":"text","analyzer":"english","weight":1.0}],)"
    R"("embedder":{"name":"","fingerprint":""}})";

TEST(Schema, RecordsWithoutOptionsOfTheIndexHaveDefaults) {
  const Schema schema = schema_from_json(kBefore);
  ASSERT_EQ(schema.vectors.size(), 2u);
  for (const auto& field : schema.vectors) EXPECT_EQ(field.index, IndexOptions{});
  // And where nothing is chosen nothing is stored, so that the earlier version reads its own form.
  EXPECT_EQ(Metadata::parse(to_json(schema)), Metadata::parse(kBefore));
}

TEST(Schema, WhatALaterVersionAddsIsPassedOver) {
  Metadata stored = Metadata::parse(kBefore);
  stored["vectors"][0]["index"] = Metadata::parse(R"({"profile": "fast", "codes": "pq", "subspaces": 48})");
  stored["vectors"][1]["index"] = Metadata("later");
  stored["later"] = Metadata(1);
  const Schema schema = schema_from_json(stored.to_json());
  EXPECT_EQ(schema.vectors[0].index, IndexOptions{.profile = Profile::kFast});
  EXPECT_EQ(schema.vectors[1].index, IndexOptions{});
}

TEST(Schema, AnalyzersComeBackWithTheirOptions) {
  CollectionOptions options;
  options.text_fields = {
      TextField{}, TextField{.path = "title",
                             .analyzer = "german",
                             .analysis = {.stop_words = std::vector<std::string>{}, .synonyms = {"a, b"}}}};
  const Schema schema = make_schema(options);
  EXPECT_EQ(schema_from_json(to_json(schema)), schema);
  Metadata stored = Metadata::parse(to_json(schema));
  EXPECT_FALSE(stored["text_fields"][0].contains("analysis")) << "nothing is chosen, nothing is stored";
  stored["text_fields"][1]["analysis"]["later"] = Metadata(1);
  try {
    schema_from_json(stored.to_json());
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnsupportedFormat);
    EXPECT_NE(std::string(e.what()).find("text field 'title': 'later' is unknown"), std::string::npos)
        << e.what();
  }
  options.text_fields[1].analysis.max_gram = 99;
  try {
    make_schema(options);
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "text_fields[1].analysis.max_gram is 99; 1 to 64 are allowed");
  }
}

TEST(Schema, OptionsOfTheIndexAreChecked) {
  const auto message = [](const CollectionOptions& options) -> std::string {
    try {
      make_schema(options);
    } catch (const Error& e) {
      return e.code() == ErrorCode::kInvalidArgument ? e.what() : "another code";
    }
    return "accepted";
  };
  EXPECT_EQ(message({.index = {.m = 1}}), "index.m is 1; 2 to 64 are allowed");
  EXPECT_EQ(message({.vectors = {{"t", {.index = {.ef_search = 70'000}}}}}),
            "vectors['t'].index.ef_search is 70000; 1 to 65536 are allowed");
}

}  // namespace
}  // namespace vecstore::catalog
