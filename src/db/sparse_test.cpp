// Search of sparse vectors through the whole engine, against reading everything.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <random>

#include "io/index_file.hpp"
#include "scratch.hpp"
#include "seed.hpp"
#include "segment/segment_format.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

namespace fs = std::filesystem;

/// What a search by sparse vector must find: the slow way.
struct Twin {
  std::map<std::string, Record> records;

  static std::optional<double> dot(const Sparse& a, const Sparse& b) {
    std::map<std::uint32_t, double> values;
    for (std::size_t i = 0; i < a.indices.size(); ++i)
      values[a.indices[i]] = static_cast<double>(a.values[i]);
    std::optional<double> sum;
    for (std::size_t i = 0; i < b.indices.size(); ++i) {
      const auto at = values.find(b.indices[i]);
      if (at != values.end()) sum = sum.value_or(0) + at->second * static_cast<double>(b.values[i]);
    }
    return sum;
  }
  /// Sum of the sizes of the products: float may be so far away, times its precision.
  static double size(const Sparse& a, const Sparse& b) {
    Sparse x = a, y = b;
    for (float& v : x.values) v = std::abs(v);
    for (float& v : y.values) v = std::abs(v);
    return dot(x, y).value_or(0);
  }
  const Sparse* of(const Record& r, const std::string& name) const {
    const auto at = r.vectors.find(name);
    const Vector* v = name.empty() ? &r.vector : at == r.vectors.end() ? nullptr : &at->second;
    return v && v->sparse() ? &*v->sparse() : nullptr;
  }
  /// Scores of all that may be found.
  std::map<std::string, double> scores(const Sparse& query, const std::string& name, int below) const {
    std::map<std::string, double> out;
    for (const auto& [id, r] : records) {
      const Sparse* v = of(r, name);
      if (!v || r.metadata["n"].as_int() >= below) continue;
      if (const auto s = dot(query, *v)) out[id] = *s;
    }
    return out;
  }
};

