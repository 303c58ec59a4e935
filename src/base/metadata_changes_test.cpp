#include "vecstore/metadata_changes.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <random>

#include "seed.hpp"
#include "vecstore/error.hpp"

namespace vecstore {
namespace {

std::string after(std::string_view before, const MetadataChanges& changes) {
  Metadata m = Metadata::parse(before);
  changes.apply(m);
  return m.to_json();
}

void refused(std::string_view before, const MetadataChanges& changes, std::string_view part) {
  Metadata m = Metadata::parse(before);
  try {
    changes.apply(m);
    ADD_FAILURE() << "no error: " << m;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

TEST(MetadataChanges, EachDoesWhatItSays) {
  EXPECT_EQ(after(R"({"a":1})", MetadataChanges().set("b", "x")), R"({"a":1,"b":"x"})");
  EXPECT_EQ(after(R"({"a":1})", MetadataChanges().set("a", {{"b", 2}})), R"({"a":{"b":2}})");
  EXPECT_EQ(after(R"({"a":null})", MetadataChanges().set("a.b.c", 1)), R"({"a":{"b":{"c":1}}})");
  EXPECT_EQ(after(R"({"a":1,"b":{"c":2,"d":3}})", MetadataChanges().unset("b.c").unset("x.y").unset("a.z")),
            R"({"a":1,"b":{"d":3}})");
  EXPECT_EQ(after("{}", MetadataChanges().increment("n").increment("n", 4).increment("o.p", 0.5)),
            R"({"n":5,"o":{"p":0.5}})");
  EXPECT_EQ(after(R"({"n":1})", MetadataChanges().increment("n", 0.25)), R"({"n":1.25})");
  EXPECT_EQ(after(R"({"n":1.5})", MetadataChanges().increment("n", -1)), R"({"n":0.5})");
  EXPECT_EQ(after(R"({"t":["a"]})", MetadataChanges().append("t", "b").append("u", 1).append("t", {1, 2})),
            R"({"t":["a","b",[1,2]],"u":[1]})");
  EXPECT_EQ(after(R"({"a":1})", MetadataChanges().set("a", nullptr).increment("a")), R"({"a":1})");
  EXPECT_EQ(after(R"({"a":{}})", MetadataChanges().unset("a").append("a", 1)), R"({"a":[1]})");
}

TEST(MetadataChanges, WhatCannotBeIsRefusedByName) {
  refused(R"({"a":"x"})", MetadataChanges().increment("a"), "'a'");
  refused(R"({"a":"x"})", MetadataChanges().append("a", 1), "'a'");
  refused(R"({"a":{}})", MetadataChanges().append("a", 1), "no array");
  refused(R"({"a":{"b":[1]}})", MetadataChanges().set("a.b.c", 1), "'a.b' is no object");
  refused(R"({"n":9223372036854775807})", MetadataChanges().increment("n"), "beyond 64 bits");
  refused(R"({"n":1.7e308})", MetadataChanges().increment("n", 1.7e308), "beyond double");
  EXPECT_THROW(MetadataChanges().set("", 1), Error);
  std::string deep = "a";
  for (int i = 0; i < 500'000; ++i) deep += ".a";
  EXPECT_THROW(MetadataChanges().set(deep, 1), Error);
  EXPECT_THROW(MetadataChanges().increment("a", std::numeric_limits<double>::infinity()), Error);
}

// The twin keeps numbers by whole path; paths of one are never the beginning of another's.
TEST(MetadataChanges, AnyRowOfThemEqualsATable) {
  std::mt19937 rng(test::seed());
  static constexpr const char* kPaths[] = {"a", "b.c", "b.d", "e.f.g", "e.f.h", "i"};
  for (int round = 0; round < 2'000; ++round) {
    Metadata m;
    std::map<std::string, std::int64_t> table;
    MetadataChanges changes;
    for (int n = static_cast<int>(rng() % 20); n > 0; --n) {
      const std::string path = kPaths[rng() % std::size(kPaths)];
      const auto value = static_cast<std::int64_t>(rng() % 100);
      if (rng() % 3 == 0) {
        changes.set(path, value), table[path] = value;
      } else if (rng() % 2 == 0) {
        changes.increment(path, value), table[path] += value;
      } else {
        changes.unset(path), table.erase(path);
      }
      if (rng() % 2 == 0) changes.apply(m), changes = MetadataChanges();
    }
    changes.apply(m);
    for (const char* path : kPaths) {
      const auto at = table.find(path);
      EXPECT_EQ(m.get(path), at == table.end() ? Metadata(nullptr) : Metadata(at->second))
          << path << " in " << m;
    }
  }
}

}  // namespace
}  // namespace vecstore
