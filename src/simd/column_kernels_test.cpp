#include "simd/column_kernels.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <vector>

namespace vecstore::simd {
namespace {

template <class T, class Kernel>
void check(Kernel kernel, std::mt19937& rng) {
  for (int round = 0; round < 300; ++round) {
    std::vector<T> values(rng() % 300);
    const std::uint32_t most = rng() % 2 ? 5 : ~0u;
    for (T& v : values) v = static_cast<T>(most == 5 ? rng() % 6 : rng());
    const auto first = static_cast<T>(most == 5 ? rng() % 6 : rng());
    const auto count = static_cast<T>(most == 5 ? rng() % 6 : rng());
    std::vector<std::uint64_t> words(values.size() / 64 + 2);
    for (auto& w : words) w = rng() % 4 ? 0 : std::uint64_t{rng()} << 32 | rng();
    std::vector<std::uint64_t> want = words;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::uint64_t from = first, to = std::uint64_t{first} + count;  // the range may wrap around
      const std::uint64_t wrapped = values[i] + (std::uint64_t{static_cast<T>(~T{0})} + 1);
      if ((values[i] >= from && values[i] < to) || (wrapped >= from && wrapped < to))
        want[i / 64] |= std::uint64_t{1} << (i % 64);
    }
    kernel(values.data(), values.size(), first, count, words.data());
    ASSERT_EQ(words, want) << "round " << round << ", " << values.size() << " values";
  }
}

TEST(ColumnKernels, FindWhatALoopFinds) {
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    const ColumnKernels* k = column_kernels_for(isa);
    if (!k) continue;
    SCOPED_TRACE(to_string(isa));
    std::mt19937 rng(20261123);
    check<std::uint8_t>(k->in_range_8, rng);
    check<std::uint16_t>(k->in_range_16, rng);
    check<std::uint32_t>(k->in_range_32, rng);
  }
}

TEST(ColumnKernels, FindMembersOfSets) {
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    const ColumnKernels* k = column_kernels_for(isa);
    if (!k) continue;
    SCOPED_TRACE(to_string(isa));
    std::mt19937_64 rng(20261123);
    for (int round = 0; round < 300; ++round) {
      std::vector<std::uint8_t> values(round == 0 ? 256 : rng() % 300);
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<std::uint8_t>(round ? rng() : i);
      std::uint64_t set[4];
      for (auto& part : set) part = round % 3 == 0 ? rng() & rng() & rng() : rng();
      std::vector<std::uint64_t> words(values.size() / 64 + 2);
      for (auto& w : words) w = rng() % 4 ? 0 : rng();
      std::vector<std::uint64_t> want = words;
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (set[values[i] / 64] >> (values[i] % 64) & 1) want[i / 64] |= std::uint64_t{1} << (i % 64);
      }
      k->in_set_8(values.data(), values.size(), set, words.data());
      ASSERT_EQ(words, want) << "round " << round << ", " << values.size() << " values";
    }
  }
}

TEST(ColumnKernels, MoveBitsBetweenRowsAndPlaces) {
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    const ColumnKernels* k = column_kernels_for(isa);
    if (!k) continue;
    SCOPED_TRACE(to_string(isa));
    std::mt19937_64 rng(20261123);
    for (int round = 0; round < 400; ++round) {
      const std::size_t words = 1 + rng() % 20;
      std::vector<std::uint64_t> present(words), rows(words), places(words);
      const std::uint64_t kind = rng() % 4;
      for (auto& w : present)
        w = kind == 0 ? ~std::uint64_t{0} : kind == 1 ? rng() | rng() | rng() : rng() & rng();
      if (kind == 3) present[rng() % words] = 0;
      for (auto& w : rows) w = rng();
      for (auto& w : places) w = rng();
      std::vector<std::uint64_t> spread(words), gathered(words), want_spread(words), want_gathered(words);
      std::size_t place = 0;
      for (std::size_t row = 0; row < words * 64; ++row) {
        const auto bit = [](std::size_t i) { return std::uint64_t{1} << (i % 64); };
        if (!(present[row / 64] & bit(row))) continue;
        if (places[place / 64] & bit(place)) want_spread[row / 64] |= bit(row);
        if (rows[row / 64] & bit(row)) want_gathered[place / 64] |= bit(place);
        ++place;
      }
      k->spread_bits(places.data(), present.data(), words, spread.data());
      k->gather_bits(rows.data(), present.data(), words, gathered.data());
      ASSERT_EQ(spread, want_spread) << "round " << round;
      ASSERT_EQ(gathered, want_gathered) << "round " << round;
    }
  }
}

}  // namespace
}  // namespace vecstore::simd
