#include "simd/code_kernels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace vecstore::simd {
namespace {

constexpr std::uint32_t kSeed = 4711;

std::vector<std::pair<Isa, const CodeKernels*>> available() {
  std::vector<std::pair<Isa, const CodeKernels*>> out;
  for (Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (const CodeKernels* k = code_kernels_for(isa)) out.emplace_back(isa, k);
  }
  return out;
}

struct Aligned {
  explicit Aligned(std::size_t bytes)
      : data(static_cast<std::uint8_t*>(std::aligned_alloc(64, (bytes / 64 + 1) * 64))) {}
  ~Aligned() { std::free(data); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  std::uint8_t* data;
};

TEST(CodeKernels, ByteDotsEqualASimpleLoop) {
  std::mt19937 random(kSeed);
  for (const auto& [isa, kernels] : available()) {
    SCOPED_TRACE(to_string(isa));
    for (std::size_t bytes : {64u, 128u, 384u, 1024u}) {
      for (std::size_t count : {0u, 1u, 3u, 4u, 5u, 17u}) {
        const std::size_t rows = 20;
        std::vector<std::uint8_t> codes(rows * bytes);
        for (auto& c : codes) c = static_cast<std::uint8_t>(random() % 3 ? random() : 255);
        std::vector<std::uint8_t> query(bytes);
        for (auto& q : query) q = static_cast<std::uint8_t>(random() % 3 ? random() : 0);
        std::vector<std::uint32_t> ids(count);
        for (auto& id : ids) id = random() % rows;
        std::vector<std::int32_t> out(count + 1, 12345);
        kernels->byte_dots(query.data(), codes.data(), bytes, bytes, ids.data(), count, out.data());
        for (std::size_t i = 0; i < count; ++i) {
          std::int32_t sum = 0;
          for (std::size_t j = 0; j < bytes; ++j) sum += codes[ids[i] * bytes + j] * (query[j] - 128);
          ASSERT_EQ(out[i], sum);
        }
        EXPECT_EQ(out[count], 12345);
      }
    }
  }
}

TEST(CodeKernels, RescoreEqualsASimpleLoop) {
  std::mt19937 random(kSeed + 1);
  for (const auto& [isa, kernels] : available()) {
    SCOPED_TRACE(to_string(isa));
    for (std::size_t bytes : {64u, 192u, 512u}) {
      for (std::size_t residual_bytes : {std::size_t{0}, 2 * bytes - 64, 2 * bytes}) {
        std::vector<std::uint8_t> code(bytes), residual(2 * bytes);
        std::vector<std::int8_t> high(2 * bytes), low(2 * bytes);
        const bool extreme = random() % 2;
        for (auto& c : code) c = static_cast<std::uint8_t>(extreme ? 255 : random());
        for (auto& c : residual) c = static_cast<std::uint8_t>(extreme ? 255 : random());
        for (auto& v : high) v = static_cast<std::int8_t>(extreme ? -63 : int(random() % 127) - 63);
        for (auto& v : low) v = static_cast<std::int8_t>(extreme ? -64 : int(random() % 128) - 64);
        std::int32_t want[4] = {0, 0, 0, 0}, got[4];
        for (std::size_t j = 0; j < 2 * bytes; ++j) {
          const int c = code[j / 128 * 64 + j % 64] >> (j % 128 < 64 ? 0 : 4) & 15;
          want[0] += c * high[j];
          want[1] += c * low[j];
          if (j >= residual_bytes) continue;
          want[2] += residual[j] * high[j];
          want[3] += residual[j] * low[j];
        }
        kernels->rescore({high.data(), low.data()}, code.data(), bytes, residual.data(), residual_bytes, got);
        for (int i = 0; i < 4; ++i) EXPECT_EQ(got[i], want[i]) << bytes << ' ' << residual_bytes << ' ' << i;
      }
    }
  }
}

// A random graph whose estimates are exact in float and all different.
struct Fixture {
  Fixture(std::uint32_t n, std::uint32_t degree, std::size_t bytes, bool sides, std::mt19937& random)
      : codes(n * bytes),
        entry_codes(n * bytes),
        values(2 * bytes),
        scales(n, 1),
        terms(n),
        links(n * degree) {
    for (std::size_t i = 0; i < n * bytes; ++i) codes.data[i] = static_cast<std::uint8_t>(random());
    for (std::size_t i = 0; i < 2 * bytes; ++i)
      reinterpret_cast<std::int8_t*>(values.data)[i] = static_cast<std::int8_t>(int(random() % 255) - 127);
    for (std::uint32_t i = 0; i < n; ++i) terms[i] = static_cast<float>(random() % 4096) / 64;
    for (std::uint32_t i = 0; i < n; ++i) {
      const std::uint32_t used = random() % (degree + 1);
      for (std::uint32_t j = 0; j < degree; ++j) links[i * degree + j] = j < used ? random() % n : i;
    }
    const std::uint32_t sample = std::max<std::uint32_t>(1, n / 7),
                        pivots = std::max<std::uint32_t>(1, sample / 3);
    for (std::uint32_t i = 0; i < sample; ++i) {
      entries.push_back(random() % n);
      std::copy_n(codes.data + entries[i] * bytes, bytes, entry_codes.data + i * bytes);
      entry_scales.push_back(scales[entries[i]]);
      entry_terms.push_back(terms[entries[i]]);
    }
    for (std::uint32_t i = 0; i <= pivots; ++i) begins.push_back(pivots + (sample - pivots) * i / pivots);
    graph.nodes = n;
    graph.degree = degree;
    graph.links = links.data();
    graph.codes = codes.data;
    graph.code_bytes = bytes;
    graph.pivots = pivots;
    graph.bucket_begins = begins.data();
    graph.entries = entries.data();
    graph.entry_codes = entry_codes.data;
    if (sides) {
      graph.scales = scales.data();
      graph.terms = terms.data();
      graph.entry_scales = entry_scales.data();
      graph.entry_terms = entry_terms.data();
    }
    query = {reinterpret_cast<const std::int8_t*>(values.data), 1, 0, 1, -0.5f};
  }

