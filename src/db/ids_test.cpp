// Hits without text and metadata, whose ids come out of segments: the same as from the documents, whatever
// happens to rows, segments and files.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "io/index_file.hpp"
#include "seed.hpp"
#include "storage/state.hpp"
#include "storage/store.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

namespace fs = std::filesystem;

// Sections with the ids (docs/format.md, section 11).
constexpr std::array<std::uint32_t, 2> kIdSections = {0x04000000, 0x04000001};

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void spill(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::uint64_t counter(const PlanNode& node, std::string_view name) {
  std::uint64_t sum = 0;
  for (const auto& [counted, value] : node.counters) sum += counted == name ? value : 0;
  for (const PlanNode& child : node.children) sum += counter(child, name);
  return sum;
}
std::uint64_t documents_read(const Hits& hits) {
  return counter(*hits.plan, "records read") + counter(*hits.plan, "records read for their order");
}

class IdsTest : public ::testing::Test {
 protected:
  IdsTest() {
    std::string t = (fs::temp_directory_path() / "vecstore-XXXXXX").string();
    base_ = mkdtemp(t.data());
  }
  ~IdsTest() override { fs::remove_all(base_); }
  std::string dir() const { return base_ + "/db"; }
  OpenOptions small(bool read_only = false) const {
    OpenOptions o{.background_threads = 1, .checkpoint_rows = 100, .graph_rows = 150};
    o.durability = Durability::kRelaxed;
    o.read_only = read_only;
    return o;
  }
  Collection make(VecDatabase& db) const {
    return db.create_collection("c", {.text_fields = {TextField{.analyzer = "neutral"}}});
  }

  // Few words and few vectors, so that many scores are equal.
  std::string text() { return "w" + std::to_string(rng_() % 6) + " w" + std::to_string(rng_() % 3); }
  Vector vector() {
    return Vector({static_cast<float>(rng_() % 3) + 1, static_cast<float>(rng_() % 3), 1.0f, 2.0f});
  }
  std::string random_id() { return std::string(1 + rng_() % 3, 'r') + std::to_string(rng_() % 900); }
  Record record(const std::string& id) {
    Record r{.id = id, .vector = vector(), .text = text()};
    r.metadata["n"] = Metadata(static_cast<std::int64_t>(rng_() % 10));
    if (rng_() % 3 != 0) return r;
    r.source = "file" + std::to_string(rng_() % 5);
    r.start = rng_() % 100;
    r.end = r.start + r.text.size();
    r.part = static_cast<std::uint32_t>(rng_() % 4);
    if (rng_() % 2 == 0) r.source = id.substr(0, 1);
    return r;
  }
  void put(Collection& c, std::size_t n) {
    std::map<std::string, Record> batch;
    while (batch.size() < n) {
      const std::string id = random_id();
      batch.insert_or_assign(id, record(id));
    }
    std::vector<Record> records;
    for (auto& [id, r] : batch) truth_.insert_or_assign(id, r), records.push_back(std::move(r));
    std::shuffle(records.begin(), records.end(), rng_);
    c.batch_upsert(records);
  }
  void erase_some(Collection& c, std::size_t n) {
    for (; n > 0 && !truth_.empty(); --n) {
      const auto at = std::next(truth_.begin(), static_cast<std::ptrdiff_t>(rng_() % truth_.size()));
      c.erase(at->first);
      truth_.erase(at);
    }
  }
  void change_metadata(Collection& c, std::size_t n) {
    for (; n > 0 && !truth_.empty(); --n) {
      const auto at = std::next(truth_.begin(), static_cast<std::ptrdiff_t>(rng_() % truth_.size()));
      at->second.metadata["n"] = Metadata(std::int64_t{77});
      c.update_metadata(at->first, at->second.metadata);
    }
  }

  template <class Q>
  static Hits run(const Collection& c, Q q, bool bare) {
    return c.query(q.with_text(!bare).with_metadata(!bare).explain());
  }
  Hits ask_text(const Collection& c, const std::string& words, std::int64_t k, bool bare) const {
    TextQueryOptions o{.k = k, .mode = Mode::kText};
    o.with_text = o.with_metadata = !bare;
    o.explain = true;
    o.threads = 1;
    return c.query_text(words, o);
  }
  void expect_twins(const Hits& bare, const Hits& full, bool ties_by_id) const {
    ASSERT_EQ(bare.size(), full.size());
    EXPECT_EQ(bare.degraded, 0u);
    EXPECT_EQ(full.degraded, 0u);
    EXPECT_EQ(counter(*full.plan, "records read"), full.size());
    for (std::size_t i = 0; i < bare.size(); ++i) {
      const Hit& a = bare[i];
      const Hit& b = full[i];
      EXPECT_EQ(a.id, b.id);
      EXPECT_EQ(a.score, b.score);
      EXPECT_EQ(a.distance, b.distance);
      EXPECT_TRUE(a.text.empty());
      EXPECT_EQ(a.metadata, Metadata());
      const auto at = truth_.find(a.id);
      ASSERT_NE(at, truth_.end()) << a.id;
      const Record& r = at->second;
      EXPECT_EQ(std::tie(a.source, a.start, a.end, a.part), std::tie(r.source, r.start, r.end, r.part));
      EXPECT_EQ(std::tie(b.source, b.start, b.end, b.part), std::tie(r.source, r.start, r.end, r.part));
      EXPECT_EQ(b.text, r.text);
      EXPECT_EQ(b.metadata, r.metadata);
      if (ties_by_id && i > 0 && bare[i - 1].score == a.score) {
        EXPECT_LT(bare[i - 1].id, a.id);
      }
    }
  }
  /// How many documents all of the bare queries read.
  std::uint64_t check(const Collection& c, int queries = 6) {
    std::uint64_t read = 0;
    for (int i = 0; i < queries; ++i) {
      const auto k = static_cast<std::int64_t>(1 + rng_() % 60);
      const std::string words = text();
      const Hits by_text = ask_text(c, words, k, true);
      expect_twins(by_text, ask_text(c, words, k, false), true);
      const Vector v = vector();
      const Hits by_vector = run(c, Query(v).k(k).threads(1), true);
      expect_twins(by_vector, run(c, Query(v).k(k).threads(1), false), true);
      HybridQuery both(v, words);
      both.k(k).threads(2).explain().with_text(false).with_metadata(false);
      const Hits hybrid = c.hybrid_query(both);
      expect_twins(hybrid, c.hybrid_query(both.with_text(true).with_metadata(true)), true);
      read += documents_read(by_text) + documents_read(by_vector) + documents_read(hybrid);
    }
    return read;
  }

  std::vector<std::string> files() const {
    std::vector<std::string> out;
    for (const auto& e : fs::directory_iterator(dir() + "/seg")) {
      if (e.path().extension() == ".vsx") out.push_back(e.path().string());
    }
    return out;
  }
  /// One bit of the ids in a file.
  void flip(const std::string& path) {
    std::size_t at = 0;
    {
      const auto file = io::IndexFile::open(path);
      const auto bytes = file->unchecked(kIdSections[rng_() % 2]);
      const std::string all = slurp(path);
      const auto begin = all.find({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      ASSERT_NE(begin, std::string::npos);
      at = begin + rng_() % bytes.size();
    }
    std::string bytes = slurp(path);
    bytes[at] = static_cast<char>(bytes[at] ^ 1 << rng_() % 8);
    spill(path, bytes);
  }

  const unsigned seed_ = test::seed();
  std::mt19937 rng_;
  std::string base_;
  std::map<std::string, Record> truth_;
};

TEST_F(IdsTest, FollowUpdatesErasesMergesCompactionsAndReopening) {
  std::optional<VecDatabase> db = VecDatabase::open(dir(), small());
  db->pause_background();  // merging changes scores of texts between two questions
  make(*db);
  std::uint64_t segments = 0;
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    auto c = db->get_collection("c");
    put(c, 1 + rng_() % 140);
    check(c, 1);
    erase_some(c, rng_() % 20);
    if (round % 4 == 1) change_metadata(c, rng_() % 8);
    check(c, 2);
    if (round % 7 == 6) c.optimize();
    if (round % 9 == 8) db->compact();
    if (round % 11 == 10) {
      db->close();
      db = VecDatabase::open(dir(), small(true));
      check(db->get_collection("c"), 2);
      db->close();
      db = VecDatabase::open(dir(), small());
      db->pause_background();
    }
    check(db->get_collection("c"), 2);
    segments = std::max(segments, db->get_collection("c").stats().segments);
  }
  EXPECT_GT(segments, 0u);
  EXPECT_TRUE(db->verify().ok());
}

TEST_F(IdsTest, DocumentsAreReadOnlyWhereNoSegmentKnows) {
  auto db = VecDatabase::open(dir(), small());
  db.pause_background();
  auto c = make(db);
  put(c, 50);
  EXPECT_GT(check(c), 0u);  // no segment yet
  put(c, 400);
  put(c, 300);
  EXPECT_GT(c.stats().segments, 0u);
  c.optimize();
  EXPECT_EQ(check(c, 20), 0u);
  erase_some(c, 40);
  EXPECT_EQ(check(c, 20), 0u);
  c.optimize();
  EXPECT_EQ(check(c, 20), 0u);
  change_metadata(c, 5);  // then the ids have to be looked up, not the documents
  put(c, 1);              // its terms are those of new rows
  EXPECT_LT(check(c, 20), 20u * 3 * 10);
  const Hits all = run(c, Query(vector()).k(10'000).exact(), true);
  EXPECT_EQ(all.size(), truth_.size());
  EXPECT_EQ(counter(*all.plan, "records read"), c.stats().rows_outside);
  EXPECT_EQ(counter(*all.plan, "known to segments"), truth_.size() - c.stats().rows_outside);
}

// Also a merge takes the ids from its segments: documents are damaged that it would have to read.
TEST_F(IdsTest, AreNotReadAgainWhenSegmentsAreMerged) {
  constexpr int kDamaged = 5;
  {
    auto db = VecDatabase::open(dir(), small());
    db.pause_background();
    auto c = db.create_collection("c", {.text_fields = {}});
    for (int batch = 0; batch < 5; ++batch) {
      std::vector<Record> records;
      for (int i = 120 * batch; i < 120 * (batch + 1); ++i) {
        Record r{.id = "id" + std::to_string(i), .vector = vector(), .text = text()};
        if (i < kDamaged) r.text = "needle" + std::to_string(i) + " in the document";
        truth_.insert_or_assign(r.id, r);
        records.push_back(r);
      }
      c.batch_upsert(records);
    }
    EXPECT_GT(c.stats().segments, 1u);
  }
  std::string truth;
  for (const auto& e : fs::recursive_directory_iterator(dir())) {
    const std::string path = e.path().string();
    if (e.is_regular_file() && path.find("/truth.") != std::string::npos &&
        slurp(path).find("needle0") != std::string::npos)
      truth = path;
  }
  ASSERT_FALSE(truth.empty());
  std::string bytes = slurp(truth);
  for (int i = 0; i < kDamaged; ++i) {
    const std::string needle = "needle" + std::to_string(i);
    for (auto at = bytes.find(needle); at != std::string::npos; at = bytes.find(needle, at + 1))
      bytes[at] = 'N';
  }
  spill(truth, bytes);
  auto db = VecDatabase::open(dir(), small());
  db.pause_background();
  auto c = db.get_collection("c");
  for (int pass = 0; pass < 2; ++pass) {
    const Hits bare = run(c, Query(vector()).k(1000).exact(), true);
    EXPECT_EQ(bare.size(), truth_.size());
    EXPECT_EQ(counter(*bare.plan, "known to segments"),
              truth_.size() - (pass == 0 ? c.stats().rows_outside : 0));
    EXPECT_EQ(bare.degraded, 0u);
    for (const Hit& hit : bare) EXPECT_TRUE(truth_.contains(hit.id)) << hit.id;
    EXPECT_EQ(run(c, Query(vector()).k(1000).exact(), false).degraded, static_cast<std::uint64_t>(kDamaged));
    c.optimize();
    EXPECT_EQ(c.stats().segments, 1u);
  }
}

TEST_F(IdsTest, DamageIsMetReportedAndMadeGood) {
  {
    auto db = VecDatabase::open(dir(), small());
    auto c = make(db);
    put(c, 600);
    c.optimize();
    db.pause_background();
    put(c, 130);
  }
  const std::string good = base_ + "/good";
  fs::copy(dir(), good, fs::copy_options::recursive);
  for (int round = 0; round < 24; ++round) {
    SCOPED_TRACE(round);
    fs::remove_all(dir());
    fs::copy(good, dir(), fs::copy_options::recursive);
    const auto all = files();
    flip(all[rng_() % all.size()]);
    if (round % 3 == 2) {
      auto reader = VecDatabase::open(dir(), small(true));
      check(reader.get_collection("c"), 4);
      EXPECT_EQ(files().size(), all.size());  // it puts nothing aside
      continue;
    }
    auto db = VecDatabase::open(dir(), small());
    db.pause_background();
    auto c = db.get_collection("c");
    check(c, 4);
    EXPECT_EQ(c.stats().segment_damages, 1u);
    if (round % 3 == 1) {
      EXPECT_GT(check(c, 3), 0u);  // the documents answer
    }
    c.optimize();
    EXPECT_EQ(check(c, 3), 0u);
    EXPECT_TRUE(db.verify().ok());
  }
}

// Of a block that holds nothing but ids: nothing else can meet it.
TEST_F(IdsTest, DamageOfIdsAloneIsReportedToo) {
  {
    auto db = VecDatabase::open(dir(), small());
    db.pause_background();
    auto c = db.create_collection("c", {.text_fields = {}});
    std::vector<Record> records;
    for (int i = 0; i < 600; ++i) {
      records.push_back({.id = std::to_string(i) + std::string(490, 'x'), .vector = vector()});
      truth_.insert_or_assign(records.back().id, records.back());
    }
    c.batch_upsert(records);
    c.optimize();
  }
  const std::string file = files().at(0);
  std::string bytes = slurp(file);
  const auto at = bytes.find("300xxxx");
  ASSERT_NE(at, std::string::npos);
  bytes[at] = '4';
  spill(file, bytes);
  auto db = VecDatabase::open(dir(), small());
  db.pause_background();
  auto c = db.get_collection("c");
  EXPECT_EQ(c.stats().segment_damages, 0u);
  const Query all = Query(vector()).k(1000).exact();
  const Hits first = run(c, all, true);
  expect_twins(first, run(c, all, false), true);
  EXPECT_EQ(first.size(), 600u);
  EXPECT_GT(counter(*first.plan, "records read"), 0u);
  EXPECT_EQ(c.stats().segment_damages, 1u);
  EXPECT_EQ(counter(*run(c, all, true).plan, "records read"), 600u);
  c.optimize();
  EXPECT_EQ(documents_read(run(c, all, true)), 0u);
}

// A damaged file is found by a merge, too, before any query has met it.
TEST_F(IdsTest, DamageThatAMergeMeets) {
  {
    auto db = VecDatabase::open(dir(), small());
    db.pause_background();
    auto c = make(db);
    for (int i = 0; i < 4; ++i) put(c, 150);
  }
  const auto all = files();
  ASSERT_GT(all.size(), 1u);
  for (const std::string& file : all) flip(file);
  auto db = VecDatabase::open(dir(), small());
  db.pause_background();
  auto c = db.get_collection("c");
  c.optimize();
  EXPECT_EQ(c.stats().segments, 1u);
  EXPECT_GT(c.stats().segment_damages, 0u);
  EXPECT_EQ(check(c, 10), 0u);
}

// Where the counters of rows prove nothing, the id has to lead to the row.
TEST_F(IdsTest, AnIdThatLeadsElsewhereIsNoHit) {
  {
    auto db = VecDatabase::open(dir(), small());
    db.pause_background();
    auto c = make(db);
    put(c, 300);
    c.optimize();
    EXPECT_EQ(check(c), 0u);
    change_metadata(c, 1);
  }
  const std::string victim = std::next(truth_.begin(), 100)->first;
  {
    const auto store = storage::Store::open(dir(), {.create = false});
    store->write(
        [&](storage::Commit& commit) {
          auto entry = storage::find_id(commit.txn, 1, victim).value();
          entry.row = entry.row == 5 ? 6 : 5;
          storage::write_id(commit.txn, 1, victim, entry);
        },
        1000);
  }
  auto db = VecDatabase::open(dir(), small(true));
  const auto c = db.get_collection("c");
  for (const bool bare : {true, false}) {
    const Hits hits = run(c, Query(vector()).k(1000).exact(), bare);
    EXPECT_EQ(hits.size(), truth_.size() - 1);
    EXPECT_EQ(hits.degraded, 1u);
    for (const Hit& hit : hits) EXPECT_NE(hit.id, victim);
    EXPECT_EQ(counter(*hits.plan, "records read"), bare ? 1 : truth_.size());
  }
}

/// What a segment file says of its ids.
TEST_F(IdsTest, RetiredRowsLeaveWithTheNextMerge) {
  auto db = VecDatabase::open(dir(), small());
  db.pause_background();
  auto c = make(db);
  const auto stored = [&] {
    const auto file = io::IndexFile::open(files().at(0));
    return file->array<std::uint64_t>(1)[7];
  };
  put(c, 300);
  c.optimize();
  EXPECT_EQ(stored(), 300u);
  erase_some(c, 50);
  EXPECT_EQ(check(c), 0u);
  EXPECT_EQ(stored(), 300u);
  c.optimize();
  EXPECT_EQ(files().size(), 1u);
  EXPECT_EQ(stored(), 250u);
  EXPECT_EQ(check(c), 0u);
}

TEST_F(IdsTest, ChunksKeepTheirPlaces) {
  auto db = VecDatabase::open(dir(), small());
  auto c = make(db);
  const auto write = [&](const std::string& source, std::size_t count) {
    std::vector<Chunk> chunks;
    std::size_t at = 0;
    for (std::size_t i = 0; i < count; ++i) {
      Chunk chunk;
      chunk.text = text();
      chunk.start_byte = at;
      chunk.end_byte = at += chunk.text.size();
      chunks.push_back(chunk);
    }
    c.upsert_chunks(source, chunks);
  };
  for (int i = 0; i < 60; ++i) write("docs/file" + std::to_string(i) + ".md", 1 + rng_() % 12);
  for (int pass = 0; pass < 2; ++pass) {
    c.optimize();
    for (int w = 0; w < 6; ++w) {
      const std::string words = "w" + std::to_string(w);
      const Hits bare = ask_text(c, words, 200, true);
      const Hits full = ask_text(c, words, 200, false);
      EXPECT_EQ(documents_read(bare), 0u);
      ASSERT_EQ(bare.size(), full.size());
      EXPECT_GT(bare.size(), 0u);
      for (std::size_t i = 0; i < bare.size(); ++i) {
        EXPECT_TRUE(bare[i].id.starts_with(bare[i].source + "#"));
        EXPECT_EQ(bare[i].end - bare[i].start, full[i].text.size());
        EXPECT_EQ(std::tie(bare[i].id, bare[i].source, bare[i].start, bare[i].end, bare[i].part),
                  std::tie(full[i].id, full[i].source, full[i].start, full[i].end, full[i].part));
      }
    }
    for (int i = 0; i < 10; ++i) write("docs/file" + std::to_string(i) + ".md", 1 + rng_() % 5);
  }
}

}  // namespace
}  // namespace vecstore
