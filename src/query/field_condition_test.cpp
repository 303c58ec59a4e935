#include "query/field_condition.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>

#include "index/field/evaluate.hpp"
#include "index/field/part_builder.hpp"
#include "query/filter_eval.hpp"
#include "query/filter_test_support.hpp"

namespace vecstore::query {
namespace {

TEST(FieldConditionTest, AnswersLikeLookingAtEachRecord) {
  const unsigned seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  filter_test::Rng rng(seed);
  std::size_t sure = 0, matching = 0, candidates = 0, pairs = 0;
  for (int round = 0; round < 20; ++round) {
    FieldNames names;
    std::vector<std::string> records(1 + rng() % 300);
    for (std::string& r : records) encode_metadata(filter_test::random_record(rng), names, r);
    const std::uint64_t first = rng() % 1000;
    fields::FieldPartBuilder builder(first, first + records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (rng() % 10 != 0)
        builder.add(first + i, records[i]);
      else
        encode_metadata(Metadata::object(), names, records[i] = {});  // a row without a record
    }
    std::string bytes;
    fields::FieldPartWriter writer(static_cast<std::uint32_t>(records.size()),
                                   [&](std::string_view b) { bytes += b; });
    builder.write(writer);
    const fields::FieldPart part(bytes, writer.directory(), first);
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
