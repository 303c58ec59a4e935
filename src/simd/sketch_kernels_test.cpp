#include "simd/sketch_kernels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

namespace vecstore::simd {
namespace {

constexpr std::uint32_t kSeed = 20241122;

std::vector<const SketchKernels*> available() {
  std::vector<const SketchKernels*> out;
  for (Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (const SketchKernels* k = sketch_kernels_for(isa)) out.push_back(k);
  }
  return out;
}

struct alignas(64) Line {
  std::uint64_t words[kSketchRows];
};

TEST(SketchKernels, HadamardIsTheMatrixAndTheSameBitsEverywhere) {
  std::mt19937 rng(kSeed);
  std::normal_distribution<float> normal;
  for (std::size_t n = 64; n <= 1024; n *= 2) {
    std::vector<float> in(n);
    for (float& v : in) v = normal(rng);
    std::vector<float> signs(n);
    for (float& v : signs) v = rng() % 2 ? 0.125f : -0.125f;
    std::vector<float> first = in;
    available().front()->hadamard(first.data(), signs.data(), n);
    for (std::size_t i = 0; i < n; ++i) {
      double want = 0;
      for (std::size_t j = 0; j < n; ++j)
        want += (std::popcount(i & j) % 2 ? -1.0 : 1.0) * static_cast<double>(signs[j]) * in[j];
      ASSERT_NEAR(first[i], want, 1e-3) << n << " " << i;
    }
    for (const SketchKernels* k : available()) {
      std::vector<float> values = in;
      k->hadamard(values.data(), signs.data(), n);
      ASSERT_EQ(std::memcmp(values.data(), first.data(), n * sizeof(float)), 0) << n;
    }
  }
}

TEST(SketchKernels, ScansEqualCountingBitByBit) {
  std::printf("seed %u\n", kSeed);
  std::mt19937_64 rng(kSeed);
  for (const std::size_t words : {1u, 2u, 3u, 6u, 12u, 30u, 31u, 32u, 63u, 70u, 1024u}) {
    const std::size_t groups = words > 100 ? 3 : 20;
    std::vector<Line> lines(groups * words);
    std::vector<std::uint64_t> query(words);
    for (auto& q : query) q = rng();
    for (auto& line : lines) {
      for (auto& w : line.words) w = rng() % 3 ? rng() : 0;
    }
    for (std::size_t w = 0; w < words; ++w) {
      lines[w].words[3] = query[w];   // distance 0
      lines[w].words[5] = ~query[w];  // the largest
    }
    std::vector<std::uint32_t> want(groups * kSketchRows);
    for (std::size_t i = 0; i < want.size(); ++i) {
      for (std::size_t w = 0; w < words; ++w)
        want[i] += static_cast<std::uint32_t>(
            std::popcount(query[w] ^ lines[i / kSketchRows * words + w].words[i % kSketchRows]));
    }
    EXPECT_EQ(want[3], 0u);
    EXPECT_EQ(want[5], 64 * words);
    std::vector<std::uint32_t> limits = {0, static_cast<std::uint32_t>(64 * words)};
    for (int i = 0; i < 10; ++i) limits.push_back(want[rng() % want.size()]);
    for (const SketchKernels* k : available()) {
      for (const std::uint32_t limit : limits) {
        for (const std::size_t from : {std::size_t{0}, groups - 1, groups}) {
          const std::size_t rows = (groups - from) * kSketchRows;
          std::vector<SketchHit> hits(rows);  // no more: a write beyond is found by the sanitizer
          const std::size_t found = k->scan(query.data(), lines.data()->words + from * words * kSketchRows,
                                            words, groups - from, limit, hits.data());
          std::size_t next = 0;
          for (std::size_t r = 0; r < rows; ++r) {
            const std::uint32_t distance = want[from * kSketchRows + r];
            if (distance > limit) continue;
            ASSERT_LT(next, found);
            ASSERT_EQ(hits[next].row, r);
            ASSERT_EQ(hits[next].distance, distance);
            ++next;
          }
          ASSERT_EQ(next, found);
        }
      }
    }
  }
}

TEST(SketchKernels, SignsAreTakenBitByBit) {
  std::mt19937 rng(kSeed);
  std::normal_distribution<float> normal;
  for (const std::size_t words : {1u, 3u, 6u}) {
    std::vector<float> values(64 * words);
    for (float& v : values) v = normal(rng);
    values[0] = 0.0f;
    values[1] = -0.0f;
    for (const SketchKernels* k : available()) {
      std::vector<Line> lines(words, Line{{7, 7, 7, 7, 7, 7, 7, 7}});
      k->set_signs(values.data(), lines[0].words, 5, words);
      for (std::size_t i = 0; i < values.size(); ++i)
        ASSERT_EQ(lines[i / 64].words[5] >> (i % 64) & 1, std::signbit(values[i]) ? 0u : 1u) << i;
      for (const Line& line : lines) ASSERT_EQ(line.words[4] + line.words[6], 14u);
    }
  }
}

TEST(SketchKernels, PlanesAreTheNextTwoBits) {
  std::printf("seed %u\n", kSeed);
  std::mt19937 rng(kSeed);
  std::normal_distribution<float> normal;
  for (const std::size_t words : {1u, 3u, 6u}) {
    std::vector<float> values(64 * words);
    for (float& v : values) v = normal(rng);
    constexpr float kInverse = 1.6f;
    const float edges[] = {0.0f, -0.0f, 1 / kInverse, -2 / kInverse, 1e20f, -1e20f, 3 / kInverse};
    std::copy(std::begin(edges), std::end(edges), values.begin() + 20);
    double want = 0;
    std::vector<std::uint64_t> middle(words), last(words);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float steps = std::abs(values[i]) * kInverse;
      const int whole = steps >= 3 ? 3 : static_cast<int>(steps);
      // The number counts from -4 on; what is negative counts down from -1.
      const int number = std::signbit(values[i]) ? -1 - whole : whole;
      const auto code = static_cast<std::uint64_t>(number + 4);
      EXPECT_EQ(code >> 2, std::signbit(values[i]) ? 0u : 1u);  // what set_signs writes
      middle[i / 64] |= (code >> 1 & 1) << (i % 64);
      last[i / 64] |= (code & 1) << (i % 64);
      want += static_cast<double>(steps) * std::abs(number + 0.5);
    }
    for (const SketchKernels* k : available()) {
      std::vector<std::uint64_t> planes(2 * words);
      EXPECT_NEAR(k->set_planes(values.data(), kInverse, planes.data(), words) / want, 1, 1e-5);
      for (std::size_t w = 0; w < words; ++w) {
        EXPECT_EQ(planes[w], middle[w]);
        EXPECT_EQ(planes[words + w], last[w]);
      }
    }
  }
}

TEST(SketchKernels, SumsOfSetBits) {
  std::mt19937_64 rng(kSeed);
  for (const std::size_t words : {1u, 2u, 6u, 33u, 1024u}) {
    std::vector<Line> lines(2 * words);
    for (auto& line : lines) {
      for (auto& w : line.words) w = rng();
      line.words[1] = ~std::uint64_t{0};
      line.words[2] = 0;
    }
    std::vector<std::int8_t> query(64 * words);
    for (auto& q : query) q = static_cast<std::int8_t>(static_cast<int>(rng() % 255) - 127);
    const auto sum_of = [&](const auto& bit) {
      std::int32_t sum = 0;
      for (std::size_t i = 0; i < query.size(); ++i) sum += bit(i) ? query[i] : 0;
      return sum;
    };
    std::vector<SketchHit> hits;  // some rows, one of them twice
    for (const std::uint32_t row : {0u, 1u, 2u, 2u, 7u, 8u, 11u, 15u}) hits.push_back({row, 0});
    for (const SketchKernels* k : available()) {
      std::vector<std::int32_t> sums(hits.size());
      k->sums(query.data(), lines[0].words, words, hits.data(), hits.size(), sums.data());
      for (std::size_t h = 0; h < hits.size(); ++h) {
        const std::size_t first = hits[h].row / kSketchRows * words, lane = hits[h].row % kSketchRows;
        ASSERT_EQ(sums[h],
                  sum_of([&](std::size_t i) { return lines[first + i / 64].words[lane] >> (i % 64) & 1; }));
      }
      const std::uint64_t* planes = lines[0].words + 1;  // not aligned
      const auto plane = [&](std::size_t first) {
        return sum_of([&](std::size_t i) { return planes[first + i / 64] >> (i % 64) & 1; });
      };
      ASSERT_EQ(k->plane_sum(query.data(), planes, words), 2 * plane(0) + plane(words));
    }
  }
}

}  // namespace
}  // namespace vecstore::simd
