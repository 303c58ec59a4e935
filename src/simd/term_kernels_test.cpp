#include "simd/term_kernels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <random>
#include <vector>

namespace vecstore::simd {
namespace {

constexpr std::uint32_t kSeed = 20261123;
constexpr std::size_t kWords = 128, kSums = 64 * kWords;

std::vector<const TermKernels*> available() {
  std::vector<const TermKernels*> out;
  for (Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (const TermKernels* k = term_kernels_for(isa)) out.push_back(k);
  }
  return out;
}

std::vector<std::uint8_t> random_codes(std::size_t count, std::mt19937& rng) {
  std::vector<std::uint8_t> codes(count + kTermCodePadding);
  for (auto& c : codes) c = static_cast<std::uint8_t>(rng() % 8 ? rng() : 255);
  return codes;
}

TEST(TermKernels, SparseAddsEachPosting) {
  std::printf("seed %u\n", kSeed);
  std::mt19937 rng(kSeed);
  for (const std::size_t count : {0u, 1u, 3u, 4u, 5u, 63u, 1000u, 8192u}) {
    std::vector<std::uint16_t> ids(kSums);
    const auto weight = static_cast<std::uint16_t>(256 + rng() % 65'000);
    std::iota(ids.begin(), ids.end(), std::uint16_t{0});
    std::shuffle(ids.begin(), ids.end(), rng);
    ids.resize(count);
    std::sort(ids.begin(), ids.end());
    const auto codes = random_codes(count, rng);
    std::vector<std::uint16_t> before(kSums);
    for (auto& v : before) v = static_cast<std::uint16_t>(rng() % 30000);
    for (const TermKernels* k : available()) {
      auto sums = before, want = before;
      for (std::size_t i = 0; i < count; ++i)
        want[ids[i]] = static_cast<std::uint16_t>(want[ids[i]] + term_contribution(codes[i], weight));
      k->add_sparse(ids.data(), codes.data(), count, weight, sums.data());
      ASSERT_EQ(sums, want) << count;
    }
  }
}

TEST(TermKernels, DenseAddsEachSetBit) {
  std::mt19937 rng(kSeed);
  for (const std::size_t count : {0u, 1u, 2u, 3u, 4u, 5u, 11u}) {
    for (const unsigned share : {1u, 2u, 3u, 16u, 500u, 0u}) {
      std::vector<std::vector<std::uint64_t>> bits(count, std::vector<std::uint64_t>(kWords));
      std::vector<std::vector<std::uint8_t>> codes(count);
      std::vector<DenseTerm> terms;
      std::vector<std::uint16_t> before(kSums);
      for (auto& v : before) v = static_cast<std::uint16_t>(rng() % 200);
      auto want = before;
      for (std::size_t t = 0; t < count; ++t) {
        std::size_t set = 0;
        for (std::size_t i = 0; i < kSums; ++i) {
          if (share == 0 || rng() % share != 0) continue;
          bits[t][i / 64] |= std::uint64_t{1} << (i % 64);
          ++set;
        }
        codes[t] = random_codes(set, rng);
        terms.push_back({bits[t].data(), codes[t].data(), static_cast<std::uint16_t>(t % 3 ? rng() : 65535)});
        std::size_t next = 0;
        for (std::size_t i = 0; i < kSums; ++i) {
          if (bits[t][i / 64] >> (i % 64) & 1)
            want[i] =
                static_cast<std::uint16_t>(want[i] + term_contribution(codes[t][next++], terms[t].weight));
        }
      }
      for (const TermKernels* k : available()) {
        auto sums = before;
        k->add_dense(terms.data(), terms.size(), kWords, sums.data());
        ASSERT_EQ(sums, want) << count << " " << share;
      }
    }
  }
}

TEST(TermKernels, CollectFindsAndClears) {
  std::mt19937 rng(kSeed);
  for (const std::uint16_t threshold : {1, 2, 500, 40000, 65535}) {
    for (const bool filtered : {false, true}) {
      std::vector<std::uint16_t> before(kSums), places, values;
      std::vector<std::uint64_t> allowed(kWords);
      for (auto& v : before) v = static_cast<std::uint16_t>(rng() % 3 ? rng() % 600 : rng());
      for (auto& v : allowed) v = std::uint64_t{rng()} << 32 | rng();
      for (std::size_t i = 0; i < kSums; ++i) {
        if (before[i] < threshold || (filtered && !(allowed[i / 64] >> (i % 64) & 1))) continue;
        places.push_back(static_cast<std::uint16_t>(i));
        values.push_back(before[i]);
      }
      for (const TermKernels* k : available()) {
        auto sums = before;
        std::vector<std::uint16_t> p(kSums), v(kSums);
        const std::size_t n = k->collect(sums.data(), kWords, threshold, filtered ? allowed.data() : nullptr,
                                         p.data(), v.data());
        p.resize(n);
        v.resize(n);
        ASSERT_EQ(p, places) << threshold;
        ASSERT_EQ(v, values);
        ASSERT_EQ(sums, std::vector<std::uint16_t>(kSums));
      }
    }
  }
}

}  // namespace
}  // namespace vecstore::simd
