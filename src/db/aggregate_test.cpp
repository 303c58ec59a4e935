// Aggregations against reading every record.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <set>

#include "scratch.hpp"
#include "seed.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

class AggregateTest : public ::testing::Test {
 protected:
  static constexpr int kIds = 400;

  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(rng_() % static_cast<std::uint64_t>(n));
  }
  Metadata scalar() {
    switch (rng_() % 12) {
      case 0:
        return nullptr;
      case 1:
        return true;
      case 2:
        return false;
      case 3:
        return below(4);
      case 4:
        return static_cast<double>(below(4));  // equal to an integer
      case 5:
        return 0.25 + static_cast<double>(below(3));
      case 6:
        return std::string(300, static_cast<char>('a' + below(2)));  // longer than what is indexed
      case 7:
        return Metadata::parse("{\"x\": 1}");
      default:
        return "s" + std::to_string(below(5));
    }
  }
  Metadata value() {
    if (rng_() % 4 != 0) return scalar();
    Metadata array = Metadata::array();
    for (std::uint64_t n = rng_() % 4; n > 0; --n) array.push_back(scalar());
    return array;
  }
  Metadata metadata() {
    Metadata m;
    if (rng_() % 8 != 0) m["group"] = value();
    if (rng_() % 8 != 0) m["plain"] = "p" + std::to_string(below(6));
    if (rng_() % 8 != 0)
      m["price"] = rng_() % 10 == 0 ? value() : Metadata(static_cast<double>(below(1000)) / 8);
    if (rng_() % 8 != 0) m["n"] = below(100);
    if (rng_() % 3 != 0) m["in"]["side"] = value();
    if (rng_() % 60 == 0) m[std::string(300, 'k')] = 1;  // a name outside of the table
    return m;
  }
  void write(Collection& c) {
    const std::string id = std::to_string(below(kIds));
    const auto kind = rng_() % 10;
    if (kind == 0) {
      c.erase(id);
      twin_.erase(id);
    } else if (kind < 3 && twin_.contains(id)) {
      twin_[id].metadata = metadata();
      c.update_metadata(id, twin_[id].metadata);
    } else {
      Record r{.id = id, .vector = {1.0f, static_cast<float>(below(9))}, .metadata = metadata()};
      if (rng_() % 2) r.source = "file " + std::to_string(below(3));
      c.upsert(r);
      twin_[id] = r;
    }
  }
  static Metadata at(const Record& r, const std::string& path) {
    if (path == "_source") return r.source.empty() ? Metadata(nullptr) : Metadata(r.source);
    return r.metadata.get(path);
  }
  /// Groups by a text that says type and value, so that equal numbers are one.
  static std::string key(const Metadata& v) {
    return v.is_number() ? "n" + std::to_string(v.as_double()) : v.to_json();
  }
  static void check(const NumberSummary& got, const std::vector<Metadata>& values, const std::string& what) {
    EXPECT_EQ(got.count, values.size()) << what;
    if (values.empty()) {
      EXPECT_TRUE(got.min.is_null() && got.max.is_null()) << what;
      return;
    }
    double sum = 0, least = values[0].as_double(), most = least;
    for (const Metadata& v : values) {
      sum += v.as_double();
      least = std::min(least, v.as_double());
      most = std::max(most, v.as_double());
    }
    EXPECT_NEAR(got.sum, sum, 1e-9 * (1 + std::abs(sum))) << what;
    EXPECT_NEAR(got.average, sum / static_cast<double>(values.size()), 1e-9 * (1 + std::abs(sum))) << what;
    EXPECT_EQ(got.min.as_double(), least) << what;
    EXPECT_EQ(got.max.as_double(), most) << what;
  }

  void compare(const Collection& c, const std::string& group_by, const std::string& where) {
    AggregateOptions options{.group_by = group_by, .fields = {"price", "n"}, .limit = 1 + rng_() % 30};
    if (!where.empty()) options.where = Filter::parse(where);
    SCOPED_TRACE(group_by + " where " + where);
    const Aggregates got = c.aggregate(options);
    std::set<std::string> matching;
    for (std::string after;;) {
      const ScrollPage page = c.scroll({.after = after, .limit = 1000, .where = where});
      for (const Record& r : page.records) matching.insert(r.id);
      if ((after = page.next).empty()) break;
    }
    struct Group {
      std::uint64_t count = 0;
      std::map<std::string, std::vector<Metadata>> numbers;
    };
    Group all;
    std::map<std::string, Group> groups;
    std::uint64_t missing = 0;
    for (const auto& [id, r] : twin_) {
      if (!matching.contains(id)) continue;
      std::set<std::string> keys;
      const Metadata v = at(r, group_by);
      const auto take = [&](const Metadata& m) {
        if (m.is_bool() || m.is_number() || m.is_string()) keys.insert(key(m));
      };
      if (v.is_array()) {
        for (const Metadata& e : v.as_array()) take(e);
      } else {
        take(v);
      }
      missing += !group_by.empty() && keys.empty();
      std::vector<Group*> of{&all};
      for (const std::string& k : keys) of.push_back(&groups[k]);
      for (Group* g : of) {
        ++g->count;
        for (const char* field : {"price", "n"}) {
          if (at(r, field).is_number()) g->numbers[field].push_back(at(r, field));
        }
      }
    }
    if (group_by.empty()) groups.clear();
    EXPECT_EQ(got.all.count, all.count);
    EXPECT_EQ(got.missing, missing);
    EXPECT_EQ(got.total_groups, groups.size());
    ASSERT_EQ(got.groups.size(), std::min(groups.size(), options.limit));
    for (const char* field : {"price", "n"}) check(got.all.fields.at(field), all.numbers[field], field);
    for (std::size_t i = 0; i < got.groups.size(); ++i) {
      const AggregateGroup& g = got.groups[i];
      const std::string k = key(g.value);
      ASSERT_TRUE(groups.contains(k)) << k;
      EXPECT_EQ(g.count, groups[k].count) << k;
      EXPECT_FALSE(g.value.is_double() && std::trunc(g.value.as_double()) == g.value.as_double()) << k;
      for (const char* field : {"price", "n"})
        check(g.fields.at(field), groups[k].numbers[field], k + " " + field);
      if (i > 0) EXPECT_GE(got.groups[i - 1].count, g.count);
      const Filter is = field(group_by) == FilterValue(g.value);
      EXPECT_EQ(c.count(where.empty() ? is : Filter::parse(where) && is), g.count) << k;
    }
    // The largest are there.
    std::vector<std::uint64_t> sizes;
    for (const auto& [k, g] : groups) sizes.push_back(g.count);
    std::sort(sizes.begin(), sizes.end(), std::greater());
    for (std::size_t i = 0; i < got.groups.size(); ++i) EXPECT_EQ(got.groups[i].count, sizes[i]);
  }

  test::Scratch scratch_;
  std::mt19937_64 rng_{test::seed()};
  std::map<std::string, Record> twin_;
};

