// Files of derived data that are damaged, missing, somebody else's, or lie under a right checksum: row 45.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>

#include "bad_input/derived_files.hpp"

namespace vecstore {
namespace {

constexpr std::size_t kDimension = 12;
const OpenOptions kSmall{.background_threads = 1, .checkpoint_rows = 100, .graph_rows = 200};

// Sections of the first vector field (docs/format.md, section 11).
constexpr std::uint32_t kMeta = 1, kRows = 0x01000000, kHeader = 0x01000010, kLinks = kHeader + 2,
                        kCodes = kHeader + 3, kEntryNodes = kHeader + 8;
// Places in the header of a graph, 4 bytes each.
constexpr std::size_t kNodes = 3, kDegree = 4, kRoot = 5, kEntries = 6, kPivots = 7, kHasResiduals = 8,
                      kGapUnit = 9, kErrorUnit = 10;
constexpr std::uint32_t kNotANumber = 0x7fc00000, kInfinity = 0x7f800000;

class BadInputDerived : public ::testing::Test {
 protected:
  /// A store with a graph of 500 rows, scanned codes of 120 and some rows outside; closed.
  BadInputDerived() {
    auto db = VecDatabase::open(good(), kSmall);
    db.pause_background();
    auto c = db.create_collection("docs");
    add(c, 150);
    add(c, 150);
    older_ = newest(good());
    fs::copy(older_, scratch_ / "older");
    add(c, 200);
    c.optimize();
    graph_ = newest(good());
    add(c, 60);
    add(c, 60);
    add(c, 1);
    scanned_ = newest(good());
    add(c, 30);
    EXPECT_EQ(c.stats().segments, 2u);
    EXPECT_EQ(c.stats().indexes.at("").graph_rows, 500u);
    auto other = db.create_collection("other");
    fill(other, 500);
    other.optimize();
    other_ = newest(good());
    db.close();
    auto strangers = VecDatabase::open(scratch_ / "stranger", kSmall);
    strangers.pause_background();
    auto s = strangers.create_collection("docs");
    fill(s, 500);
    s.optimize();
    stranger_ = newest(scratch_ / "stranger");
  }

  std::string good() const { return scratch_ / "good"; }
  std::string dir() const { return scratch_ / "db"; }
  /// The same file in the copy that is damaged.
  std::string victim(const std::string& path) const { return dir() + path.substr(good().size()); }

  std::vector<float> random_vector() {
    std::normal_distribution<float> normal;
    std::vector<float> v(kDimension);
    for (float& x : v) x = normal(rng_);
    return v;
  }
  void fill(Collection& c, std::size_t n) {
    std::vector<Record> batch;
    for (std::size_t i = 0; i < n; ++i)
      batch.push_back({.id = std::to_string(i), .vector = Vector(random_vector())});
    c.batch_upsert(batch);
  }
  void add(Collection& c, std::size_t n) {
    std::vector<Record> batch;
    for (std::size_t i = 0; i < n; ++i) {
      rows_.push_back(random_vector());
      batch.push_back({.id = std::to_string(rows_.size() - 1), .vector = Vector(rows_.back())});
    }
    c.batch_upsert(batch);
  }
  std::vector<std::string> best(const std::vector<float>& q) const {
    std::vector<std::pair<double, std::string>> all;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      double dot = 0, length = 0;
      for (std::size_t j = 0; j < kDimension; ++j) {
        dot += static_cast<double>(q[j]) * rows_[i][j];
        length += static_cast<double>(rows_[i][j]) * rows_[i][j];
      }
      all.emplace_back(-dot / std::sqrt(length), std::to_string(i));
    }
    std::partial_sort(all.begin(), all.begin() + 10, all.end());
    std::vector<std::string> out;
    for (std::size_t i = 0; i < 10; ++i) out.push_back(all[i].second);
    return out;
  }
  /// How many of 20 queries with the usual effort are answered as by brute force.
  int right(const Collection& c, bool exact = false) {
    int out = 0;
    for (int i = 0; i < 20; ++i) {
      const std::vector<float> q = random_vector();
      std::vector<std::string> found;
      for (const Hit& h : c.query(Query{Vector(q)}.exact(exact))) found.push_back(h.id);
      out += found == best(q);
    }
    return out;
  }

