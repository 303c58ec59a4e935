#include "simd/kernels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "vecstore/error.hpp"

namespace vecstore::simd {
namespace {

constexpr std::uint32_t kSeed = 20240917;

std::vector<const Kernels*> available() {
  std::vector<const Kernels*> out;
  for (Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (const Kernels* k = kernels_for(isa)) out.push_back(k);
  }
  return out;
}

struct Twin {
  double dot = 0, dot_abs = 0, l2 = 0, norm = 0;
};

Twin twin(const float* q, const float* x, std::size_t dim) {
  Twin t;
  for (std::size_t i = 0; i < dim; ++i) {
    const double a = q[i], b = x[i];
    t.dot += a * b;
    t.dot_abs += std::abs(a * b);
    t.l2 += (a - b) * (a - b);
    t.norm += b * b;
  }
  return t;
}

TEST(Kernels, AnIsaIsActiveAndScalarAlwaysExists) {
  EXPECT_NE(kernels_for(Isa::kScalar), nullptr);
  EXPECT_EQ(kernels().isa, active_isa());
  EXPECT_EQ(kernels_for(active_isa()), &kernels());
  if (const char* wish = std::getenv("VECSTORE_SIMD"); wish && *wish) {
    EXPECT_STREQ(to_string(active_isa()), wish);
  }
}

TEST(KernelsDeathTest, AnUnknownIsaIsAnError) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a fresh process, which has not chosen yet
  const auto choose = [] {
    setenv("VECSTORE_SIMD", "mmx", 1);
    try {
      kernels();
    } catch (const Error& e) {
      std::fprintf(stderr, "%s", e.what());
      std::_Exit(e.code() == ErrorCode::kInvalidArgument ? 7 : 8);
    }
    std::_Exit(9);
  };
  EXPECT_EXIT(choose(), testing::ExitedWithCode(7), "VECSTORE_SIMD is 'mmx'; known are scalar, avx2, avx512");
}

TEST(Kernels, RowsEqualDoublePrecisionWithinTheStatedError) {
  std::mt19937 rng(kSeed);
  std::normal_distribution<float> normal;
  for (const Kernels* k : available()) {
    for (std::size_t dim = 0; dim <= 1100; dim += dim < 100 ? 1 : 97) {
      const std::size_t pad = rng() % 3, count = rng() % 40, shift = rng() % 4;
      const std::size_t stride = dim + pad;
      std::vector<float> q(dim + shift), rows(stride * count + shift + 1);
      const float scale = std::ldexp(1.0f, static_cast<int>(rng() % 40) - 20);
      for (float& v : q) v = normal(rng);
      for (float& v : rows) v = normal(rng) * scale;
      const float* base = rows.data() + shift;
      std::vector<float> dot(count), l2(count), norm(count);
      k->dot(q.data() + shift, base, stride * 4, count, dim, dot.data());
      k->squared_l2(q.data() + shift, base, stride * 4, count, dim, l2.data());
      k->squared_norm(base, stride * 4, count, dim, norm.data());
      const double eps = (static_cast<double>(dim) + 8) * std::ldexp(1.0, -24);
      for (std::size_t i = 0; i < count; ++i) {
        const Twin t = twin(q.data() + shift, base + i * stride, dim);
        SCOPED_TRACE(std::string(to_string(k->isa)) + " dim " + std::to_string(dim) + " row " +
                     std::to_string(i));
        EXPECT_LE(std::abs(dot[i] - t.dot), eps * t.dot_abs);
        EXPECT_LE(std::abs(l2[i] - t.l2), eps * t.l2);
        EXPECT_LE(std::abs(norm[i] - t.norm), eps * t.norm);
        float alone = -1;
        k->dot(q.data() + shift, base + i * stride, 0, 1, dim, &alone);
        EXPECT_EQ(std::memcmp(&alone, &dot[i], 4), 0);
        k->squared_l2(q.data() + shift, base + i * stride, 12, 1, dim, &alone);
        EXPECT_EQ(std::memcmp(&alone, &l2[i], 4), 0);
        k->squared_norm(base + i * stride, 8, 1, dim, &alone);
        EXPECT_EQ(std::memcmp(&alone, &norm[i], 4), 0);
      }
    }
  }
}

TEST(Kernels, SubnormalsCountAsZeroAndTheControlRegisterIsKept) {
  std::vector<float> q(100, 1.0f), x(100, 1e-41f);
  x[50] = 2.0f;
  for (const Kernels* k : available()) {
    float out = 0;
#if defined(__x86_64__)
    const unsigned before = _mm_getcsr();
#endif
    k->dot(q.data(), x.data(), 400, 1, 100, &out);
#if defined(__x86_64__)
    EXPECT_EQ(_mm_getcsr() & 0x8040, before & 0x8040);
#endif
    EXPECT_EQ(out, 2.0f);
  }
}

// Groups of random codes and side values, aligned to 64 bytes.
struct Groups {
  std::size_t quads, count;
  BoundForm form;
  std::unique_ptr<std::uint8_t, decltype(&std::free)> bytes{nullptr, &std::free};
  std::vector<std::int8_t> high, low;
  CodeQuery query{};

