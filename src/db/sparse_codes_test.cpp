// Sparse vectors ranked from codes alone, against scoring every vector by the same rule.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "io/index_file.hpp"
#include "scratch.hpp"
#include "seed.hpp"
#include "segment/segment_format.hpp"
#include "segment/sparse_part.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

namespace fs = std::filesystem;

const IndexOptions kCoded{.sparse_codes = Codes::kInt8};

using Values = std::map<std::uint32_t, double>;

Values values_of(const Sparse& s) {
  Values out;
  for (std::size_t i = 0; i < s.indices.size(); ++i) out[s.indices[i]] = static_cast<double>(s.values[i]);
  return out;
}

/// nullopt: no index in common.
std::optional<double> dot(const Values& a, const Values& b) {
  std::optional<double> sum;
  for (const auto& [i, v] : a) {
    if (const auto at = b.find(i); at != b.end()) sum = sum.value_or(0) + v * at->second;
  }
  return sum;
}

/// What one segment knows of its vectors.
struct CodedSegment {
  std::map<std::uint32_t, float> largest;
  std::set<std::uint64_t> rows;

  double value(std::uint32_t index, double v) const {
    const float most = largest.at(index), w = static_cast<float>(v);
    const long code = std::clamp(std::lround(255.0f * (w / most)), 1l, 255l);
    return static_cast<double>(code) * static_cast<double>(most) / 255;
  }
};

