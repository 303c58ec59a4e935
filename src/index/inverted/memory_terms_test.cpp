// Views of terms in memory: what they show does not change, whatever happens to what they were taken from.
#include "index/inverted/memory_terms.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>

#include "index/inverted/memory_sparse.hpp"
#include "index/inverted/part_builder.hpp"
#include "seed.hpp"

namespace vecstore::inverted {
namespace {

using Documents = std::map<std::uint64_t, std::vector<std::string>>;  // live rows with their words

std::vector<MemoryTerms::Token> tokens_of(const std::vector<std::string>& words) {
  std::vector<MemoryTerms::Token> out;
  for (std::uint32_t i = 0; i < words.size(); ++i) out.push_back({words[i], i, i % 2});
  return out;
}

std::string word(std::uint64_t n) { return "w" + std::to_string(n); }

/// Everything that a source tells, by rows: numbers of documents differ where some are retired.
struct Told {
  std::map<std::string, std::map<std::uint64_t, float>> values;
  std::map<std::string, std::map<std::uint64_t, std::vector<std::uint32_t>>> places;
  std::map<std::string, std::uint64_t> doc_freq;
  std::vector<std::string> prefix, fuzzy;
  std::uint32_t counted = 0;
  double total_length = 0;

  bool operator==(const Told&) const = default;
};

Told told_by(const TermSource& source, std::size_t words, bool positions) {
  Told out;
  out.counted = source.counted();
  out.total_length = source.total_length();
  Norm norm;
  for (std::uint64_t n = 0; n < words; ++n) {
    const std::string term = positions ? word(n) : sparse_term(static_cast<std::uint32_t>(n));
    out.doc_freq[term] = source.doc_freq(term);
    std::vector<std::uint32_t> docs;
    std::vector<float> values;
    source.postings(term, kAnyField, docs, values);
    for (std::size_t i = 0; i < docs.size(); ++i) out.values[term][source.row(docs[i])] = values[i];
    const auto list = source.list(term, kAnyField, norm);
    EXPECT_EQ(list ? list->size() : 0, docs.size()) << term;
    if (!positions) continue;
    const auto places = source.positions(term);
    EXPECT_EQ(places != nullptr, !docs.empty()) << term;
    PositionCursor cursor;
    for (std::uint32_t i = 0; i < docs.size() && places; ++i)
      places->read(*list, i, cursor, out.places[term][source.row(docs[i])]);
  }
  const Context context;
  std::vector<Expansion> found;
  source.expand_prefix("w1", 1000, context, found);
  for (const Expansion& e : found) out.prefix.push_back(e.term);
  found.clear();
  source.expand_fuzzy("w11", 1, 1, 1000, context, found);
  for (const Expansion& e : found) out.fuzzy.push_back(e.term);
  return out;
}

Told told_by(const Documents& documents, std::size_t words) {
  MemoryTerms fresh({1.0f, 2.0f});
  for (const auto& [row, text] : documents) fresh.add(row, tokens_of(text));
  return told_by(fresh, words, true);
}

TEST(MemoryTermsView, ShowsTheMomentItWasTaken) {
  std::mt19937_64 random(test::seed());
  constexpr std::size_t kWords = 40;
  MemoryTerms terms({1.0f, 2.0f});
  Documents live;
  std::vector<std::pair<std::shared_ptr<const TermSource>, Told>> views;
  for (std::uint64_t row = 0; row < 1'500; ++row) {
    std::vector<std::string> text(random() % 12);
    for (std::string& w : text) w = word(random() % kWords * (random() % 3) / 2);
    terms.add(row, tokens_of(text));
    live[row] = text;
    while (random() % 2 == 0 && !live.empty()) {
      const auto at = std::next(live.begin(), static_cast<std::ptrdiff_t>(random() % live.size()));
      EXPECT_TRUE(terms.retire(at->first));
      EXPECT_FALSE(terms.retire(at->first));
      live.erase(at);
    }
    if (random() % 40 == 0) {
      const Told expected = told_by(live, kWords);
      ASSERT_EQ(told_by(terms, kWords, true), expected) << row;
      views.emplace_back(terms.view(), expected);
    }
    if (random() % 60 == 0 && !views.empty()) {
      const auto& [view, expected] = views[random() % views.size()];
      ASSERT_EQ(told_by(*view, kWords, true), expected) << row;
    }
  }
  for (const auto& [view, expected] : views) ASSERT_EQ(told_by(*view, kWords, true), expected);
}

TEST(MemorySparseView, ShowsTheMomentItWasTaken) {
  std::mt19937_64 random(test::seed());
  constexpr std::size_t kDimensions = 30;
  MemorySparse vectors;
  std::vector<std::uint64_t> live;
  std::vector<std::pair<std::shared_ptr<const TermSource>, Told>> views;
  for (std::uint64_t row = 0; row < 2'000; ++row) {
    std::map<std::uint32_t, float> values;
    for (std::uint64_t n = random() % 8; n > 0; --n)
      values[static_cast<std::uint32_t>(random() % kDimensions)] = static_cast<float>(1 + random() % 9);
    std::vector<std::uint32_t> dimensions;
    std::vector<float> weights;
    for (const auto& [d, v] : values) dimensions.push_back(d), weights.push_back(v);
    vectors.add(row, dimensions, weights);
    live.push_back(row);
    if (random() % 2) {
      const std::size_t i = random() % live.size();
      EXPECT_TRUE(vectors.retire(live[i]));
      EXPECT_FALSE(vectors.retire(live[i]));
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (random() % 50 == 0) views.emplace_back(vectors.view(), told_by(vectors, kDimensions, false));
  }
  for (const auto& [view, expected] : views) ASSERT_EQ(told_by(*view, kDimensions, false), expected);
}

// For the thread sanitizer above all.
TEST(MemoryTermsView, IsReadWhileDocumentsComeAndGo) {
  MemoryTerms terms({1.0f, 2.0f});
  std::mt19937_64 random(test::seed());
  const auto add = [&](std::uint64_t row) {
    std::vector<std::string> text(1 + random() % 10);
    for (std::string& w : text) w = word(random() % 30);
    terms.add(row, tokens_of(text));
  };
  for (std::uint64_t row = 0; row < 300; ++row) add(row);
  const auto view = terms.view();
  const Told expected = told_by(*view, 30, true);
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      do {
        ASSERT_EQ(told_by(*view, 30, true), expected);
      } while (!done);
    });
  }
  for (std::uint64_t row = 300; row < 2'000; ++row) {
    add(row);
    terms.retire(random() % row);
    if (row % 100 == 0) terms.view();
  }
  done = true;
  for (std::thread& t : readers) t.join();
}

}  // namespace
}  // namespace vecstore::inverted