class SparseTest : public ::testing::Test {
 protected:
  static OpenOptions options() {
    return {.background_threads = 1, .checkpoint_rows = 100, .graph_rows = 200};
  }
  void open() {
    db_.reset();
    db_ = VecDatabase::open(scratch_ / "db", options());
    db_->pause_background();
    docs_ = db_->get_or_create_collection("docs", {.vectors = {{"title", VectorField{}}}});
  }
  float uniform(float low, float high) { return std::uniform_real_distribution<float>(low, high)(rng_); }
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(rng_() % n); }

  /// `wild`: some values are negative, zero, tiny or huge.
  Sparse sparse(std::size_t most, bool wild = false) {
    std::map<std::uint32_t, float> values;
    const std::size_t n = below(static_cast<std::uint32_t>(most) + 1);
    while (values.size() < n) {
      // A few indices are frequent, one is the largest that there is.
      const std::uint32_t index = below(50) == 0 ? 0xffffffffu : below(2) ? below(20) : below(3'000);
      float v = std::exp(uniform(-2, 2));
      if (below(4) == 0) v = static_cast<float>(1 + below(3)) / 2;  // equal scores
      if (wild && below(3) == 0) {
        const float others[] = {-v, 0, 1e-30f, 1e30f, -1e-38f, 3e38f};
        v = others[below(6)];
      }
      values[index] = v;
    }
    Sparse out;
    for (const auto& [i, v] : values) out.indices.push_back(i), out.values.push_back(v);
    return out;
  }
  Record record(bool wild) {
    const std::string id = "r" + std::to_string(below(900));
    Record r{.id = id, .metadata = {{"n", static_cast<std::int64_t>(below(100))}}};
    const std::uint32_t kind = below(10);
    const std::vector<float> dense = {uniform(-1, 1), uniform(-1, 1), 0.1f};
    if (kind < 5) r.vector = Vector(sparse(30, wild && below(8) == 0));
    if (kind == 5) r.vector = Vector(dense);
    if (kind >= 6) {
      const Sparse s = sparse(30, wild && below(8) == 0);
      r.vector = Vector::hybrid(dense, s.indices, s.values);
    }
    if (below(3) == 0) r.vectors["title"] = Vector(sparse(8, wild && below(8) == 0));
    const char* words[] = {"red", "green", "blue", "fox", "dog"};
    for (std::uint32_t i = below(6); i > 0; --i) r.text += std::string(words[below(5)]) + " ";
    return r;
  }
  void write(std::size_t n, bool wild) {
    std::map<std::string, Record> batch;
    for (std::size_t i = 0; i < n; ++i) {
      Record r = record(wild);
      batch[r.id] = r;
    }
    std::vector<Record> records;
    for (auto& [id, r] : batch) records.push_back(r);
    docs_->batch_upsert(records);
    for (Record& r : records) twin_.records[r.id] = r;
    for (std::size_t i = 0; i < n / 8; ++i) {
      const std::string id = "r" + std::to_string(below(900));
      docs_->erase(id);
      twin_.records.erase(id);
    }
  }

  void check(const Sparse& query, const std::string& name) {
    const int under = below(3) == 0 ? static_cast<int>(below(100)) : 100;
    const auto scores = twin_.scores(query, name, under);
    const auto k = static_cast<std::int64_t>(below(4) == 0 ? 500 : 1 + below(20));
    const auto offset = static_cast<std::int64_t>(below(3) == 0 ? below(10) : 0);
    Query q(Vector::sparse(query.indices, query.values));
    q.k(k).offset(offset).using_vector(name).with_vectors(below(4) == 0);
    if (under < 100) q.where("n < " + std::to_string(under));
    std::vector<double> best;
    for (const auto& [id, s] : scores) best.push_back(s);
    std::sort(best.rbegin(), best.rend());
    std::optional<float> threshold;
    if (!best.empty() && below(4) == 0) {
      // Between two scores, so that rounding does not decide.
      const double at = best[best.size() / 2];
      threshold = static_cast<float>(at + std::abs(at) * 1e-3);
      q.score_threshold(*threshold);
    }
    const Hits hits = docs_->query(q);
    // Where products of both signs meet, float may be far from the sum.
    constexpr double kMost = std::numeric_limits<float>::max();
    const auto reach_of = [&](const std::string& id) {
      return std::min(kMost, 1e-5 * Twin::size(query, *twin_.of(twin_.records.at(id), name)) + 1e-37);
    };
    std::size_t certain = 0, possible = 0;
    for (const auto& [id, s] : scores) {
      certain += !threshold || s - reach_of(id) >= static_cast<double>(*threshold);
      possible += !threshold || s + reach_of(id) >= static_cast<double>(*threshold);
    }
    const auto page = [&](std::size_t n) {
      const auto skipped = static_cast<std::size_t>(offset);
      return std::min<std::size_t>(n > skipped ? n - skipped : 0, static_cast<std::size_t>(k));
    };
    ASSERT_GE(hits.size(), page(certain));
    ASSERT_LE(hits.size(), page(possible));
    EXPECT_EQ(hits.degraded, 0u);
    for (std::size_t i = 0; i < hits.size(); ++i) {
      const auto at = scores.find(hits[i].id);
      ASSERT_NE(at, scores.end()) << hits[i].id << " is no hit";
      const double reach = reach_of(hits[i].id);
      EXPECT_NEAR(static_cast<double>(hits[i].score), std::clamp(at->second, -kMost, kMost), reach);
      const double rank = std::clamp(best[i + static_cast<std::size_t>(offset)], -kMost, kMost);
      EXPECT_NEAR(static_cast<double>(hits[i].score), rank, reach + std::abs(rank) * 1e-5);
      EXPECT_EQ(hits[i].distance, -hits[i].score);
      if (i > 0 && hits[i].score == hits[i - 1].score) {
        EXPECT_LT(hits[i - 1].id, hits[i].id);
      } else if (i > 0) {
        EXPECT_LT(hits[i].score, hits[i - 1].score);
      }
    }
  }
  void check_many(std::size_t n, bool wild = false) {
    for (std::size_t i = 0; i < n && !HasFailure(); ++i)
      check(sparse(12, wild && below(3) == 0), below(4) == 0 ? "title" : "");
  }
  void optimize() { docs_->optimize(); }

  test::Scratch scratch_;
  std::optional<VecDatabase> db_;
  std::optional<Collection> docs_;
  Twin twin_;
  std::mt19937_64 rng_{test::seed()};
};

