#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "base/error.hpp"
#include "index/term_index.hpp"

namespace vecstore {
namespace {

struct Document {
  std::vector<std::pair<std::string, float>> terms;
};

/// The formula read aloud, in doubles, over a plain map.
class NaiveIndex {
 public:
  std::map<std::uint64_t, Document> documents;

  double length(const Document& d) const {
    double sum = 0;
    for (const auto& [term, weight] : d.terms) sum += weight;
    return sum;
  }
  double frequency(const Document& d, const std::string& term) const {
    double sum = 0;
    for (const auto& [t, weight] : d.terms) sum += t == term ? weight : 0;
    return sum;
  }
  CorpusStats stats(const std::vector<QueryTerm>& terms) const {
    CorpusStats out{documents.size(), 0, {}};
    for (const auto& [row, d] : documents) out.total_length += length(d);
    for (const QueryTerm& t : terms) {
      std::uint64_t df = 0;
      for (const auto& [row, d] : documents) df += frequency(d, t.term) > 0;
      out.doc_freq.push_back(df);
    }
    return out;
  }
  std::map<std::uint64_t, double> scores(const std::vector<QueryTerm>& terms, const Bm25& p,
                                         const CorpusStats& s) const {
    std::map<std::uint64_t, double> out;
    const double n = static_cast<double>(s.documents), average = s.total_length / n;
    for (const auto& [row, d] : documents) {
      for (std::size_t i = 0; i < terms.size(); ++i) {
        const double tf = frequency(d, terms[i].term), df = static_cast<double>(s.doc_freq[i]);
        if (tf == 0) continue;
        out[row] += terms[i].weight * std::log(1 + (n - df + 0.5) / (df + 0.5)) * tf /
                    (tf + p.k1 * (1 - p.b + p.b * length(d) / average));
      }
    }
    return out;
  }
};

std::vector<TermOccurrence> occurrences(const Document& d) {
  std::vector<TermOccurrence> out;
  for (const auto& [term, weight] : d.terms) out.push_back({term, weight});
  return out;
}

void add(TermIndex& index, std::uint64_t row, std::initializer_list<std::string_view> terms) {
  std::vector<TermOccurrence> list;
  for (const auto t : terms) list.push_back({t, 1.0f});
  index.add(row, list);
}

std::vector<RowScore> search(const TermIndex& index, const std::vector<QueryTerm>& terms, std::size_t k = 10,
                             const RowFilter* filter = nullptr) {
  Context context;
  TopK out(k);
  index.search({.terms = terms, .filter = filter}, context, out);
  return out.take();
}

struct ModuloFilter : RowFilter {
  std::uint64_t modulus;
  explicit ModuloFilter(std::uint64_t m) : modulus(m) {}
  bool contains(std::uint64_t row) const override { return row % modulus == 0; }
};

void expect_equal(const NaiveIndex& naive, const TermIndex& index, std::mt19937& rng,
                  const CorpusStats* injected) {
  static constexpr float kWeights[] = {1.0f, 1.0f, 0.3f, 2.5f};
  std::vector<QueryTerm> terms;
  for (unsigned i = 1 + rng() % 6; i > 0; --i)
    terms.push_back({"t" + std::to_string(rng() % 60), kWeights[rng() % 4]});
  CorpusStats stats = naive.stats(terms);
  const CorpusStats own = index.stats(terms);
  ASSERT_EQ(own.documents, stats.documents);
  ASSERT_NEAR(own.total_length, stats.total_length, 1e-5 * (1 + stats.total_length));
  ASSERT_EQ(own.doc_freq, stats.doc_freq);
  if (injected != nullptr) {
    stats.documents += injected->documents;
    stats.total_length += injected->total_length;
    for (auto& df : stats.doc_freq) df += rng() % (injected->documents + 1);
  }
  const Bm25 bm25{static_cast<float>(rng() % 30) / 10, static_cast<float>(rng() % 11) / 10};
  const ModuloFilter filter(1 + rng() % 4);
  Context context;
  TopK out(1 + rng() % 40);
  const std::size_t k = out.k();
  index.search({terms, bm25, injected ? &stats : nullptr, &filter}, context, out);
  const std::vector<RowScore> got = out.take();

  std::vector<double> want;
  auto scores = naive.scores(terms, bm25, stats);
  for (const auto& [row, score] : scores) {
    if (filter.contains(row)) want.push_back(score);
  }
  std::sort(want.rbegin(), want.rend());
  want.resize(std::min(want.size(), k));
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i].score, want[i], 1e-5 * (1 + want[i]));
    ASSERT_NEAR(got[i].score, scores.at(got[i].row), 1e-5 * (1 + want[i]));
    ASSERT_TRUE(filter.contains(got[i].row));
    if (i > 0 && got[i].score == got[i - 1].score) {
      ASSERT_LT(got[i - 1].row, got[i].row);
    }
  }
}

