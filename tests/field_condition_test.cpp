#include "query/field_condition.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>

#include "query/filter_eval.hpp"
#include "query/filter_test_support.hpp"
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
  const unsigned seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  filter_test::Rng rng(seed);
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

}  // namespace
}  // namespace vecstore::query