TEST_F(SparseTest, AnswersLikeReadingEverything) {
  open();
  for (int round = 0; round < 12 && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    write(20 + below(150), false);
    if (below(3) == 0) optimize();
    if (below(4) == 0) open();
    check_many(40);
  }
  EXPECT_GT(docs_->stats().segments, 0u);
  optimize();
  EXPECT_EQ(docs_->stats().segments, 1u);
  check_many(100);
  open();
  check_many(50);
}

TEST_F(SparseTest, AnyValuesAreAnsweredExactly) {
  open();
  for (int round = 0; round < 8 && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    write(20 + below(150), true);
    if (below(3) == 0) optimize();
    if (below(4) == 0) open();
    check_many(40, true);
  }
  optimize();
  check_many(100, true);
}

TEST_F(SparseTest, OnlyWhatSharesAnIndexIsFound) {
  open();
  docs_->upsert("a", Vector::sparse({1, 5}, {2, 3}));
  docs_->upsert("b", Vector::sparse({2}, {4}));
  docs_->upsert("zero", Vector::sparse({1}, {0}));
  docs_->upsert("less", Vector::sparse({1}, {-1}));
  docs_->upsert("none", Vector::sparse({}, {}));
  docs_->upsert("dense", {1, 2, 3});
  const Hits hits = docs_->query(Query(Vector::sparse({5, 1}, {1, 10})));
  ASSERT_EQ(hits.size(), 3u);
  EXPECT_EQ(hits[0].id, "a");
  EXPECT_EQ(hits[0].score, 23);
  EXPECT_EQ(hits[0].distance, -23.0f);
  EXPECT_EQ(hits[1].id, "zero");
  EXPECT_EQ(hits[1].score, 0);
  EXPECT_EQ(hits[2].id, "less");
  EXPECT_EQ(hits[2].score, -10);
  EXPECT_TRUE(docs_->query(Query(Vector::sparse({7}, {1}))).empty());
  EXPECT_TRUE(docs_->query(Query(Vector::sparse({}, {}))).empty());
  EXPECT_EQ(docs_->query(Query(Vector::sparse({1}, {1})).score_threshold(0)).size(), 2u);
  EXPECT_TRUE(docs_->query(Query(Vector::sparse({1}, {1})).using_vector("title")).empty());
  EXPECT_TRUE(docs_->query(Query(Vector::sparse({1}, {1})).k(0)).empty());
}

TEST_F(SparseTest, PlansSayHow) {
  open();
  docs_->upsert("a", Vector::sparse({1, 5}, {2, 3}));
  docs_->upsert("less", Vector::sparse({1}, {-1}));
  const Hits plain = docs_->query(Query(Vector::sparse({1}, {1})).explain());
  EXPECT_NE(plain.plan->to_string().find("sparse terms"), std::string::npos);
  EXPECT_NE(plain.plan->to_string().find("vectors read from the truth=1"), std::string::npos);
  ASSERT_EQ(plain[0].parts.size(), 1u);
  EXPECT_EQ(plain[0].parts[0].name, "sparse");
  const Hits wild = docs_->query(Query(Vector::sparse({1}, {-1})).explain());
  EXPECT_NE(wild.plan->to_string().find("all vectors"), std::string::npos);
  EXPECT_EQ(wild[0].id, "less");
  EXPECT_EQ(wild[0].score, 1);
}

