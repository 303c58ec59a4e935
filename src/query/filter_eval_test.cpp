#include "query/filter_eval.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <map>
#include <sstream>

#include "base/json.hpp"
#include "query/filter_ast.hpp"
#include "query/filter_test_support.hpp"
#include "query/filter_words.hpp"
#include "vecstore/error.hpp"

namespace vecstore {
namespace {

using filter_test::Rng;

/// Evaluates in both forms, which must agree.
bool matches(const Filter& filter, const Metadata& m, const RecordFields* record = nullptr) {
  FieldNames names;
  std::string bytes;
  encode_metadata(m, names, bytes);
  const FilterProgram program(filter, names);
  const bool tree = program.matches(m, record);
  EXPECT_EQ(program.matches_encoded(bytes, record), tree) << filter << " on " << m;
  return tree;
}
bool matches(std::string_view text, const Metadata& m) { return matches(Filter::parse(text), m); }

TEST(FilterEval, AgreesWithTheTwin) {
  const std::uint64_t seed = 20260228;
  Rng rng(seed);
  FieldNames names;
  std::vector<Metadata> records;
  std::vector<std::string> bytes(400);
  for (auto& encoded : bytes) {
    records.push_back(filter_test::random_record(rng));
    encode_metadata(records.back(), names, encoded);
  }
  std::size_t pairs = 0;
  std::size_t hits = 0;
  std::map<std::string, std::pair<int, int>> leaves;  // Operator: false and true outcomes.
  for (int i = 0; i < 5'000; ++i) {
    const Filter filter = filter_test::random_filter(rng, static_cast<int>(rng() % 4));
    const Metadata json = filter.to_value();
    const FilterProgram program(filter, names);
    for (int j = 0; j < 24; ++j) {
      const std::size_t r = rng() % records.size();
      const bool expected = filter_test::naive_matches(json, records[r]);
      ASSERT_EQ(program.matches(records[r]), expected)
          << "seed " << seed << ": " << filter << " on " << records[r];
      ASSERT_EQ(program.matches_encoded(bytes[r]), expected)
          << "seed " << seed << ": " << filter << " on " << records[r];
      ++pairs;
      hits += expected;
      if (json.contains("op"))
        ++(expected ? leaves[json["op"].as_string()].second : leaves[json["op"].as_string()].first);
    }
  }
  EXPECT_GE(pairs, 100'000u);
  EXPECT_GT(hits, pairs / 10);
  EXPECT_LT(hits, pairs * 9 / 10);
  EXPECT_EQ(leaves.size(), 19u);
  for (const auto& [op, outcomes] : leaves) {
    EXPECT_GT(outcomes.first, 10) << op;
    EXPECT_GT(outcomes.second, 10) << op;
  }
}

// The answers of SQLite, which tools/oracle/filter_sqlite.py wrote: [filter, ids as the bits of a hexadecimal
// number].
TEST(FilterEval, AgreesWithSqlite) {
  std::ifstream file(VECSTORE_SOURCE_DIR "/tests/data/filter/sqlite.json");
  std::stringstream text;
  text << file.rdbuf();
  const Metadata golden = parse_json(text.str());
  const auto& records = golden["records"].as_array();
  const auto& cases = golden["cases"].as_array();
  ASSERT_GE(cases.size(), 500u);
  std::size_t hits = 0;
  for (const Metadata& c : cases) {
    const Filter filter = Filter::parse(c.at(0).as_string());
    const FilterProgram program(filter);
    std::string bits(records.size(), '0');
    for (std::size_t i = 0; i < records.size(); ++i) {
      const bool match = program.matches(records[i]);
      hits += match;
      if (match) bits[records.size() - 1 - i] = '1';
    }
    std::string hex;
    for (std::size_t i = 0; i < bits.size(); i += 4)
      hex += "0123456789abcdef"[std::stoi(bits.substr(i, 4), nullptr, 2)];
    EXPECT_EQ(hex, c.at(1).as_string()) << filter;
  }
  EXPECT_GT(hits, cases.size() * records.size() / 10);
}

TEST(FilterEval, MissingAndNullAreFalse) {
  const Metadata m = {{"n", nullptr}, {"x", 1}};
  for (const char* field : {"n", "gone", "x.deep", "gone.deep", "x[*]"}) {
    for (const char* rest : {" = 1", " != 1", " < 1", " >= 1", " IN (1)", " NOT IN (1)", " NOT IN ()",
                             " BETWEEN 0 AND 2", " LIKE '%'", " CONTAINS 'a'", " STARTSWITH ''"}) {
      const std::string text = std::string(field) + rest;
      EXPECT_FALSE(matches(text, m)) << text;
      EXPECT_TRUE(matches("NOT " + text, m)) << text;
    }
    EXPECT_TRUE(matches(std::string(field) + " IS NULL", m));
    EXPECT_FALSE(matches(std::string(field) + " IS NOT NULL", m));
  }
  EXPECT_TRUE(matches("EXISTS(n)", m));
  EXPECT_FALSE(matches("EXISTS(gone)", m));
  EXPECT_TRUE(matches(Filter(), m));
}

TEST(FilterEval, NumbersCompareExactly) {
  const Metadata m = {{"big", 9007199254740993}, {"one", 1.0}, {"max", INT64_MAX}};
  EXPECT_TRUE(matches("big = 9007199254740993", m));
  EXPECT_FALSE(matches("big = 9007199254740992", m));
  EXPECT_FALSE(matches("big = 9007199254740992.0", m));
  EXPECT_TRUE(matches("big > 9007199254740992.0", m));
  EXPECT_TRUE(matches("big NOT IN (9007199254740992.0)", m));
  EXPECT_TRUE(matches("one = 1 AND one IN (1) AND one BETWEEN 1 AND 1", m));
  EXPECT_TRUE(matches("max < 9223372036854775808.0 AND max > 9223372036854774784.0", m));
  EXPECT_FALSE(matches("max IN (9223372036854775808.0)", m));
}

TEST(FilterEval, TypesAreNeverEqualNorOrdered) {
  const Metadata m = {{"s", "1"}, {"i", 1}, {"b", true}, {"o", {{"k", 1}}}};
  EXPECT_FALSE(matches("s = 1 OR s < 2 OR s >= 0 OR i = '1' OR b = 1 OR i = TRUE OR o = 1", m));
  EXPECT_TRUE(matches("s != 1 AND i != '1' AND b != 1 AND o != 1 AND s NOT IN (1)", m));
}

TEST(FilterEval, Arrays) {
  const Metadata m = {
      {"tags", {"a", "b"}},
      {"none", Metadata::array()},
      {"items", Metadata::array({{{"x", 1}, {"y", 1}}, {{"x", 2}, {"y", 2}, {"z", {5, 6}}}})}};
  EXPECT_TRUE(matches("tags = 'b' AND tags != 'b' AND tags NOT IN ('b')", m));
  EXPECT_FALSE(matches("NOT tags = 'b'", m));
  EXPECT_TRUE(matches("tags[*] = 'b' AND tags CONTAINS 'a'", m));
  EXPECT_FALSE(matches("none = 1 OR none != 1 OR none CONTAINS 1", m));
  EXPECT_TRUE(matches("none IS NOT NULL AND none[*] IS NULL", m));
  EXPECT_TRUE(matches("items[*].x = 1 AND items[*].y = 2", m));
  EXPECT_FALSE(matches("ANY(items, x = 1 AND y = 2)", m));
  EXPECT_TRUE(matches("ANY(items, x = 2 AND y = 2 AND z CONTAINS 5)", m));
  EXPECT_TRUE(matches("items[*].z = 6", m));
  EXPECT_FALSE(matches("items.x = 1", m));
  EXPECT_TRUE(matches("ANY(items, NOT EXISTS(z))", m));
}

TEST(FilterEval, Dates) {
  const Metadata m = {
      {"day", "2024-02-29"}, {"time", "2024-02-29T13:30:00+01:00"}, {"text", "soon"}, {"year", 2024}};
  EXPECT_TRUE(matches("day = DATE '2024-02-29T00:00:00Z' AND day < DATE '2024-03-01'", m));
  EXPECT_TRUE(matches("time = DATE '2024-02-29T12:30:00Z' AND time IN (DATE '2024-02-29 12:30')", m));
  EXPECT_TRUE(matches("time BETWEEN DATE '2024-02-29' AND DATE '2024-03-01'", m));
  EXPECT_FALSE(
      matches("text < DATE '2099-01-01' OR text >= DATE '0000-01-01' OR year = DATE '2024-01-01'", m));
  EXPECT_TRUE(matches("text != DATE '2024-01-01'", m));
  // A quoted text is a text: compared byte by byte.
  EXPECT_FALSE(matches("day = '2024-02-29T00:00:00Z'", m));
  EXPECT_TRUE(matches("day >= '2024'", m));
}

TEST(FilterEval, Geo) {
  const Metadata m = {{"at", {{"lat", 52.52}, {"lon", 13.405}}},
                      {"fiji", {{"lat", -17}, {"lon", 179.9}}},
                      {"text", "52.52,13.405"}};
  EXPECT_TRUE(matches("GEO_RADIUS(at, 48.8566, 2.3522, 880000)", m));  // Paris to Berlin: 877.5 km.
  EXPECT_FALSE(matches("GEO_RADIUS(at, 48.8566, 2.3522, 875000)", m));
  EXPECT_TRUE(matches("GEO_RADIUS(at, 52.52, 13.405, 0)", m));
  EXPECT_TRUE(matches("GEO_RADIUS(fiji, -17, -179.9, 30000)", m));
  EXPECT_TRUE(matches("GEO_BOX(fiji, -20, 170, -10, -170)", m));
  EXPECT_FALSE(matches("GEO_BOX(at, -20, 170, 60, -170)", m));
  EXPECT_FALSE(matches("GEO_BOX(text, -90, -180, 90, 180) OR GEO_BOX(gone, -90, -180, 90, 180)", m));
}

TEST(FilterEval, MatchUsesTheFieldsAnalyzer) {
  const Metadata m = {{"text", "Ownership moves values."},
                      {"items", Metadata::array({{{"t", "deep word"}}})}};
  EXPECT_TRUE(matches("MATCH(text, 'VALUES ownership')", m));
  EXPECT_FALSE(matches("MATCH(text, 'value')", m));
  EXPECT_FALSE(matches("MATCH(text, '...')", m));
  std::vector<std::string> paths;
  const AnalyzeFn stem = [&](std::string_view path, std::string_view text) {
    paths.emplace_back(path);
    auto words = simple_words(text);
    for (auto& word : words) word = word.substr(0, 4);
    return words;
  };
  EXPECT_TRUE(FilterProgram(Filter::parse("MATCH(text, 'valuing')"), stem).matches(m));
  EXPECT_TRUE(FilterProgram(Filter::parse("ANY(items, MATCH(t, 'wordless'))"), stem).matches(m));
  EXPECT_EQ(paths, (std::vector<std::string>{"text", "text", "items.t", "items.t"}));
}

TEST(FilterEval, RecordFields) {
  struct Fields : RecordFields {
    EncodedValue get(std::string_view name) const override {
      EncodedValue value;
      if (name == "_id" || name == "_text") {
        value.type = Metadata::Type::kString;
        value.bytes = name == "_id" ? "doc#1" : "some text here";
      } else if (name == "_part") {
        value.type = Metadata::Type::kInt;
        value.integer = 7;
      }
      return value;
    }
  } record;
  const Metadata m = {{"_id", "metadata"}, {"id", "mine"}, {"items", Metadata::array({{{"x", 1}}})}};
  const auto check = [&](std::string_view text) { return matches(Filter::parse(text), m, &record); };
  EXPECT_TRUE(check("_id = 'doc#1' AND id = 'mine' AND _id STARTSWITH 'doc#' AND _part BETWEEN 5 AND 9"));
  EXPECT_TRUE(check("_text CONTAINS 'text' AND MATCH(_text, 'here') AND _text LIKE '%t_xt%'"));
  EXPECT_TRUE(check("_source IS NULL AND _id IS NOT NULL AND EXISTS(_part) AND NOT EXISTS(_start)"));
  EXPECT_TRUE(check("ANY(items, x = 1 AND _part = 7)"));
  EXPECT_FALSE(check("_id[*] = 'doc#1' OR _id.x = 1 OR _id = 'metadata' OR ANY(_id, x = 1)"));
  EXPECT_FALSE(matches("_id = 'metadata' OR EXISTS(_id)", m));
  const FilterProgram program(Filter::parse("a = 1 OR ANY(items, MATCH(_text, 'x'))"));
  EXPECT_TRUE(program.uses("_text"));
  EXPECT_FALSE(program.uses("_id"));
}

TEST(FilterEval, LikePatterns) {
  const auto like = [](std::string_view text, std::string_view pattern, std::string_view escape = {}) {
    return LikePattern(pattern, escape).matches(text);
  };
  EXPECT_TRUE(like("", "") && like("", "%") && like("abc", "abc") && like("abc", "%") && like("abc", "a%c") &&
              like("abc", "a_c"));
  EXPECT_TRUE(like("abcabc", "%abc") && like("aXbYc", "a%b%c") && like("aab", "%ab") && like("aaab", "%a_b"));
  EXPECT_FALSE(like("", "_") || like("abc", "ABC") || like("abc", "ab") || like("ab", "a%b%b") ||
               like("a", "a%a"));
  EXPECT_TRUE(like("日本語", "___") && like("日本語", "%本_") && like("日本語", "日%"));
  EXPECT_TRUE(like("100%", "100!%", "!") && like("a_b", "%é_%", "é") && like("!", "!!", "!"));
  EXPECT_FALSE(like("100x", "100!%", "!"));
}

TEST(FilterEval, BadInputRow30LinearMatching) {
  const std::string text(1'000'000, 'a');
  std::string many = "%";
  for (int i = 0; i < 300; ++i) many += "a%";
  std::string wild = "%";
  for (int i = 0; i < 250; ++i) wild += "a_%";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(LikePattern(many + "b%", "").matches(text));
  EXPECT_FALSE(LikePattern("%" + std::string(1'000, 'a') + "b%", "").matches(text));
  EXPECT_FALSE(LikePattern(wild + "b", "").matches(text));
  EXPECT_FALSE(LikePattern("%" + std::string(900, '_') + "b%", "").matches(text));
  EXPECT_TRUE(LikePattern("%" + std::string(900, '_') + "%", "").matches(text));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  for (const auto& pattern : {std::string(kMaxLikeBytes + 1, 'a'), std::string("a!"), std::string("!a")}) {
    EXPECT_THROW(LikePattern(pattern, "!"), Error) << pattern.substr(0, 10);
  }
  EXPECT_THROW(LikePattern("a", "ab"), Error);
  // There are no regular expressions: these are texts.
  EXPECT_TRUE(matches("x LIKE '(a+)+$'", {{"x", "(a+)+$"}}));
}

TEST(FilterEval, DamagedBytesAreCorruption) {
  Rng rng(5);
  FieldNames names;
  int corrupt = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Filter filter = filter_test::random_filter(rng, 2);
    std::string bytes;
    encode_metadata(filter_test::random_record(rng), names, bytes);
    for (auto n = rng() % 3 + 1; n > 0; --n) bytes[rng() % bytes.size()] = static_cast<char>(rng());
    if (rng() % 4 == 0) bytes.resize(rng() % bytes.size());
    const std::unique_ptr<char[]> block(new char[bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), block.get());
    try {
      (void)FilterProgram(filter, names).matches_encoded({block.get(), bytes.size()});
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), ErrorCode::kCorruption);
      ++corrupt;
    }
  }
  EXPECT_GT(corrupt, 1'000);
}

TEST(FilterEval, OutlivesTheFilter) {
  auto filter = std::make_unique<Filter>(Filter::parse("a IN ('x', 'y') AND b LIKE 'z%'"));
  const FilterProgram program(*filter);
  filter.reset();
  EXPECT_TRUE(program.matches({{"a", "y"}, {"b", "zoo"}}));
}

}  // namespace
}  // namespace vecstore
