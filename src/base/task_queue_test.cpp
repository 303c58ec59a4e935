#include "base/task_queue.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>

namespace vecstore {
namespace {

TEST(TaskQueue, CarriesOutAllBeforeItGoes) {
  for (const std::size_t threads : {0, 1, 3}) {
    std::atomic<int> done{0};
    std::mutex mutex;
    std::set<std::thread::id> who;
    {
      TaskQueue queue(threads);
      for (int i = 0; i < 1'000; ++i)
        queue.post([&] {
          ++done;
          const std::lock_guard lock(mutex);
          who.insert(std::this_thread::get_id());
        });
    }
    EXPECT_EQ(done, 1'000);
    EXPECT_LE(who.size(), std::max<std::size_t>(1, threads));
    EXPECT_FALSE(who.contains(std::this_thread::get_id()));
  }
}

TEST(TaskQueue, OneThreadKeepsTheOrderAndTasksMayPost) {
  std::vector<int> order;
  {
    TaskQueue queue(1);
    std::mutex gate;
    gate.lock();
    queue.post([&] { const std::lock_guard lock(gate); });
    for (int i = 0; i < 100; ++i)
      queue.post([&, i] {
        order.push_back(i);
        if (i < 10) queue.post([&, i] { order.push_back(100 + i); });
      });
    gate.unlock();
  }
  ASSERT_EQ(order.size(), 110u);
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], static_cast<int>(i));
}

}  // namespace
}  // namespace vecstore