TEST_F(AggregateTest, EqualsReadingEveryRecord) {
  const OpenOptions options{.durability = Durability::kRelaxed, .threads = 1, .checkpoint_rows = 150};
  auto db = VecDatabase::open(scratch_ / "db", options);
  auto c = db.create_collection("c");
  static constexpr const char* kGroups[] = {"group", "plain", "in.side", "_source", "", "in", "nowhere"};
  static constexpr const char* kFilters[] = {"",
                                             "n < 30",
                                             "price > 40 AND n >= 10",
                                             "plain = 'p1'",
                                             "NOT group = 's1'",
                                             "in.side IS NOT NULL",
                                             "_id LIKE '%7'",
                                             "n > 1000"};
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 120; ++i) write(c);
    if (round % 4 == 3) c.optimize();
    if (round % 5 == 4) {
      db.close();
      db = VecDatabase::open(scratch_ / "db", options);
      c = db.get_collection("c");
    }
    for (int i = 0; i < 12; ++i)
      compare(c, kGroups[rng_() % std::size(kGroups)], kFilters[rng_() % std::size(kFilters)]);
  }
}

TEST_F(AggregateTest, SumsAreExactWhereDoublesAreNot) {
  auto db = VecDatabase::open(scratch_ / "db", {.durability = Durability::kRelaxed});
  auto c = db.create_collection("c");
  const std::int64_t large = std::int64_t{1} << 62;
  int id = 0;
  for (const Metadata& n : {Metadata(large), Metadata(large), Metadata(large), Metadata(1), Metadata(-large),
                            Metadata(-large), Metadata(-large)})
    c.upsert({.id = std::to_string(id++), .metadata = {{"n", n}}});
  for (const double x : {1e100, 1.0, -1e100}) c.upsert({.id = std::to_string(id++), .metadata = {{"x", x}}});
  const Aggregates got = c.aggregate({.fields = {"n", "x"}});
  EXPECT_EQ(got.all.fields.at("n").sum, 1.0);
  EXPECT_EQ(got.all.fields.at("n").min, Metadata(-large));
  EXPECT_EQ(got.all.fields.at("x").sum, 1.0);
  EXPECT_EQ(got.all.count, 10u);
}

TEST_F(AggregateTest, Facets) {
  auto db = VecDatabase::open(scratch_ / "db", {.durability = Durability::kRelaxed});
  auto c = db.create_collection("c");
  c.upsert({.id = "a", .metadata = {{"tags", {"x", "y", "x"}}, {"n", 1}}});
  c.upsert({.id = "b", .metadata = {{"tags", {"y", "z"}}, {"n", 2}}});
  c.upsert({.id = "c", .metadata = {{"n", 3}}});
  const Aggregates got = c.facet("tags");
  ASSERT_EQ(got.groups.size(), 3u);
  EXPECT_EQ(got.groups[0].value, Metadata("y"));
  EXPECT_EQ(got.groups[0].count, 2u);
  EXPECT_EQ(got.groups[1].value, Metadata("x"));
  EXPECT_EQ(got.missing, 1u);
  EXPECT_EQ(c.facet("tags", field("n") > 1).groups.size(), 2u);
  EXPECT_EQ(c.facet("tags", {}, 1).groups.size(), 1u);
  EXPECT_EQ(c.facet("tags", {}, 1).total_groups, 3u);
  EXPECT_EQ(c.facet("nowhere").missing, 3u);
}

TEST_F(AggregateTest, WhatIsWrongIsRefused) {
  auto db = VecDatabase::open(scratch_ / "db", {.durability = Durability::kRelaxed});
  auto c = db.create_collection("c");
  c.upsert({.id = "a", .metadata = {{"n", 1}}});
  const auto refused = [&](const AggregateOptions& options, std::string_view part) {
    try {
      c.aggregate(options);
      ADD_FAILURE() << part;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    }
  };
  refused({.group_by = "a[*].b"}, "group_by 'a[*].b'");
  refused({.group_by = "_text"}, "_text");
  refused({.fields = {"_id"}}, "_id");
  refused({.group_by = "a..b"}, "");
  refused({.limit = 0}, "limit is 0");
  EXPECT_THROW(c.facet(""), Error);
  refused({.limit = 10'001}, "10001");
  refused({.fields = std::vector<std::string>(65, "n")}, "65");
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(c.aggregate({.stop = stop.get_token()}), Error);
  EXPECT_THROW(c.aggregate({.deadline = std::chrono::milliseconds(0)}), Error);
}

}  // namespace
}  // namespace vecstore
