#include "index/top_k.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "index/vector_index.hpp"

namespace vecstore {
namespace {

struct Descending final : RowOrder {
  bool before(std::uint64_t a, std::uint64_t b) const override { return a > b; }
};

TEST(TopK, EqualsSortingWhateverTheOrderOfPushes) {
  std::mt19937 rng(3);
  const Descending descending;
  for (int round = 0; round < 2000; ++round) {
    const std::size_t n = rng() % 60, k = rng() % 20;
    const RowOrder* order = round % 2 ? &descending : nullptr;
    const std::optional<float> threshold = round % 3 ? std::nullopt : std::optional<float>(2.0f);
    std::vector<RowScore> all;
    for (std::size_t i = 0; i < n; ++i) all.push_back({i, static_cast<float>(rng() % 6)});  // many ties
    std::shuffle(all.begin(), all.end(), rng);
    TopK top(k, threshold, order), other(k, threshold, order);
    for (std::size_t i = 0; i < n; ++i) {
      TopK& into = rng() % 2 ? top : other;
      const float bound = into.bound();
      const std::size_t before = into.size();
      into.push(all[i].row, all[i].score);
      if (all[i].score < bound) {
        EXPECT_EQ(into.size(), before);
      }
    }
    top.merge(other);
    std::sort(all.begin(), all.end(), [order](const RowScore& a, const RowScore& b) {
      if (a.score != b.score) return a.score > b.score;
      return order ? a.row > b.row : a.row < b.row;
    });
    std::erase_if(all, [&](const RowScore& a) { return threshold && a.score < *threshold; });
    if (all.size() > k) all.resize(k);
    EXPECT_EQ(top.take(), all);
    EXPECT_EQ(top.size(), 0u);
  }
}

TEST(TopK, TheOrderIsAskedForTiesOnly) {
  struct Never final : RowOrder {
    bool before(std::uint64_t, std::uint64_t) const override {
      ADD_FAILURE() << "asked";
      return false;
    }
  } never;
  TopK top(3, std::nullopt, &never);
  for (int i = 0; i < 100; ++i) top.push(static_cast<std::uint64_t>(i), static_cast<float>((i * 37) % 100));
  EXPECT_EQ(top.bound(), 97.0f);
  EXPECT_EQ(top.take().front().score, 99.0f);
}

TEST(TopK, ZeroAndNegativeZeroAreEqual) {
  TopK top(2);
  top.push(5, 0.0f);
  top.push(4, -0.0f);
  EXPECT_EQ(top.take().front().row, 4u);
}

}  // namespace
}  // namespace vecstore
