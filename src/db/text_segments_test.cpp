// Texts in segments through the public API: what they find, how they come and go, and what damage does.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "seed.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

namespace fs = std::filesystem;

class TextSegmentsTest : public ::testing::Test {
 protected:
  TextSegmentsTest() {
    std::string t = (fs::temp_directory_path() / "vecstore-XXXXXX").string();
    base_ = mkdtemp(t.data());
  }
  ~TextSegmentsTest() override { fs::remove_all(base_); }
  std::string dir() const { return base_ + "/db"; }
  OpenOptions small() const { return {.checkpoint_rows = 100, .graph_rows = 100}; }
  Collection make(VecDatabase& db) const {
    return db.create_collection("c", {.text_fields = {TextField{.analyzer = "neutral"}}});
  }

  // A few words are in most texts, most are in few.
  std::string word() {
    const double r = std::uniform_real_distribution<double>(0, 1)(rng_);
    return "w" + std::to_string(static_cast<int>(300 * r * r * r));
  }
  std::string text(std::size_t most) {
    std::string out;
    for (std::size_t n = 1 + rng_() % most; n > 0; --n) out += (out.empty() ? "" : " ") + word();
    return out;
  }
  void put(Collection& c, std::size_t n, bool vectors = false) {
    std::vector<Record> batch;
    for (std::size_t i = 0; i < n; ++i) {
      Record r{.id = "r" + std::to_string(rng_() % 3 == 0 && next_ > 0 ? rng_() % next_ : next_++)};
      r.text = text(40);
      if (vectors) r.vector = Vector({static_cast<float>(rng_() % 100), 1.0f, static_cast<float>(i)});
      if (std::any_of(batch.begin(), batch.end(), [&](const Record& o) { return o.id == r.id; })) continue;
      texts_[r.id] = r.text;
      batch.push_back(std::move(r));
    }
    c.batch_upsert(batch);
  }
  void erase_some(Collection& c, std::size_t n) {
    for (; n > 0 && !texts_.empty(); --n) {
      auto at = std::next(texts_.begin(), static_cast<std::ptrdiff_t>(rng_() % texts_.size()));
      c.erase(at->first);
      texts_.erase(at);
    }
  }

  static std::vector<std::string> split(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> out;
    for (std::string w; in >> w;) out.push_back(w);
    return out;
  }
  /// BM25 of every live text with one of the words, by the records' own statistics.
  std::map<std::string, double> scores(const std::string& query) const {
    std::map<std::string, std::map<std::string, double>> tf;
    std::map<std::string, double> df, length;
    double total = 0;
    for (const auto& [id, text] : texts_) {
      for (const std::string& w : split(text)) tf[id][w] += 1, length[id] += 1, total += 1;
      for (const auto& [w, n] : tf[id]) df[w] += 1;
    }
    const double n = static_cast<double>(texts_.size());
    std::map<std::string, double> out;
    for (const auto& [id, counts] : tf) {
      for (const std::string& w : split(query)) {
        const auto at = counts.find(w);
        if (at == counts.end()) continue;
        out[id] += std::log(1 + (n - df[w] + 0.5) / (df[w] + 0.5)) * at->second /
                   (at->second + 1.2 * (0.25 + 0.75 * length[id] / (total / n)));
      }
    }
    return out;
  }
  /// Every hit is live and has a word; the right number of them comes, best first. `exact`: with exactly the
  /// scores that the live records give.
  void check(const Collection& c, bool exact, int queries = 20) {
    for (int i = 0; i < queries; ++i) {
      const std::string query = text(5);
      const auto expected = scores(query);
      const std::int64_t k = 1 + static_cast<std::int64_t>(rng_() % 30);
      const Hits hits = c.query_text(query, {.k = k, .mode = Mode::kText});
      ASSERT_EQ(hits.size(), std::min<std::size_t>(static_cast<std::size_t>(k), expected.size())) << query;
      std::vector<double> best;
      for (const auto& [id, score] : expected) best.push_back(score);
      std::sort(best.rbegin(), best.rend());
      for (std::size_t h = 0; h < hits.size(); ++h) {
        const auto at = expected.find(hits[h].id);
        ASSERT_NE(at, expected.end()) << hits[h].id << " for " << query;
        EXPECT_EQ(hits[h].text, texts_.at(hits[h].id));
        if (h > 0) {
          EXPECT_GE(hits[h - 1].score, hits[h].score);
        }
        if (!exact) continue;
        EXPECT_NEAR(hits[h].score, at->second, 1e-5 * (1 + at->second)) << hits[h].id << " for " << query;
        EXPECT_NEAR(hits[h].score, best[h], 1e-5 * (1 + best[h])) << query;
      }
    }
  }
  std::string only_file() const {
    std::string out;
    for (const auto& e : fs::directory_iterator(dir() + "/seg")) {
      if (e.path().extension() == ".vsx") out = e.path().string();
    }
    return out;
  }

