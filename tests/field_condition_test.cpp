#include "query/field_condition.hpp"

#include <gtest/gtest.h>

#include <cstdio>

#include "query/filter_eval.hpp"
#include "query/filter_test_support.hpp"
#include "seed.hpp"
#include "segment/fields_part.hpp"

namespace vecstore::query {
namespace {

/// A part of `records` as a file's reader sees it.
std::unique_ptr<fields::FieldPart> part_of(std::span<const std::string> records,
                                           const std::vector<bool>& present, std::size_t begin,
                                           std::size_t end) {
  fields::FieldPartBuilder builder;
  for (std::size_t i = begin; i < end; ++i) {
    if (present[i]) builder.add(static_cast<std::uint32_t>(i - begin), records[i]);
  }
  std::string bytes;
  fields::FieldPartWriter writer(static_cast<std::uint32_t>(end - begin),
                                 [&](std::string_view b) { bytes += b; });
  builder.write(writer);
  return std::make_unique<fields::FieldPart>(bytes, writer.directory());
}

/// The same, by way of several parts, of which some rows are old and given again by another one.
std::unique_ptr<fields::FieldPart> merged_part_of(std::span<const std::string> records,
                                                  const std::vector<bool>& present, filter_test::Rng& rng) {
  std::vector<std::unique_ptr<fields::FieldPart>> parts;
  std::vector<RowBits> keeps;
  std::vector<std::uint32_t> begins;
  std::vector<bool> again(records.size());
  std::vector<std::string> old(records.begin(), records.end());
  for (std::size_t i = 0; i < records.size(); ++i) {
    again[i] = rng() % 8 == 0;
    if (again[i]) old[i] = records[rng() % records.size()];
  }
  for (std::size_t begin = 0; begin < records.size();) {
    const std::size_t end = begin + 1 + rng() % (records.size() - begin);
    parts.push_back(part_of(old, std::vector<bool>(records.size(), true), begin, end));
    RowBits keep(end - begin);
    for (std::size_t i = begin; i < end; ++i) {
      if (present[i] && !again[i]) keep.set(i - begin);
    }
    keeps.push_back(std::move(keep));
    begins.push_back(static_cast<std::uint32_t>(begin));
    begin = end;
  }
  for (std::size_t i = 0; i < records.size(); ++i) again[i] = again[i] && present[i];
  parts.push_back(part_of(records, again, 0, records.size()));
  std::vector<fields::MergeInput> inputs;
  for (std::size_t i = 0; i < parts.size(); ++i)
    inputs.push_back(
        {parts[i].get(), i < keeps.size() ? &keeps[i] : nullptr, i < keeps.size() ? begins[i] : 0});
  std::string bytes;
  fields::FieldPartWriter writer(static_cast<std::uint32_t>(records.size()),
                                 [&](std::string_view b) { bytes += b; });
  fields::merge_parts(inputs, writer, {});
  return std::make_unique<fields::FieldPart>(bytes, writer.directory());
}

TEST(FieldConditionTest, AnswersLikeLookingAtEachRecord) {
  filter_test::Rng rng(test::seed());
  std::size_t sure = 0, matching = 0, candidates = 0, pairs = 0;
  for (int round = 0; round < 20; ++round) {
    FieldNames names;
    std::vector<std::string> records(1 + rng() % 300);
    std::vector<bool> present(records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
      present[i] = rng() % 10 != 0;
      encode_metadata(present[i] ? filter_test::random_record(rng) : Metadata::object(), names, records[i]);
    }
    const auto made =
        round % 2 == 0 ? part_of(records, present, 0, records.size()) : merged_part_of(records, present, rng);
    const fields::FieldPart& part = *made;
    for (int i = 0; i < 300; ++i) {
      const Filter filter = filter_test::random_filter(rng, static_cast<int>(rng() % 4));
      const FilterProgram program(filter, names);
      const FieldNode node = field_condition(filter.node(), names);
      const RowSet found = fields::evaluate(node, part, {});
      const Cardinality expected = fields::estimate(node, part);
      std::size_t matches = 0;
      for (std::size_t r = 0; r < records.size(); ++r) {
        const bool is_match = program.matches_encoded(records[r]);
        matches += is_match;
        ASSERT_TRUE(!is_match || found.maybe.test(r)) << filter << ", row " << r;
        ASSERT_TRUE(is_match || !found.sure.test(r)) << filter << ", row " << r;
        ASSERT_TRUE(!found.sure.test(r) || found.maybe.test(r)) << filter << ", row " << r;
      }
      ASSERT_GE(matches, expected.least) << filter;
      ASSERT_LE(matches, expected.most) << filter;
      ASSERT_GE(expected.expected, 0) << filter;
      matching += matches;
      sure += found.sure.count();
      candidates += found.maybe.count();
      pairs += records.size();
    }
  }
  std::printf("%zu pairs, %zu match, %zu surely, %zu candidates\n", pairs, matching, sure, candidates);
  EXPECT_GT(sure, matching / 2);
  EXPECT_LT(candidates, matching * 2);
}

// Every condition on every record.
TEST(FieldConditionTest, Edges) {
  const std::string long_one(256, 'x'), longer(257, 'x'), other = std::string(256, 'x') + "y";
  std::vector<Metadata> values = {nullptr,
                                  true,
                                  false,
                                  0,
                                  -0.0,
                                  0.0,
                                  1,
                                  1.0,
                                  -1,
                                  1.5,
                                  std::int64_t{9007199254740991},
                                  std::int64_t{9007199254740992},
                                  std::int64_t{9007199254740993},
                                  9007199254740992.0,
                                  9007199254740994.0,
                                  std::int64_t{INT64_MAX},
                                  std::int64_t{INT64_MAX - 1},
                                  std::int64_t{INT64_MIN},
                                  9223372036854775808.0,
                                  -9223372036854775808.0,
                                  9223372036854774784.0,
                                  1e300,
                                  -1e300,
                                  5e-324,
                                  "",
                                  "a",
                                  "ab",
                                  "a%",
                                  "a_",
                                  "a\\",
                                  "\xC3\xA4",
                                  "\xC3\xA4z",
                                  "\xC3\xA5",
                                  "\x7F",
                                  "\xF4\x8F\xBF\xBF",
                                  "\xF0\x9F\x98\x80",
                                  long_one,
                                  longer,
                                  other,
                                  "2024-02-29",
                                  "2024-02-29T00:00:00Z",
                                  "2024-02-28T23:00:00-01:00",
                                  "2023-02-29",
                                  "0000-01-01",
                                  "9999-12-31T23:59:59.999999999Z"};
  std::vector<Metadata> records = {Metadata::object()};
  const std::size_t scalars = values.size();
  values.push_back(Metadata::array());
  values.push_back(Metadata::array({Metadata::array()}));
  values.push_back(Metadata::object());
  for (std::size_t i = 0; i < scalars; i += 3)
    values.push_back(Metadata::array({values[i], values[(i * 7 + 5) % scalars]}));
  for (std::size_t i = 0; i < scalars; i += 5)
    values.push_back(Metadata::array({Metadata::array({values[i]}), values[(i * 11 + 2) % scalars]}));
  for (const Metadata& v : values) {
    records.push_back({{"v", v}});
    records.push_back({{"o", {{"v", v}}}, {"w", 1}});
    records.push_back({{"l", Metadata::array({{{"v", v}, {"n", 1}}, {{"n", 2}}, 7})}});
    records.push_back({{"l", Metadata::array({Metadata::array({{{"v", v}}}), {{"v", nullptr}}})}});
  }
  const char* const paths[] = {"v", "o.v", "l.v", "l[*].v", "l[*][*].v", "v[*]", "v[*][*]", "o", "l", "none"};
  std::vector<std::string> conditions = {"{} IS NULL",
                                         "{} IS NOT NULL",
                                         "EXISTS({})",
                                         "NOT EXISTS({})",
                                         "{} IN ()",
                                         "{} NOT IN ()",
                                         "NOT ({} IN ())",
                                         "{} BETWEEN '2024-01-01' AND 'b'",
                                         "{} LIKE ''",
                                         "{} LIKE '%'",
                                         "{} LIKE '_'",
                                         "{} LIKE 'a!%' ESCAPE '!'",
                                         "{} LIKE 'a!_%' ESCAPE '!'",
                                         "{} LIKE '\xC3\xA4%'",
                                         "{} LIKE '\xC3\xA4_'",
                                         "{} LIKE 'x%x'",
                                         "{} LIKE '%y'",
                                         "{} CONTAINS ''",
                                         "{} CONTAINS 'xy'",
                                         "{} CONTAINS 1",
                                         "{} CONTAINS true",
                                         "{} STARTSWITH ''",
                                         "{} STARTSWITH '\xF4\x8F\xBF\xBF'",
                                         "{} STARTSWITH '\x7F'",
                                         "MATCH({}, 'ab')",
                                         "{} = true",
                                         "{} != false"};
  const char* const literals[] = {"0",
                                  "1",
                                  "1.5",
                                  "-1",
                                  "9007199254740992",
                                  "9007199254740993",
                                  "9007199254740992.0",
                                  "9223372036854775807",
                                  "9223372036854775808.0",
                                  "-9223372036854775808",
                                  "1e300",
                                  "5e-324",
                                  "''",
                                  "'a'",
                                  "'\xC3\xA4'",
                                  "DATE",
                                  "LONG",
                                  "LONGER"};
  for (std::string literal : literals) {
    if (literal == "DATE") literal = "'2024-02-29T00:00:00Z'";
    if (literal == "LONG") literal = "'" + long_one + "'";
    if (literal == "LONGER") literal = "'" + longer + "'";
    for (const char* op : {"=", "!=", "<", "<=", ">", ">="})
      conditions.push_back(std::string("{} ") + op + " " + literal);
    conditions.push_back("{} IN (7, " + literal + ", 'ab')");
    conditions.push_back("{} NOT IN (" + literal + ", true)");
    conditions.push_back("{} CONTAINS " + literal);
  }
  FieldNames names;
  std::vector<std::string> encoded(records.size());
  for (std::size_t r = 0; r < records.size(); ++r) encode_metadata(records[r], names, encoded[r]);
  const auto part = part_of(encoded, std::vector<bool>(records.size(), true), 0, records.size());
  std::size_t asked = 0, refused = 0, open = 0;
  const auto ask = [&](const std::string& text) {
    std::optional<Filter> filter;
    try {
      filter = Filter::parse(text);
    } catch (const Error&) {
      ++refused;
      return;
    }
    const FilterProgram program(*filter);
    const RowSet found = fields::evaluate(field_condition(filter->node(), names), *part, {});
    for (std::size_t r = 0; r < records.size(); ++r) {
      const bool is_match = program.matches(records[r]);
      ASSERT_TRUE(!is_match || found.maybe.test(r)) << text << " of " << records[r].to_json();
      ASSERT_TRUE(is_match || !found.sure.test(r)) << text << " of " << records[r].to_json();
      open += found.maybe.test(r) != found.sure.test(r);
      ++asked;
    }
  };
  for (const std::string path : paths) {
    for (std::string condition : conditions) {
      const std::size_t at = condition.find("{}");
      condition.replace(at, 2, path);
      ask(condition);
      ask("NOT (" + condition + ")");
      ask("ANY(l, " + condition + ")");
      ask("NOT ANY(o, NOT (" + condition + "))");
      ask("ANY(l, n = 1 AND " + condition + ") OR w = 1");
    }
  }
  std::printf("%zu pairs, %zu to be looked at, %zu conditions refused\n", asked, open, refused);
  EXPECT_GT(asked, 1'000'000u);
  EXPECT_LT(open, asked / 2);
}

TEST(FieldConditionTest, Places) {
  const double latitudes[] = {-90, -89.9999, -10, -1e-9, -0.0, 0, 1e-9, 10, 45, 89.9999, 90, 90.0001};
  const double longitudes[] = {-180, -179.9999, -10, 0, 1e-9, 13, 179.9999, 180, 181};
  std::vector<Metadata> records;
  for (const double lat : latitudes) {
    for (const double lon : longitudes) {
      const Metadata place = {{"lat", lat}, {"lon", lon}};
      records.push_back({{"p", place}});
      records.push_back({{"p", Metadata::array({{{"lat", lat}}, {{"lon", lon}}})}});
      records.push_back({{"p", Metadata::array({{{"lat", lat}, {"lon", 1}}, {{"lat", 1}, {"lon", lon}}})}});
      records.push_back({{"q", Metadata::array({{{"p", {{"lat", lat}}}}, {{"p", {{"lon", lon}}}}})}});
      records.push_back({{"q", Metadata::array({{{"p", place}}, {{"p", "x"}}})}});
      records.push_back({{"r", {{"lat", lat}}}});
    }
  }
  records.push_back({{"p", {{"lat", 45}, {"lon", 13}}}});
  records.push_back({{"p", {{"lat", Metadata::array({45, 46})}, {"lon", 13}}}});
  records.push_back({{"p", {{"lat", "45"}, {"lon", 13}}}});
  // Of 20 records one has a place at r: too few for a column.
  for (int i = 0; i < 20'000; ++i) records.push_back({{"i", i}});
  for (int i = 0; i < 100; ++i) records.push_back({{"s", {{"lat", i - 50}, {"lon", i}}}});
  FieldNames names;
  std::vector<std::string> encoded(records.size());
  for (std::size_t r = 0; r < records.size(); ++r) encode_metadata(records[r], names, encoded[r]);
  const auto part = part_of(encoded, std::vector<bool>(records.size(), true), 0, records.size());
  std::size_t matching = 0, sure = 0;
  const auto ask = [&](FilterOp op, const char* path, std::array<double, 4> numbers) {
    const Filter filter(make_geo(op, parse_filter_path(path), numbers));
    const FilterProgram program(filter);
    for (const Filter& f : {filter, !filter}) {
      const RowSet found = fields::evaluate(field_condition(f.node(), names), *part, {});
      for (std::size_t r = 0; r < records.size(); ++r) {
        const bool is_match = program.matches(records[r]) == (f.node() == filter.node());
        ASSERT_TRUE(!is_match || found.maybe.test(r)) << f << " of " << records[r].to_json();
        ASSERT_TRUE(is_match || !found.sure.test(r)) << f << " of " << records[r].to_json();
        matching += is_match && f.node() == filter.node();
        sure += found.sure.test(r) && f.node() == filter.node();
      }
    }
  };
  for (const char* path : {"p", "q[*].p", "r", "s", "none"}) {
    for (const double lat : {-90.0, -10.0, 0.0, 45.0, 90.0}) {
      for (const double lon : {-180.0, 0.0, 13.0, 180.0}) {
        for (const double metres : {0.0, 1.0, 1e3, 2e6, 1.0007e7, 2.0015e7, 20015114.0, 3e7})
          ask(FilterOp::kGeoRadius, path, {lat, lon, metres, 0});
        ask(FilterOp::kGeoBox, path, {-90, lon, lat, -lon});
        ask(FilterOp::kGeoBox, path, {lat, 170, 90, -170});
      }
    }
  }
  std::printf("%zu match, %zu surely\n", matching, sure);
  EXPECT_GT(matching, 1'000u);
  EXPECT_GT(sure, matching / 4);
}

}  // namespace
}  // namespace vecstore::query
