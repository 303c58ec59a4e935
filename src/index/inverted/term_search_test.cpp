#include "index/inverted/term_search.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

#include "base/error.hpp"
#include "index/inverted/memory_terms.hpp"
#include "index/inverted/naive_terms.hpp"
#include "index/inverted/part_builder.hpp"
#include "index/inverted/part_merge.hpp"
#include "index/inverted/term_part.hpp"
#include "scratch.hpp"
#include "seed.hpp"

namespace vecstore::inverted {
namespace {

using test::NaiveTerms;
using test::NaiveToken;
using vecstore::test::Scratch;

constexpr std::uint32_t kFirst = 7;

struct World {
  std::vector<float> weights;
  Scratch scratch;
  std::vector<std::vector<std::pair<std::uint64_t, std::vector<NaiveToken>>>> documents;  // per part
  std::vector<std::shared_ptr<const TermSource>> parts;
  std::vector<std::vector<std::uint64_t>> live;
  std::size_t files = 0;

  std::shared_ptr<const TermPart> build(
      const std::vector<std::pair<std::uint64_t, std::vector<NaiveToken>>>& docs) {
    TermPartBuilder builder(weights);
    for (const auto& [row, tokens] : docs) {
      std::vector<TermToken> out;
      for (const NaiveToken& t : tokens) out.push_back({builder.term(t.term), t.position, t.field});
      builder.add(row, out);
    }
    return write([&](io::IndexFileWriter& file) { builder.write(file, kFirst, {}); });
  }
  template <class F>
  std::shared_ptr<const TermPart> write(F&& f) {
    const std::string name = "part" + std::to_string(files++);
    io::IndexFileWriter file(scratch.path(), name, {});
    f(file);
    file.finish();
    auto part = TermPart::open(io::IndexFile::open(scratch / name), kFirst);
    part->verify({});
    return part;
  }
  std::vector<TermPartView> views() const {
    std::vector<TermPartView> out;
    for (std::size_t i = 0; i < parts.size(); ++i)
      out.push_back({parts[i].get(), live[i].empty() ? nullptr : live[i].data()});
    return out;
  }
};

/// Terms with Zipf's law, some of them alike.
std::string random_term(std::mt19937& rng, unsigned vocabulary) {
  const double u = std::uniform_real_distribution<>(0, 1)(rng);
  auto n = static_cast<unsigned>(std::pow(vocabulary, u)) - 1;
  std::string out;
  do {
    out += "abcd"[n % 4];
    n /= 4;
  } while (n > 0);
  return out;
}

std::vector<NaiveToken> random_document(std::mt19937& rng, unsigned vocabulary, std::size_t fields) {
  std::vector<NaiveToken> out;
  for (std::uint32_t f = 0; f < fields; ++f) {
    std::uint32_t position = 0;
    for (unsigned n = rng() % (rng() % 50 == 0 ? 400 : 12); n > 0; --n) {
      position += rng() % 10 == 0 ? 1 + rng() % 5 : 1;
      out.push_back({random_term(rng, vocabulary), position, f});
    }
  }
  if (rng() % 4 == 0) std::shuffle(out.begin(), out.end(), rng);
  return out;
}

std::vector<MemoryTerms::Token> to_tokens(const std::vector<NaiveToken>& tokens) {
  std::vector<MemoryTerms::Token> out;
  for (const NaiveToken& t : tokens) out.push_back({t.term, t.position, t.field});
  return out;
}

std::shared_ptr<MemoryTerms> in_memory(
    const std::vector<float>& weights,
    const std::vector<std::pair<std::uint64_t, std::vector<NaiveToken>>>& docs) {
  auto terms = std::make_shared<MemoryTerms>(weights);
  for (const auto& [row, tokens] : docs) terms->add(row, to_tokens(tokens));
  return terms;
}

void fill(World& world, std::mt19937& rng, std::size_t parts, unsigned most_documents, unsigned vocabulary,
          std::size_t fields) {
  world.weights.clear();
  for (std::size_t f = 0; f < fields; ++f)
    world.weights.push_back(fields == 1 ? 1.0f : 0.5f + static_cast<float>(f));
  std::uint64_t row = rng() % 2 ? 0 : 5'000'000'000;
  for (std::size_t p = 0; p < parts; ++p) {
    auto& docs = world.documents.emplace_back();
    const bool gaps = rng() % 2 == 0;
    for (unsigned n = 1 + rng() % most_documents; n > 0; --n) {
      docs.emplace_back(row, random_document(rng, vocabulary, fields));
      row += gaps ? 1 + rng() % 3 : 1;
    }
    // The newest documents are often in memory.
    if (p + 1 == parts && rng() % 2)
      world.parts.push_back(in_memory(world.weights, docs));
    else
      world.parts.push_back(world.build(docs));
    world.live.emplace_back();
  }
}

TermNode random_leaf(std::mt19937& rng, unsigned vocabulary, std::size_t fields) {
  TermNode n;
  switch (rng() % 8) {
    case 0: {
      std::vector<std::string> words;
      for (unsigned i = 2 + rng() % 2; i > 0; --i) words.push_back(random_term(rng, vocabulary / 8 + 2));
      n = TermNode::phrase(words, rng() % 2 ? 0 : rng() % 4);
      if (rng() % 3 == 0) n.offsets = {0, 2, 3}, n.offsets.resize(words.size());
      break;
    }
    case 1:
      n = TermNode::prefix(random_term(rng, vocabulary));
      break;
    case 2:
      n = TermNode::fuzzy(random_term(rng, vocabulary), rng() % 3);
      n.exact = rng() % 2;
      break;
    default:
      n = TermNode::term(random_term(rng, vocabulary));
  }
  n.boost = rng() % 3 == 0 ? 0.3f + static_cast<float>(rng() % 4) : 1.0f;
  if (fields > 1 && rng() % 3 == 0) n.field = rng() % fields;
  return n;
}

TermNode random_query(std::mt19937& rng, unsigned vocabulary, std::size_t fields, int depth) {
  TermNode n;
  const bool flat = depth == 0 || rng() % 2 == 0;
  for (unsigned i = 1 + rng() % 5; i > 0; --i) {
    TermNode c = !flat && rng() % 3 == 0 ? random_query(rng, vocabulary, fields, depth - 1)
                                         : random_leaf(rng, vocabulary, fields);
    if (!flat) c.occur = static_cast<Occur>(rng() % 3);
    n.children.push_back(std::move(c));
  }
  return n;
}

struct ModuloFilter : RowFilter {
  std::uint64_t modulus;
  explicit ModuloFilter(std::uint64_t m) : modulus(m) {}
  bool contains(std::uint64_t row) const override { return row % modulus == 0; }
};

std::vector<RowScore> search(const std::vector<TermPartView>& views, const TermNode& query, const Bm25& bm25,
                             std::size_t k, const RowFilter* filter, CorpusStats* stats = nullptr) {
  Context context;
  TopK out(k);
  TermSearch s(views, query, context);
  if (stats) *stats = s.stats();
  s.run(bm25, CorpusStats(s.stats()), filter, context, out);
  return out.take();
}

void expect_as_naive(const World& world, const NaiveTerms& naive, std::mt19937& rng, const TermNode& query) {
  const Bm25 bm25 =
      rng() % 2 ? Bm25{} : Bm25{static_cast<float>(rng() % 30) / 10, static_cast<float>(rng() % 11) / 10};
  const std::size_t k = rng() % 4 == 0 ? 1 + rng() % 2000 : 1 + rng() % 30;
  const ModuloFilter filter(1 + rng() % 4);
  const bool filtered = rng() % 3 == 0;
  CorpusStats own;
  const auto got = search(world.views(), query, bm25, k, filtered ? &filter : nullptr, &own);
  const CorpusStats stats = naive.stats(query);
  ASSERT_EQ(own.documents, stats.documents);
  ASSERT_NEAR(own.total_length, stats.total_length, 1e-6 * (1 + stats.total_length));
  ASSERT_EQ(own.doc_freq, stats.doc_freq);
  auto scores = naive.scores(query, bm25, stats);
  std::vector<double> want;
  for (std::size_t p = 0; p < world.parts.size(); ++p) {
    for (std::uint32_t d = 0; d < world.documents[p].size(); ++d) {
      const std::uint64_t row = world.documents[p][d].first;
      const bool live = world.live[p].empty() || (world.live[p][d / 64] >> (d % 64) & 1);
      const auto it = scores.find(row);
      if (it == scores.end()) continue;
      if (live && (!filtered || filter.contains(row)))
        want.push_back(it->second);
      else
        scores.erase(it);
    }
  }
  std::sort(want.rbegin(), want.rend());
  want.resize(std::min(want.size(), k));
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_TRUE(scores.contains(got[i].row)) << i;
    ASSERT_NEAR(got[i].score, want[i], 1e-5 * (1 + want[i])) << i;
    ASSERT_NEAR(got[i].score, scores.at(got[i].row), 1e-5 * (1 + want[i])) << i;
    if (i > 0 && got[i].score == got[i - 1].score) {
      ASSERT_LT(got[i - 1].row, got[i].row);
    }
  }
}

/// Some documents of each part are retired.
void retire(World& world, std::mt19937& rng) {
  for (std::size_t p = 0; p < world.parts.size(); ++p) {
    if (rng() % 3 == 0) continue;
    const std::uint64_t first = world.documents[p].front().first / 64 * 64;
    std::vector<std::uint64_t> rows(static_cast<std::size_t>(first / 64));
    if (first > 1'000'000) rows.clear();
    std::vector<std::uint64_t> live((world.documents[p].size() + kWindow - 1) / kWindow * (kWindow / 64));
    for (std::size_t d = 0; d < world.documents[p].size(); ++d) {
      const bool retired = rng() % 5 == 0;
      const std::uint64_t row = world.documents[p][d].first;
      if (!retired) live[d / 64] |= std::uint64_t{1} << (d % 64);
      if (first > 1'000'000) continue;
      if (row / 64 >= rows.size()) rows.resize(static_cast<std::size_t>(row / 64) + 1);
      if (retired) rows[static_cast<std::size_t>(row / 64)] |= std::uint64_t{1} << (row % 64);
    }
    world.live[p] = live;
    if (first > 1'000'000) continue;
    ASSERT_EQ(documents_of(*world.parts[p], rows, true), live);
  }
}

unsigned effort() {
  const char* more = std::getenv("VECSTORE_TEST_EFFORT");
  return more ? static_cast<unsigned>(std::atoi(more)) : 1;
}

TEST(TermSearch, AgreesWithTheNaiveOne) {
  const unsigned seed = vecstore::test::seed();
  std::printf("seed %u\n", seed);
  std::mt19937 rng(seed);
  for (unsigned round = 0; round < 6 * effort(); ++round) {
    const std::size_t fields = round % 3 == 2 ? 3 : 1;
    const unsigned vocabulary = round % 2 ? 40 : 600;
    World world;
    fill(world, rng, 1 + rng() % 4, round % 4 == 0 ? 300 : 40, vocabulary, fields);
    NaiveTerms naive(world.weights);
    for (const auto& part : world.documents) {
      for (const auto& [row, d] : part) naive.documents[row] = d;
    }
    for (int q = 0; q < 40; ++q) {
      if (q == 25) {
        ASSERT_NO_FATAL_FAILURE(retire(world, rng));
      }
      const TermNode query = random_query(rng, vocabulary, fields, 2);
      ASSERT_NO_FATAL_FAILURE(expect_as_naive(world, naive, rng, query))
          << "round " << round << " query " << q;
    }
  }
}

struct GivesUp : RowFilter {
  mutable int left = 20;
  bool contains(std::uint64_t) const override {
    if (--left == 0) fail(ErrorCode::kCancelled, "given up");
    return true;
  }
};

/// Many documents: every form of list, many windows. Compared with exhaustive sums in a plain array.
TEST(TermSearch, LargePartsAgreeWithPlainSums) {
  std::mt19937 rng(77);
  World world;
  world.weights = {1.0f};
  constexpr unsigned kDocuments = 30'000;
  const std::size_t cuts[] = {0, 20'000, 21'000, kDocuments};
  std::vector<std::vector<std::string>> texts(kDocuments);
  for (unsigned d = 0; d < kDocuments; ++d) {
    for (unsigned n = 2 + rng() % 20; n > 0; --n) {
      const double u = std::uniform_real_distribution<>(0, 1)(rng);
      auto term = static_cast<unsigned>(std::pow(5000, u));
      // Neighbours are about the same things, as texts are.
      if (rng() % 2) term = (term + d / 600 * 97) % 5000;
      texts[d].push_back("t" + std::to_string(term));
    }
  }
  std::map<std::string, std::map<std::uint32_t, std::uint32_t>> postings;
  double total = 0;
  for (std::uint32_t d = 0; d < kDocuments; ++d) {
    for (const auto& t : texts[d]) ++postings[t][d];
    total += static_cast<double>(texts[d].size());
  }
  for (int p = 0; p < 3; ++p) {
    std::vector<std::pair<std::uint64_t, std::vector<NaiveToken>>> docs;
    for (std::size_t d = cuts[p]; d < cuts[p + 1]; ++d) {
      std::vector<NaiveToken> tokens;
      for (const auto& t : texts[d]) tokens.push_back({t, static_cast<std::uint32_t>(tokens.size()), 0});
      docs.emplace_back(d, tokens);
    }
    world.parts.push_back(world.build(docs));
    world.live.emplace_back();
  }
  const auto views = world.views();
  for (int q = 0; q < 150; ++q) {
    TermNode node;
    std::vector<std::string> words;
    for (unsigned n = 1 + rng() % (q % 2 ? 12 : 3); n > 0; --n) {
      const double u = std::uniform_real_distribution<>(0, 1)(rng);
      words.push_back("t" + std::to_string(static_cast<unsigned>(std::pow(5000, u))));
      node.children.push_back(TermNode::term(words.back()));
    }
    const bool all = q % 3 == 2;
    if (all) {
      words.resize(std::min<std::size_t>(words.size(), 2));
      node.children.resize(words.size());
      for (TermNode& c : node.children) c.occur = Occur::kMust;
    }
    const std::size_t k = q % 5 == 0 ? 1000 : 1 + rng() % 100;
    const ModuloFilter filter(q % 4 == 3 ? 7 : 1);
    // A search that ends in the middle leaves nothing to the next one of its thread.
    if (q % 3 == 0) {
      const GivesUp gives_up;
      try {
        search(views, node, {}, 50, &gives_up);
      } catch (const Error&) {
      }
    }
    const auto got = search(views, node, {}, k, q % 4 == 3 ? &filter : nullptr);
    std::map<std::uint32_t, std::pair<double, std::size_t>> sums;
    for (const auto& w : words) {
      const double df = static_cast<double>(postings[w].size());
      const double idf = std::log(1 + (kDocuments - df + 0.5) / (df + 0.5));
      for (const auto& [d, tf] : postings[w]) {
        const double norm = 1.2 * (0.25 + 0.75 * static_cast<double>(texts[d].size()) / (total / kDocuments));
        sums[d].first += idf * tf / (tf + norm);
        ++sums[d].second;
      }
    }
    std::vector<double> want;
    for (const auto& [d, s] : sums) {
      if ((!all || s.second == words.size()) && filter.contains(d)) want.push_back(s.first);
    }
    std::sort(want.rbegin(), want.rend());
    want.resize(std::min(want.size(), k));
    ASSERT_EQ(got.size(), want.size()) << q;
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i].score, want[i], 1e-5 * (1 + want[i])) << "query " << q << " rank " << i;
      ASSERT_NEAR(got[i].score, sums.at(static_cast<std::uint32_t>(got[i].row)).first, 1e-5 * (1 + want[i]));
    }
  }
}

