// Measures against values computed by hand and against a naive twin; snippets and numbers of the terminal.
#include "cli/metrics.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

#include "cli/terminal.hpp"
#include "seed.hpp"
#include "vecstore/error.hpp"

namespace vecstore::cli {
namespace {

TEST(Metrics, ByHand) {
  const Judgements judgements = {
      {"q1", {{"a", 3}, {"b", 1}, {"c", 0}}}, {"q2", {{"x", 1}}}, {"q3", {{"y", 0}}}, {"q4", {{"z", 1}}}};
  const Ranking ranking = {{"q1", {"c", "b", "n", "a"}}, {"q2", {"x"}}, {"q3", {"y"}}, {"q9", {"x"}}};
  const Measures result = measure(judgements, ranking, {1, 2, 10});
  EXPECT_EQ(result.queries, 3u);  // q3 has nothing relevant, q9 is not judged, q4 has no results
  const double ndcg1 = (1 / std::log2(3) + 3 / std::log2(5)) / (3 + 1 / std::log2(3));
  EXPECT_NEAR(result.ndcg, (ndcg1 + 1 + 0) / 3, 1e-12);
  EXPECT_NEAR(result.mrr, (0.5 + 1) / 3, 1e-12);
  EXPECT_NEAR(result.map, ((1.0 / 2 + 2.0 / 4) / 2 + 1) / 3, 1e-12);
  EXPECT_NEAR(result.recall.at(1), (0 + 1.0) / 3, 1e-12);
  EXPECT_NEAR(result.recall.at(2), (0.5 + 1) / 3, 1e-12);
  EXPECT_NEAR(result.recall.at(10), (1.0 + 1) / 3, 1e-12);
}

TEST(Metrics, NothingJudged) { EXPECT_EQ(measure({}, {}, {10}).queries, 0u); }

/// The definitions, each written down anew.
TEST(Metrics, NaiveTwin) {
  const unsigned seed = test::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    Judgements judgements;
    Ranking ranking;
    double ndcg = 0, mrr = 0, map = 0, recall = 0;
    int queries = 0;
    for (int q = 0; q < 5; ++q) {
      const std::string query = std::to_string(q);
      for (int d = 0; d < 30; ++d)
        if (random() % 3 == 0) judgements[query][std::to_string(d)] = static_cast<int>(random() % 4) - 1;
      std::vector<std::string> list;
      for (int d = 0; d < 30; ++d) list.push_back(std::to_string(d));
      std::shuffle(list.begin(), list.end(), random);
      list.resize(random() % 31);
      if (random() % 10 != 0)
        ranking[query] = list;
      else
        list.clear();

      const auto grade = [&](const std::string& d) {
        const auto found = judgements[query].find(d);
        return found == judgements[query].end() || found->second < 0 ? 0 : found->second;
      };
      std::vector<int> ideal;
      int relevant = 0;
      for (int d = 0; d < 30; ++d) ideal.push_back(grade(std::to_string(d))), relevant += ideal.back() > 0;
      if (relevant == 0) continue;
      ++queries;
      std::sort(ideal.rbegin(), ideal.rend());
      double dcg = 0, best = 0, precisions = 0, first = 0;
      int found = 0, found_in_ten = 0;
      for (int i = 0; i < 10; ++i) best += ideal[static_cast<std::size_t>(i)] * std::log(2) / std::log(i + 2);
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (i < 10) dcg += grade(list[i]) * std::log(2) / std::log(static_cast<double>(i) + 2);
        if (grade(list[i]) == 0) continue;
        ++found;
        if (i < 10) ++found_in_ten;
        if (first == 0) first = 1.0 / static_cast<double>(i + 1);
        precisions += found / static_cast<double>(i + 1);
      }
      ndcg += dcg / best, mrr += first, map += precisions / relevant,
          recall += static_cast<double>(found_in_ten) / relevant;
    }
    const Measures result = measure(judgements, ranking, {10});
    ASSERT_EQ(result.queries, static_cast<std::size_t>(queries));
    if (queries == 0) continue;
    ASSERT_NEAR(result.ndcg, ndcg / queries, 1e-9);
    ASSERT_NEAR(result.mrr, mrr / queries, 1e-9);
    ASSERT_NEAR(result.map, map / queries, 1e-9);
    ASSERT_NEAR(result.recall.at(10), recall / queries, 1e-9);
  }
}