TEST_F(SparseTest, HybridsJoinTheirParts) {
  open();
  for (int i = 0; i < 6; ++i) {
    write(120, true);
    if (i == 3) optimize();
  }
  for (int i = 0; i < 60 && !HasFailure(); ++i) {
    const std::vector<float> dense = {uniform(-1, 1), uniform(-1, 1), uniform(-1, 1)};
    const Sparse s = sparse(10);
    const std::string text = below(2) ? "red fox" : "dog";
    const bool with_dense = below(4) != 0, with_text = !with_dense || below(2);
    const Vector vector = with_dense ? Vector::hybrid(dense, s.indices, s.values) : Vector(s);
    // The parts alone, with as many candidates as are fused.
    std::vector<std::pair<std::string, Hits>> parts;
    if (with_dense) parts.emplace_back("vector", docs_->query(Query(Vector(dense)).k(100).exact()));
    parts.emplace_back("sparse", docs_->query(Query(Vector(s)).k(100)));
    if (with_text)
      parts.emplace_back("text", docs_->query_text(text, TextQueryOptions{.k = 100, .mode = Mode::kText}));
    const PartWeights weights{1, 0.5f, 2};
    const auto weight = [&](const std::string& part) {
      return part == "vector" ? weights.vector : part == "sparse" ? weights.sparse : weights.text;
    };
    std::map<std::string, double> expected;
    for (const auto& [name, hits] : parts) {
      for (std::size_t r = 0; r < hits.size(); ++r)
        expected[hits[r].id] += static_cast<double>(weight(name)) / (61.0 + static_cast<double>(r));
    }
    HybridQuery q = with_text ? HybridQuery(vector, text) : HybridQuery(Vector(dense), s);
    const Hits hits = docs_->hybrid_query(q.weights(weights).k(50).exact().explain());
    ASSERT_EQ(hits.size(), std::min<std::size_t>(50, expected.size()));
    for (const Hit& hit : hits) {
      EXPECT_NEAR(static_cast<double>(hit.score), expected[hit.id], 1e-6);
      ASSERT_EQ(hit.parts.size(), parts.size());
      for (std::size_t p = 0; p < parts.size(); ++p) {
        EXPECT_EQ(hit.parts[p].name, parts[p].first);
        const Hits& alone = parts[p].second;
        const auto at =
            std::find_if(alone.begin(), alone.end(), [&](const Hit& h) { return h.id == hit.id; });
        EXPECT_EQ(hit.parts[p].rank,
                  at == alone.end() ? 0u : static_cast<std::size_t>(at - alone.begin()) + 1);
        if (at != alone.end()) {
          EXPECT_EQ(hit.parts[p].score, at->score);
        }
      }
    }
    if (with_dense && !with_text) {
      // A Query of both parts is the same, fused by default.
      const Hits query = docs_->query(Query(vector).k(50).exact());
      const Hits hybrid = docs_->hybrid_query(HybridQuery(Vector(dense), s).k(50).exact());
      ASSERT_EQ(query.size(), hybrid.size());
      for (std::size_t h = 0; h < query.size(); ++h) EXPECT_EQ(query[h].id, hybrid[h].id);
    }
  }
}

TEST_F(SparseTest, AlphaIsTheShareOfTheFirstPart) {
  open();
  docs_->upsert({.id = "sparse", .vector = Vector::hybrid({0, 1, 0}, {1}, {2}), .text = "none"});
  docs_->upsert({.id = "text", .vector = Vector::hybrid({1, 0, 0}, {1}, {1}), .text = "fox"});
  docs_->upsert({.id = "more", .vector = Vector::hybrid({1, 1, 0}, {1}, {0.5f}), .text = "fox and others"});
  const auto first = [&](HybridQuery q) { return docs_->hybrid_query(q).front(); };
  EXPECT_EQ(first(HybridQuery(Vector::sparse({1}, {1}), "fox").alpha(0.9f)).id, "sparse");
  EXPECT_EQ(first(HybridQuery(Vector::sparse({1}, {1}), "fox").alpha(0.1f)).id, "text");
  EXPECT_EQ(first(HybridQuery(Vector{1, 0, 0}, Sparse{{1}, {1}}).alpha(0.1f)).id, "sparse");
  EXPECT_EQ(first(HybridQuery(Vector{1, 0, 0}, Sparse{{1}, {1}}).alpha(0.9f)).id, "text");
}