class SparseCodesTest : public ::testing::Test {
 protected:
  static OpenOptions options() {
    return {.background_threads = 1, .checkpoint_rows = 150, .graph_rows = 200};
  }
  void open(const IndexOptions& index = kCoded) {
    docs_.reset();
    db_.reset();
    db_ = VecDatabase::open(scratch_ / "db", options());
    db_->pause_background();
    docs_ = db_->get_or_create_collection("docs", {.index = index, .vectors = {{"title", VectorField{}}}});
  }
  float uniform(float low, float high) { return std::uniform_real_distribution<float>(low, high)(rng_); }
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(rng_() % n); }

  /// `wild`: some vectors stand apart.
  Sparse sparse(std::uint32_t most, bool wild = false) {
    std::map<std::uint32_t, float> values;
    const std::size_t n = below(most + 1);
    while (values.size() < n) {
      const std::uint32_t index = below(50) == 0 ? 0xffffffffu : below(2) ? below(20) : below(2'000);
      float v = std::exp(uniform(-2, 2));
      if (below(200) == 0) v *= 1e4f;  // the others of this index are known coarsely then
      if (below(200) == 0) v *= 1e-6f;
      if (wild && below(60) == 0) v = -v;
      values[index] = v;
    }
    Sparse out;
    for (const auto& [i, v] : values) out.indices.push_back(i), out.values.push_back(v);
    return out;
  }
  void write(std::size_t n, bool wild = false) {
    std::map<std::string, Record> batch;
    for (std::size_t i = 0; i < n; ++i) {
      Record r{.id = "r" + std::to_string(below(1'500)), .metadata = {{"n", std::int64_t{below(100)}}}};
      const std::uint32_t kind = below(10);
      if (kind < 8) r.vector = Vector(sparse(30, wild));
      if (kind == 8) r.vector = Vector::hybrid({uniform(-1, 1), 0.5f}, {7, 9}, {uniform(1, 2), 3});
      if (kind == 9) r.vector = Vector{uniform(-1, 1), 1};
      if (below(4) == 0) r.vectors["title"] = Vector(sparse(5));
      batch[r.id] = r;
    }
    std::vector<Record> records;
    for (const auto& [id, r] : batch) records.push_back(r);
    const SequenceNumber before = docs_->stats().sequence;
    docs_->batch_upsert(records);
    for (const Change& c : docs_->changes({.since = before})) {
      const Record& r = batch.at(c.id);
      live_[c.id] = c.row;
      rows_[c.row] = r;
    }
    for (std::size_t i = 0; i < n / 6; ++i) {
      const std::string id = "r" + std::to_string(below(1'500));
      docs_->erase(id);
      live_.erase(id);
    }
  }
  static const Sparse* vector_of(const Record& r, const std::string& name) {
    const auto at = r.vectors.find(name);
    const Vector* v = name.empty() ? &r.vector : at == r.vectors.end() ? nullptr : &at->second;
    return v && v->sparse() ? &*v->sparse() : nullptr;
  }

  std::vector<fs::path> files() const {
    std::vector<fs::path> out;
    for (const auto& e : fs::directory_iterator(scratch_ / "db/seg")) {
      if (e.path().extension() == ".vsx") out.push_back(e.path());
    }
    return out;
  }
  /// Which rows have codes, from the segments' row numbers, and what these must be, from the records.
  std::vector<CodedSegment> coded(const std::string& name) {
    std::vector<CodedSegment> out;
    if (!fs::exists(scratch_ / "db/seg")) return out;
    for (const fs::path& path : files()) {
      const std::shared_ptr<const io::IndexFile> file = io::IndexFile::open(path.string());
      const auto bytes = file->read(segment::kMetaSection);
      segment::SegmentMeta meta;
      std::memcpy(&meta, bytes.data(), sizeof meta);
      for (std::uint32_t i = 0; i < meta.sparse; ++i) {
        segment::SparseMeta sparse;
        std::memcpy(&sparse,
                    bytes.data() + sizeof meta + meta.parts * sizeof(segment::PartMeta) + i * sizeof sparse,
                    sizeof sparse);
        const segment::SparsePart part(file, sparse, meta.first_row, meta.end_row);
        if (!part.has_codes()) continue;
        CodedSegment s;
        for (std::uint32_t d = 0; d < part.terms()->terms().documents(); ++d)
          s.rows.insert(part.terms()->terms().row(d));
        // One field's vectors or the other's: a row has both seldom.
        const auto belongs = [&](std::uint64_t row) { return vector_of(rows_.at(row), name) != nullptr; };
        if (!std::all_of(s.rows.begin(), s.rows.end(), belongs)) continue;
        bool whole = true;
        for (const std::uint64_t row : s.rows) {
          const Sparse& v = *vector_of(rows_.at(row), name);
          for (std::size_t j = 0; j < v.indices.size(); ++j)
            s.largest[v.indices[j]] = std::max(s.largest[v.indices[j]], v.values[j]);
        }
        for (const auto& [index, largest] : s.largest) {
          const auto list = part.terms()->terms().list(inverted::sparse_term(index), kAnyField, {});
          whole = whole && list && list->max_value() == largest;
        }
        if (whole) out.push_back(std::move(s));
      }
    }
    return out;
  }

  struct Expected {
    double exact = 0, by_codes = 0;
    double above = 0, under = 0;  // how far codes may be off
    double rounding = 0;          // of sums of floats
  };
  std::map<std::string, Expected> scores(const Values& query, const std::string& name, int under) {
    const std::vector<CodedSegment> segments = coded(name);
    std::map<std::string, Expected> out;
    for (const auto& [id, row] : live_) {
      const Sparse* v = vector_of(rows_.at(row), name);
      if (!v || rows_.at(row).metadata["n"].as_int() >= under) continue;
      const Values exact = values_of(*v);
      const auto score = dot(query, exact);
      if (!score) continue;
      Expected e{*score, *score};
      Values sizes = exact;
      for (auto& [i, value] : sizes) value = std::abs(value);
      e.rounding = 1e-5 * *dot(query, sizes);
      for (const CodedSegment& s : segments) {
        if (!s.rows.contains(row)) continue;
        Values codes, most;
        for (const auto& [i, value] : exact) {
          codes[i] = s.value(i, value);
          most[i] = static_cast<double>(s.largest.at(i)) / 255;
        }
        e.by_codes = *dot(query, codes);
        e.rounding += 1e-5 * e.by_codes;
        e.above = *dot(query, most);
        e.under = e.above / 2;
      }
      out[id] = e;
    }
    return out;
  }

  enum class Mode { kPlain, kCodes, kExact };
  /// Ranks and scores; `exact`: what a plain query has to be.
  void check(const Sparse& vector, const std::string& name, Mode mode, bool exact) {
    SCOPED_TRACE(static_cast<int>(mode));
    const int under = below(3) == 0 ? static_cast<int>(below(100)) : 100;
    const auto expected = scores(values_of(vector), name, under);
    const auto k = static_cast<std::int64_t>(below(4) == 0 ? 600 : 1 + below(20));
    const auto offset = static_cast<std::size_t>(below(3) == 0 ? below(10) : 0);
    Query q{Vector(vector)};
    q.k(k).offset(static_cast<std::int64_t>(offset)).using_vector(name);
    if (under < 100) q.where("n < " + std::to_string(under));
    if (mode == Mode::kCodes) q.exact_scores(false);
    if (mode == Mode::kExact) q.exact();
    const bool rescored = mode == Mode::kPlain && !exact;
    const auto score_of = [&](const Expected& e) { return mode == Mode::kCodes ? e.by_codes : e.exact; };
    std::vector<double> best;
    double astray = 0;
    for (const auto& [id, e] : expected) {
      best.push_back(score_of(e));
      if (rescored) astray = std::max(astray, e.above + e.under);
      EXPECT_LE(e.by_codes - e.exact, e.above * 1.0001 + 1e-9);
      EXPECT_LE(e.exact - e.by_codes, e.under * 1.0002 + 1e-9);
    }
    std::sort(best.rbegin(), best.rend());
    std::optional<double> threshold;
    std::size_t found = best.size();
    if (!best.empty() && below(4) == 0) {
      threshold = best[best.size() / 2] * 1.001;
      q.score_threshold(static_cast<float>(*threshold));
      const auto near = [&](const auto& e) {
        return std::abs(score_of(e.second) - *threshold) < e.second.rounding + 1e-5 * std::abs(*threshold);
      };
      if (std::any_of(expected.begin(), expected.end(), near)) return;  // rounding would decide
      found = static_cast<std::size_t>(
          std::count_if(best.begin(), best.end(), [&](double s) { return s >= *threshold; }));
    }
    const Hits hits = docs_->query(q);
    const std::size_t page = std::min(found - std::min(found, offset), static_cast<std::size_t>(k));
    ASSERT_LE(hits.size(), page);
    if (!rescored || !threshold) {
      ASSERT_EQ(hits.size(), page);
    }
    EXPECT_EQ(hits.degraded, 0u);
    for (std::size_t i = 0; i < hits.size(); ++i) {
      const auto at = expected.find(hits[i].id);
      ASSERT_NE(at, expected.end()) << hits[i].id << " is no hit";
      const auto score = static_cast<double>(hits[i].score);
      const double rank = best[i + offset], rounding = at->second.rounding + 1e-5 * std::abs(rank);
      EXPECT_NEAR(score, score_of(at->second), at->second.rounding);
      EXPECT_GE(score, rank - rounding - astray);
      EXPECT_LE(score, rank + rounding);
      if (i > 0) {
        EXPECT_LE(hits[i].score, hits[i - 1].score);
      }
    }
  }
  /// `exact`: the field asks for exact values.
  void check_many(std::size_t n, bool exact = false) {
    for (std::size_t i = 0; i < n && !HasFailure(); ++i) {
      const Sparse q = sparse(12);
      const std::string name = below(5) == 0 ? "title" : "";
      for (const Mode mode : {Mode::kPlain, Mode::kCodes, Mode::kExact}) check(q, name, mode, exact);
    }
  }
  std::size_t coded_rows() {
    std::size_t rows = 0;
    for (const CodedSegment& s : coded("")) rows += s.rows.size();
    return rows;
  }

  test::Scratch scratch_;
  std::optional<VecDatabase> db_;
  std::optional<Collection> docs_;
  std::map<std::uint64_t, Record> rows_;  // all that there ever were
  std::map<std::string, std::uint64_t> live_;
  std::mt19937_64 rng_{test::seed()};
};

TEST_F(SparseCodesTest, RanksAndScoresFollowTheRule) {
  open();
  docs_->alter_index("title", kCoded);
  std::size_t most_segments = 0;
  for (int round = 0; round < 8 && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    write(20 + below(250), below(2) == 0);
    if (below(4) == 0) docs_->optimize();
    if (below(4) == 0) open();
    most_segments = std::max<std::size_t>(most_segments, coded("").size());
    check_many(12);
  }
  docs_->optimize();
  EXPECT_GT(coded_rows(), 100u);
  EXPECT_GE(most_segments, 1u);
  check_many(20);
  open();
  check_many(10);
  EXPECT_TRUE(db_->verify().ok());
}

// Each merge makes codes from full values: the rule, which knows no history, would not hold otherwise.
TEST_F(SparseCodesTest, MergesDoNotAddErrors) {
  open();
  for (int round = 0; round < 6 && !HasFailure(); ++round) {
    write(round == 0 ? 400 : 160);
    docs_->optimize();
    ASSERT_EQ(coded("").size(), 1u);
    check_many(4);
  }
  // Without the largest values the others are known better.
  const std::vector<CodedSegment> before = coded("");
  for (const auto& [index, largest] : before[0].largest) {
    for (const std::uint64_t row : before[0].rows) {
      const Sparse& v = *vector_of(rows_.at(row), "");
      const auto at = std::find(v.indices.begin(), v.indices.end(), index);
      if (at == v.indices.end() || v.values[static_cast<std::size_t>(at - v.indices.begin())] != largest)
        continue;
      docs_->erase(rows_.at(row).id);
      live_.erase(rows_.at(row).id);
    }
  }
  check_many(4);
  docs_->optimize();
  const std::vector<CodedSegment> after = coded("");
  ASSERT_EQ(after.size(), 1u);
  for (const auto& [index, largest] : after[0].largest) EXPECT_LT(largest, before[0].largest.at(index));
  check_many(10);
}

TEST_F(SparseCodesTest, ChangesThereAndBack) {
  open({});
  for (int i = 0; i < 4; ++i) write(160);
  check_many(6, true);
  EXPECT_EQ(coded_rows(), 0u);
  const auto index = [&] { return docs_->stats().indexes.at(""); };
  EXPECT_EQ(index().settings.sparse_codes, Codes::kF32);
  const std::uint64_t in_segments = index().sparse_rows;
  EXPECT_GT(in_segments, 300u);
  for (int turn = 0; turn < 2 && !HasFailure(); ++turn) {
    const std::uint64_t exact_bytes = docs_->stats().segment_bytes;
    docs_->alter_index(kCoded);
    EXPECT_EQ(docs_->info().index, kCoded);
    EXPECT_EQ(index().settings.sparse_codes, Codes::kInt8);
    EXPECT_EQ(index().outdated_rows, index().sparse_rows);
    check_many(4, true);  // what was built before goes on, and is exact
    write(100);
    docs_->optimize();
    EXPECT_EQ(index().outdated_rows, 0u);
    EXPECT_EQ(index().sparse_rows, coded_rows());
    EXPECT_LT(docs_->stats().segment_bytes, exact_bytes + 40'000);
    check_many(6);
    open();
    EXPECT_EQ(docs_->info().index, kCoded);
    check_many(4);
    docs_->alter_index({});
    EXPECT_EQ(index().outdated_rows, index().sparse_rows);
    check_many(6, true);  // exact at once, although only codes are there
    write(100);
    check_many(3, true);
    docs_->optimize();
    EXPECT_EQ(coded_rows(), 0u);
    EXPECT_EQ(index().outdated_rows, 0u);
    check_many(4, true);
  }
}

TEST_F(SparseCodesTest, TheBackgroundMakesPartsAnew) {
  open({});
  for (int i = 0; i < 4; ++i) write(160);
  docs_->alter_index(kCoded);
  db_->resume_background();
  for (int i = 0; i < 1'000 && docs_->stats().indexes.at("").outdated_rows > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  db_->pause_background();
  EXPECT_EQ(docs_->stats().indexes.at("").outdated_rows, 0u);
  EXPECT_EQ(docs_->stats().indexes.at("").sparse_rows, coded_rows());
  check_many(10);
}

TEST_F(SparseCodesTest, NearlyTheBestAreFoundAndPlansSayHow) {
  open();
  std::vector<Record> records;
  std::lognormal_distribution<float> weight(0, 0.7f);
  const auto draw = [&](std::size_t n) {
    std::map<std::uint32_t, float> values;
    while (values.size() < n) {
      const auto r = static_cast<double>(below(1u << 30)) / (1u << 30);
      values[static_cast<std::uint32_t>(std::pow(2'000.0, r))] = weight(rng_);
    }
    Sparse s;
    for (const auto& [i, v] : values) s.indices.push_back(i), s.values.push_back(v);
    return s;
  };
  for (int i = 0; i < 2'000; ++i) records.push_back({.id = std::to_string(i), .vector = Vector(draw(40))});
  docs_->batch_upsert(records);
  docs_->optimize();
  const auto found = [&](const Query& q, const std::set<std::string>& best) {
    std::size_t n = 0;
    for (const Hit& hit : docs_->query(q)) n += best.count(hit.id);
    return n;
  };
  std::size_t all = 0, plain = 0, codes = 0;
  for (int i = 0; i < 30; ++i) {
    const Sparse s = draw(15);
    std::set<std::string> best;
    for (const Hit& hit : docs_->query(Query(Vector(s)).k(20).exact())) best.insert(hit.id);
    all += best.size();
    plain += found(Query(Vector(s)).k(20), best);
    codes += found(Query(Vector(s)).k(20).exact_scores(false), best);
  }
  EXPECT_EQ(all, 600u);
  EXPECT_GE(plain, codes);
  EXPECT_GE(codes, 540u);
  EXPECT_GE(plain, 594u);
  const auto plan = [&](Query q) { return docs_->query(q.explain()).plan->to_string(); };
  const Vector v = draw(15);
  EXPECT_NE(plan(Query(v)).find("8-bit codes, the best with f32"), std::string::npos);
  EXPECT_NE(plan(Query(v)).find("rows rescored"), std::string::npos);
  EXPECT_NE(plan(Query(v).exact_scores(false)).find("weights=8-bit codes"), std::string::npos);
  EXPECT_NE(plan(Query(v).exact()).find("8-bit codes, then f32"), std::string::npos);
  docs_->alter_index({});
  docs_->optimize();
  EXPECT_NE(plan(Query(v)).find("weights=f32"), std::string::npos);
}

TEST_F(SparseCodesTest, ReadersFollowAndVectorsComeBackAsTheyWere) {
  open();
  write(300);
  docs_->optimize();
  auto reader = VecDatabase::open(scratch_ / "db", {.read_only = true});
  const Collection docs = reader.get_collection("docs");
  EXPECT_EQ(docs.info().index, kCoded);
  for (int i = 0; i < 6 && !HasFailure(); ++i) {
    write(60);
    if (i == 2) docs_->alter_index({});
    if (i % 2) docs_->optimize();
    for (int j = 0; j < 5; ++j) {
      const Query q{Vector(sparse(10))};
      const Hits a = docs_->query(q), b = docs.query(q);
      ASSERT_EQ(a.size(), b.size());
      for (std::size_t h = 0; h < a.size(); ++h) EXPECT_EQ(a[h].score, b[h].score);
    }
  }
  for (const auto& [id, row] : live_) {
    const auto record = docs.get(id);
    ASSERT_TRUE(record) << id;
    EXPECT_EQ(record->vector, rows_.at(row).vector) << id;
  }
}

// Whatever is wrong with the codes, exact answers are right at once, others as if their rows were new.
TEST_F(SparseCodesTest, DamagedCodesAreDoneWithout) {
  open();
  for (int i = 0; i < 4; ++i) write(160, true);
  docs_->optimize();
  write(30);
  int met = 0;
  for (int round = 0; round < 12 && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    docs_.reset();
    db_.reset();
    const auto found = files();
    ASSERT_FALSE(found.empty());
    const fs::path path = found[below(static_cast<std::uint32_t>(found.size()))];
    std::string bytes;
    {
      std::ifstream in(path, std::ios::binary);
      bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    {
      const auto file = io::IndexFile::open(path.string());
      std::vector<std::uint32_t> ids;
      for (const std::uint32_t id : file->section_ids()) {
        if (id >= segment::kSparseSections && id < segment::kSparseSections + 0x10000 &&
            file->section_size(id) > 0)
          ids.push_back(id);
      }
      ASSERT_FALSE(ids.empty());
      const auto section = file->unchecked(ids[below(static_cast<std::uint32_t>(ids.size()))]);
      const std::string_view wanted(reinterpret_cast<const char*>(section.data()), section.size());
      const std::size_t at = bytes.find(wanted) + below(static_cast<std::uint32_t>(section.size()));
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
    }
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    open();
    for (int i = 0; i < 10; ++i) {
      Sparse q = sparse(12);
      if (i < 5) {  // what is rare, too
        const Record& r = rows_.at(live_.begin()->second);
        if (const Sparse* v = vector_of(r, "")) q = *v;
        for (float& v : q.values) v = std::abs(v);
      }
      // The twin cannot read the damaged file: only what does not depend on codes.
      std::vector<double> best;
      for (const auto& [id, row] : live_) {
        const Sparse* v = vector_of(rows_.at(row), "");
        if (const auto s = v ? dot(values_of(q), values_of(*v)) : std::nullopt) best.push_back(*s);
      }
      std::sort(best.rbegin(), best.rend());
      const Hits hits = docs_->query(Query(Vector(q)).k(20).exact());
      ASSERT_EQ(hits.size(), std::min<std::size_t>(20, best.size()));
      for (std::size_t h = 0; h < hits.size(); ++h)
        EXPECT_NEAR(static_cast<double>(hits[h].score), best[h], 1e-5 * std::abs(best[h]) + 1e-6);
      docs_->query(Query(Vector(q)).k(20));
    }
    if (docs_->stats().segment_damages == 0) EXPECT_FALSE(db_->verify().ok());  // no query read that
    met += docs_->stats().segment_damages > 0;
    docs_->optimize();
    if (docs_->stats().segment_damages > 0) docs_->optimize();
    check_many(3);
  }
  EXPECT_GT(met, 4);
}

TEST_F(SparseCodesTest, ChangesRaceWithWritersAndQueries) {
  open();
  db_->resume_background();
  const auto draw = [](std::mt19937& rng) {
    Sparse s;
    for (std::uint32_t i = 0; i < 30; ++i) {
      if (rng() % 3 != 0) continue;
      s.indices.push_back(i);
      s.values.push_back(0.1f + static_cast<float>(rng() % 1'000) / 100);
    }
    return s;
  };
  std::atomic<bool> ended{false};
  std::atomic<int> changes{0};
  std::thread writer([&] {
    std::mt19937 rng(1);
    for (int i = 0; i < 25 || changes < 12; ++i) {
      std::vector<Record> batch;
      for (int j = 0; j < 40; ++j)
        batch.push_back({.id = std::to_string(i % 100 * 20 + j), .vector = Vector(draw(rng))});
      docs_->batch_upsert(batch);
    }
    ended = true;
  });
  std::thread changer([&] {
    for (; !ended; ++changes) {
      docs_->alter_index(changes % 2 ? kCoded : IndexOptions{});
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  std::mt19937 rng(2);
  while (!ended) {
    const Hits plain = docs_->query(Query(Vector(draw(rng))).k(10));
    const Hits exact = docs_->query(Query(Vector(draw(rng))).k(10).exact());
    for (const Hits* hits : {&plain, &exact}) {
      for (std::size_t h = 1; h < hits->size(); ++h) EXPECT_LE((*hits)[h].score, (*hits)[h - 1].score);
    }
  }
  writer.join();
  changer.join();
  docs_->alter_index(kCoded);
  docs_->optimize();
  const auto stats = docs_->stats().indexes.at("");
  EXPECT_EQ(stats.outdated_rows, 0u);
  EXPECT_EQ(stats.sparse_rows, docs_->count());
}

TEST_F(SparseCodesTest, OptionsAreCheckedAndBelongToTheirField) {
  open();
  docs_->add_vector("other", {.index = kCoded});
  EXPECT_EQ(docs_->info().vectors.at("other").index, kCoded);
  EXPECT_EQ(docs_->info().vectors.at("title").index, IndexOptions{});
  for (const Codes codes : {Codes::kInt4, Codes::kInt4Residual, static_cast<Codes>(9)}) {
    try {
      docs_->alter_index({.sparse_codes = codes});
      ADD_FAILURE();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
      const std::string what = e.what();
      EXPECT_NE(what.find("index.sparse_codes"), std::string::npos) << what;
      EXPECT_NE(what.find(std::string(to_string(codes))), std::string::npos) << what;
      EXPECT_NE(what.find("'f32' and 'int8'"), std::string::npos) << what;
    }
  }
  EXPECT_EQ(docs_->info().index, kCoded);
  std::vector<Record> records;
  for (int i = 0; i < 400; ++i) {
    Record r{.id = std::to_string(i), .vector = Vector(sparse(10))};
    for (const char* name : {"title", "other"}) r.vectors[name] = Vector(sparse(10));
    records.push_back(r);
  }
  docs_->batch_upsert(records);
  docs_->optimize();
  const auto weights = [&](const char* name) {
    const Hits hits = docs_->query(Query(Vector(sparse(10))).using_vector(name).explain());
    return hits.plan->to_string().find("8-bit codes") != std::string::npos;
  };
  EXPECT_TRUE(weights(""));
  EXPECT_FALSE(weights("title"));
  EXPECT_TRUE(weights("other"));
}

}  // namespace
}  // namespace vecstore
