// How well BM25 with the analyzer `english` ranks the Cranfield collection. Needs VECSTORE_DATA; skipped
// without it. VECSTORE_DUMP_TERMS=FILE writes the terms for tools/oracle/bm25_oracle.py, which ranks them
// with bm25s.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "index/inverted/memory_terms.hpp"
#include "index/inverted/term_search.hpp"
#include "text/analyzer.hpp"
#include "vecstore/metadata.hpp"

namespace vecstore {
namespace {

/// What bm25s gives for the same terms; tools/oracle/bm25_oracle.py eval.
constexpr double kBm25sNdcg = 0.385579;

std::vector<Metadata> read_jsonl(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  std::vector<Metadata> out;
  for (std::string line; std::getline(in, line);) out.push_back(Metadata::parse(line));
  return out;
}

using Qrels = std::map<std::string, std::map<std::string, int>>;

Qrels read_qrels(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  Qrels out;
  std::string line, query, document;
  std::getline(in, line);
  for (int grade = 0; in >> query >> document >> grade;) out[query][document] = grade;
  return out;
}

double ndcg10(const std::map<std::string, int>& relevant, const std::vector<std::string>& ranking) {
  double gain = 0, ideal = 0;
  for (std::size_t i = 0; i < ranking.size() && i < 10; ++i) {
    const auto found = relevant.find(ranking[i]);
    if (found != relevant.end()) gain += found->second / std::log2(i + 2);
  }
  std::vector<int> grades;
  for (const auto& [document, grade] : relevant) grades.push_back(grade);
  std::sort(grades.rbegin(), grades.rend());
  for (std::size_t i = 0; i < grades.size() && i < 10; ++i) ideal += grades[i] / std::log2(i + 2);
  return ideal > 0 ? gain / ideal : 0;
}

void dump(std::ostream* out, const char* kind, const std::string& id, const std::vector<std::string>& terms) {
  if (out == nullptr) return;
  *out << kind << '\t' << id << '\t';
  for (std::size_t i = 0; i < terms.size(); ++i) *out << (i ? " " : "") << terms[i];
  *out << '\n';
}

std::vector<inverted::MemoryTerms::Token> tokens(const std::vector<std::string>& terms) {
  std::vector<inverted::MemoryTerms::Token> out;
  for (const std::string& term : terms) out.push_back({term});
  return out;
}

TEST(TextQuality, Cranfield) {
  const char* data = std::getenv("VECSTORE_DATA");
  if (data == nullptr) GTEST_SKIP() << "VECSTORE_DATA is not set: the Cranfield figures are not checked";
  const std::string folder = std::string(data) + "/cranfield/";
  const char* dump_path = std::getenv("VECSTORE_DUMP_TERMS");
  std::ofstream dump_file;
  if (dump_path != nullptr) dump_file.open(dump_path);
  std::ostream* dumped = dump_path != nullptr ? &dump_file : nullptr;

  text::Analyzer analyzer("english");
  inverted::MemoryTerms index({1.0f});
  std::vector<std::string> ids;
  for (const Metadata& document : read_jsonl(folder + "corpus.jsonl")) {
    const auto terms = analyzer.terms(document["title"].as_string() + " " + document["text"].as_string());
    dump(dumped, "doc", document["_id"].as_string(), terms);
    index.add(ids.size(), tokens(terms));
    ids.push_back(document["_id"].as_string());
  }
  const Qrels qrels = read_qrels(folder + "qrels.tsv");
  double sum = 0;
  std::size_t queries = 0;
  for (const Metadata& query : read_jsonl(folder + "queries.jsonl")) {
    const auto words = analyzer.terms(query["text"].as_string());
    dump(dumped, "query", query["_id"].as_string(), words);
    std::vector<TermNode> terms;
    for (const std::string& word : words) terms.push_back(TermNode::term(word));
    const TermNode tree = TermNode::any(std::move(terms));
    Context context;
    TopK out(10);
    const inverted::TermPartView view{&index, nullptr};
    inverted::TermSearch search(std::span(&view, 1), tree, context);
    search.run(Bm25{}, search.stats(), nullptr, context, out);
    std::vector<std::string> ranking;
    for (const RowScore& hit : out.take()) ranking.push_back(ids[hit.row]);
    sum += ndcg10(qrels.at(query["_id"].as_string()), ranking);
    ++queries;
  }
  const double ndcg = sum / static_cast<double>(queries);
  std::cout << "Cranfield BM25 nDCG@10 " << ndcg << " over " << queries << " queries\n";
  EXPECT_EQ(queries, 225u);
  EXPECT_GE(ndcg, 0.380);
  EXPECT_NEAR(ndcg, kBm25sNdcg, 0.004);
}

}  // namespace
}  // namespace vecstore