  /// Damages a copy of the store and looks at what comes of it. `renamed`: there is something to put aside.
  void damaged(const std::string& what, const std::string& file,
               const std::function<void(const std::string&)>& damage, bool renamed = true) {
    SCOPED_TRACE(what);
    fs::remove_all(dir());
    fs::copy(good(), dir(), fs::copy_options::recursive);
    damage(victim(file));
    {
      // Who may not write leaves everything as it is, and is right all the same.
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
    EXPECT_EQ(put_aside(dir()).size(), renamed ? 1u : 0u);
    EXPECT_FALSE(fs::exists(victim(file)));
    if (renamed) {
      EXPECT_TRUE(put_aside(dir())[0].starts_with(fs::path(file).filename().string() + ".bad-"));
    }
    // Writing goes on, and is counted no second time.
    docs.upsert("more", Vector(std::vector<float>(kDimension, -1.0f)));
    docs.erase("more");
    EXPECT_EQ(right(docs, true), 20);
    docs.optimize();
    EXPECT_EQ(docs.stats().segment_damages, 1u);
    EXPECT_EQ(docs.stats().segments, 1u);
    EXPECT_EQ(docs.stats().indexes.at("").graph_rows, rows_.size());
    EXPECT_EQ(right(docs, true), 20);
    EXPECT_GE(right(docs), 15);
    EXPECT_TRUE(db.verify().ok());
    db.close();
    auto again = VecDatabase::open(dir(), kSmall);
    EXPECT_EQ(right(again.get_collection("docs"), true), 20);
    EXPECT_EQ(again.get_collection("docs").stats().segment_damages, 0u);
    EXPECT_EQ(put_aside(dir()).size(), renamed ? 1u : 0u) << "kept to be looked at";
  }

  test::Scratch scratch_;
  std::mt19937 rng_{45};
  std::vector<std::vector<float>> rows_;
  std::string older_, graph_, scanned_, other_, stranger_;  // files of the good store
};

TEST_F(BadInputDerived, Row45_WholeFiles) {
  for (const auto& [name, file] :
       {std::pair<std::string, std::string>{"graph", graph_}, {"codes", scanned_}}) {
    const auto over = [](const std::string& source) {
      return [source](const std::string& path) {
        fs::copy_file(source, path, fs::copy_options::overwrite_existing);
      };
    };
    damaged(name + " deleted", file, [](const std::string& path) { fs::remove(path); }, false);
    damaged(name + " empty", file, [](const std::string& path) { fs::resize_file(path, 0); });
    damaged(name + " cut in half", file,
            [](const std::string& path) { fs::resize_file(path, fs::file_size(path) / 2); });
    damaged(name + " cut by one byte", file,
            [](const std::string& path) { fs::resize_file(path, fs::file_size(path) - 1); });
    damaged(name + " longer", file,
            [](const std::string& path) { write_file(path, read_file(path) + "more"); });
    damaged(name + " of zeros", file, [](const std::string& path) {
      write_file(path, std::string(static_cast<std::size_t>(fs::file_size(path)), '\0'));
    });
    damaged(name + " of an older list", file, over(scratch_ / "older"));
    damaged(name + " of another collection", file, over(other_));
    damaged(name + " of another store", file, over(stranger_));
    damaged(name + " of the other kind", file, over(file == graph_ ? scanned_ : graph_));
  }
}

TEST_F(BadInputDerived, Row45_OneBit) {
  damaged("first byte", graph_, [](const std::string& path) { flip(path, 0); });
  damaged("meta", graph_, [](const std::string& path) { flip(path, place(path, kMeta) + 9); });
  damaged("row numbers", graph_, [](const std::string& path) { flip(path, place(path, kRows) + 1601); });
  damaged("header", graph_, [](const std::string& path) { flip(path, place(path, kHeader) + 13); });
  damaged("links", graph_, [](const std::string& path) { flip(path, place(path, kLinks) + 4000); });
  damaged("codes", graph_, [](const std::string& path) { flip(path, place(path, kCodes) + 1000); });
  damaged("scanned codes", scanned_,
          [](const std::string& path) { flip(path, place(path, kRows + 1) + 99); });
}

TEST_F(BadInputDerived, Row45_LiesUnderARightChecksum) {
  const auto header = [&](const std::string& what, std::size_t place, std::uint32_t value) {
    damaged(what, graph_, [=](const std::string& path) {
      lie(path, kHeader, [=](Bytes& bytes) { set32(bytes, place, value); });
    });
  };
  header("count x M overflows 32 bits", kNodes, 0x7fffffff);
  header("count", kNodes, 0xffffffff);
  header("no nodes", kNodes, 0);
  header("M", kDegree, 0xfffffffc);
  header("M of 255", kDegree, 255);
  header("another M", kDegree, 16);
  header("root", kRoot, 500);
  header("entries", kEntries, 0xffffffff);
  header("level, as far as there is one: 255 pivots", kPivots, 0xffffff);
  header("residuals", kHasResiduals, 255);
  header("gap unit", kGapUnit, kInfinity);
  header("error unit", kErrorUnit, kNotANumber);
  std::size_t floats = 0;
  for (const std::uint32_t section : {kHeader + 1, kHeader + 4, kHeader + 5, kHeader + 6}) {
    const auto ids = io::IndexFile::open(graph_)->section_ids();
    if (std::find(ids.begin(), ids.end(), section) == ids.end()) continue;
    ++floats;
    for (const std::uint32_t value : {kNotANumber, kInfinity}) {
      damaged(concat("a number of section ", section), graph_, [=](const std::string& path) {
        lie(path, section, [=](Bytes& bytes) { set32(bytes, 11, value); });
      });
    }
  }
  EXPECT_GE(floats, 2u);
  const auto links = [&](const std::string& what, const std::function<void(Bytes&, std::uint32_t)>& change) {
    damaged(what, graph_, [&](const std::string& path) {
      lie(path, kLinks,
          [&](Bytes& bytes) { change(bytes, static_cast<std::uint32_t>(bytes.size() / 4 / 500)); });
    });
  };
  links("a neighbour at the count", [](Bytes& bytes, std::uint32_t) { set32(bytes, 77, 500); });
  links("a neighbour far away", [](Bytes& bytes, std::uint32_t) { set32(bytes, 5000, 0xffffffff); });
  links("a cycle of two", [](Bytes& bytes, std::uint32_t degree) {
    for (std::uint32_t i = 0; i < 500 * degree; ++i) set32(bytes, i, (i / degree) ^ 1);
  });
  links("every node its own neighbour", [](Bytes& bytes, std::uint32_t degree) {
    for (std::uint32_t i = 0; i < 500 * degree; ++i) set32(bytes, i, i / degree);
  });
  damaged("an entry at the count", graph_, [](const std::string& path) {
    lie(path, kEntryNodes, [](Bytes& bytes) { set32(bytes, 0, 500); });
  });
  // The segment's own description: version, parts; per part field, kind, metric, dimension, rows (8 bytes).
  const auto meta = [&](const std::string& what, std::size_t place, std::uint32_t value) {
    damaged(what, graph_, [=](const std::string& path) {
      lie(path, kMeta, [=](Bytes& bytes) { set32(bytes, place, value); });
    });
  };
  meta("parts", 1, 0xffffffff);
  meta("number", 2, 1);
  meta("first row", 4, 10);
  meta("documents", 10, 0x7fffffff);
  meta("sparse fields", 12, 1);
  meta("ids", 14, 0x7fffffff);
  meta("field", 16, 0x10000);
  meta("metric", 18, 255);
  meta("dimension", 19, 0);
  meta("rows", 21, 0x80000000);
  EXPECT_EQ(get32(Bytes(4, std::byte{1}), 0), 0x01010101u);
}

// Files of more than 2,000 rows are checked as they are read.
TEST_F(BadInputDerived, Row45_MetByASearch) {
  auto db = VecDatabase::open(good(), kSmall);
  db.pause_background();
  auto c = db.get_collection("docs");
  while (rows_.size() < 2'600) add(c, 100);
  c.optimize();
  db.close();
  graph_ = newest(good());
  const auto one = [&](const char* what, const std::function<void(const std::string&)>& damage) {
    SCOPED_TRACE(what);
    fs::remove_all(dir());
    fs::copy(good(), dir(), fs::copy_options::recursive);
    damage(victim(graph_));
    auto open = VecDatabase::open(dir(), kSmall);
    open.pause_background();
    auto docs = open.get_collection("docs");
    EXPECT_EQ(right(docs, true), 20);
    const int answered = right(docs);
    if (docs.stats().segment_damages > 0) {
      EXPECT_GE(answered, 15);
      EXPECT_EQ(right(docs), 20) << "from then on every row is looked at";
    }
    docs.optimize();
    EXPECT_EQ(docs.stats().segment_damages, 1u);
    EXPECT_EQ(put_aside(dir()).size(), 1u);
    EXPECT_EQ(docs.stats().indexes.at("").graph_rows, rows_.size());
    EXPECT_GE(right(docs), 15);
    EXPECT_TRUE(open.verify().ok());
  };
  for (const std::uint32_t section : {kRows, kLinks, kCodes, kHeader + 7})
    one("a bit", [&](const std::string& path) { flip(path, place(path, section) + 9'000); });
  one("a neighbour at the count", [&](const std::string& path) {
    lie(path, kLinks, [&](Bytes& bytes) {
      for (std::size_t i = 0; i < bytes.size() / 4; i += 100)
        set32(bytes, i, static_cast<std::uint32_t>(rows_.size()));
    });
  });
  one("a cycle", [&](const std::string& path) {
    lie(path, kLinks, [&](Bytes& bytes) {
      const std::size_t degree = bytes.size() / 4 / rows_.size();
      for (std::size_t i = 0; i < bytes.size() / 4; ++i)
        set32(bytes, i, static_cast<std::uint32_t>(i / degree) ^ 1);
    });
  });
}

// Nobody has searched: what plans the merge meets the damage, and must not call it done.
TEST_F(BadInputDerived, Row45_MetByOptimize) {
  auto db = VecDatabase::open(good(), kSmall);
  db.pause_background();
  auto c = db.get_collection("docs");
  while (rows_.size() < 2'600) add(c, 100);
  c.optimize();
  db.close();
  graph_ = newest(good());
  for (const std::uint32_t section : {kRows, kLinks, kCodes}) {
    SCOPED_TRACE(section);
    fs::remove_all(dir());
    fs::copy(good(), dir(), fs::copy_options::recursive);
    flip(victim(graph_), place(victim(graph_), section) + 9'000);
    auto open = VecDatabase::open(dir(), kSmall);
    open.pause_background();
    auto docs = open.get_collection("docs");
    docs.optimize();
    EXPECT_EQ(docs.stats().segment_damages, 1u);
    EXPECT_EQ(put_aside(dir()).size(), 1u);
    EXPECT_FALSE(fs::exists(victim(graph_)));
    EXPECT_TRUE(open.verify().ok());
    EXPECT_GE(right(docs), 15);
  }
}

// What nobody looks at for years must not fill the disk.
TEST_F(BadInputDerived, Row45_FewDamagedFilesAreKept) {
  fs::copy(good(), dir(), fs::copy_options::recursive);
  for (int i = 0; i < 7; ++i) {
    auto db = VecDatabase::open(dir(), kSmall);
    auto docs = db.get_collection("docs");
    db.pause_background();
    docs.optimize();
    db.close();
    fs::resize_file(newest(dir()), 100);
    auto again = VecDatabase::open(dir(), kSmall);
    again.pause_background();
    EXPECT_EQ(right(again.get_collection("docs"), true), 20);
    again.get_collection("docs").query(Vector(rows_[0]), 1);
    EXPECT_EQ(put_aside(dir()).size(), std::min<std::size_t>(4, static_cast<std::size_t>(i) + 1));
  }
}

}  // namespace
}  // namespace vecstore
