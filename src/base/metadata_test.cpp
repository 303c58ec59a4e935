#include "vecstore/metadata.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <sstream>

#include "vecstore/error.hpp"

namespace vecstore {
namespace {

std::string json(const Metadata& m) { return m.to_json(); }

template <class F>
ErrorCode code_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::kIo;
}

struct Record {
  std::string id;
  std::string text;
  Metadata metadata;
};
std::string take(const Record& r) { return json(r.metadata); }
std::string upsert(std::string_view, const std::vector<float>&, const Metadata& m = {}) { return json(m); }

// Every literal of the programs in examples/, with the JSON that it must become.
TEST(MetadataLiteral, Journeys) {
  EXPECT_EQ(upsert("a", {0.1f, 0.2f, 0.3f}, {{"source", "web"}}), R"({"source":"web"})");
  EXPECT_EQ(upsert("d1", {0.1f}), "{}");
  EXPECT_EQ(upsert("d1", {0.1f}, {}), "{}");
  EXPECT_EQ(take({.id = "d1", .text = "x", .metadata = {{"year", 2026}, {"tags", {"c++", "search"}}}}),
            R"({"year":2026,"tags":["c++","search"]})");
  EXPECT_EQ(take({.id = "d1"}), "{}");
  EXPECT_EQ(json({{"lang", "en"}}), R"({"lang":"en"})");
  EXPECT_EQ(json({{"topic", "rust"}}), R"({"topic":"rust"})");
  const std::size_t i = 7;
  const auto part = [](std::size_t n) { return Metadata{{"part", n}}; };
  EXPECT_EQ(json(part(i)), R"({"part":7})");
  EXPECT_EQ(json(Metadata{{"index", i}}), R"({"index":7})");
}

TEST(MetadataLiteral, ListsAndObjects) {
  EXPECT_EQ(json({}), "{}");
  EXPECT_EQ(json(Metadata()), "{}");
  EXPECT_EQ(json(Metadata{}), "{}");
  EXPECT_EQ(json(Metadata::array()), "[]");
  EXPECT_EQ(json(Metadata::object()), "{}");
  EXPECT_EQ(json(nullptr), "null");
  // Two strings are an array unless they stand where a member stands.
  EXPECT_EQ(json({"a", "b"}), R"(["a","b"])");
  EXPECT_EQ(json({{"a", "b"}}), R"({"a":"b"})");
  EXPECT_EQ(json({{"a", "b"}, {"c", "d"}}), R"({"a":"b","c":"d"})");
  EXPECT_EQ(json(Metadata::array({{"a", "b"}, {"c", "d"}})), R"([["a","b"],["c","d"]])");
  EXPECT_EQ(json({{"a", "b"}, "c"}), R"([["a","b"],"c"])");
  EXPECT_EQ(json({{"a", "b", "c"}}), R"([["a","b","c"]])");
  EXPECT_EQ(json({{1, 2}}), "[[1,2]]");
  EXPECT_EQ(json({{"tags", {"a"}}}), R"({"tags":["a"]})");
  EXPECT_EQ(json({{"tags", {"a", "b"}}}), R"({"tags":["a","b"]})");
  EXPECT_EQ(json({{"author", {{"name", "Ann"}, {"born", 1980}}}}),
            R"({"author":{"name":"Ann","born":1980}})");
  EXPECT_EQ(json({{"author", {{"name", "Ann"}}}}), R"({"author":{"name":"Ann"}})");
  EXPECT_EQ(json({{"empty", {}}, {"none", nullptr}, {"yes", true}, {"half", 0.5}, {"one", 1.0}}),
            R"({"empty":{},"none":null,"yes":true,"half":0.5,"one":1.0})");
  EXPECT_EQ(json({{"a", Metadata::array({"x", "y"})}}), R"({"a":["x","y"]})");
  // An array of two strings that was made elsewhere is a value, not a member.
  const Metadata two = {"x", "y"};
  EXPECT_EQ(json(Metadata::array({two})), R"([["x","y"]])");
  EXPECT_EQ(json({two, two}), R"([["x","y"],["x","y"]])");
  EXPECT_EQ(code_of([] { Metadata{{"a", 1}, {"a", 2}}; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([] { Metadata::object({"a", "b"}); }), ErrorCode::kInvalidArgument);
}

TEST(MetadataLiteral, CopiesStayCopies) {
  const Metadata original = {{"a", {1, 2}}};
  Metadata copy{original};
  EXPECT_EQ(copy, original);
  Metadata moved{std::move(copy)};
  EXPECT_EQ(moved, original);
  const Metadata array = {"a", "b"};
  EXPECT_EQ(json(Metadata{array}), R"(["a","b"])");
  const auto twice = [](Metadata m) { return Metadata{std::move(m)}; };
  EXPECT_EQ(json(twice({{"k", "v"}})), R"({"k":"v"})");
  std::vector<Metadata> list{original, original};
  EXPECT_EQ(list.size(), 2u);
  // The same list of items read twice gives the same value: moving out of one literal leaves no other
  // changed.
  const std::string name = "a long string that is not stored in place";
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(json({{"n", name}, {"m", original}}),
              R"({"n":"a long string that is not stored in place","m":{"a":[1,2]}})");
}

TEST(Metadata, ScalarsKeepTheirTypes) {
  const std::vector<std::string> strings{"a", "b"};
  const std::vector<int> ints{1, 2};
  const std::vector<bool> bools{true, false};
  EXPECT_EQ(json({{"s", strings}, {"i", ints}, {"b", bools}}),
            R"({"s":["a","b"],"i":[1,2],"b":[true,false]})");
  EXPECT_TRUE(Metadata("x").is_string());
  EXPECT_TRUE(Metadata(std::string_view("x")).is_string());
  EXPECT_TRUE(Metadata(true).is_bool());
  EXPECT_TRUE(Metadata(std::uint8_t{5}).is_int());
  EXPECT_TRUE(Metadata(1.0f).is_double());
  EXPECT_EQ(Metadata(INT64_MIN).to_json(), "-9223372036854775808");
  EXPECT_EQ(Metadata(static_cast<std::uint64_t>(INT64_MAX)).as_int(), INT64_MAX);
  EXPECT_EQ(code_of([] { Metadata(static_cast<std::uint64_t>(INT64_MAX) + 1); }),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([] { Metadata(std::numeric_limits<double>::quiet_NaN()); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([] { Metadata(std::numeric_limits<float>::infinity()); }), ErrorCode::kInvalidArgument);
  static_assert(!std::is_constructible_v<Metadata, char>);
  static_assert(!std::is_constructible_v<Metadata, int*>);
  static_assert(!std::is_constructible_v<Metadata, void*>);
}

TEST(Metadata, Access) {
  Metadata m = {{"year", 2026}, {"author", {{"name", "Ann"}}}, {"tags", {"a", "b"}}, {"gone", nullptr}};
  const Metadata& c = m;
  EXPECT_EQ(c["year"].as_int(), 2026);
  EXPECT_EQ(c["year"].as_double(), 2026.0);
  EXPECT_TRUE(c["missing"].is_null());
  EXPECT_TRUE(c["year"]["deeper"].is_null());
  EXPECT_EQ(c.get("author.name").as_string(), "Ann");
  EXPECT_TRUE(c.get("author.age").is_null());
  EXPECT_TRUE(c.get("").is_null());
  EXPECT_TRUE(c.contains("gone"));
  EXPECT_FALSE(c.contains("missing"));
  EXPECT_EQ(c["tags"].at(1), "b");
  EXPECT_EQ(c["tags"][0], "a");
  EXPECT_EQ(m["tags"][std::size_t{1}], "b");
  EXPECT_EQ(code_of([&] { (void)c["tags"][-1]; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([] { Metadata(static_cast<const char*>(nullptr)); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(c["year"], 2026);
  EXPECT_EQ(code_of([&] { (void)c["year"].as_string(); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { (void)c["tags"].at(2); }), ErrorCode::kInvalidArgument);
  m["year"] = "later";
  m["new"]["deep"] = 1;
  m["tags"].push_back("c");
  m["tags"][0] = "A";
  EXPECT_TRUE(m.erase("gone"));
  EXPECT_FALSE(m.erase("gone"));
  EXPECT_EQ(json(m), R"({"year":"later","author":{"name":"Ann"},"tags":["A","b","c"],"new":{"deep":1}})");
  EXPECT_EQ(code_of([&] { m["year"]["x"] = 1; }), ErrorCode::kInvalidArgument);
  std::ostringstream out;
  out << c["author"]["name"];
  EXPECT_EQ(out.str(), "\"Ann\"");
  std::string keys;
  for (const auto& [key, value] : c.as_object()) keys += key;
  EXPECT_EQ(keys, "yearauthortagsnew");
}

TEST(Metadata, Equality) {
  EXPECT_EQ((Metadata{{"a", 1}, {"b", 2}}), (Metadata{{"b", 2}, {"a", 1}}));
  EXPECT_NE((Metadata{{"a", 1}}), (Metadata{{"a", 1}, {"b", 2}}));
  EXPECT_NE((Metadata{{"a", 1}}), (Metadata{{"a", 1.0}}));
  EXPECT_NE((Metadata{1, 2}), (Metadata{2, 1}));
  EXPECT_NE(Metadata(nullptr), Metadata());
}

}  // namespace
}  // namespace vecstore