TEST(MemoryTermIndex, RandomWritesAndQueriesAgreeWithTheNaiveIndex) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 rng(seed);
  for (const bool weighted : {false, true}) {
    const auto index = make_memory_term_index();
    NaiveIndex naive;
    std::uint64_t next_row = 1'000'000'000'000;
    for (int step = 0; step < 6000; ++step) {
      const bool shrink = step / 1500 % 2 == 1;  // long phases of retiring reach the compaction
      if (!naive.documents.empty() && rng() % 10 < (shrink ? 9u : 1u)) {
        auto victim = naive.documents.lower_bound(naive.documents.begin()->first + rng() % 3000);
        if (victim == naive.documents.end()) victim = naive.documents.begin();
        ASSERT_TRUE(index->retire(victim->first));
        ASSERT_FALSE(index->retire(victim->first));
        naive.documents.erase(victim);
      } else {
        Document d;
        for (unsigned i = rng() % 12; i > 0; --i) {
          const unsigned term = std::min(rng() % 60, rng() % 60);
          d.terms.push_back(
              {"t" + std::to_string(term), weighted ? static_cast<float>(1 + rng() % 300) / 100 : 1.0f});
        }
        index->add(next_row, occurrences(d));
        naive.documents[next_row] = d;
        next_row += 1 + rng() % 2;
      }
      if (step % 200 == 199) {
        const CorpusStats other{500, 4321.5, {}};
        for (int q = 0; q < 5; ++q) {
          ASSERT_NO_FATAL_FAILURE(expect_equal(naive, *index, rng, q % 2 ? &other : nullptr))
              << "step " << step;
        }
      }
    }
    EXPECT_EQ(index->size(), naive.documents.size());
  }
}

