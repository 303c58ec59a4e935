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
        terms.push_back(
            {bits[t].data(), codes[t].data(), static_cast<std::uint16_t>(t % 3 ? rng() : 65535), nullptr});
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

struct Blocks {
  std::vector<std::uint64_t> wanted = std::vector<std::uint64_t>(2);
  std::vector<std::uint16_t> bounds = std::vector<std::uint16_t>(kTermBlocks);
  std::vector<std::uint8_t> maxima = std::vector<std::uint8_t>(kTermBlocks);

  explicit Blocks(std::mt19937& rng) {
    const unsigned share = rng() % 4;
    for (auto& w : wanted) {
      for (unsigned i = 0; i < 64; ++i) w |= std::uint64_t{share == 0 || rng() % share == 0} << i;
    }
    for (auto& b : bounds) b = static_cast<std::uint16_t>(rng() % 3 ? rng() : rng() % 300);
    for (auto& m : maxima) m = static_cast<std::uint8_t>(rng() % 3 ? rng() : 0);
  }
  bool has(std::size_t b) const { return (wanted[b / 64] >> (b % 64) & 1) != 0; }
};

TEST(TermKernels, BoundsAddUpAndAreFound) {
  std::mt19937 rng(kSeed);
  for (const std::size_t count : {0u, 64u, 128u, 1024u}) {
    std::vector<std::uint8_t> maxima(count);
    std::vector<std::uint16_t> before(count);
    for (auto& m : maxima) m = static_cast<std::uint8_t>(rng());
    for (auto& b : before) b = static_cast<std::uint16_t>(rng() % 1000);
    const auto weight = static_cast<std::uint16_t>(256 + rng() % 60'000);
    auto want = before;
    for (std::size_t i = 0; i < count; ++i)
      want[i] = static_cast<std::uint16_t>(want[i] + term_contribution(maxima[i], weight));
    for (const TermKernels* k : available()) {
      auto bounds = before;
      k->add_maxima(maxima.data(), count, weight, bounds.data());
      ASSERT_EQ(bounds, want);
      for (const std::uint16_t limit : {1, 900, 30'000, 65'535}) {
        std::vector<std::uint64_t> bits(count / 64, 77);
        std::size_t found = 0;
        ASSERT_EQ(k->find_at_least(bounds.data(), count, limit, bits.data()),
                  std::count_if(want.begin(), want.end(), [&](std::uint16_t b) { return b >= limit; }));
        for (std::size_t i = 0; i < count; ++i) found += (bits[i / 64] >> (i % 64) & 1) == (want[i] >= limit);
        ASSERT_EQ(found, count);
      }
    }
  }
}

/// A code that is left out cannot lift its document to the threshold; nearly all others can.
TEST(TermKernels, CodeLimitsLeaveOutWhatCannotReach) {
  std::mt19937 rng(kSeed);
  for (int round = 0; round < 300; ++round) {
    Blocks b(rng);
    const auto weight = static_cast<std::uint16_t>(round % 5 == 0 ? 256 : 256 + rng() % 65'000);
    const auto threshold = static_cast<std::uint16_t>(1 + rng() % 65'535);
    for (std::size_t i = 0; i < kTermBlocks; ++i) {
      if (b.bounds[i] < threshold) b.wanted[i / 64] &= ~(std::uint64_t{1} << (i % 64));
      // A bound is no less than what the term adds to it.
      if (b.bounds[i] < term_contribution(b.maxima[i], weight)) b.maxima[i] = 0;
    }
    std::vector<std::uint8_t> first;
    for (const TermKernels* k : available()) {
      std::vector<std::uint8_t> limits(kTermBlocks, 3), plain(kTermBlocks, 3);
      k->code_limits(b.maxima.data(), b.bounds.data(), kTermBlocks, threshold, weight, b.wanted.data(),
                     limits.data());
      k->code_limits(nullptr, b.bounds.data(), kTermBlocks, threshold, weight, b.wanted.data(), plain.data());
      for (std::size_t i = 0; i < kTermBlocks; ++i) {
        ASSERT_EQ(plain[i], b.has(i) ? 0 : 255);
        if (!b.has(i)) {
          ASSERT_EQ(limits[i], 255);
          continue;
        }
        const int others = b.bounds[i] - term_contribution(b.maxima[i], weight);
        if (limits[i] > 0) {
          ASSERT_LT(others + term_contribution(limits[i], weight), threshold);
        }
        if (limits[i] + 3 <= b.maxima[i]) {
          ASSERT_GE(others + term_contribution(static_cast<std::uint8_t>(limits[i] + 3), weight), threshold);
        }
      }
      if (first.empty()) first = limits;
      ASSERT_EQ(limits, first);
    }
  }
}

TEST(TermKernels, WantedBlocksAreAddedAlone) {
  std::mt19937 rng(kSeed);
  constexpr std::size_t kWindows = 3, kAll = kWindows * kTermBlocks;
  for (int round = 0; round < 60; ++round) {
    std::vector<std::uint64_t> wanted;
    std::vector<std::uint16_t> slots(kAll);
    std::vector<std::uint32_t> blocks, starts;
    std::vector<std::uint8_t> limits(kAll, 255);
    for (std::size_t w = 0; w < kWindows; ++w) {
      const Blocks b(rng);
      for (const std::uint64_t word : b.wanted) wanted.push_back(rng() % 4 ? word : 0);
    }
    for (std::size_t b = 0; b < kAll; ++b) {
      if (!(wanted[b / 64] >> (b % 64) & 1)) continue;
      slots[b] = static_cast<std::uint16_t>(blocks.size());
      blocks.push_back(static_cast<std::uint32_t>(b));
      limits[b] = static_cast<std::uint8_t>(rng() % 2 ? rng() : 0);
    }
    std::vector<std::uint16_t> before(64 * blocks.size());
    for (auto& v : before) v = static_cast<std::uint16_t>(rng() % 300);
    auto want = before;
    // One sparse term, whose list begins before these windows, and some bitmaps.
    std::vector<std::uint16_t> ids(5);
    const std::uint32_t base = 8192 * (rng() % 8);
    std::vector<std::uint8_t> codes = random_codes(5, rng);
    codes.resize(5);
    for (std::uint32_t i = 0; i < kAll * 64; ++i) {
      if (i % 8192 == 0) starts.push_back(static_cast<std::uint32_t>(ids.size()));
      if (rng() % (1 + static_cast<unsigned>(round)) != 0) continue;
      ids.push_back(static_cast<std::uint16_t>(base + i));
      codes.push_back(static_cast<std::uint8_t>(rng()));
      if (codes.back() <= limits[i / 64]) continue;
      std::uint16_t& sum = want[64u * slots[i / 64] + i % 64];
      sum = static_cast<std::uint16_t>(sum + term_contribution(codes.back(), 3000));
    }
    starts.push_back(static_cast<std::uint32_t>(ids.size()));
    codes.resize(codes.size() + kTermCodePadding);
    const std::size_t count = rng() % 4;
    std::vector<std::vector<std::uint64_t>> bits(count, std::vector<std::uint64_t>(kAll));
    std::vector<std::vector<std::uint8_t>> dense_codes(count);
    std::vector<std::vector<std::uint32_t>> ranks(count);
    std::vector<DenseTerm> terms;
    for (std::size_t t = 0; t < count; ++t) {
      const unsigned share = 1 + rng() % 20;
      std::uint32_t rank = 0;
      for (std::size_t w = 0; w < kAll; ++w) {
        ranks[t].push_back(rank);
        for (unsigned i = 0; i < 64; ++i) bits[t][w] |= std::uint64_t{rng() % share == 0} << i;
        rank += static_cast<std::uint32_t>(__builtin_popcountll(bits[t][w]));
      }
      dense_codes[t] = random_codes(rank, rng);
      terms.push_back({bits[t].data(), dense_codes[t].data(), static_cast<std::uint16_t>(256 + rng() % 9000),
                       ranks[t].data()});
      for (std::size_t i = 0, next = 0; i < kAll * 64; ++i) {
        if (!(bits[t][i / 64] >> (i % 64) & 1)) continue;
        const std::uint16_t more = term_contribution(dense_codes[t][next++], terms[t].weight);
        if (!(wanted[i / 4096] >> (i / 64 % 64) & 1)) continue;
        std::uint16_t& sum = want[64u * slots[i / 64] + i % 64];
        sum = static_cast<std::uint16_t>(sum + more);
      }
    }
    for (const TermKernels* k : available()) {
      auto sums = before;
      k->add_sparse_blocks(ids.data(), codes.data(), starts.data(), kWindows, 3000, wanted.data(),
                           limits.data(), slots.data(), sums.data());
      k->add_dense_blocks(terms.data(), terms.size(), blocks.data(), blocks.size(), sums.data());
      ASSERT_EQ(sums, want) << round;
    }
  }
}

TEST(TermKernels, DocumentsAreFound) {
  std::mt19937 rng(kSeed);
  for (const unsigned share : {1u, 2u, 16u, 100u, 3000u}) {
    constexpr std::uint32_t kDocuments = 12 * 8192;
    std::vector<std::uint16_t> ids;
    std::vector<std::uint32_t> starts, places(kDocuments, kNoTermPosting), asked, want;
    for (std::uint32_t d = 0; d < kDocuments; ++d) {
      if (d % 8192 == 0) starts.push_back(static_cast<std::uint32_t>(ids.size()));
      if (rng() % share != 0) continue;
      places[d] = static_cast<std::uint32_t>(ids.size());
      ids.push_back(static_cast<std::uint16_t>(d));
    }
    starts.push_back(static_cast<std::uint32_t>(ids.size()));
    for (int i = 0; i < 500; ++i) {
      asked.push_back(rng() % kDocuments);
      want.push_back(places[asked.back()]);
    }
    for (const TermKernels* k : available()) {
      std::vector<std::uint32_t> got(asked.size());
      k->find_documents(ids.data(), starts.data(), asked.data(), asked.size(), got.data());
      ASSERT_EQ(got, want) << share;
    }
  }
}

}  // namespace
}  // namespace vecstore::simd