  const unsigned seed_ = test::seed();
  std::mt19937 rng_;
  std::string base_;
  std::size_t next_ = 0;
  std::map<std::string, std::string> texts_;
};

TEST_F(TextSegmentsTest, AreFoundFromTheCommitOnThroughMergesAndReopening) {
  {
    auto db = VecDatabase::open(dir(), small());
    auto c = make(db);
    for (int round = 0; round < 12; ++round) {
      put(c, 1 + rng_() % 120);
      erase_some(c, rng_() % 10);
      if (round % 5 == 4) c.optimize();
      check(c, false, 5);
    }
    EXPECT_GT(c.stats().segments, 0u);
    c.optimize();
    EXPECT_EQ(c.stats().segments, 1u);
    check(c, true);  // what was retired counts no more
    put(c, 50);
    check(c, false);
  }
  auto db = VecDatabase::open(dir(), small());
  auto c = db.get_collection("c");
  check(c, false);
  c.optimize();
  check(c, true);
  EXPECT_TRUE(db.verify().ok());
}

TEST_F(TextSegmentsTest, CountRetiredTextsUntilTheirSegmentIsMadeAnew) {
  auto db = VecDatabase::open(dir(), small());
  db.pause_background();
  auto c = make(db);
  put(c, 300);
  c.optimize();
  const auto documents = [&] {
    const Hits hits = c.query_text("w1", {.k = 1, .mode = Mode::kText, .explain = true});
    const std::string plan = hits.plan->to_string();
    return std::atoi(plan.c_str() + plan.find("documents=") + 10);
  };
  const auto before = static_cast<int>(texts_.size());
  EXPECT_EQ(documents(), before);
  erase_some(c, 40);
  EXPECT_EQ(documents(), before);
  check(c, false);
  c.optimize();
  EXPECT_EQ(documents(), before - 40);
  check(c, true);
}

TEST_F(TextSegmentsTest, AreReadByOtherProcessesAndOlderViews) {
  auto db = VecDatabase::open(dir(), small());
  auto c = make(db);
  put(c, 250, true);
  auto reader = VecDatabase::open(dir(), {.read_only = true});
  const auto same = reader.get_collection("c");
  for (int round = 0; round < 6; ++round) {
    check(same, false, 5);
    put(c, 60, true);
    check(same, false, 5);
    erase_some(c, 5);
    if (round % 2) c.optimize();
  }
}