TEST_F(SparseTest, DroppedFieldsAreForgotten) {
  open();
  for (int i = 0; i < 4; ++i) write(120, false);
  docs_->drop_vector("title");
  for (auto& [id, r] : twin_.records) r.vectors.clear();
  EXPECT_THROW(docs_->query(Query(Vector::sparse({1}, {1})).using_vector("title")), Error);
  optimize();
  docs_->add_vector("title", VectorField{});
  EXPECT_TRUE(docs_->query(Query(Vector::sparse({1}, {1})).using_vector("title")).empty());
  for (int i = 0; i < 3 && !HasFailure(); ++i) {
    write(120, false);
    check_many(50);
  }
  optimize();
  check_many(50);
}

TEST_F(SparseTest, ReadersFollow) {
  open();
  write(150, true);
  auto reader = VecDatabase::open(scratch_ / "db", {.read_only = true});
  const Collection docs = reader.get_collection("docs");
  for (int i = 0; i < 10 && !HasFailure(); ++i) {
    write(40, true);
    if (i == 5) optimize();
    for (int j = 0; j < 5; ++j) {
      const Sparse s = sparse(10);
      const Query q(Vector::sparse(s.indices, s.values));
      const Hits a = docs_->query(q), b = docs.query(q);
      ASSERT_EQ(a.size(), b.size());
      for (std::size_t h = 0; h < a.size(); ++h) EXPECT_EQ(a[h].id, b[h].id);
    }
  }
}

// Whatever is wrong with the sections of sparse vectors, answers are right at once, and made anew.
TEST_F(SparseTest, DamagedPartsAreDoneWithout) {
  open();
  for (int i = 0; i < 5; ++i) write(120, true);
  optimize();
  write(30, true);
  const auto files = [&] {
    std::vector<fs::path> out;
    for (const auto& e : fs::directory_iterator(scratch_ / "db/seg")) {
      if (e.path().extension() == ".vsx") out.push_back(e.path());
    }
    return out;
  };
  int met = 0;
  for (int round = 0; round < 25 && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    docs_.reset();
    db_.reset();
    // One byte within some section of sparse vectors.
    const auto found = files();
    ASSERT_FALSE(found.empty());
    const fs::path path = found[below(static_cast<std::uint32_t>(found.size()))];
    std::string bytes;
    {
      std::ifstream in(path, std::ios::binary);
      bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    {
      const auto file = io::IndexFile::open(path);
      std::vector<std::uint32_t> ids;
      for (const std::uint32_t id : file->section_ids()) {
        if (id >= segment::kSparseSections && file->section_size(id) > 0) ids.push_back(id);
      }
      if (ids.empty()) {
        open();
        continue;
      }
      const auto section = file->unchecked(ids[below(static_cast<std::uint32_t>(ids.size()))]);
      const std::string_view wanted(reinterpret_cast<const char*>(section.data()), section.size());
      const std::size_t at = bytes.find(wanted) + below(static_cast<std::uint32_t>(section.size()));
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
    }
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    open();
    check_many(10, true);
    met += docs_->stats().segment_damages > 0;
    if (below(2)) optimize();
    check_many(10, true);
    if (docs_->stats().segment_damages > 0) optimize();  // sound again
  }
  EXPECT_GT(met, 10);
}

}  // namespace
}  // namespace vecstore