TEST(TermSearch, MergesEqualAFreshBuild) {
  const unsigned seed = vecstore::test::seed();
  std::printf("seed %u\n", seed);
  std::mt19937 rng(seed);
  for (int round = 0; round < 4; ++round) {
    const std::size_t fields = round % 2 ? 2 : 1;
    World world;
    fill(world, rng, 1 + rng() % 4, 200, 100, fields);
    ASSERT_NO_FATAL_FAILURE(retire(world, rng));
    std::vector<std::pair<std::uint64_t, std::vector<NaiveToken>>> left;
    std::vector<MergeInput> inputs;
    std::vector<std::shared_ptr<const TermPart>> written;
    for (std::size_t p = 0; p < world.parts.size(); ++p) {
      const auto& live = world.live[p];
      auto part = std::dynamic_pointer_cast<const TermPart>(world.parts[p]);
      if (!part) {
        part = world.build(world.documents[p]);
      }
      written.push_back(part);
      inputs.push_back({part.get(), live.empty() ? nullptr : live.data()});
      for (std::size_t d = 0; d < world.documents[p].size(); ++d) {
        if (live.empty() || (live[d / 64] >> (d % 64) & 1)) left.push_back(world.documents[p][d]);
      }
    }
    const auto merged = world.write([&](io::IndexFileWriter& f) { merge_parts(inputs, f, kFirst, {}); });
    const auto fresh = world.build(left);
    ASSERT_EQ(merged->documents(), fresh->documents());
    ASSERT_EQ(merged->total_length(), fresh->total_length());
    auto a = merged->dictionary().begin(), b = fresh->dictionary().begin();
    while (b.next()) {
      ASSERT_TRUE(a.next());
      ASSERT_EQ(a.term(), b.term());
      std::vector<std::uint32_t> docs[2], classes[2], places[2];
      merged->decode(a.entry(), docs[0], classes[0]);
      fresh->decode(b.entry(), docs[1], classes[1]);
      merged->decode_positions(a.entry(), classes[0], places[0]);
      fresh->decode_positions(b.entry(), classes[1], places[1]);
      ASSERT_EQ(docs[0], docs[1]);
      ASSERT_EQ(places[0], places[1]);
    }
    ASSERT_FALSE(a.next());
    for (std::uint32_t d = 0; d < fresh->documents(); ++d) ASSERT_EQ(merged->row(d), fresh->row(d));
    for (int q = 0; q < 20; ++q) {
      const TermNode query = random_query(rng, 100, fields, 1);
      EXPECT_EQ(search({{merged.get(), nullptr}}, query, {}, 20, nullptr),
                search({{fresh.get(), nullptr}}, query, {}, 20, nullptr));
    }
  }
}