TEST(MemoryTermIndex, ManyDocumentsCrossWindows) {
  const auto index = make_memory_term_index();
  for (std::uint64_t row = 0; row < 30'000; ++row) {
    if (row % 7000 == 6999)
      add(*index, row, {"common", "rare"});
    else
      add(*index, row, {"common"});
  }
  const auto hits = search(*index, {{"rare"}, {"common"}}, 6);
  ASSERT_EQ(hits.size(), 6u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(hits[i].row, 7000 * (i + 1) - 1);
  EXPECT_EQ(hits[4].row, 0u) << "equal scores by ascending row";
  EXPECT_EQ(hits[5].row, 1u);
}

TEST(MemoryTermIndex, TiesDoNotDependOnTheOrderOfArrival) {
  const auto index = make_memory_term_index();
  for (std::uint64_t row = 10'000; row > 0; --row) add(*index, row, {"same"});
  const auto hits = search(*index, {{"same"}}, 3);
  ASSERT_EQ(hits.size(), 3u);
  for (std::size_t i = 0; i < hits.size(); ++i) EXPECT_EQ(hits[i].row, i + 1);
}

TEST(MemoryTermIndex, RetiringManyFreesMemoryAndTerms) {
  const auto index = make_memory_term_index();
  for (std::uint64_t row = 0; row < 20'000; ++row) {
    const std::string own = "own" + std::to_string(row);
    add(*index, row, {"common", own});
  }
  const std::size_t full = index->memory_bytes();
  for (std::uint64_t row = 0; row < 19'000; ++row) ASSERT_TRUE(index->retire(row));
  EXPECT_LT(index->memory_bytes(), full / 3);
  EXPECT_EQ(index->stats(std::vector<QueryTerm>{{"common"}, {"own5"}, {"own19500"}}).doc_freq,
            (std::vector<std::uint64_t>{1000, 0, 1}));
  EXPECT_EQ(search(*index, {{"own19500"}}).at(0).row, 19'500u);
  EXPECT_TRUE(search(*index, {{"own5"}}).empty());
}

TEST(MemoryTermIndex, EdgeCases) {
  const auto index = make_memory_term_index();
  EXPECT_TRUE(search(*index, {{"x"}}).empty());
  EXPECT_TRUE(search(*index, {}).empty());
  add(*index, 7, {});
  EXPECT_EQ(index->size(), 1u);
  EXPECT_TRUE(search(*index, {{"x"}}).empty());
  add(*index, 3, {"x", "x"});
  EXPECT_EQ(search(*index, {{"x"}}).size(), 1u);
  EXPECT_TRUE(search(*index, {{"x"}}, 0).empty());
  EXPECT_TRUE(index->retire(3));
  EXPECT_TRUE(search(*index, {{"x"}}).empty());
  add(*index, 3, {"y"});
  EXPECT_EQ(search(*index, {{"y"}, {"x"}}).at(0).row, 3u) << "a retired row may come back";
  const float once = search(*index, {{"y"}}).at(0).score, twice = search(*index, {{"y"}, {"y"}}).at(0).score;
  EXPECT_FLOAT_EQ(twice, 2 * once) << "words count as often as they are written";
}

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

TEST(MemoryTermIndex, RefusesBadArgumentsAndChangesNothing) {
  const auto index = make_memory_term_index();
  add(*index, 1, {"x"});
  EXPECT_EQ(code_of([&] { add(*index, 1, {"y"}); }), ErrorCode::kAlreadyExists);
  for (const float bad : {0.0f, -1.0f, NAN, INFINITY}) {
    const std::vector<TermOccurrence> terms = {{"z", 1.0f}, {"z", bad}};
    EXPECT_EQ(code_of([&] { index->add(2, terms); }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(code_of([&] { search(*index, {{"x", bad}}); }), ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(index->size(), 1u);
  const std::vector<QueryTerm> terms = {{"x"}};
  Context context;
  TopK out(1);
  EXPECT_EQ(code_of([&] { index->search({.terms = terms, .bm25 = {-1, 0.5f}}, context, out); }),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { index->search({.terms = terms, .bm25 = {1, 1.5f}}, context, out); }),
            ErrorCode::kInvalidArgument);
  const CorpusStats wrong{1, 1, {1, 1}};
  EXPECT_EQ(code_of([&] { index->search({.terms = terms, .stats = &wrong}, context, out); }),
            ErrorCode::kInvalidArgument);
  CorpusStats sum = wrong;
  EXPECT_EQ(code_of([&] { sum += CorpusStats{1, 1, {1}}; }), ErrorCode::kInvalidArgument);
}

TEST(MemoryTermIndex, StopsWhenTheCallEnds) {
  const auto index = make_memory_term_index();
  add(*index, 1, {"x"});
  const std::vector<QueryTerm> terms = {{"x"}};
  Context context;
  TopK out(1);
  context.deadline = std::chrono::steady_clock::now();
  EXPECT_EQ(code_of([&] { index->search({.terms = terms}, context, out); }), ErrorCode::kDeadline);
}

TEST(MemoryTermIndex, SumsOfStatisticsMakeSegmentsScoreAsOne) {
  std::mt19937 rng(3);
  const auto whole = make_memory_term_index(), left = make_memory_term_index(),
             right = make_memory_term_index();
  for (std::uint64_t row = 0; row < 2000; ++row) {
    Document d;
    for (unsigned i = rng() % 20; i > 0; --i) d.terms.push_back({"t" + std::to_string(rng() % 100), 1.0f});
    whole->add(row, occurrences(d));
    (row % 3 ? left : right)->add(row, occurrences(d));
  }
  const std::vector<QueryTerm> terms = {{"t5"}, {"t17"}, {"t80"}};
  CorpusStats stats = left->stats(terms);
  stats += right->stats(terms);
  Context context;
  TopK out(25);
  left->search({.terms = terms, .stats = &stats}, context, out);
  right->search({.terms = terms, .stats = &stats}, context, out);
  EXPECT_EQ(out.take(), search(*whole, terms, 25)) << "bit for bit";
}

TEST(MemoryTermIndex, ReadersGoOnWhileOneWrites) {
  const auto index = make_memory_term_index();
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        for (const RowScore& hit : search(*index, {{"even"}, {"all"}})) {
          ASSERT_GT(hit.score, 0);
          ASSERT_LT(hit.row, 6000u);
        }
        ASSERT_LE(index->stats(std::vector<QueryTerm>{{"all"}}).doc_freq[0], 6000u);
      }
    });
  }
  for (std::uint64_t row = 0; row < 6000; ++row) {
    if (row % 2)
      add(*index, row, {"all"});
    else
      add(*index, row, {"all", "even"});
    if (row >= 100) {
      ASSERT_TRUE(index->retire(row - 100));
    }
  }
  done = true;
  for (auto& t : readers) t.join();
  EXPECT_EQ(index->stats(std::vector<QueryTerm>{{"all"}, {"even"}}).doc_freq,
            (std::vector<std::uint64_t>{100, 50}));
}

TEST(MemoryTermIndex, ScoresEqualBm25s) {
  // Written by tools/oracle/bm25_oracle.py. Lines: "doc words...", "query words...", "score row value".
  std::ifstream in(std::string(VECSTORE_SOURCE_DIR) + "/tests/data/bm25/golden.txt");
  ASSERT_TRUE(in) << "tests/data/bm25/golden.txt is missing";
  const auto index = make_memory_term_index();
  std::uint64_t rows = 0;
  std::size_t compared = 0;
  std::map<std::uint64_t, float> got;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string kind, word;
    words >> kind;
    if (kind == "doc") {
      Document d;
      while (words >> word) d.terms.push_back({word, 1.0f});
      index->add(rows++, occurrences(d));
    } else if (kind == "query") {
      ASSERT_TRUE(got.empty()) << "a row that bm25s does not find";
      std::vector<QueryTerm> terms;
      while (words >> word) terms.push_back({word});
      for (const RowScore& hit : search(*index, terms, rows)) got[hit.row] = hit.score;
    } else if (kind == "score") {
      std::uint64_t row;
      double score;
      words >> row >> score;
      ASSERT_TRUE(got.contains(row)) << line;
      EXPECT_NEAR(got[row], score, 1e-5 * (1 + score)) << line;
      got.erase(row);
      ++compared;
    }
  }
  EXPECT_TRUE(got.empty());
  EXPECT_GT(compared, 1000u);
}

}  // namespace
}  // namespace vecstore
