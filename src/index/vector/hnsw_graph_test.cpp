#include "index/vector/hnsw_graph.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <queue>
#include <random>
#include <set>
#include <stop_token>
#include <thread>

#include "index/vector/hnsw_builder.hpp"

namespace vecstore::hnsw {
namespace {

constexpr std::uint32_t kSeed = 1234;

const ParallelFor kThreads = [](std::size_t count, const std::function<void(std::size_t)>& fn) {
  std::vector<std::exception_ptr> errors(count);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      try {
        fn(i);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    });
  }
  for (auto& t : threads) t.join();
  for (auto& e : errors) {
    if (e) std::rethrow_exception(e);
  }
};

std::vector<float> gaussian(std::size_t n, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(n);
  for (float& v : out) v = normal(random);
  return out;
}

ByteCodes encode(Metric metric, std::size_t dim, const std::vector<float>& values) {
  ByteCodes codes(metric, dim, static_cast<std::uint32_t>(values.size() / dim));
  for (std::uint32_t i = 0; i < codes.rows(); ++i) codes.set(i, values.data() + i * dim);
  codes.finish();
  return codes;
}

// A slow walk of its own, and what every graph has to be.
void check(const Graph& g, std::uint32_t nodes, const BuildOptions& options) {
  ASSERT_EQ(g.nodes, nodes);
  ASSERT_EQ(g.degree, (2 * options.m + 3) / 4 * 4);
  ASSERT_EQ(g.links.size(), std::size_t{nodes} * g.degree);
  std::vector<bool> seen(nodes);
  std::queue<std::uint32_t> todo;
  todo.push(g.root);
  seen[g.root] = true;
  while (!todo.empty()) {
    const std::uint32_t node = todo.front();
    todo.pop();
    for (std::uint32_t i = 0; i < g.degree; ++i) {
      const std::uint32_t next = g.of(node)[i];
      ASSERT_LT(next, nodes);
      if (!seen[next]) todo.push(next);
      seen[next] = true;
    }
  }
  EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](bool b) { return b; }));
  EXPECT_TRUE(unreachable_nodes(g).empty());
  for (std::uint32_t node = 0; node < nodes; ++node) {
    bool ended = false;
    std::set<std::uint32_t> different;
    for (std::uint32_t i = 0; i < g.degree; ++i) {
      const std::uint32_t next = g.of(node)[i];
      EXPECT_TRUE(!ended || next == node) << "empty slots stand last";
      ended = ended || next == node;
      EXPECT_TRUE(next == node || different.insert(next).second) << "a neighbour stands twice";
    }
  }
}

// How many of the 10 nearest rows a greedy walk with a pool of `ef` finds, over all rows as queries.
double recall(const Graph& g, const ByteCodes& codes, std::size_t ef) {
  std::size_t found = 0, wanted = 0;
  std::vector<std::uint32_t> all(g.nodes);
  for (std::uint32_t i = 0; i < g.nodes; ++i) all[i] = i;
  const Entries entries = make_entries(codes, all, Context());
  std::vector<float> d(g.nodes);
  for (std::uint32_t q = 0; q < g.nodes; q += 1 + g.nodes / 200) {
    codes.distances(q, all.data(), all.size(), d.data());
    std::vector<std::pair<float, std::uint32_t>> pool, truth;
    for (std::uint32_t i = 0; i < g.nodes; ++i) truth.emplace_back(d[i], i);
    std::sort(truth.begin(), truth.end());
    truth.resize(std::min<std::size_t>(truth.size(), 10));
    std::vector<bool> seen(g.nodes), done(g.nodes);
    const auto add = [&](std::uint32_t node) {
      if (seen[node]) return;
      seen[node] = true;
      pool.emplace_back(d[node], node);
    };
    for (std::uint32_t i = 0; i < entries.pivots(); ++i) add(entries.nodes[i]);
    while (true) {
      std::sort(pool.begin(), pool.end());
      if (pool.size() > ef) pool.resize(ef);
      const auto next = std::find_if(pool.begin(), pool.end(), [&](auto& p) { return !done[p.second]; });
      if (next == pool.end()) break;
      const std::uint32_t node = next->second;
      done[node] = true;
      for (std::uint32_t i = 0; i < g.degree; ++i) add(g.of(node)[i]);
    }
    for (std::size_t i = 0; i < truth.size(); ++i) {
      ++wanted;
      found += i < pool.size() && pool[i].first <= truth[i].first;
    }
  }
  return static_cast<double>(found) / static_cast<double>(wanted);
}

