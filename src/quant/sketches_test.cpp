#include "quant/sketches.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <random>
#include <string>

namespace vecstore {
namespace {

constexpr unsigned kSeed = 20241123;

std::vector<float> unit(std::vector<float> v) {
  double square = 0;
  for (float x : v) square += static_cast<double>(x) * x;
  for (float& x : v) x = static_cast<float>(x / std::sqrt(square));
  return v;
}

/// Directions of several kinds: what sketches without a rotation would be misled by.
std::vector<float> direction(const std::string& kind, std::size_t dimension, std::mt19937& rng) {
  std::normal_distribution<float> normal;
  std::vector<float> v(dimension);
  for (std::size_t i = 0; i < dimension; ++i) {
    const float g = normal(rng);
    if (kind == "gaussian") v[i] = g;
    if (kind == "few") v[i] = i < 6 ? g : 1e-3f * g;
    if (kind == "falling") v[i] = g / static_cast<float>(1 + i);
    if (kind == "last few") v[i] = i + 6 >= dimension ? g : 1e-3f * g;
    if (kind == "rising") v[i] = g / static_cast<float>(dimension - i);
    if (kind == "last third") v[i] = 3 * i >= 2 * dimension ? g : 0;
    if (kind == "sparse") v[i] = rng() % 40 == 0 ? 1.0f : 0.0f;
    if (kind == "positive") v[i] = std::abs(g);
  }
  v[0] += 1e-3f;  // never zero
  return unit(v);
}

/// Of length 1, with this cosine to `a`.
std::vector<float> at_cosine(const std::vector<float>& a, std::vector<float> b, double cosine) {
  double dot = 0;
  for (std::size_t i = 0; i < a.size(); ++i) dot += static_cast<double>(a[i]) * b[i];
  for (std::size_t i = 0; i < a.size(); ++i) b[i] -= static_cast<float>(dot) * a[i];
  b = unit(b);
  const double across = std::sqrt(1 - cosine * cosine);
  for (std::size_t i = 0; i < a.size(); ++i) b[i] = static_cast<float>(cosine * a[i] + across * b[i]);
  return b;
}

struct alignas(64) Group {
  std::uint64_t words[simd::kSketchRows * 64] = {};
  std::uint64_t fine[2 * 64 + 1] = {};
};

TEST(Sketches, RotationKeepsLengthsAndAngles) {
  std::mt19937 rng(kSeed);
  for (const std::size_t dimension : {1u, 3u, 64u, 65u, 128u, 200u, 384u, 768u, 1000u, 1536u}) {
    const SketchRotation& rotation = SketchRotation::of(dimension);
    const auto a = direction("gaussian", dimension, rng), b = direction("falling", dimension, rng);
    std::vector<float> ra(64 * rotation.words()), rb(ra.size());
    rotation.rotate(a.data(), ra.data());
    rotation.rotate(b.data(), rb.data());
    double before = 0, after = 0, length = 0;
    for (std::size_t i = 0; i < a.size(); ++i) before += static_cast<double>(a[i]) * b[i];
    for (std::size_t i = 0; i < ra.size(); ++i) {
      after += static_cast<double>(ra[i]) * rb[i];
      length += static_cast<double>(ra[i]) * ra[i];
    }
    EXPECT_NEAR(after, before, 1e-5) << dimension;
    EXPECT_NEAR(length, 1, 1e-5) << dimension;
  }
}

TEST(Sketches, ErrorsAreAsRareAsPromisedWhateverTheDataAre) {
  std::printf("seed %u\n", kSeed);
  std::mt19937 rng(kSeed);
  constexpr int kPairs = 400;
  for (const std::size_t dimension : {128u, 200u, 384u, 768u, 1024u, 1536u}) {
    SketchEncoder encoder(dimension);
    const std::size_t words = encoder.rotation().words();
    for (const std::string kind :
         {"gaussian", "few", "falling", "last few", "rising", "last third", "sparse", "positive"}) {
      for (const double cosine : {0.0, 0.3, 0.7, 0.95, 0.9999}) {
        int too_far = 0, too_low = 0, fine_off = 0;
        double error = 0, fine_error = 0;
        for (int i = 0; i < kPairs; ++i) {
          const auto q = direction(kind, dimension, rng);
          const auto x = at_cosine(q, direction(kind, dimension, rng), cosine);
          Group group;
          encoder.encode(x.data(), 1, group.words, 3, group.fine);
          const SketchQuery query(encoder.rotation(), q);
          std::uint32_t distance = 0;
          for (std::size_t w = 0; w < words; ++w)
            distance += static_cast<std::uint32_t>(
                std::popcount(group.words[w * simd::kSketchRows + 3] ^ query.bits()[w]));
          const float c = static_cast<float>(cosine);
          too_far += distance > query.most_distance(c);
          const simd::SketchHit hit{3, distance};
          std::int32_t sum = 0;
          query.sums(group.words, &hit, 1, &sum);
          const float estimate = query.estimate(sum);
          too_low += estimate + query.margin(c) < c;
          error += estimate - c;
          const float fine = query.fine_estimate(sum, group.fine);
          fine_off += std::abs(fine - c) > query.fine_margin(c);
          fine_error += fine - c;
          EXPECT_LT(query.fine_margin(c), 0.5f * query.margin(c));
        }
        EXPECT_LE(too_far, kPairs * 5 / 100) << kind << " " << dimension << " " << cosine;
        // Directions that lie in few components err alike: more than the 2.3% of others.
        EXPECT_LE(too_low, kPairs * 7 / 100) << kind << " " << dimension << " " << cosine;
        EXPECT_LE(std::abs(error / kPairs), 0.02) << kind << " " << dimension << " " << cosine;
        EXPECT_LE(fine_off, kPairs * 2 / 100) << kind << " " << dimension << " " << cosine;
        EXPECT_LE(std::abs(fine_error / kPairs), 0.004) << kind << " " << dimension << " " << cosine;
      }
    }
  }
}

TEST(Sketches, LimitsAreWide) {
  const std::vector<float> q = unit(std::vector<float>(384, 1.0f));
  const SketchQuery query(SketchRotation::of(384), q);
  EXPECT_EQ(query.most_distance(-1), 384u);
  EXPECT_EQ(query.most_distance(-2), 384u);
  EXPECT_EQ(query.most_distance(-INFINITY), 384u);
  EXPECT_EQ(query.most_distance(NAN), 384u);
  EXPECT_EQ(query.most_distance(2), query.most_distance(1));
  EXPECT_LT(query.most_distance(1), 12u);
  EXPECT_LT(query.most_distance(0.9f), query.most_distance(0.5f));
}

// Sketches lie in files: the bits of a vector stay what they are, under every instruction set.
TEST(Sketches, BitsAreFrozen) {
  const auto sum = [](std::size_t dimension) {
    SketchEncoder encoder(dimension);
    std::vector<float> v(dimension);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>((i * 37) % 101) - 50;
    Group group;
    encoder.encode(v.data(), 1.0f / 512, group.words, 0, group.fine);
    std::uint64_t out = 0, fine = 0;
    const std::size_t words = encoder.rotation().words();
    for (std::size_t w = 0; w < words; ++w) out = out * 1000003 + group.words[w * simd::kSketchRows];
    for (std::size_t w = 0; w < 2 * words; ++w) fine = fine * 1000003 + group.fine[w];
    return std::pair(out, fine);
  };
  EXPECT_EQ(sum(200), (std::pair<std::uint64_t, std::uint64_t>(6794948389507496157u, 12323768435175553390u)));
  EXPECT_EQ(sum(384), (std::pair<std::uint64_t, std::uint64_t>(7053686321544945411u, 16963760571545374275u)));
}

TEST(Sketches, SuitWhereTheRotationMixesAll) {
  for (const std::size_t d : {128u, 160u, 192u, 200u, 256u, 300u, 384u, 512u, 768u, 1000u, 1024u, 1536u})
    EXPECT_TRUE(sketches_suit(d)) << d;
  for (const std::size_t d : {1u, 127u, 385u, 448u, 769u, 960u, 1600u, 1920u})
    EXPECT_FALSE(sketches_suit(d)) << d;
}

}  // namespace
}  // namespace vecstore
