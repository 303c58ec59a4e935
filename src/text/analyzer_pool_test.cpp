// Sets of analyzers go round, one query at a time each.
#include "text/analyzer_pool.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace vecstore::text {
namespace {

const std::vector<TextField> kFields = {{.path = "text"}, {.path = "title", .analyzer = "german"}};

TEST(AnalyzerPool, SetsAreParallelToTheFieldsAndUsedAgain) {
  AnalyzerPool pool;
  const Analyzer* first = nullptr;
  {
    const AnalyzerPool::Lease lease = pool.take(kFields);
    EXPECT_EQ(lease[0].name(), "english");
    EXPECT_EQ(lease[1].name(), "german");
    EXPECT_EQ(lease[0].terms("running"), std::vector<std::string>{"run"});
    first = &lease[0];
    const AnalyzerPool::Lease second = pool.take(kFields);
    EXPECT_NE(&second[0], first);
  }
  const AnalyzerPool::Lease again = pool.take(kFields);
  EXPECT_EQ(&again[0], first);  // given back last
}

TEST(AnalyzerPool, WhatIsRememberedHasABound) {
  AnalyzerPool pool;
  for (int query = 0; query < 20; ++query) {
    const AnalyzerPool::Lease lease = pool.take(kFields);
    EXPECT_LE(lease[0].memory_bytes(), std::size_t{2} << 20);
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += "w" + std::to_string(query * 20'000 + i) + " ";
    lease[0].terms(text);
  }
}

TEST(AnalyzerPool, ThreadsNeverShareASet) {
  AnalyzerPool pool;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pool, t] {
      for (int i = 0; i < 200; ++i) {
        const AnalyzerPool::Lease lease = pool.take(kFields);
        const std::string word = "walking" + std::to_string(t * 1'000 + i);
        ASSERT_EQ(lease[0].terms(word), std::vector<std::string>{word});
      }
    });
  }
  for (auto& t : threads) t.join();
}

}  // namespace
}  // namespace vecstore::text
