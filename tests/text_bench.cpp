// How fast texts are analysed and indexed, and how fast BM25 answers.
//
//     zcat texts.jsonl.gz | text_bench [repeat]
//
// Reads JSON Lines with a member "text"; `repeat` indexes the set that many times over (documents of its own
// each). Queries are the distinct words of seeded random runs of 4 and 12 words of the texts.
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <random>

#include "index/term_index.hpp"
#include "text/analyzer.hpp"
#include "vecstore/metadata.hpp"
#include "vecstore/text.hpp"

namespace {

using namespace vecstore;

double cpu_seconds_of(auto&& work) {
  const std::clock_t start = std::clock();
  work();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

std::size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * 4096;
}

std::vector<QueryTerm> pick_query(text::Analyzer& analyzer, const std::vector<std::string>& texts,
                                  std::size_t words, std::mt19937& rng) {
  for (;;) {
    auto terms = analyzer.terms(texts[rng() % texts.size()]);
    if (terms.size() < words) continue;
    const std::size_t start = rng() % (terms.size() - words + 1);
    std::vector<QueryTerm> out;
    for (std::size_t i = start; i < start + words; ++i) {
      if (std::none_of(out.begin(), out.end(), [&](const auto& t) { return t.term == terms[i]; }))
        out.push_back({terms[i]});
    }
    return out;
  }
}

void time_queries(const TermIndex& index, const std::vector<std::string>& texts, std::size_t words,
                  std::size_t k) {
  text::Analyzer analyzer("english");
  std::mt19937 rng(1);
  std::vector<std::vector<QueryTerm>> queries;
  for (int i = 0; i < 500; ++i) queries.push_back(pick_query(analyzer, texts, words, rng));
  Context context;
  double best = 1e9;
  for (int pass = 0; pass < 3; ++pass) {
    context.counters = {};
    best = std::min(best, cpu_seconds_of([&] {
                      for (const auto& terms : queries) {
                        TopK out(k);
                        index.search({.terms = terms}, context, out);
                      }
                    }));
  }
  const double count = static_cast<double>(queries.size());
  std::cout << words << " words, top " << k << ": " << best / count * 1e3 << " ms/query, "
            << static_cast<double>(context.counters.postings_scored) / count << " postings/query\n";
}

}  // namespace

int main(int argc, char** argv) {
  const int repeat = argc > 1 ? std::atoi(argv[1]) : 1;
  std::vector<std::string> texts;
  for (std::string line; std::getline(std::cin, line);)
    texts.push_back(Metadata::parse(line)["text"].as_string());
  if (texts.empty()) {
    std::cerr << "no texts on standard input\n";
    return 2;
  }
  const double passages = static_cast<double>(texts.size()) * repeat;

  for (const std::string_view name : {"neutral", "english"}) {
    text::Analyzer analyzer(name);
    std::size_t tokens = 0;
    const double took = cpu_seconds_of([&] {
      for (const auto& t : texts) analyzer.analyze(t, [&](const text::Token&) { ++tokens; });
    });
    std::cout << name << ": " << static_cast<double>(texts.size()) / took << " passages/s analysed, "
              << tokens << " tokens\n";
  }

  const std::size_t before = resident_bytes();
  const auto index = make_memory_term_index();
  const double took = cpu_seconds_of([&] {
    text::Analyzer analyzer("english");
    std::vector<TermOccurrence> terms;
    std::uint64_t row = 0;
    for (int i = 0; i < repeat; ++i) {
      for (const auto& t : texts) {
        terms.clear();
        analyzer.trim();
        analyzer.analyze(t, [&](const text::Token& token) { terms.push_back({token.term}); });
        index->add(row++, terms);
      }
    }
  });
  std::cout << "indexed " << passages << " passages: " << passages / took << " passages/s, "
            << static_cast<double>(index->memory_bytes()) / 1e6 << " MB by its own count, "
            << static_cast<double>(resident_bytes() - before) / 1e6 << " MB resident\n";
  for (const std::size_t k : {10, 100}) {
    for (const std::size_t words : {4, 12}) time_queries(*index, texts, words, k);
  }
  const std::size_t live = index->size();
  const double retired = cpu_seconds_of([&] {
    for (std::uint64_t row = 0; row < live / 2; ++row) index->retire(row);
  });
  std::cout << "retired half: " << static_cast<double>(live / 2) / retired
            << " rows/s, compactions included\n";

  std::string all;
  while (all.size() < 10'000'000) {
    for (const auto& t : texts) (all += t) += "\n\n";
  }
  std::size_t chunks = 0;
  const double split =
      cpu_seconds_of([&] { chunks = RecursiveTextSplitter().chunk_size(500).overlap(50).split(all).size(); });
  std::cout << "split " << static_cast<double>(all.size()) / 1e6 << " MB into " << chunks
            << " chunks: " << split << " s\n";
}