TEST(TermSearch, PartsScoreAsOneBitForBit) {
  std::mt19937 rng(5);
  World world;
  fill(world, rng, 4, 300, 200, 1);
  std::vector<std::pair<std::uint64_t, std::vector<NaiveToken>>> all;
  for (const auto& part : world.documents) all.insert(all.end(), part.begin(), part.end());
  const auto whole = world.build(all);
  for (int q = 0; q < 200; ++q) {
    const TermNode query = random_query(rng, 200, 1, 2);
    EXPECT_EQ(search(world.views(), query, {}, 25, nullptr),
              search({{whole.get(), nullptr}}, query, {}, 25, nullptr))
        << q;
  }
}

TEST(MemoryTerms, RetiredDocumentsLeaveNothingBehind) {
  World world;
  std::mt19937 rng(17);
  for (int round = 0; round < 20; ++round) {
    fill(world, rng, 1, 80, 60, 2);
    const auto& documents = world.documents[0];
    const auto all = in_memory(world.weights, documents);
    std::vector<std::pair<std::uint64_t, std::vector<NaiveToken>>> left;
    for (const auto& document : documents) {
      if (rng() % 3) {
        left.push_back(document);
      } else {
        EXPECT_TRUE(all->retire(document.first));
        EXPECT_FALSE(all->retire(document.first));
      }
    }
    EXPECT_FALSE(all->retire(1'000'000));
    const auto fresh = in_memory(world.weights, left);
    EXPECT_EQ(all->counted(), fresh->documents());
    EXPECT_NEAR(all->total_length(), fresh->total_length(), 1e-3);
    for (int q = 0; q < 50; ++q) {
      const TermNode query = random_query(rng, 60, 2, 2);
      const auto a = search({{all.get(), nullptr}}, query, {}, 25, nullptr);
      const auto b = search({{fresh.get(), nullptr}}, query, {}, 25, nullptr);
      ASSERT_EQ(a.size(), b.size()) << q;
      for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(a[i].row, b[i].row) << q;
        EXPECT_NEAR(a[i].score, b[i].score, 1e-5f * (1 + b[i].score)) << q;
      }
    }
  }
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