class MetricFiles : public testing::Test {
 protected:
  std::string write(std::string_view bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return path_;
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_ =
      (std::filesystem::temp_directory_path() / ("vecstore-metrics-" + std::to_string(::getpid()))).string();
};

TEST_F(MetricFiles, Judgements) {
  const Judgements expected = {{"1", {{"184", 1}, {"a b", 2}}}};
  EXPECT_EQ(read_judgements(write("query-id\tcorpus-id\tscore\n1\t184\t1\n1\ta b\t2\r\n\n")), expected);
  EXPECT_EQ(read_judgements(write("1 0 184 1\n1 0 x 0\n")), (Judgements{{"1", {{"184", 1}, {"x", 0}}}}));
  EXPECT_THROW(read_judgements(write("1\t184\tyes\n")), Error);
  EXPECT_THROW(read_judgements(write("1 2\n")), Error);
}

TEST_F(MetricFiles, Rankings) {
  const Ranking expected = {{"q1", {"b", "a", "c"}}, {"q2", {"x"}}};
  EXPECT_EQ(read_ranking(write("q1 Q0 a 1 0.5 t\nq1 Q0 b 2 1e1 t\nq1 Q0 c 3 0.5 t\nq2 Q0 x 1 -3 t\n")),
            expected);
  EXPECT_EQ(read_ranking(write("{\"q1\":{\"a\":0.5,\"b\":10,\"c\":0.5},\n\"q2\":{\"x\":-3}}\n")), expected);
  EXPECT_THROW(read_ranking(write("q1 Q0 a 1 t\n")), Error);
  EXPECT_THROW(read_ranking(write("q1 Q0 a 1 nan t\n")), Error);
  EXPECT_THROW(read_ranking(write("q1 Q0 a 1 0.5 t\nq1 Q0 a 2 0.4 t\n")), Error);
  EXPECT_THROW(read_ranking(write("{\"q1\": [1]}")), Error);
}

TEST(Terminal, Numbers) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(bytes_text(1023), "1023 bytes");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(json_number(0.1f).to_json(), "0.1");
  EXPECT_EQ(json_number(-1e-7f).as_double(), -1e-7);
}

TEST(Terminal, DocumentsCannotDriveIt) {
  EXPECT_EQ(printable("a\x1b[31mb\rc\x7f\xC2\x9B"
                      "d\tü\n"),
            "a [31mb c  d\tü\n");
  EXPECT_EQ(beginning_line("x\x1b]0;title\x07 y", 100), "x ]0;title y");
}

TEST(Terminal, Snippets) {
  const std::string text = "Use git  stash\nto save it.";
  const Snippet all{
      .range = {0, text.size(), 0, 0}, .highlights = {{9, 14, 0, 0}, {18, 22, 0, 0}}, .score = 2};
  EXPECT_EQ(snippet_line(text, all, "<", ">"), "Use git <stash> to <save> it.");
  const Snippet part{.range = {4, 22, 0, 0}, .highlights = {{9, 14, 0, 0}}, .score = 1};
  EXPECT_EQ(snippet_line(text, part), "... git stash to save ...");
  EXPECT_EQ(beginning_line("", 100), "");
  EXPECT_EQ(beginning_line(" \n", 100), "");
  EXPECT_EQ(beginning_line("  eight little words and more", 16), "eight little ...");
}

/// Any bytes, any width: no crash, one line, about the width.
TEST(Terminal, BeginningsAtRandom) {
  const unsigned seed = test::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (unsigned i = random() % 80; i > 0; --i) text += "ab \n.\xc3\xa9x"[random() % 8];
    const std::size_t width = random() % 30 + 1;
    const std::string line = beginning_line(text, width);
    ASSERT_EQ(line.find('\n'), std::string::npos);
    ASSERT_LE(line.size(), width + 4);
  }
}

}  // namespace
}  // namespace vecstore::cli
