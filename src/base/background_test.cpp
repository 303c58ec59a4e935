#include "base/background.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>

namespace vecstore {
namespace {

using namespace std::chrono_literals;

bool eventually(const std::function<bool()>& what) {
  for (int i = 0; i < 2000; ++i) {
    if (what()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return what();
}

TEST(Background, RunsStepsUntilTheyAreDoneAndDropsWhatTheyThrow) {
  std::atomic<int> first{0}, second{0};
  const int a = 0, b = 0;
  Background background;
  background.request(&a, [&](std::stop_token) { return ++first < 5; });
  background.request(&b, [&](std::stop_token) -> bool {
    ++second;
    throw std::runtime_error("dropped");
  });
  ASSERT_TRUE(eventually([&] { return first == 5 && second == 1; }));
  background.request(&b, [&](std::stop_token) { return ++second < 0; });
  ASSERT_TRUE(eventually([&] { return second == 2; }));
  EXPECT_EQ(first, 5);
}

TEST(Background, OneWaitingRequestPerKey) {
  std::atomic<int> runs{0};
  const int key = 0;
  Background background;
  background.pause();
  for (int i = 0; i < 10; ++i) background.request(&key, [&](std::stop_token) { return ++runs < 0; });
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(runs, 0);
  background.resume();
  ASSERT_TRUE(eventually([&] { return runs == 1; }));
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(runs, 1);
}

TEST(Background, TheQuickLaneWaitsForNothing) {
  std::atomic<int> quick{0};
  std::atomic<bool> began{false}, ended{false};
  const int key = 0;
  Background background;
  background.request(&key, [&](const std::stop_token& stop) {
    began = true;
    while (!stop.stop_requested()) std::this_thread::sleep_for(1ms);
    ended = true;
    return false;
  });
  ASSERT_TRUE(eventually([&] { return began.load(); }));
  background.pause();
  const auto step = [&](std::stop_token) { return ++quick % 3 != 0; };
  background.request(&key, step, Background::Lane::kQuick);
  EXPECT_TRUE(eventually([&] { return quick == 3; }));
  EXPECT_FALSE(ended);
  background.stop();
  EXPECT_TRUE(ended);
  background.request(&key, step, Background::Lane::kQuick);
  EXPECT_EQ(quick, 3);
}

TEST(Background, StopEndsWhatRunsAndRefusesMore) {
  std::atomic<bool> began{false}, ended{false};
  const int key = 0;
  Background background;
  background.request(&key, [&](const std::stop_token& stop) {
    began = true;
    while (!stop.stop_requested()) std::this_thread::sleep_for(1ms);
    ended = true;
    return true;
  });
  ASSERT_TRUE(eventually([&] { return began.load(); }));
  background.stop();
  EXPECT_TRUE(ended);
  background.stop();
  began = false;
  background.request(&key, [&](std::stop_token) { return began.exchange(true); });
  std::this_thread::sleep_for(20ms);
  EXPECT_FALSE(began);
}

}  // namespace
}  // namespace vecstore