TEST(HnswGraph, EveryNodeIsReachableAtEverySize) {
  for (std::uint32_t n : {1u, 2u, 3u, 5u, 31u, 33u, 34u, 200u, 700u}) {
    for (std::uint32_t m : {2u, 3u, 16u}) {
      SCOPED_TRACE(testing::Message() << n << " rows, m " << m);
      const auto values = gaussian(n * 8, kSeed + n);
      const ByteCodes codes = encode(Metric::kEuclidean, 8, values);
      BuildOptions options;
      options.m = m;
      Context context;
      check(build_graph(codes, options, context), n, options);
    }
  }
}

TEST(HnswGraph, OneThreadBuildsTheSameGraphAgain) {
  const ByteCodes codes = encode(Metric::kCosine, 16, gaussian(1500 * 16, kSeed));
  Context context;
  const Graph a = build_graph(codes, {}, context), b = build_graph(codes, {}, context);
  EXPECT_EQ(a.links, b.links);
  EXPECT_EQ(a.root, b.root);
}

TEST(HnswGraph, ThreadsBuildAGraphAsGood) {
  const ByteCodes codes = encode(Metric::kCosine, 24, gaussian(2000 * 24, kSeed + 1));
  Context context;
  BuildOptions one, four;
  four.threads = 4;
  four.parallel = &kThreads;
  std::uint64_t last = 0;
  const Graph a = build_graph(codes, one, context);
  const Graph b = build_graph(codes, four, context, [&](std::uint64_t done) { last = std::max(last, done); });
  check(b, 2000, four);
  EXPECT_EQ(last, 2000u);
  EXPECT_GT(recall(a, codes, 40), 0.9);
  EXPECT_GT(recall(b, codes, 40), recall(a, codes, 40) - 0.02);
}

TEST(HnswGraph, AnyNumberOfThreadsBuildsTheSameGraph) {
  // Several leaves, rows in several of them, and equal rows.
  std::vector<float> values = gaussian(5000 * 12, kSeed + 20);
  for (std::size_t i = 0; i < 300; ++i) std::copy_n(values.data(), 12, values.data() + (4000 + 3 * i) * 12);
  for (Metric metric : {Metric::kCosine, Metric::kDot, Metric::kEuclidean}) {
    const ByteCodes codes = encode(metric, 12, values);
    Context context;
    BuildOptions options;
    options.m = 8;
    const Graph one = build_graph(codes, options, context);
    check(one, 5000, options);
    options.parallel = &kThreads;
    for (std::size_t threads : {2u, 5u}) {
      options.threads = threads;
      EXPECT_EQ(build_graph(codes, options, context).links, one.links) << threads << " threads";
    }
  }
}

using Pairs = std::vector<std::pair<float, std::uint32_t>>;

