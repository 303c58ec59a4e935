#include "index/inverted/term_part.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "base/error.hpp"
#include "index/inverted/fuzzy.hpp"
#include "index/inverted/naive_terms.hpp"
#include "index/inverted/part_builder.hpp"
#include "index/inverted/part_merge.hpp"
#include "index/inverted/term_search.hpp"
#include "scratch.hpp"
#include "seed.hpp"

namespace vecstore::inverted {
namespace {

using vecstore::test::Scratch;

constexpr std::uint32_t kFirst = 3;

TEST(ListCodec, RoundTrips) {
  const unsigned seed = vecstore::test::seed();
  std::printf("seed %u\n", seed);
  std::mt19937 rng(seed);
  for (int round = 0; round < 400; ++round) {
    const std::uint32_t fields = 1 + rng() % 3,
                        documents = 1 + rng() % (round % 10 == 0 ? kMostDocuments : 50'000u);
    std::vector<std::uint32_t> counts;
    const std::uint32_t class_count = 1 + rng() % 400;
    for (std::uint32_t c = 0; c < class_count; ++c) {
      for (std::uint32_t f = 0; f < fields; ++f) counts.push_back(rng() % 3);
      if (std::all_of(counts.end() - fields, counts.end(), [](auto n) { return n == 0; })) counts.back() = 1;
    }
    const ClassTable table(fields, counts);
    std::set<std::uint32_t> chosen;
    for (unsigned n = 1 + rng() % (rng() % 3 ? 20 : 1000); n > 0; --n) chosen.insert(rng() % documents);
    const std::vector<std::uint32_t> docs(chosen.begin(), chosen.end());
    std::vector<std::uint32_t> classes, places;
    for (std::size_t i = 0; i < docs.size(); ++i) {
      classes.push_back(rng() % 4 ? rng() % std::min(3u, class_count) : rng() % class_count);
      for (std::uint32_t f = 0; f < fields; ++f) {
        std::uint32_t at = rng() % (rng() % 20 == 0 ? kMostPosition / 2 : 50);
        for (std::uint32_t n = table.counts(classes.back())[f]; n > 0; --n) {
          places.push_back(f << kPositionBits | at);
          at += rng() % (rng() % 20 == 0 ? 1 << 20 : 20);
        }
      }
    }
    std::string bytes;
    encode_postings(docs, classes, bytes);
    std::vector<std::uint32_t> d, c, p;
    const auto span = std::as_bytes(std::span(bytes));
    const auto df = static_cast<std::uint32_t>(docs.size());
    ASSERT_TRUE(decode_postings(span, df, documents, class_count, d, c));
    ASSERT_EQ(d, docs);
    ASSERT_EQ(c, classes);
    ASSERT_FALSE(decode_postings(span, df, docs.back(), class_count, d, c));
    std::string encoded;
    encode_positions(table, classes, places, encoded);
    const PositionReader reader(std::as_bytes(std::span(encoded)), df);
    ASSERT_TRUE(reader.read_all(table, classes, p));
    ASSERT_EQ(p, places);
    std::vector<std::size_t> begins = {0};
    for (const std::uint32_t k : classes) begins.push_back(begins.back() + table.total(k));
    PositionCursor cursor;
    for (int i = 0; i < 60; ++i) {
      const std::uint32_t at = i < 30 ? std::min<std::uint32_t>(df - 1, i) : rng() % df;
      p.clear();
      ASSERT_TRUE(reader.read(table, [&](std::uint32_t j) { return classes[j]; }, at, cursor, p));
      ASSERT_EQ(p, std::vector(places.begin() + begins[at], places.begin() + begins[at + 1]));
    }
    // Cut anywhere, the bytes are damaged or say less; never is anything read outside.
    const std::size_t cut = rng() % bytes.size();
    (void)decode_postings(span.first(cut), df, documents, class_count, d, c);
    p.clear();
    (void)PositionReader(std::as_bytes(std::span(encoded)).first(rng() % encoded.size()), df)
        .read_all(table, classes, p);
  }
}

TEST(Dictionary, FindsSeeksAndSkips) {
  std::mt19937 rng(11);
  std::set<std::string> terms = {std::string(300, 'x'), std::string(300, 'x') + "y", "\xff\xff", "\xff",
                                 "\xff\xfe"};
  while (terms.size() < 3000) {
    std::string t;
    for (unsigned n = 1 + rng() % 9; n > 0; --n) t += static_cast<char>("abc\xc3\xa9z"[rng() % 6]);
    terms.insert(t);
  }
  DictionaryWriter writer;
  TermEntry entry;
  for (const auto& t : terms) {
    entry.doc_freq = 1 + static_cast<std::uint32_t>(t.size());
    entry.posting_bytes = static_cast<std::uint32_t>(3 * t.size());
    writer.add(t, entry);
    entry.first_posting += entry.doc_freq;
    entry.list_offset += entry.posting_bytes;
  }
  const Dictionary dictionary(std::as_bytes(std::span(writer.bytes())), writer.blocks(), writer.terms(),
                              "test");
  auto cursor = dictionary.begin();
  std::uint64_t postings = 0;
  for (const auto& t : terms) {
    ASSERT_TRUE(cursor.next());
    ASSERT_EQ(cursor.term(), t);
    ASSERT_EQ(cursor.entry().first_posting, postings);
    const auto found = dictionary.find(t);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->first_posting, postings);
    ASSERT_EQ(found->list_offset, cursor.entry().list_offset);
    postings += found->doc_freq;
    ASSERT_EQ(dictionary.find(t + "!").has_value(), terms.contains(t + "!"));
  }
  ASSERT_FALSE(cursor.next());
  for (int i = 0; i < 2000; ++i) {
    std::string t;
    for (unsigned n = rng() % 5; n > 0; --n) t += static_cast<char>("abc\xc3\xa9z\xff"[rng() % 7]);
    auto at = dictionary.seek(t);
    const auto want = terms.lower_bound(t);
    ASSERT_EQ(at.next(), want != terms.end());
    if (want == terms.end()) continue;
    ASSERT_EQ(at.term(), *want);
    const std::size_t bytes = 1 + rng() % at.term().size();
    const std::string prefix(at.term().substr(0, bytes));
    at.skip(bytes);
    // What is left out begins with the prefix; nothing else is.
    auto next = std::next(want);
    const bool more = at.next();
    while (next != terms.end() && (!more || *next != at.term())) {
      ASSERT_TRUE(next->starts_with(prefix));
      ++next;
    }
    ASSERT_EQ(more, next != terms.end());
  }
}

TEST(FuzzyMatcher, CountsEditsAsTheFullTableDoes) {
  std::mt19937 rng(3);
  for (int round = 0; round < 60; ++round) {
    const auto word = [&] {
      std::string t;
      for (unsigned n = rng() % 7; n > 0; --n) t += "abc"[rng() % 3];
      return t;
    };
    std::set<std::string> terms;
    for (int i = 0; i < 300; ++i) terms.insert(word());
    const std::string wanted = word();
    const std::uint32_t limit = rng() % 3;
    FuzzyMatcher matcher(wanted, limit);
    std::string dead;
    for (const auto& t : terms) {
      const std::uint32_t want = test::edits(wanted, t);
      const auto got = matcher.match(t);
      ASSERT_EQ(got.distance, std::min(want, limit + 1)) << wanted << " " << t;
      if (!dead.empty() && t.starts_with(dead)) {
        ASSERT_GT(want, limit) << dead;
      }
      if (got.dead_bytes != 0) dead = t.substr(0, got.dead_bytes);
    }
  }
  FuzzyMatcher accents("caf\xc3\xa9", 1);
  EXPECT_EQ(accents.match("cafe").distance, 1u) << "code points, not bytes";
  EXPECT_EQ(accents.leading(4), "caf\xc3\xa9");
}

struct Ask {
  TermNode node;
  std::vector<RowScore> want;
};

std::vector<RowScore> search(const TermPart& part, const TermNode& node) {
  const TermPartView view{&part, nullptr};
  Context context;
  TopK out(20);
  TermSearch s({&view, 1}, node, context);
  s.run({}, CorpusStats(s.stats()), nullptr, context, out);
  return out.take();
}

std::vector<Ask> asks(bool vectors) {
  std::vector<Ask> out;
  if (vectors) {
    for (std::uint32_t d = 0; d < 30; d += 4)
      out.push_back(
          {TermNode::any({TermNode::term(sparse_term(d)), TermNode::term(sparse_term(d + 1), 0.5f)}), {}});
    return out;
  }
  for (int i = 0; i < 30; i += 3) {
    const std::string a = "w" + std::to_string(i), b = "w" + std::to_string(i + 1);
    out.push_back({TermNode::any({TermNode::term(a), TermNode::term(b)}), {}});
    out.push_back({TermNode::phrase({a, b}, 2), {}});
    out.push_back({TermNode::prefix(a), {}});
    out.push_back({TermNode::fuzzy(b, 1), {}});
  }
  return out;
}

void make(const std::string& dir, bool vectors, bool exact) {
  std::mt19937 rng(4);
  io::IndexFileWriter file(dir, "good", {});
  if (vectors) {
    SparsePartBuilder builder;
    for (std::uint32_t d = 0; d < 3000; ++d) {
      std::vector<std::uint32_t> dims;
      std::vector<float> weights;
      for (std::uint32_t i = 0; i < 40; ++i) {
        if (rng() % (1 + i / 4) != 0) continue;
        dims.push_back(i);
        weights.push_back(0.1f + static_cast<float>(rng() % 100) / 50);
      }
      builder.add(d * 3, dims, weights);
    }
    builder.write(file, kFirst, {}, !exact);
  } else {
    TermPartBuilder builder({1.0f, 2.0f});
    for (std::uint32_t d = 0; d < 3000; ++d) {
      std::vector<TermToken> tokens;
      for (std::uint32_t i = 0; i < 30; ++i)
        tokens.push_back(
            {builder.term("w" + std::to_string(std::min(rng() % 200, rng() % 200))), i % 15, i / 15});
      builder.add(d * 3, tokens);
    }
    builder.write(file, kFirst, {});
  }
  file.finish();
}

/// Codes come from floats, also when parts are merged, and are not merged again.
TEST(TermPart, CodesAreMadeOnceFromExactWeights) {
  std::mt19937 rng(vecstore::test::seed());
  Scratch scratch;
  SparsePartBuilder all, some[2];
  std::map<std::uint32_t, std::map<std::uint32_t, float>> lists;
  for (std::uint32_t d = 0; d < 600; ++d) {
    std::vector<std::uint32_t> dims;
    std::vector<float> weights;
    for (std::uint32_t i = 0; i < 20; ++i) {
      if (rng() % 3 == 0) continue;
      dims.push_back(i);
      weights.push_back(std::exp(static_cast<float>(rng() % 4'000) / 500 - 6));
      lists[i][d] = weights.back();
    }
    all.add(d, dims, weights);
    some[d / 300].add(d, dims, weights);
  }
  const auto part = [&](const std::string& name, auto&& write) {
    io::IndexFileWriter file(scratch.path(), name, {});
    write(file);
    file.finish();
    return TermPart::open(io::IndexFile::open(scratch / name), kFirst);
  };
  using File = io::IndexFileWriter;
  const auto whole = part("whole", [&](File& f) { all.write(f, kFirst, {}, true); });
  const auto first = part("first", [&](File& f) { some[0].write(f, kFirst, {}); });
  const auto second = part("second", [&](File& f) { some[1].write(f, kFirst, {}); });
  const MergeInput inputs[] = {{first.get(), nullptr}, {second.get(), nullptr}};
  const auto merged = part("merged", [&](File& f) { merge_parts(inputs, f, kFirst, {}, true); });
  EXPECT_TRUE(whole->has_codes());
  EXPECT_FALSE(first->has_codes());
  EXPECT_TRUE(merged->has_codes());
  merged->verify({});
  for (const auto& [dimension, list] : lists) {
    float largest = 0;
    for (const auto& [doc, weight] : list) largest = std::max(largest, weight);
    for (const auto& p : {whole, merged}) {
      const auto found = p->list(sparse_term(dimension), kAnyField, {});
      ASSERT_EQ(found->size(), list.size());
      EXPECT_EQ(found->max_value(), largest);
      std::uint32_t i = 0;
      for (const auto& [doc, weight] : list) {
        const double value = static_cast<double>(found->value(i++)),
                     step = static_cast<double>(largest) / 255;
        EXPECT_GT(value, 0.99 * step);
        EXPECT_NEAR(value, std::max(static_cast<double>(weight), step), 0.5001 * step);
      }
    }
  }
  const MergeInput coded[] = {{merged.get(), nullptr}};
  for (const bool codes : {false, true})
    EXPECT_THROW(part("bad", [&](File& f) { merge_parts(coded, f, kFirst, {}, codes); }), Error);
}

/// Flips in the file are found by checksums: an answer is right, or there is none.
TEST(TermPart, DamagedFilesAnswerRightOrNotAtAll) {
  std::mt19937 rng(99);
  for (const int kind : {0, 1, 2}) {
    Scratch scratch;
    make(scratch.path(), kind > 0, kind == 1);
    std::vector<Ask> questions = asks(kind > 0);
    {
      const auto part = TermPart::open(io::IndexFile::open(scratch / "good"), kFirst);
      part->verify({});
      for (Ask& a : questions) {
        a.want = search(*part, a.node);
        ASSERT_FALSE(a.want.empty());
      }
    }
    std::ifstream in(scratch / "good", std::ios::binary);
    const std::string good((std::istreambuf_iterator<char>(in)), {});
    int noticed = 0;
    for (int i = 0; i < 150; ++i) {
      std::string bad = good;
      if (i % 5 == 0)
        bad.resize(rng() % bad.size());
      else
        bad[rng() % bad.size()] ^= static_cast<char>(1 + rng() % 255);
      std::ofstream(scratch / "bad", std::ios::binary) << bad;
      std::shared_ptr<const TermPart> part;
      try {
        part = TermPart::open(io::IndexFile::open(scratch / "bad"), kFirst);
        for (const Ask& a : questions) ASSERT_EQ(search(*part, a.node), a.want);
        part->verify({});
      } catch (const Error& e) {
        ASSERT_TRUE(e.code() == ErrorCode::kCorruption || e.code() == ErrorCode::kUnsupportedFormat)
            << e.what();
        ++noticed;
      }
    }
    EXPECT_GT(noticed, 100);
  }
}

/// Numbers that checksums vouch for may be wrong all the same: nothing is read or written outside.
TEST(TermPart, WrongNumbersWithRightChecksumsDoNoHarm) {
  std::mt19937 rng(98);
  for (const int kind : {0, 1, 2}) {
    Scratch scratch;
    make(scratch.path(), kind > 0, kind == 1);
    const std::vector<Ask> questions = asks(kind > 0);
    const auto good = io::IndexFile::open(scratch / "good");
    for (const std::uint32_t target : good->section_ids()) {
      for (int i = 0; i < 18; ++i) {
        {
          io::IndexFileWriter file(scratch.path(), "bad", {});
          for (const std::uint32_t id : good->section_ids()) {
            const auto bytes = good->read(id);
            std::string copy(reinterpret_cast<const char*>(bytes.data()), bytes.size());
            if (id == target && !copy.empty()) {
              if (i % 6 == 0)
                copy.resize(rng() % copy.size());
              else
                for (int n = i % 3; n >= 0; --n) copy[rng() % copy.size()] = static_cast<char>(rng());
              // A number of documents that no other section vouches for would only take memory.
              if (kind > 0 && id == kFirst + kHeaderSection && copy.size() >= 12) copy[11] = 0;
            }
            file.add(id, std::as_bytes(std::span(copy)));
          }
          file.finish();
        }
        try {
          const auto part = TermPart::open(io::IndexFile::open(scratch / "bad"), kFirst);
          for (const Ask& a : questions) {
            try {
              search(*part, a.node);
            } catch (const Error&) {
            }
          }
          part->verify({});
        } catch (const Error& e) {
          ASSERT_TRUE(e.code() == ErrorCode::kCorruption || e.code() == ErrorCode::kUnsupportedFormat)
              << e.what();
        }
      }
    }
  }
}

TEST(TermPart, FewCachedListsAnswerTheSame) {
  Scratch scratch;
  make(scratch.path(), false, false);
  const auto file = io::IndexFile::open(scratch / "good");
  const auto rich = TermPart::open(file, kFirst),
             poor = TermPart::open(file, kFirst, {.cache_bytes = 20'000});
  for (int round = 0; round < 3; ++round) {
    for (const Ask& a : asks(false)) EXPECT_EQ(search(*rich, a.node), search(*poor, a.node));
  }
  EXPECT_LE(poor->memory_bytes() + 30'000, rich->memory_bytes());
  EXPECT_EQ(document_of(*rich, 6), 2u);
  EXPECT_EQ(document_of(*rich, 7), kNoPosting);
}

}  // namespace
}  // namespace vecstore::inverted
