#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <limits>

#include "query/filter_check.hpp"
#include "query/filter_eval.hpp"
#include "query/filter_test_support.hpp"
#include "vecstore/error.hpp"

namespace vecstore {
namespace {

using filter_test::Rng;

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument) << e.what();
    return e.what();
  }
  return "";
}
std::string parse_error(std::string_view text) {
  return error_of([&] { Filter::parse(text); });
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string again(std::string_view text) { return Filter::parse(text).to_string(); }

TEST(FilterText, RandomFiltersRoundTrip) {
  const std::uint64_t seed = 42;
  Rng rng(seed);
  for (int i = 0; i < 10'000; ++i) {
    const Filter filter = filter_test::random_filter(rng, static_cast<int>(rng() % 6));
    const std::string text = filter.to_string();
    ASSERT_EQ(Filter::parse(text), filter) << "seed " << seed << ": " << text;
    ASSERT_EQ(Filter::parse(text).to_string(), text);
    ASSERT_EQ(Filter::from_json(filter.to_json()), filter) << "seed " << seed << ": " << filter.to_json();
    ASSERT_EQ(Filter::from_value(filter.to_value()), filter);
  }
}

TEST(FilterText, SpellingIsFree) {
  EXPECT_EQ(again("a==1 and\n\tb<>+2 Or not(c in[1,'x'])"), "a = 1 AND b != 2 OR NOT c IN (1, 'x')");
  EXPECT_EQ(again("((a = 1)) AND (b = 2 AND c = 3)"), "a = 1 AND b = 2 AND c = 3");
  EXPECT_EQ(again("(a = 1 OR b = 2) AND c = 3"), "(a = 1 OR b = 2) AND c = 3");
  EXPECT_EQ(again("a = 1 OR b = 2 AND c = 3"), "a = 1 OR b = 2 AND c = 3");
  EXPECT_EQ(again("NOT NOT (a = 1 AND b = 1)"), "NOT NOT (a = 1 AND b = 1)");
  EXPECT_EQ(again("NOT a = 1 AND b = 1"), "NOT a = 1 AND b = 1");
  EXPECT_EQ(again("x = 1e3 AND y = -1.50 AND z = 007"), "x = 1000.0 AND y = -1.5 AND z = 7");
  EXPECT_EQ(again("name = 'it''s' and \"odd \"\"name\"\"\".x[*] is not null"),
            "name = 'it''s' AND \"odd \"\"name\"\"\".x[*] IS NOT NULL");
  EXPECT_EQ(again("größe > 1 AND a.in = 2 AND date = DATE '2024-01-01'"),
            "größe > 1 AND a.\"in\" = 2 AND date = DATE '2024-01-01'");
  EXPECT_EQ(again("match = 1 AND like LIKE 'a!%' ESCAPE '!' AND exists(any)"),
            "\"match\" = 1 AND \"like\" LIKE 'a!%' ESCAPE '!' AND EXISTS(\"any\")");
  EXPECT_EQ(again("geo_radius(p, 1, -2.5, 3) or any(items[*], x=true)"),
            "GEO_RADIUS(p, 1.0, -2.5, 3.0) OR ANY(items[*], x = TRUE)");
  EXPECT_EQ(again("a IN ()"), "a IN ()");
  EXPECT_EQ(again("a = -9223372036854775808 AND b = 9223372036854775807"),
            "a = -9223372036854775808 AND b = 9223372036854775807");
}

TEST(FilterText, ErrorsSayWhereAndWhatWasExpected) {
  const auto expect = [](std::string_view text, std::string_view part) {
    const std::string message = parse_error(text);
    EXPECT_TRUE(has(message, part)) << text << " -> " << message;
  };
  expect("", "at byte 0 (column 1): expected a field, found the end");
  expect("year", "at byte 4 (column 5): expected an operator");
  expect("year >=", "at byte 7 (column 8): expected a value, found the end");
  expect("year >= 2024 AND", "at byte 16 (column 17): expected a field, found the end");
  expect("a = 1 garbage", "at byte 6 (column 7): expected AND, OR or the end, found `garbage`");
  expect("ü = 'é' x", "at byte 10 (column 9)");
  expect("a = 1 AND\n  b ~ 2", "at byte 14 (line 2, column 5): unexpected '~'");
  expect("a = \"text\"", "texts stand in single quotes");
  expect("a = 'open", "at byte 4 (column 5): the closing ' is missing");
  expect("a = NULL", "IS NULL");
  expect("(a = 1", "expected `)`, found the end");
  expect("a = 1)", "found `)`");
  expect("a IN (1, 2", "expected `,` or `)`");
  expect("a IN (1, 2]", "expected `,` or `)`");
  expect("a IN 5", "expected a list");
  expect("a NOT LIKE 'x'", "expected IN");
  expect("a BETWEEN 1", "expected AND");
  expect("a IS 5", "expected NULL");
  expect("foo(a)", "unknown function `foo`");
  expect("content-type = 'x'", "double quotes");
  expect("day > 2024-01-01", "DATE '2026-02-28'");
  expect("a = 9223372036854775808", "does not fit 64 bits");
  expect("a = 1e999", "beyond the range");
  expect("a = 12abc", "begins no number");
  expect("a = 1.", "begins no number");
  expect("AND a = 1", "expected a condition");
  expect("a.1 = 1", "expected a name");
  expect("a[1] = 1", "expected an operator");
  expect("flag > TRUE", "no order");
  expect("a LIKE 'x!' ESCAPE '!'", "escape character");
  expect("a LIKE 'x' ESCAPE ''", "one character");
  expect("GEO_RADIUS(p, 1, 2)", "expected `,`");
  expect("a = ?", "has no value");
  expect(std::string(100, 'x') + " y", "at byte 101");
  EXPECT_TRUE(has(parse_error("a = '\xff'"), "UTF-8"));
  EXPECT_TRUE(has(parse_error(std::string("a\0= 1", 6)), "unexpected"));
}

TEST(FilterText, Parameters) {
  EXPECT_EQ(Filter::parse("lang = ? AND year >= ?", {"en", 2024}).to_string(),
            "lang = 'en' AND year >= 2024");
  EXPECT_EQ(Filter::parse("year >= ?", {2024}).to_string(), "year >= 2024");
  EXPECT_EQ(Filter::parse("lang = :lang OR o.lang = :lang", {{"lang", "en"}}).to_string(),
            "lang = 'en' OR o.lang = 'en'");
  EXPECT_EQ(Filter::parse("a IN ? AND b IN (?, 2)", {{1, 2}, 1}).to_string(), "a IN (1, 2) AND b IN (1, 2)");
  EXPECT_EQ(Filter::parse("a IN :list", {{"list", {"x", "y"}}}).to_string(), "a IN ('x', 'y')");
  EXPECT_EQ(Filter::parse("day >= DATE ? AND a LIKE ? AND MATCH(t, ?) AND GEO_RADIUS(p, ?, ?, ?)",
                          {"2024-01-01", "a%", "w", 1, 2.5, 3})
                .to_string(),
            "day >= DATE '2024-01-01' AND a LIKE 'a%' AND MATCH(t, 'w') AND GEO_RADIUS(p, 1.0, 2.5, 3.0)");
  const auto refused = [](std::string_view text, const Metadata& params, std::string_view part) {
    const std::string message = error_of([&] { Filter::parse(text, params); });
    EXPECT_TRUE(has(message, part)) << text << " -> " << message;
  };
  refused("a = ? AND b = ?", {1}, "number 2 has no value");
  refused("a = ?", {1, 2}, "2 values are given for 1");
  refused("a = 1", {1}, "1 values are given for 0");
  refused("a = :x", {{"y", 1}}, "`:x` has no value");
  refused("a = :x", {{"x", 1}, {"y", 1}}, "no parameter :y");
  refused("a = ?", {{"x", 1}}, "array of values");
  refused("a = ?", Metadata::array({nullptr}), "IS NULL");
  refused("a = ?", Metadata::array({Metadata::array({1})}), "not an array");
  refused("a IN ?", {1}, "expected an array");
  refused("a LIKE ?", {1}, "expected a string");
  refused("a > DATE ?", {"2026-02-30"}, "no date");
  refused("a = ?", {}, "has no value");
}

TEST(FilterBuilder, MakesTheSameFilters) {
  const auto same = [](const Filter& built, std::string_view text) {
    EXPECT_EQ(built, Filter::parse(text)) << built;
  };
  same(field("year") >= 2024 && field("tags").contains("search"), "year >= 2024 AND tags CONTAINS 'search'");
  same(field("a") == 1 || (field("b") != 2.5 && field("c") < "x"), "a = 1 OR b != 2.5 AND c < 'x'");
  same(!(field("a") <= 1) && field("b") > 2, "NOT a <= 1 AND b > 2");
  same(field("a").in({1, "x", true, 0.5}), "a IN (1, 'x', TRUE, 0.5)");
  same(field("a").in({"x", "y"}), "a IN ('x', 'y')");
  same(field("a").in({}), "a IN ()");
  same(field("a").not_in(std::vector<int>{1, 2}), "a NOT IN (1, 2)");
  same(field("a").in(std::vector<std::string>{"p", "q"}), "a IN ('p', 'q')");
  same(field("a").between(1, 2.5), "a BETWEEN 1 AND 2.5");
  same(field("a").between(date("2024-01-01"), date("2024-02-01")),
       "a BETWEEN DATE '2024-01-01' AND DATE '2024-02-01'");
  same(field("a").like("x%") && field("a").like("x!%", "!"), "a LIKE 'x%' AND a LIKE 'x!%' ESCAPE '!'");
  same(field("a").starts_with("p") || field("t").match("some words"),
       "a STARTSWITH 'p' OR MATCH(t, 'some words')");
  same(field("a").is_null() || field("a").is_not_null() || field("a").exists(),
       "a IS NULL OR a IS NOT NULL OR EXISTS(a)");
  same(field("p").geo_radius(1, 2, 3) && field("p").geo_box(-1, 170, 1, -170),
       "GEO_RADIUS(p, 1, 2, 3) AND GEO_BOX(p, -1, 170, 1, -170)");
  same(any("items[*].parts", field("x") == 1 && field("y") == 2), "ANY(items[*].parts, x = 1 AND y = 2)");
  same(field("\"odd name\".x") == std::string_view("v"), "\"odd name\".x = 'v'");
  EXPECT_EQ(Filter() && (field("a") == 1), Filter::parse("a = 1"));
  EXPECT_TRUE((Filter() || field("a") == 1).empty());
  EXPECT_EQ(error_of([] { (void)!Filter(); }).empty(), false);
  EXPECT_FALSE(error_of([] { field("a b"); }).empty());
  EXPECT_FALSE(error_of([] { field(""); }).empty());
  EXPECT_FALSE(error_of([] { (void)(field("a") == nullptr); }).empty());
  EXPECT_FALSE(error_of([] { (void)(field("a") == Metadata::array({1})); }).empty());
  EXPECT_FALSE(error_of([] { (void)(field("a") == std::numeric_limits<double>::quiet_NaN()); }).empty());
  EXPECT_FALSE(error_of([] { (void)(field("a") == "\xff"); }).empty());
  EXPECT_FALSE(error_of([] { (void)field("a").any(Filter()); }).empty());
}

TEST(FilterJson, FormAndPlaces) {
  EXPECT_EQ(
      Filter::from_json(
          R"({"and":[{"op":">=","path":"year","value":2024},{"op":"contains","path":"tags","value":"x"}]})"),
      Filter::parse("year >= 2024 AND tags CONTAINS 'x'"));
  EXPECT_EQ(
      Filter::from_json(
          R"({"not":{"op":"any","path":"items","where":{"op":"<","path":"d","value":{"date":"2024-01-01"}}}})"),
      Filter::parse("NOT ANY(items, d < DATE '2024-01-01')"));
  EXPECT_TRUE(Filter::from_json("{}").empty());
  EXPECT_EQ(Filter().to_json(), "{}");
  const auto refused = [](std::string_view json, std::string_view part) {
    const std::string message = error_of([&] { Filter::from_json(json); });
    EXPECT_TRUE(has(message, part)) << json << " -> " << message;
  };
  refused(R"([])", "$: expected an object");
  refused(R"({"must":[]})", "$.must: unknown key");
  refused(R"({"and":[]})", "$.and: expected an array of at least one");
  refused(R"({"and":[{"op":"=","path":"a","value":1},{"op":"~","path":"a","value":1}]})",
          "$.and[1].op: unknown operator '~'");
  refused(R"({"and":[{"op":"=","path":"a","value":1,"extra":1}]})", "$.and[0].extra: unknown key");
  refused(R"({"not":{"op":"=","path":"a b","value":1}})", "$.not.path: at byte 2");
  refused(R"({"op":"=","path":"a"})", "$.value: the value is missing");
  refused(R"({"op":"=","path":"a","value":null})", "$.value: nothing compares with null");
  refused(R"({"op":"in","path":"a","values":[1,[2]]})", "$.values[1]: a value is");
  refused(R"({"op":"=","path":"a","value":{"date":"2026-02-30"}})", "$.value.date");
  refused(R"({"op":"like","path":"a","value":5})", "$.value: expected a string");
  refused(R"({"op":"geo_box","path":"a","south":1,"west":1,"north":0,"east":1})", "south");
  refused(R"({"op":"=","path":"a","value":1,"value":2})", "twice");
}

// Bad inputs; the numbers are those of the list of bad inputs that VecStore answers in a fixed way.
TEST(FilterBadInput, Row28UnknownFieldsAndWrongTypes) {
  const Filter filter =
      Filter::parse("age > 'x' AND ANY(items, price = 1 AND _part = 1) AND foo.bar = 1 AND foo.bar = 2");
  EXPECT_EQ(filter_fields(filter), (std::vector<std::string>{"age", "items", "items.price", "foo.bar"}));
  const DeclaredType none = [](std::string_view) { return std::nullopt; };
  check_filter_types(filter, none);
  const DeclaredType declared = [](std::string_view path) -> std::optional<Metadata::Type> {
    if (path == "age" || path == "items.price") return Metadata::Type::kInt;
    if (path == "title") return Metadata::Type::kString;
    return std::nullopt;
  };
  const auto refused = [&](std::string_view text) {
    return error_of([&] { check_filter_types(Filter::parse(text), declared); });
  };
  EXPECT_TRUE(
      has(refused("age > 'x'"), "field 'age' is an integer in the schema; it is compared with a string"));
  EXPECT_TRUE(has(refused("ANY(items, price = TRUE)"), "'items.price'"));
  EXPECT_FALSE(refused("age IN (1, 'x')").empty());
  EXPECT_FALSE(refused("age LIKE 'x'").empty());
  EXPECT_FALSE(refused("title = 5").empty());
  EXPECT_FALSE(refused("NOT (x = 1 OR GEO_RADIUS(title, 1, 1, 1))").empty());
  EXPECT_FALSE(refused("_id = 5").empty());
  EXPECT_FALSE(refused("_part STARTSWITH 'x'").empty());
  for (const char* text : {"age = 1.5", "age IS NULL", "title = DATE '2024-01-01'", "MATCH(title, 'x')",
                           "_id = 'x'", "_part > 1", "other = 1"}) {
    EXPECT_EQ(refused(text), "") << text;
  }

  FieldNames names;
  for (const char* name : {"age", "items", "foo"}) names.intern(name);
  EXPECT_EQ(unknown_field_warnings(filter, names),
            (std::vector<std::string>{"field 'items.price' not seen", "field 'foo.bar' not seen"}));
  EXPECT_EQ(unknown_field_warnings(Filter(), names).size(), 0u);
}

TEST(FilterBadInput, Row29Limits) {
  const auto repeated = [](std::string_view part, std::string_view between, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += (i ? std::string(between) : "") + std::string(part);
    return out;
  };
  EXPECT_EQ(parse_error(repeated("a = 1", " AND ", 1'024)), "");
  EXPECT_TRUE(has(parse_error(repeated("a = 1", " AND ", 1'025)), "more than 1024 predicates"));
  EXPECT_TRUE(has(parse_error(repeated("a = 1", " OR ", 100'000)), "more than 1024 predicates"));
  EXPECT_EQ(parse_error("a IN (" + repeated("1", ",", 65'536) + ")"), "");
  EXPECT_TRUE(has(parse_error("a IN (" + repeated("1", ",", 65'537) + ")"), "more than 65536 elements"));
  EXPECT_FALSE(
      parse_error("a IN (" + repeated("1", ",", 40'000) + ") OR b IN (" + repeated("1", ",", 40'000) + ")")
          .empty());
  EXPECT_FALSE(parse_error("a IN (" + repeated("1", ",", 1'000'000) + ")").empty());
  EXPECT_EQ(parse_error(std::string(32, '(') + "a = 1" + std::string(32, ')')), "");
  EXPECT_TRUE(
      has(parse_error(std::string(33, '(') + "a = 1" + std::string(33, ')')), "nested deeper than 32"));
  EXPECT_FALSE(parse_error(std::string(1'000'000, '(')).empty());
  EXPECT_EQ(parse_error(repeated("NOT ", "", 32) + "a = 1"), "");
  EXPECT_FALSE(parse_error(repeated("NOT ", "", 33) + "a = 1").empty());
  EXPECT_FALSE(parse_error(repeated("ANY(a, ", "", 1'000) + "a = 1" + std::string(1'000, ')')).empty());
  EXPECT_FALSE(parse_error(repeated("a.", "", 1'000) + "a = 1").empty());
  EXPECT_FALSE(parse_error("a" + repeated("[*]", "", 1'000) + " = 1").empty());

  // The same limits in code and in JSON; the deepest filter makes the whole round.
  Filter deep = field("a") == 1;
  for (int i = 0; i < 32; ++i) deep = i % 2 ? (deep || field("b") == 1) : (deep && field("c") == 1);
  EXPECT_EQ(Filter::parse(deep.to_string()), deep);
  EXPECT_EQ(Filter::from_json(deep.to_json()), deep);
  EXPECT_TRUE(has(error_of([&] { (void)!deep; }), "nested deeper than 32"));
  Filter nots = field("a") == 1;
  for (int i = 0; i < 32; ++i) nots = i % 2 ? !nots : nots.empty() ? nots : any("x", nots);
  EXPECT_EQ(Filter::parse(nots.to_string()), nots);
  EXPECT_EQ(Filter::from_json(nots.to_json()), nots);
  Filter wide = field("a") == 1;
  for (int i = 1; i < 1'024; ++i) wide = wide && field("a") == i;
  EXPECT_FALSE(error_of([&] { (void)(wide || field("a") == 1); }).empty());
  EXPECT_EQ(Filter::from_json(wide.to_json()), wide);
  std::string json = R"({"op":"=","path":"a","value":1})";
  for (int i = 0; i < 1'000; ++i) json = "{\"not\":" + json + "}";
  EXPECT_FALSE(error_of([&] { Filter::from_json(json); }).empty());
  EXPECT_FALSE(error_of([&] {
                 Filter::from_json(R"({"op":"in","path":"a","values":[)" + repeated("1", ",", 65'537) + "]}");
               }).empty());
  EXPECT_FALSE(error_of([&] { field("a").in(std::vector<int>(65'537, 1)); }).empty());

  std::vector<int> numbers(65'536);
  for (int i = 0; i < 65'536; ++i) numbers[static_cast<std::size_t>(i)] = i * 7;
  const FilterProgram big(field("a").in(numbers));
  EXPECT_TRUE(big.matches({{"a", 7 * 65'535}}));
  EXPECT_FALSE(big.matches({{"a", 7 * 65'535 + 1}}));
}

TEST(FilterBadInput, Row31DatesPlacesAndRanges) {
  for (const char* day : {"2026-02-30",
                          "2025-02-29",
                          "1900-02-29",
                          "2026-13-01",
                          "2026-00-10",
                          "2026-01-00",
                          "2026-04-31",
                          "26-01-01",
                          "2026-1-1",
                          "2026-01-01T",
                          "2026-01-01T24:00",
                          "2026-01-01T12:60",
                          "2026-01-01T12:00:60",
                          "2026-01-01T12:00Zx",
                          "2026-01-01T12:00:00.",
                          "2026-01-01T12:00:00.1234567890",
                          "2026-01-01T12:00+24:00",
                          "2026-01-01T12:00+1",
                          "",
                          "now",
                          "2026-01-01x",
                          "-2026-01-01"}) {
    EXPECT_TRUE(has(parse_error("d = DATE '" + std::string(day) + "'"), "is no date")) << day;
    EXPECT_FALSE(error_of([&] { date(day); }).empty()) << day;
  }
  for (const char* day : {"2024-02-29", "2000-02-29", "0000-01-01", "9999-12-31T23:59:59.999999999Z",
                          "2026-01-01t00:00z", "2026-01-01 00:00-0130", "2026-01-01T00:00+01"}) {
    EXPECT_EQ(parse_error("d = DATE '" + std::string(day) + "'"), "") << day;
  }
  for (const char* text :
       {"GEO_RADIUS(p, 91, 0, 1)", "GEO_RADIUS(p, 0, 181, 1)", "GEO_RADIUS(p, 0, 0, -1)",
        "GEO_BOX(p, 10, 0, 5, 1)", "GEO_BOX(p, -91, 0, 5, 1)", "a BETWEEN 2 AND 1", "a BETWEEN 'b' AND 'a'",
        "a BETWEEN 1 AND 'x'", "a BETWEEN TRUE AND FALSE",
        "a BETWEEN DATE '2024-02-01' AND DATE '2024-01-01'", "a BETWEEN DATE '2024-02-01' AND '2025-01-01'",
        "a BETWEEN '2023-01-01' AND DATE '2024-01-01'"}) {
    EXPECT_FALSE(parse_error(text).empty()) << text;
  }
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(error_of([&] { field("p").geo_radius(nan, 0, 1); }).empty());
  EXPECT_FALSE(error_of([&] { field("p").geo_radius(0, 0, nan); }).empty());
  EXPECT_FALSE(error_of([&] { field("p").geo_radius(0, 0, inf); }).empty());
  EXPECT_FALSE(error_of([&] { field("p").geo_box(nan, 0, 0, 0); }).empty());
  EXPECT_FALSE(error_of([&] { field("p").between(nan, 1); }).empty());
}

TEST(FilterBadInput, Row32ValuesAreNeverFilterText) {
  const std::string evil = "\" or 1==1 --' OR EXISTS(_id)";
  const Metadata record = {{"user", "bob"}};
  for (const Filter& filter : {field("user") == evil, Filter::parse("user = ?", Metadata::array({evil})),
                               Filter::parse("user = :u", {{"u", evil}}),
                               Filter::parse("user IN ?", Metadata::array({Metadata::array({evil})}))}) {
    EXPECT_FALSE(FilterProgram(filter).matches(record));
    EXPECT_TRUE(FilterProgram(filter).matches({{"user", evil}}));
    EXPECT_EQ(Filter::parse(filter.to_string()), filter) << "also when it is printed and read again";
  }
}

TEST(FilterText, MutatedTextsNeverCrash) {
  Rng rng(99);
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = filter_test::random_filter(rng, 3).to_string();
    for (auto n = rng() % 4 + 1; n > 0 && !text.empty(); --n) {
      static constexpr std::string_view kPieces[] = {"(", ")", "'",  "\"",  " AND ", " NOT ", "[*]",  ".",
                                                     ",", "?", ":x", "1e9", "-",     "\xC3",  "DATE "};
      switch (rng() % 3) {
        case 0:
          text[rng() % text.size()] = static_cast<char>(rng());
          break;
        case 1:
          text.erase(rng() % text.size(), rng() % 4 + 1);
          break;
        default:
          text.insert(rng() % text.size(), kPieces[rng() % std::size(kPieces)]);
      }
    }
    try {
      const Filter filter = rng() % 2 ? Filter::parse(text) : Filter::parse(text, {{"x", 1}});
      ASSERT_EQ(Filter::parse(filter.to_string()), filter) << text;
      ++accepted;
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), ErrorCode::kInvalidArgument) << text;
    }
  }
  EXPECT_GT(accepted, 500);
  for (int i = 0; i < 5'000; ++i) {
    std::string json = filter_test::random_filter(rng, 3).to_json();
    for (auto n = rng() % 3 + 1; n > 0; --n) json[rng() % json.size()] = R"({}[]",:01aep)"[rng() % 13];
    try {
      const Filter filter = Filter::from_json(json);
      ASSERT_EQ(Filter::from_json(filter.to_json()), filter);
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), ErrorCode::kInvalidArgument) << json;
    }
  }
}

TEST(FilterDate, InstantsAgreeWithTheCalendar) {
  std::int64_t day = 0;
  for (int year = 1968; year <= 2101; ++year) {
    for (unsigned month = 1; month <= 12; ++month) {
      for (unsigned d = 1; d <= 32; ++d) {
        const std::chrono::year_month_day ymd{std::chrono::year(year), std::chrono::month(month),
                                              std::chrono::day(d)};
        char text[40];
        std::snprintf(text, sizeof(text), "%04d-%02u-%02u", year, month, d);
        const auto instant = parse_instant(text);
        ASSERT_EQ(instant.has_value(), ymd.ok()) << text;
        if (!instant) continue;
        day = std::chrono::sys_days(ymd).time_since_epoch().count();
        ASSERT_EQ(instant->seconds, day * 86'400) << text;
      }
    }
  }
  EXPECT_EQ(parse_instant("1970-01-01T01:00:00.5+01:00"), (Instant{0, 500'000'000}));
  EXPECT_EQ(parse_instant("1969-12-31T23:59:59.25"), (Instant{-1, 250'000'000}));
}

}  // namespace
}  // namespace vecstore