// The rule for links, word by word.
Pairs naive_choice(const ByteCodes& codes, const Pairs& candidates, std::size_t degree, float alpha) {
  Pairs chosen, others;
  for (const auto& c : candidates) {
    const bool good = std::all_of(chosen.begin(), chosen.end(), [&](const auto& other) {
      float d;
      codes.distances(other.second, &c.second, 1, &d);
      return alpha * d > c.first;
    });
    (good ? chosen : others).push_back(c);
  }
  for (const auto& c : others) chosen.push_back(c);
  // Chosen ones come first, each group by distance.
  if (chosen.size() > degree) chosen.resize(degree);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

TEST(HnswGraph, FewRowsGetTheLinksOfTheExactNeighbours) {
  constexpr std::uint32_t kRows = 400;
  const ByteCodes codes = encode(Metric::kEuclidean, 8, gaussian(kRows * 8, kSeed + 21));
  BuildOptions options;
  options.m = 4;
  constexpr std::size_t kDegree = 8, kKept = 16;
  std::vector<Pairs> own(kRows), back(kRows);
  for (std::uint32_t i = 0; i < kRows; ++i) {
    Pairs all;
    for (std::uint32_t j = 0; j < kRows; ++j) {
      float d;
      codes.distances(i, &j, 1, &d);
      if (i != j) all.emplace_back(d, j);
    }
    std::sort(all.begin(), all.end());
    all.resize(kKept);
    own[i] = naive_choice(codes, all, kDegree, options.alpha);
  }
  for (std::uint32_t i = 0; i < kRows; ++i) {
    for (const auto& [d, to] : own[i]) back[to].emplace_back(d, i);
  }
  Context context;
  const Graph graph = build_graph(codes, options, context);
  int different = 0;
  for (std::uint32_t i = 0; i < kRows; ++i) {
    Pairs more;
    for (const auto& c : back[i]) {
      const auto same = [&](const auto& o) { return o.second == c.second; };
      if (std::none_of(own[i].begin(), own[i].end(), same)) more.push_back(c);
    }
    std::sort(more.begin(), more.end());
    more.resize(std::min(more.size(), kKept - own[i].size()));
    more.insert(more.end(), own[i].begin(), own[i].end());
    std::sort(more.begin(), more.end());
    std::set<std::uint32_t> want, got;
    for (const auto& c : naive_choice(codes, more, kDegree, options.alpha)) want.insert(c.second);
    for (std::uint32_t k = 0; k < graph.degree; ++k) {
      if (graph.of(i)[k] != i) got.insert(graph.of(i)[k]);
    }
    different += want != got;
  }
  EXPECT_LE(different, 4) << "more than what links to rows that nothing else led to";
}

TEST(HnswGraph, EqualRowsAndZeroRowsAreLinked) {
  std::vector<float> values = gaussian(2000 * 8, kSeed + 2);
  for (std::size_t i = 250; i < 1250; ++i)
    std::copy_n(values.data(), 8, values.data() + i * 8);  // all as row 0
  std::fill(values.begin() + 1250 * 8, values.begin() + 1750 * 8, 0.0f);
  for (Metric metric : {Metric::kCosine, Metric::kDot, Metric::kEuclidean}) {
    const ByteCodes codes = encode(metric, 8, values);
    BuildOptions options;
    Context context;
    const Graph g = build_graph(codes, options, context);
    check(g, 2000, options);
    EXPECT_GT(recall(g, codes, 60), 0.9) << to_string(metric);
  }
  const ByteCodes same = encode(Metric::kCosine, 8, std::vector<float>(8 * 700, 1.0f));
  Context context;
  check(build_graph(same, {}, context), 700, {});
}

TEST(HnswGraph, RowsAreAddedToACopyAndRemovedFromIt) {
  constexpr std::size_t kDim = 16;
  const auto values = gaussian(3000 * kDim, kSeed + 3);
  const auto some = [&](std::size_t begin, std::size_t end) {
    return std::vector<float>(values.begin() + static_cast<std::ptrdiff_t>(begin * kDim),
                              values.begin() + static_cast<std::ptrdiff_t>(end * kDim));
  };
  BuildOptions options;
  Context context;
  const Graph old = build_graph(encode(Metric::kEuclidean, kDim, some(0, 2000)), options, context);
  std::mt19937 random(kSeed);
  std::vector<std::uint32_t> removed;
  std::vector<float> left;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    if (random() % 3 == 0 || i == old.root) {
      removed.push_back(i);
    } else {
      left.insert(left.end(), values.begin() + i * kDim, values.begin() + (i + 1) * kDim);
    }
  }
  const auto more = some(2000, 3000);
  left.insert(left.end(), more.begin(), more.end());
  const ByteCodes codes = encode(Metric::kEuclidean, kDim, left);
  const auto before = old.links;
  const Graph merged = extend_graph(old, removed, codes, options, context);
  EXPECT_EQ(old.links, before);
  check(merged, codes.rows(), options);
  const Graph fresh = build_graph(codes, options, context);
  EXPECT_GT(recall(merged, codes, 40), recall(fresh, codes, 40) - 0.015);
  EXPECT_GT(recall(fresh, codes, 40), 0.9);

  // Nothing added, nearly everything removed.
  std::vector<std::uint32_t> most(1990);
  for (std::uint32_t i = 0; i < 1990; ++i) most[i] = i;
  check(extend_graph(old, most, encode(Metric::kEuclidean, kDim, some(1990, 2000)), options, context), 10,
        options);
  // Everything removed, others added.
  std::vector<std::uint32_t> all(2000);
  for (std::uint32_t i = 0; i < 2000; ++i) all[i] = i;
  check(extend_graph(old, all, encode(Metric::kEuclidean, kDim, some(2000, 2100)), options, context), 100,
        options);
}

