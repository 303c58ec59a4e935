// Sketches in segment files that are damaged or lie: row 45.
#include <algorithm>
#include <random>

#include "bad_input/derived_files.hpp"

namespace vecstore {
namespace {

constexpr std::size_t kDimension = 160;
const OpenOptions kSmall{.background_threads = 1, .checkpoint_rows = 300, .graph_rows = 10'000};
// Sections of the first vector field, and places in the meta section (docs/format.md, section 11).
constexpr std::uint32_t kMeta = 1, kRows = 0x01000000, kSketches = kRows + 2, kNorms = kRows + 3;
constexpr std::size_t kKind = 17, kMetric = 18, kDimensionPlace = 19, kRowCount = 20;

class BadInputSketches : public ::testing::Test {
 protected:
  /// A store with a segment of 600 sketched rows, and one of 299 that closing it writes.
  BadInputSketches() {
    auto db = VecDatabase::open(good(), kSmall);
    db.pause_background();
    auto c = db.create_collection("docs", {.metric = Metric::kDot});
    add(c, 600);
    add(c, 299);
    EXPECT_EQ(c.stats().segments, 1u);
    EXPECT_EQ(c.stats().rows_outside, 299u);
    file_ = newest(good());
  }

  std::string good() const { return scratch_ / "good"; }
  std::string dir() const { return scratch_ / "db"; }

  std::vector<float> random_vector() {
    std::normal_distribution<float> normal;
    std::vector<float> v(kDimension);
    for (float& x : v) x = normal(rng_);
    return v;
  }
  void add(Collection& c, std::size_t n) {
    std::vector<Record> batch;
    for (std::size_t i = 0; i < n; ++i)
      batch.push_back({.id = std::to_string(next_++), .vector = Vector(random_vector())});
    c.batch_upsert(batch);
  }
  /// How many of 20 queries are answered as exact ones.
  int right(const Collection& c) {
    int out = 0;
    for (int i = 0; i < 20; ++i) {
      const Query q{Vector(random_vector())};
      const Hits hits = c.query(q), exact = c.query(Query(q).exact());
      out += std::equal(hits.begin(), hits.end(), exact.begin(), exact.end(),
                        [](const Hit& a, const Hit& b) { return a.id == b.id; });
    }
    return out;
  }

  void damaged(const std::string& what, const std::function<void(const std::string&)>& damage) {
    SCOPED_TRACE(what);
    fs::remove_all(dir());
    fs::copy(good(), dir(), fs::copy_options::recursive);
    const std::string victim = dir() + file_.substr(good().size());
    damage(victim);
    {
      auto reader = VecDatabase::open(dir(), {.read_only = true});
      const auto docs = reader.get_collection("docs");
      EXPECT_EQ(right(docs), 20);
      EXPECT_EQ(docs.stats().segment_damages, 1u);
      EXPECT_TRUE(put_aside(dir()).empty());
    }
    auto db = VecDatabase::open(dir(), kSmall);
    db.pause_background();
    auto docs = db.get_collection("docs");
    EXPECT_EQ(right(docs), 20) << "until it is made anew every row is looked at";
    EXPECT_EQ(docs.stats().segment_damages, 1u);
    EXPECT_EQ(put_aside(dir()).size(), 1u);
    docs.optimize();
    EXPECT_EQ(docs.stats().segment_damages, 1u);
    EXPECT_EQ(docs.stats().segments, 1u);
    EXPECT_GE(right(docs), 17);
    EXPECT_TRUE(db.verify().ok());
  }
  void lies(const std::string& what, std::uint32_t section, std::size_t place, std::uint32_t value) {
    damaged(what, [=](const std::string& path) {
      lie(path, section, [=](Bytes& bytes) {
        ASSERT_NE(get32(bytes, place), value);
        set32(bytes, place, value);
      });
    });
  }

  test::Scratch scratch_;
  std::mt19937 rng_{45};
  std::size_t next_ = 0;
  std::string file_;
};

TEST_F(BadInputSketches, Row45_OneBit) {
  for (const std::uint32_t section : {kMeta, kRows, kSketches, kNorms}) {
    const std::size_t at = section == kMeta ? 9 : 1001;
    damaged(concat("section ", section),
            [=](const std::string& path) { flip(path, place(path, section) + at); });
  }
}

TEST_F(BadInputSketches, Row45_LiesUnderARightChecksum) {
  lies("a dimension of as many words", kMeta, kDimensionPlace, 150);
  lies("a dimension of fewer words", kMeta, kDimensionPlace, 100);
  lies("a dimension far away", kMeta, kDimensionPlace, 0xffffffff);
  lies("another metric", kMeta, kMetric, 1);
  lies("a metric without sketches", kMeta, kMetric, 3);
  lies("another kind", kMeta, kKind, 2);
  lies("rows", kMeta, kRowCount, 500);
  lies("a norm that is no number", kNorms, 16 + 5, 0x7fc00000);
  lies("an infinite norm", kNorms, 16 + 5, 0x7f800000);
  lies("the largest norm is no number", kNorms, 0, 0x7fc00000);
  lies("the largest norm is not the largest", kNorms, 0, 0x3f800000);
  lies("a negative norm", kNorms, 16 + 7, 0xbf800000);
}

}  // namespace
}  // namespace vecstore
