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

}  // namespace
}  // namespace vecstore::simd