TEST(HnswGraph, ManyRoundsOfChangeKeepTheRecall) {
  constexpr std::size_t kDim = 16;
  constexpr std::uint32_t kRows = 1000;
  auto values = gaussian(kRows * kDim, kSeed + 4);
  BuildOptions options;
  Context context;
  Graph graph = build_graph(encode(Metric::kCosine, kDim, values), options, context);
  for (std::uint32_t round = 0; round < 10; ++round) {
    std::vector<std::uint32_t> removed;
    std::vector<float> next;
    for (std::uint32_t i = 0; i < kRows; ++i) {
      if (i % 10 == round)
        removed.push_back(i);
      else
        next.insert(next.end(), values.begin() + i * kDim, values.begin() + (i + 1) * kDim);
    }
    const auto more = gaussian(removed.size() * kDim, kSeed + 100 + round);
    next.insert(next.end(), more.begin(), more.end());
    values = next;
    graph = extend_graph(graph, removed, encode(Metric::kCosine, kDim, values), options, context);
    check(graph, kRows, options);
  }
  const ByteCodes codes = encode(Metric::kCosine, kDim, values);
  EXPECT_GT(recall(graph, codes, 32), recall(build_graph(codes, options, context), codes, 32) - 0.01);
}

TEST(HnswGraph, WhatCannotBeReachedIsLinked) {
  const ByteCodes codes = encode(Metric::kEuclidean, 4, gaussian(400, kSeed + 5));
  std::mt19937 random(kSeed);
  for (int round = 0; round < 50; ++round) {
    Graph g{100, 4, static_cast<std::uint32_t>(random() % 100), {}};
    for (std::uint32_t i = 0; i < 100; ++i) {
      const std::uint32_t used = random() % 5;
      std::set<std::uint32_t> others;
      // Several islands.
      while (others.size() < used) {
        const std::uint32_t other = i / 20 * 20 + random() % 20;
        if (other != i) others.insert(other);
      }
      std::vector<std::uint32_t> list(others.begin(), others.end());
      list.resize(4, i);
      g.links.insert(g.links.end(), list.begin(), list.end());
    }
    Context context;
    link_unreachable(g, codes, context);
    BuildOptions options;
    options.m = 2;
    check(g, 100, options);
  }
}

TEST(HnswGraph, ABuildEndsWhenItIsAskedTo) {
  const ByteCodes codes = encode(Metric::kCosine, 16, gaussian(4000 * 16, kSeed + 6));
  for (bool threads : {false, true}) {
    std::stop_source stop;
    Context context;
    context.stop = stop.get_token();
    BuildOptions options;
    if (threads) {
      options.threads = 2;
      options.parallel = &kThreads;
    }
    try {
      build_graph(codes, options, context, [&](std::uint64_t done) {
        if (done > 1000) stop.request_stop();
      });
      FAIL() << "the build went on";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kCancelled);
    }
  }
}

TEST(HnswGraph, BadOptionsAreRefused) {
  const ByteCodes codes = encode(Metric::kCosine, 16, gaussian(16, kSeed));
  Context context;
  for (const BuildOptions& o : {BuildOptions{1, 100, 1.15f}, BuildOptions{65, 100, 1.15f},
                                BuildOptions{16, 0, 1.15f}, BuildOptions{16, 100, 0.5f}}) {
    EXPECT_THROW(build_graph(codes, o, context), Error);
  }
}

}  // namespace
}  // namespace vecstore::hnsw