TEST_F(TextSegmentsTest, DamageIsNeverInAnAnswer) {
  {
    auto db = VecDatabase::open(dir(), small());
    auto c = make(db);
    put(c, 900);
    c.optimize();
  }
  const std::string good = base_ + "/good";
  fs::copy(dir(), good, fs::copy_options::recursive);
  const auto size = fs::file_size(only_file());
  int met = 0;
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    fs::remove_all(dir());
    fs::copy(good, dir(), fs::copy_options::recursive);
    const std::string file = only_file();
    if (round % 8 == 7) {
      fs::resize_file(file, rng_() % size);
    } else {
      std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
      const auto at = static_cast<std::streamoff>(rng_() % size);
      f.seekg(at);
      const char byte = static_cast<char>(f.get() ^ (1 << rng_() % 8));
      f.seekp(at);
      f.put(byte);
    }
    auto db = VecDatabase::open(dir(), small());
    db.pause_background();
    auto c = db.get_collection("c");
    check(c, true, 10);
    met += c.stats().segment_damages > 0;
    c.optimize();
    check(c, true, 3);
  }
  std::printf("%d of 40 damages were met\n", met);
  EXPECT_GT(met, 20);
}

TEST_F(TextSegmentsTest, HybridQueriesAreTheSameOnAnyNumberOfThreads) {
  auto db = VecDatabase::open(dir(), small());
  auto c = make(db);
  put(c, 700, true);
  c.optimize();
  put(c, 70, true);
  for (int i = 0; i < 30; ++i) {
    const std::string words = text(4);
    const auto ask = [&](unsigned threads) {
      HybridQuery q(Vector({static_cast<float>(i), 1.0f, 5.0f}), words);
      q.k(20).threads(threads).exact().explain();
      q.fusion(i % 2 ? Fusion::rrf() : Fusion::weighted(0.3f));
      std::vector<std::tuple<std::string, float, std::size_t, std::size_t>> out;
      for (const Hit& h : c.hybrid_query(q))
        out.emplace_back(h.id, h.score, h.parts[0].rank, h.parts[1].rank);
      return out;
    };
    const auto one = ask(1);
    EXPECT_FALSE(one.empty());
    EXPECT_EQ(one, ask(2));
    EXPECT_EQ(one, ask(4));
  }
}

TEST_F(TextSegmentsTest, QueryLanguage) {
  auto db = VecDatabase::open(dir(), small());
  auto c = db.create_collection(
      "c", {.text_fields = {TextField{}, TextField{.path = "title", .analyzer = "english", .weight = 2}}});
  const auto add = [&](const std::string& id, const std::string& title, const std::string& text) {
    Record r{.id = id, .text = text};
    r.metadata["title"] = Metadata(title);
    c.upsert(r);
  };
  add("a", "Borrowing in Rust", "the quick brown fox jumps over the lazy dog");
  add("b", "Foxes and dogs", "a brown dog and a quick red fox");
  add("c", "Weather", "rain, quickly passing; foxtail grass");
  for (int pass = 0; pass < 2; ++pass) {
    SCOPED_TRACE(pass == 0 ? "newest rows" : "segment");
    const auto ids = [&](const std::string& query) {
      std::set<std::string> out;
      for (const Hit& h : c.query_text(query, {.k = 10, .mode = Mode::kText, .syntax = TextSyntax::kQuery}))
        out.insert(h.id);
      return out;
    };
    using Ids = std::set<std::string>;
    EXPECT_EQ(ids("\"quick brown fox\""), Ids({"a"}));
    EXPECT_EQ(ids("\"quick fox\"~1"), Ids({"a", "b"}));
    EXPECT_EQ(ids("+fox -lazy"), Ids({"b"}));
    EXPECT_EQ(ids("fox*"), Ids({"a", "b", "c"}));
    EXPECT_EQ(ids("fix~1"), Ids({"a", "b"}));
    EXPECT_EQ(ids("title:fox"), Ids({"b"}));
    EXPECT_EQ(ids("text:fox"), Ids({"a", "b"}));
    EXPECT_EQ(ids("(rain OR rust) AND NOT dog"), Ids({"c"}));
    EXPECT_EQ(ids("weather^3 OR borrow"), Ids({"a", "c"}));
    EXPECT_THROW(ids("\"quick"), Error);
    EXPECT_EQ(c.query_text("\"quick AND (", {.k = 10, .mode = Mode::kText}).size(), 3u);
    c.optimize();
    c.upsert("d", Vector());
  }
}

}  // namespace
}  // namespace vecstore
