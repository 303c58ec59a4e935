#include "vecstore/index_options.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/index_options.hpp"

namespace vecstore {
namespace {

std::string refused(const std::string& json) {
  try {
    parse_index_options(json);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    return e.what();
  }
  ADD_FAILURE() << json << " was accepted";
  return {};
}

bool says(const std::string& message, std::initializer_list<std::string_view> words) {
  return std::all_of(words.begin(), words.end(),
                     [&](std::string_view w) { return message.find(w) != std::string::npos; });
}

TEST(IndexOptions, JsonHasWhatIsGivenAndNothingElse) {
  EXPECT_EQ(to_json({}), R"({"profile":"balanced"})");
  const IndexOptions all{Profile::kFast, Codes::kInt4, 32, 200, 100, 1.1f, Codes::kInt8};
  EXPECT_EQ(to_json(all), R"({"profile":"fast","codes":"int4","m":32,"ef_construction":200,"ef_search":100,)"
                          R"("oversampling":1.1,"sparse_codes":"int8"})");
  EXPECT_EQ(parse_index_options(to_json(all)), all);
  EXPECT_EQ(parse_index_options("{}"), IndexOptions{});
  EXPECT_EQ(parse_index_options(R"({"oversampling": 3})").oversampling, 3.0f);
  for (const Profile p : {Profile::kBalanced, Profile::kFast, Profile::kSmall})
    EXPECT_EQ(parse_profile(to_string(p)), p);
  for (const Codes c : {Codes::kInt4Residual, Codes::kInt4, Codes::kInt8, Codes::kF32}) {
    EXPECT_EQ(parse_codes(to_string(c)), c);
    EXPECT_EQ(parse_index_options(to_json({.codes = c})), IndexOptions{.codes = c});
  }
}

TEST(IndexOptions, RefusalsNameMemberValueAndLimits) {
  EXPECT_TRUE(says(refused(R"({"m": 1})"), {"index.m is 1", "2 to 64"}));
  EXPECT_TRUE(says(refused(R"({"m": 65})"), {"index.m is 65", "2 to 64"}));
  EXPECT_TRUE(says(refused(R"({"m": -1})"), {"index.m is -1", "whole number"}));
  EXPECT_TRUE(says(refused(R"({"m": 2.5})"), {"index.m is 2.5", "whole number"}));
  EXPECT_TRUE(says(refused(R"({"m": 4294967312})"), {"index.m is 4294967312"}));
  EXPECT_TRUE(says(refused(R"({"ef_construction": 7})"), {"index.ef_construction is 7", "8 to 4096"}));
  EXPECT_TRUE(says(refused(R"({"ef_search": 0})"), {"index.ef_search is 0", "1 to 65536"}));
  EXPECT_TRUE(says(refused(R"({"ef_search": 65537})"), {"65537", "1 to 65536"}));
  EXPECT_TRUE(says(refused(R"({"oversampling": 0.5})"), {"index.oversampling is 0.5", "1.0", "100"}));
  EXPECT_TRUE(says(refused(R"({"oversampling": "2"})"), {"index.oversampling", "number"}));
  EXPECT_TRUE(says(refused(R"({"profile": "huge"})"), {"profile 'huge'", "balanced, fast, small"}));
  EXPECT_TRUE(says(refused(R"({"codes": "pq"})"), {"codes 'pq'", "int4+residual, int4, int8, f32"}));
  EXPECT_TRUE(says(refused(R"({"codes": 4})"), {"index.codes is 4", "name"}));
  EXPECT_TRUE(
      says(refused(R"({"sparse_codes": "int4"})"), {"index.sparse_codes", "'int4'", "'f32' and 'int8'"}));
  EXPECT_TRUE(says(refused(R"({"sparse_codes": 8})"), {"index.sparse_codes is 8", "name"}));
  EXPECT_THROW(check_index_options("", {.sparse_codes = static_cast<Codes>(9)}), Error);
  EXPECT_TRUE(says(refused(R"({"ef": 4})"), {"'ef' is unknown", "ef_search"}));
  EXPECT_TRUE(says(refused("[]"), {"object"}));
  // Nothing is accepted that would do nothing.
  EXPECT_TRUE(says(refused(R"({"codes": "f32", "m": 8})"), {"index.m is 8", "'f32'", "no graph"}));
  EXPECT_TRUE(says(refused(R"({"codes": "int8", "ef_search": 8})"), {"index.ef_search is 8", "'int8'"}));
  EXPECT_THROW(check_index_options("", {.oversampling = std::numeric_limits<float>::quiet_NaN()}), Error);
  EXPECT_THROW(check_index_options("", {.profile = static_cast<Profile>(9)}), Error);
  EXPECT_THROW(check_index_options("", {.codes = static_cast<Codes>(9)}), Error);
}

TEST(IndexOptions, ProfilesDecideAndSingleSettingsTakeTheirPlace) {
  const IndexSettings balanced = index_settings({}, 1000);
  EXPECT_TRUE(balanced.has_graph());
  const IndexSettings fast = index_settings({.profile = Profile::kFast}, 1000);
  EXPECT_GT(fast.m, balanced.m);
  const IndexSettings small = index_settings({.profile = Profile::kSmall}, 1000);
  EXPECT_LT(small.m, balanced.m);
  EXPECT_EQ(small.codes, Codes::kInt4);
  EXPECT_GT(small.oversampling, balanced.oversampling);
  // Codes of 4 bits are looked at more closely whoever chose them.
  EXPECT_EQ(index_settings({.codes = Codes::kInt4}, 1000).oversampling, small.oversampling);
  EXPECT_EQ(index_settings({.codes = Codes::kInt4, .oversampling = 2.0f}, 1000).oversampling, 2.0f);
  EXPECT_EQ(index_settings({.m = 5}, 1000).m, 5u);
  EXPECT_EQ(index_settings({.m = 5}, 1000).ef_construction, balanced.ef_construction);
  // Only the effort of a query grows with the rows: an index that was built stays as it should be.
  const IndexSettings many = index_settings({}, 10'000'000);
  EXPECT_GT(many.ef_search, balanced.ef_search);
  EXPECT_EQ(many.m, balanced.m);
  EXPECT_EQ(many.ef_construction, balanced.ef_construction);
  EXPECT_EQ(index_settings({.ef_search = 33}, 10'000'000).ef_search, 33u);
  EXPECT_EQ(small.sparse_codes, Codes::kF32);
  EXPECT_EQ(index_settings({.sparse_codes = Codes::kInt8}, 1000).sparse_codes, Codes::kInt8);
  EXPECT_EQ(index_settings({.codes = Codes::kF32, .sparse_codes = Codes::kInt8}, 1000).codes, Codes::kF32);
  for (const Codes codes : {Codes::kInt8, Codes::kF32}) {
    const IndexSettings scanned = index_settings({.codes = codes}, 1000);
    EXPECT_FALSE(scanned.has_graph());
    EXPECT_EQ(scanned.m, 0u);
    EXPECT_EQ(scanned.ef_search, 0u);
  }
}

TEST(IndexOptions, WhatALaterVersionStoredIsReadAsFarAsItIsKnown) {
  const auto read = [](const char* json) { return read_index_options(Metadata::parse(json)); };
  EXPECT_EQ(read_index_options(Metadata(nullptr)), IndexOptions{});
  EXPECT_EQ(read("{}"), IndexOptions{});
  EXPECT_EQ(read(R"({"profile": "fast", "codes": "pq", "layout": [1], "m": 20})"),
            (IndexOptions{.profile = Profile::kFast, .m = 20}));
  EXPECT_EQ(read(R"({"profile": "tiny", "m": 4000, "ef_search": "auto"})"), IndexOptions{});
  EXPECT_EQ(read(R"({"sparse_codes": "int2", "m": 20})"), IndexOptions{.m = 20});
  EXPECT_EQ(read(R"({"codes": "f32", "m": 20})"), IndexOptions{.codes = Codes::kF32});
}

}  // namespace
}  // namespace vecstore