  float estimate(std::uint32_t node) const {
    std::int32_t sum = 0;
    for (std::size_t j = 0; j < 2 * graph.code_bytes; ++j) {
      const int c =
          codes.data[node * graph.code_bytes + j / 128 * 64 + j % 64] >> (j % 128 < 64 ? 0 : 4) & 15;
      sum += c * query.values[j];
    }
    return (graph.terms ? query.term_weight * terms[node] : 0) - static_cast<float>(sum);
  }

  Aligned codes, entry_codes, values;
  std::vector<float> scales, terms, entry_scales, entry_terms;
  std::vector<std::uint32_t> links, entries, begins;
  WalkGraph graph{};
  WalkQuery query{};
};

TEST(CodeKernels, EstimatesEqualASimpleLoop) {
  std::mt19937 random(kSeed + 2);
  for (const auto& [isa, kernels] : available()) {
    SCOPED_TRACE(to_string(isa));
    for (std::size_t bytes : {64u, 128u, 192u, 256u, 384u}) {
      for (bool sides : {false, true}) {
        const Fixture f(50, 8, bytes, sides, random);
        for (std::uint32_t count : {1u, 2u, 4u, 7u, 33u}) {
          std::vector<std::uint32_t> ids(count + 3);
          std::vector<float> out(count + 3);
          for (std::uint32_t i = 0; i < count; ++i) ids[i] = random() % 50;
          const auto asked = ids;
          kernels->estimates(f.graph, f.query, ids.data(), count, out.data());
          for (std::uint32_t i = 0; i < count; ++i) ASSERT_EQ(out[i], f.estimate(asked[i]));
        }
      }
    }
  }
}

struct Arrays {
  Arrays(std::uint32_t n, std::uint32_t kept, std::uint32_t most, std::uint32_t capacity)
      : visited(n / 64 + 1),
        best(kept + 1),
        distances(capacity + 64),
        nodes(capacity + 64),
        done(most + 1),
        done_nodes(most + 1),
        touched(n + 1) {
    state.visited = visited.data();
    state.best = best.data();
    state.kept = kept;
    state.distances = distances.data();
    state.nodes = nodes.data();
    state.capacity = capacity;
    state.done_distances = done.data();
    state.done_nodes = done_nodes.data();
    state.most_expanded = most;
    state.touched = touched.data();
    state.touched_capacity = touched.size();
    state.shared_bound = std::numeric_limits<float>::infinity();
    state.probes = 3;
  }
  std::vector<std::uint64_t> visited;
  std::vector<float> best, distances;
  std::vector<std::uint32_t> nodes;
  std::vector<float> done;
  std::vector<std::uint32_t> done_nodes, touched;
  WalkState state{};
};

// The nodes that a walk expands, in order, as a plain loop over a sorted set finds them.
std::vector<std::uint32_t> naive_walk(const Fixture& f, const WalkState& limits) {
  const WalkGraph& g = f.graph;
  std::vector<std::pair<float, std::uint32_t>> pivots, sample;
  for (std::uint32_t i = 0; i < g.pivots; ++i) pivots.emplace_back(f.estimate(g.entries[i]), i);
  std::sort(pivots.begin(), pivots.end());
  pivots.resize(std::min<std::size_t>(pivots.size(), limits.probes));
  sample = pivots;
  const auto may_be_result = [&](std::uint32_t node) {
    const bool admitted = !limits.admitted || (limits.admitted[node / 64] >> (node % 64) & 1);
    const bool retired = limits.retired && (limits.retired[node / 64] >> (node % 64) & 1);
    return admitted && !retired;
  };
  const bool results_only = limits.wanted_neighbours > 0;
  if (results_only) sample.clear();
  const auto add_entries = [&](std::uint32_t begin, std::uint32_t end) {
    for (std::uint32_t i = begin; i < end; ++i) {
      if (!results_only || may_be_result(g.entries[i])) sample.emplace_back(f.estimate(g.entries[i]), i);
    }
  };
  for (const auto& [value, pivot] : pivots) add_entries(g.bucket_begins[pivot], g.bucket_begins[pivot + 1]);
  if (results_only && sample.empty()) add_entries(0, g.bucket_begins[g.pivots]);
  std::stable_sort(sample.begin(), sample.end(), [](auto& a, auto& b) { return a.first < b.first; });
  sample.resize(std::min<std::size_t>(sample.size(), limits.probes));
  std::set<std::pair<float, std::uint32_t>> open;
  std::set<std::uint32_t> seen;
  std::vector<float> best;
  std::size_t met = 0, met_admitted = 0;
  const auto offer = [&](std::uint32_t node, bool is_entry = false) {
    if (!seen.insert(node).second) return;
    const float value = f.estimate(node);
    open.insert({value, node});
    if (!is_entry && (best.size() < limits.kept || value < best[limits.kept - 1])) {
      ++met;
      met_admitted += may_be_result(node);
    }
    if (may_be_result(node)) best.insert(std::upper_bound(best.begin(), best.end(), value), value);
  };
  for (const auto& [value, place] : sample) offer(g.entries[place], true);
  std::vector<std::uint32_t> out;
  while (!open.empty() && out.size() < limits.most_expanded) {
    const auto [value, node] = *open.begin();
    if (best.size() >= limits.kept) {
      const float kth = best[limits.k - 1];
      float factor = 1;
      if (met > 0)
        factor =
            std::sqrt(std::max(static_cast<float>(met_admitted) / static_cast<float>(met), limits.share));
      float bound =
          std::min(kth + limits.gap * factor, std::max(limits.shared_bound, kth + limits.guard * factor));
      bound = std::max(bound, best[limits.kept - 1]);
      if (value >= bound) break;
    }
    open.erase(open.begin());
    out.push_back(node);
    const std::uint32_t* links = g.links + node * g.degree;
    if (!results_only) {
      for (std::uint32_t j = 0; j < g.degree; ++j) offer(links[j]);
      continue;
    }
    std::uint32_t fresh = 0;
    std::vector<std::uint32_t> others;
    for (std::uint32_t j = 0; j < g.degree; ++j) {
      if (seen.count(links[j])) continue;
      if (may_be_result(links[j])) {
        offer(links[j]);
        ++fresh;
      } else {
        seen.insert(links[j]);
        others.push_back(links[j]);
      }
    }
    for (std::size_t o = 0; o < others.size() && fresh < limits.wanted_neighbours; ++o) {
      for (std::uint32_t j = 0; j < g.degree; ++j) {
        const std::uint32_t next = g.links[others[o] * g.degree + j];
        if (!may_be_result(next) || seen.count(next)) continue;
        offer(next);
        ++fresh;
      }
    }
  }
  return out;
}

TEST(CodeKernels, AWalkExpandsWhatAPlainLoopExpands) {
  std::mt19937 random(kSeed + 3);
  for (int round = 0; round < 120; ++round) {
    const std::uint32_t n = 1 + random() % 400;
    const Fixture f(n, 4 * (1 + random() % 8), 64 * (1 + random() % 4), true, random);
    Arrays limits(n, 0, 0, 1024);
    WalkState wish{};
    wish.k = 1 + random() % 12;
    wish.kept = wish.k + random() % 20;
    wish.gap = static_cast<float>(random() % 4000);
    wish.guard = wish.gap / 2;
    wish.shared_bound =
        random() % 2 ? std::numeric_limits<float>::infinity() : -static_cast<float>(random() % 9000);
    wish.most_expanded = 1 + random() % 300;
    wish.probes = 1 + random() % 5;
    wish.share = static_cast<float>(random() % 5) / 4;
    std::vector<std::uint64_t> admitted(n / 64 + 1), retired(n / 64 + 1);
    for (auto& w : admitted) w = random() | std::uint64_t{random()} << 32;
    for (auto& w : retired) w = (random() & random()) | std::uint64_t{random() & random()} << 32;
    if (random() % 2) wish.admitted = admitted.data();
    if (random() % 2) wish.retired = retired.data();
    if (random() % 2) wish.wanted_neighbours = 1 + random() % 20;
    const auto want = naive_walk(f, wish);
    for (const auto& [isa, kernels] : available()) {
      SCOPED_TRACE(testing::Message() << to_string(isa) << " round " << round << " of seed " << kSeed + 3);
      Arrays a(n, wish.kept, wish.most_expanded, 1024);
      WalkState& s = a.state;
      s.k = wish.k;
      s.gap = wish.gap;
      s.guard = wish.guard;
      s.shared_bound = wish.shared_bound;
      s.probes = wish.probes;
      s.share = wish.share;
      s.admitted = wish.admitted;
      s.retired = wish.retired;
      s.wanted_neighbours = wish.wanted_neighbours;
      s.pause_after = 1 + random() % 40;
      int calls = 1;
      while (!kernels->walk(f.graph, f.query, s)) ++calls;
      EXPECT_LE(calls, 1 + static_cast<int>(s.done_count / s.pause_after));
      ASSERT_EQ(std::vector<std::uint32_t>(s.done_nodes, s.done_nodes + s.done_count), want);
      for (std::uint32_t i = 0; i < s.done_count; ++i)
        EXPECT_EQ(s.done_distances[i], f.estimate(s.done_nodes[i]));
      for (std::uint32_t i = 0; i < s.candidate_count; ++i) EXPECT_EQ(s.distances[i], f.estimate(s.nodes[i]));
      for (std::size_t i = 0; i < s.touched_count; ++i) a.visited[s.touched[i] / 64] = 0;
      EXPECT_TRUE(std::all_of(a.visited.begin(), a.visited.end(), [](auto w) { return w == 0; }));
    }
  }
}

TEST(CodeKernels, AWalkWithTooManyCandidatesGoesOn) {
  std::mt19937 random(kSeed + 4);
  const Fixture f(5000, 32, 64, true, random);
  for (const auto& [isa, kernels] : available()) {
    SCOPED_TRACE(to_string(isa));
    Arrays a(5000, 10, 5000, 4 * kMaxDegree);
    a.state.k = 10;
    a.state.gap = 1e9f;  // everything is a candidate
    a.state.pause_after = 100000;
    EXPECT_TRUE(kernels->walk(f.graph, f.query, a.state));
    EXPECT_GT(a.state.done_count, 100u);
    EXPECT_LE(a.state.candidate_count, a.state.capacity);
  }
}

}  // namespace
}  // namespace vecstore::simd
