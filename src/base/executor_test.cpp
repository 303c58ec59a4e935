#include "base/executor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace vecstore {
namespace {

TEST(Executor, EveryIndexRunsOnce) {
  Executor executor(3);
  for (std::size_t count : {0u, 1u, 2u, 3u, 7u, 1000u}) {
    for (std::size_t threads : {0u, 1u, 2u, 9u}) {
      std::vector<std::atomic<int>> seen(count);
      executor.parallel_for(count, threads, [&](std::size_t i) { ++seen[i]; });
      EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](const auto& n) { return n == 1; }));
    }
  }
}

TEST(Executor, NoThreadBeforeTheFirstNeed) {
  Executor executor(3);
  EXPECT_EQ(executor.started(), 0u);
  executor.parallel_for(1, 8, [](std::size_t) {});
  executor.parallel_for(100, 1, [](std::size_t) {});
  EXPECT_EQ(executor.started(), 0u);
  executor.parallel_for(100, 2, [](std::size_t) {});
  EXPECT_EQ(executor.started(), 1u);
  executor.parallel_for(100, 0, [](std::size_t) {});
  EXPECT_LE(executor.started(), 3u);
  Executor alone(0);
  alone.parallel_for(100, 0, [](std::size_t) {});
  EXPECT_EQ(alone.started(), 0u);
}

TEST(Executor, KeepsToMaxThreads) {
  Executor executor(7);
  std::atomic<int> now{0}, most{0};
  executor.parallel_for(200, 3, [&](std::size_t) {
    const int n = ++now;
    int seen = most;
    while (n > seen && !most.compare_exchange_weak(seen, n)) {
    }
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    --now;
  });
  EXPECT_LE(most, 3);
  EXPECT_GE(most, 2);
}

TEST(Executor, TheFirstExceptionComesBackAndNothingRunsAfterwards) {
  Executor executor(3);
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> running{0};
    try {
      executor.parallel_for(1000, 0, [&](std::size_t i) {
        ++running;
        if (i == 17) {
          --running;
          throw std::runtime_error("17");
        }
        --running;
      });
      FAIL() << "no exception";
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "17");
    }
    EXPECT_EQ(running, 0);
  }
}

TEST(Executor, LoopsNest) {
  Executor executor(2);
  std::atomic<int> sum{0};
  executor.parallel_for(8, 0, [&](std::size_t) {
    executor.parallel_for(8, 0,
                          [&](std::size_t) { executor.parallel_for(8, 0, [&](std::size_t) { ++sum; }); });
  });
  EXPECT_EQ(sum, 8 * 8 * 8);
}

TEST(Executor, ManyCallersShareTheWorkers) {
  Executor executor(3);
  std::atomic<long> sum{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 16; ++t) {
    callers.emplace_back([&, t] {
      for (int round = 0; round < 100; ++round) {
        try {
          executor.parallel_for(20, 1 + static_cast<std::size_t>(t) % 5, [&](std::size_t i) {
            if (t == 3 && i == 19) throw std::runtime_error("last");
            ++sum;
          });
        } catch (const std::runtime_error&) {
          sum += 1;  // caller 3: the other 19 indices ran
        }
      }
    });
  }
  for (std::thread& t : callers) t.join();
  EXPECT_EQ(sum, 16 * 100 * 20);
  EXPECT_LE(executor.started(), 3u);
}

TEST(Executor, TheSharedOneWorks) {
  std::atomic<int> sum{0};
  Executor::shared().parallel_for(100, 0, [&](std::size_t) { ++sum; });
  EXPECT_EQ(sum, 100);
  EXPECT_EQ(&Executor::shared(), &Executor::shared());
}

}  // namespace
}  // namespace vecstore