  Groups(std::size_t quads_, std::size_t count_, BoundForm form_, std::mt19937& rng)
      : quads(quads_), count(count_), form(form_), high(quads * 4), low(quads * 4) {
    const std::size_t size = group_bytes(quads, form);
    bytes.reset(static_cast<std::uint8_t*>(std::aligned_alloc(64, size * count)));
    std::uniform_real_distribution<float> unit(0, 1);
    for (std::size_t g = 0; g < count; ++g) {
      std::uint8_t* p = bytes.get() + g * size;
      for (std::size_t i = 0; i < quads * 64; ++i) p[i] = static_cast<std::uint8_t>(1 + rng() % 255);
      float* side = reinterpret_cast<float*>(p + quads * 64);
      for (std::size_t i = 0; i < (size - quads * 64) / 4; ++i) side[i] = unit(rng);
      for (std::size_t i = 32; i < (size - quads * 64) / 4; ++i) side[i] *= 1000;
    }
    int high_sum = 0, low_sum = 0;
    for (std::size_t i = 0; i < quads * 4; ++i) {
      high[i] = static_cast<std::int8_t>(static_cast<int>(rng() % 127) - 63);
      low[i] = static_cast<std::int8_t>(static_cast<int>(rng() % 128) - 64);
      if (rng() % 50 == 0) high[i] = 63, low[i] = 63;
      high_sum += high[i];
      low_sum += low[i];
    }
    query = {high.data(), low.data(), quads, 128 * high_sum, 128 * low_sum, form,
             1e-5f,       0.7f,       0.1f,  500.0f,         0.999f};
  }
};

TEST(Kernels, CodeScanEqualsThePlainSum) {
  std::mt19937 rng(kSeed);
  for (std::size_t quads : {1u, 2u, 3u, 32u, 33u, 96u, 300u}) {
    for (BoundForm form : {BoundForm::kUnit, BoundForm::kInner, BoundForm::kDistance}) {
      Groups groups(quads, 3, form, rng);
      for (const Kernels* k : available()) {
        for (std::size_t g = 0; g < groups.count; ++g) {
          float values[16];
          ASSERT_EQ(k->scan_codes(groups.query, groups.bytes.get(), g, g + 1, -INFINITY, values), g);
          const std::uint8_t* codes = groups.bytes.get() + g * group_bytes(quads, form);
          for (std::size_t r = 0; r < 16; ++r) {
            double sum = 0;
            for (std::size_t i = 0; i < quads * 4; ++i) {
              sum += (codes[i / 4 * 64 + r * 4 + i % 4] - 128.0) * (128 * groups.high[i] + groups.low[i]);
            }
            EXPECT_NEAR(values[r], sum, std::abs(sum) * 2e-7 + 1.0 * (std::abs(sum) > 1e7))
                << to_string(k->isa);
          }
        }
      }
    }
  }
}

TEST(Kernels, CodeScanStopsAtTheFirstGroupThatMayHoldARow) {
  std::mt19937 rng(kSeed);
  for (BoundForm form : {BoundForm::kUnit, BoundForm::kInner, BoundForm::kDistance}) {
    Groups groups(24, 200, form, rng);
    const std::size_t size = group_bytes(24, form);
    std::vector<double> best(groups.count, -INFINITY);
    float values[16];
    for (std::size_t g = 0; g < groups.count; ++g) {
      kScalarKernels.scan_codes(groups.query, groups.bytes.get(), g, g + 1, -INFINITY, values);
      const float* side = reinterpret_cast<const float*>(groups.bytes.get() + g * size + 24 * 64);
      const CodeQuery& q = groups.query;
      for (int r = 0; r < 16; ++r) {
        const double inner = static_cast<double>(q.step) * side[r] * values[r];
        double bound = 0;
        if (form == BoundForm::kUnit) bound = inner + side[16 + r] * q.error_weight + q.norm_weight;
        if (form == BoundForm::kInner)
          bound = inner + side[16 + r] * q.error_weight + side[32 + r] * q.norm_weight;
        if (form == BoundForm::kDistance) {
          bound = side[16 + r] + q.norm_weight -
                  q.shrink * std::sqrt(std::max(0.0, q.square + side[32 + r] - 2 * inner));
        }
        best[g] = std::max(best[g], bound);
      }
    }
    std::vector<double> sorted = best;
    std::sort(sorted.begin(), sorted.end());
    for (const Kernels* k : available()) {
      for (std::size_t rank : {0u, 20u, 100u, 180u, 199u}) {
        // Between two bounds, so that rounding does not matter.
        const double threshold = rank == 0 ? sorted[0] - 1 : (sorted[rank - 1] + sorted[rank]) / 2;
        for (std::size_t first : {0u, 7u, 150u}) {
          std::size_t expected = first;
          while (expected < groups.count && best[expected] < threshold) ++expected;
          EXPECT_EQ(k->scan_codes(groups.query, groups.bytes.get(), first, groups.count,
                                  static_cast<float>(threshold), values),
                    expected)
              << to_string(k->isa) << " rank " << rank;
        }
      }
      // A bound that is not a number never hides a row.
      float* side = reinterpret_cast<float*>(groups.bytes.get() + 5 * size + 24 * 64);
      const float saved = side[16 + 3];
      side[16 + 3] = NAN;
      EXPECT_EQ(k->scan_codes(groups.query, groups.bytes.get(), 4, 6, 1e30f, values), 5u)
          << to_string(k->isa);
      side[16 + 3] = saved;
      EXPECT_EQ(k->scan_codes(groups.query, groups.bytes.get(), 9, 9, -INFINITY, values), 9u);
    }
  }
}

}  // namespace
}  // namespace vecstore::simd