TEST(TermSearch, RefusesWhatMeansNothing) {
  World world;
  world.weights = {1.0f};
  world.parts.push_back(world.build({{3, {{"a", 0, 0}, {"b", 1, 0}}}}));
  world.live.emplace_back();
  const auto views = world.views();
  const auto refused = [&](const TermNode& n) { return code_of([&] { search(views, n, {}, 3, nullptr); }); };
  EXPECT_EQ(refused(TermNode::term("a", 0)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused(TermNode::term("a", INFINITY)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused(TermNode::fuzzy("a", 3)), ErrorCode::kInvalidArgument);
  TermNode n = TermNode::phrase({"a", "b"});
  n.offsets = {0};
  EXPECT_EQ(refused(n), ErrorCode::kInvalidArgument);
  n = TermNode::term("a");
  n.words.clear();
  EXPECT_EQ(refused(n), ErrorCode::kInvalidArgument);
  TermNode deep = TermNode::term("a");
  for (int i = 0; i < 200; ++i) deep = TermNode::all({std::move(deep)});
  EXPECT_EQ(refused(deep), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { search(views, TermNode::term("a"), {-1, 0.5f}, 3, nullptr); }),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { search(views, TermNode::term("a"), {1, 2}, 3, nullptr); }),
            ErrorCode::kInvalidArgument);
  EXPECT_TRUE(search(views, TermNode{}, {}, 3, nullptr).empty());
  EXPECT_TRUE(search(views, TermNode::term("c"), {}, 3, nullptr).empty());
  EXPECT_TRUE(search({}, TermNode::term("a"), {}, 3, nullptr).empty());
  EXPECT_TRUE(search(views, TermNode::term("a"), {}, 0, nullptr).empty());
  EXPECT_EQ(search(views, TermNode::phrase({"a", "b"}), {}, 3, nullptr).size(), 1u);
  EXPECT_TRUE(search(views, TermNode::phrase({"b", "a"}), {}, 3, nullptr).empty());
  Context context;
  TopK out(3);
  const TermNode a = TermNode::term("a");
  TermSearch s(views, a, context);
  EXPECT_EQ(code_of([&] { s.run({}, CorpusStats{1, 1, {1, 1}}, nullptr, context, out); }),
            ErrorCode::kInvalidArgument);
  context.deadline = std::chrono::steady_clock::now();
  TermSearch late(views, a, context);
  EXPECT_EQ(code_of([&] { late.run({}, CorpusStats(late.stats()), nullptr, context, out); }),
            ErrorCode::kDeadline);
  TermPartBuilder builder({1.0f});
  builder.add(5, {});
  EXPECT_EQ(code_of([&] { builder.add(5, {}); }), ErrorCode::kInvalidArgument);
  const TermToken unknown[] = {{9, 0, 0}};
  EXPECT_EQ(code_of([&] { builder.add(6, unknown); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([] { TermPartBuilder({0.0f}); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([] { TermPartBuilder(std::vector<float>{}); }), ErrorCode::kInvalidArgument);
}

TEST(TermSearch, VeryManyTermsAreExactToo) {
  std::mt19937 rng(9);
  World world;
  fill(world, rng, 2, 300, 3000, 1);
  NaiveTerms naive(world.weights);
  for (const auto& part : world.documents) {
    for (const auto& [row, d] : part) naive.documents[row] = d;
  }
  TermNode query;
  for (int i = 0; i < 1500; ++i) query.children.push_back(TermNode::term(random_term(rng, 3000)));
  ASSERT_NO_FATAL_FAILURE(expect_as_naive(world, naive, rng, query));
}

// What adds nothing must not push sums of codes over their end.
TEST(TermSearch, WeightsThatAreZeroAddNothing) {
  World world;
  world.weights = {1.0f};
  world.parts.push_back(nullptr);
  std::vector<std::pair<std::uint64_t, std::vector<NaiveToken>>> documents;
  for (std::uint64_t row = 0; row < 3000; ++row) {
    std::vector<NaiveToken> tokens;
    if (row % 3 == 0) tokens.push_back({"x", 0, 0});
    for (std::uint32_t t = 0; t < 60; ++t) {
      if (row != 0) tokens.push_back({"t" + std::to_string(t), t + 1, 0});
    }
    documents.emplace_back(row, std::move(tokens));
  }
  world.parts[0] = world.build(documents);
  std::vector<TermNode> small;
  for (int t = 0; t < 60; ++t) small.push_back(TermNode::term("t" + std::to_string(t), 1e-30f));
  TermNode group = TermNode::any(std::move(small));
  group.boost = 1e-30f;
  std::vector<TermNode> both;
  both.push_back(TermNode::term("x"));
  both.push_back(std::move(group));
  const std::vector<TermPartView> views = {{world.parts[0].get(), nullptr}};
  Context context;
  TopK out(3);
  const TermNode query = TermNode::any(std::move(both));
  TermSearch search(views, query, context);
  search.run(Bm25{0, 0}, CorpusStats(search.stats()), nullptr, context, out);
  const auto found = out.take();
  ASSERT_EQ(found.size(), 3u);
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(found[i].row, 3 * i);
}

}  // namespace
}  // namespace vecstore::inverted
