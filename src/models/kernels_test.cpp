// Every instruction set against the plain forward pass in double precision, on shapes with all kinds of
// remainders.
#include <gtest/gtest.h>

#include <cstdlib>
#include <mutex>

#include "base/error.hpp"
#include "models/amx_impl.hpp"
#include "models/tiny_model_for_tests.hpp"

namespace vecstore::models {
namespace {

// bfloat16 elements in plain C++.
struct PlainBf16 {
  typedef float V __attribute__((vector_size(16)));
  using Element = std::uint16_t;
  static constexpr std::size_t kLanes = 4;
  static constexpr std::size_t kColumns = 32;
  static constexpr std::size_t kStep = 2;
  static V fma(V a, V b, V c) { return a * b + c; }
  static V max(V a, V b) { return a > b ? a : b; }
  static V min(V a, V b) { return a < b ? a : b; }
  static float sum(V v) { return v[0] + v[1] + v[2] + v[3]; }
  static float highest(V v) { return std::max(std::max(v[0], v[1]), std::max(v[2], v[3])); }
  static Element element(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return static_cast<Element>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
  static void store(Element* p, V v) {
    for (std::size_t i = 0; i < kLanes; ++i) p[i] = element(v[i]);
  }
  static void interleave(const Element* const* from, Element* to) {
    for (std::size_t n = 0; n < kColumns; ++n) {
      to[2 * n] = from[0][n];
      to[2 * n + 1] = from[1][n];
    }
  }
};

// The tile unit in plain C++: tiles 0 to 3 are sums, 4 and 5 the left matrix, 6 and 7 the right one.
struct PlainTiles {
  struct Session {};
  using Bytes = std::array<unsigned char, 1024>;
  static thread_local std::array<Bytes, 8> tiles;

  static void load(int tile, const void* from, std::size_t stride) {
    for (std::size_t row = 0; row < 16; ++row) {
      std::memcpy(&tiles[tile][64 * row], static_cast<const char*>(from) + row * stride, 64);
    }
  }
  static void save(int tile, void* to, std::size_t stride) {
    for (std::size_t row = 0; row < 16; ++row) {
      std::memcpy(static_cast<char*>(to) + row * stride, &tiles[tile][64 * row], 64);
    }
  }
  static float bf16(const Bytes& tile, std::size_t index) {
    std::uint16_t half;
    std::memcpy(&half, &tile[2 * index], 2);
    const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
    float out;
    std::memcpy(&out, &bits, 4);
    return out;
  }
  static void dot(int sums, int left, int right) {
    for (std::size_t row = 0; row < 16; ++row) {
      for (std::size_t column = 0; column < 16; ++column) {
        float sum;
        std::memcpy(&sum, &tiles[sums][64 * row + 4 * column], 4);
        for (std::size_t k = 0; k < 32; ++k) {
          sum += bf16(tiles[left], row * 32 + k) * bf16(tiles[right], k / 2 * 32 + column * 2 + k % 2);
        }
        std::memcpy(&tiles[sums][64 * row + 4 * column], &sum, 4);
      }
    }
  }
  static void zero_upper() { tiles[0] = tiles[1] = {}; }
  static void zero() { tiles[0] = tiles[1] = tiles[2] = tiles[3] = {}; }
  static void load_a(const void* upper, const void* lower, std::size_t stride) {
    load(4, upper, stride);
    load(5, lower, stride);
  }
  static void load_a_upper(const void* upper, std::size_t stride) { load(4, upper, stride); }
  static void load_b(const void* left, const void* right, std::size_t stride) {
    load(6, left, stride);
    load(7, right, stride);
  }
  static void multiply_upper() {
    dot(0, 4, 6);
    dot(1, 4, 7);
  }
  static void multiply() {
    multiply_upper();
    dot(2, 5, 6);
    dot(3, 5, 7);
  }
  static void store_upper(void* c00, void* c01, std::size_t stride) {
    save(0, c00, stride);
    save(1, c01, stride);
  }
  static void store(void* c00, void* c01, void* c10, void* c11, std::size_t stride) {
    store_upper(c00, c01, stride);
    save(2, c10, stride);
    save(3, c11, stride);
  }
};
thread_local std::array<PlainTiles::Bytes, 8> PlainTiles::tiles;

const Kernels kEmulatedAmx{"emulated amx", 32, 2, [] { return true; },
                           encoder_forward<Amx<PlainBf16, PlainTiles>>};

std::vector<const Kernels*> all_kernels() {
  std::vector<const Kernels*> all(supported_kernels().begin(), supported_kernels().end());
  all.push_back(&kEmulatedAmx);
  return all;
}

struct Sequences {
  std::vector<std::int32_t> ids;
  std::vector<std::uint32_t> offsets = {0};
};

Sequences random_sequences(const BertConfig& c, std::span<const std::size_t> lengths, unsigned seed) {
  std::mt19937 random(seed);
  Sequences s;
  for (const std::size_t length : lengths) {
    for (std::size_t i = 0; i < length; ++i)
      s.ids.push_back(static_cast<std::int32_t>(random() % c.vocabulary));
    s.offsets.push_back(static_cast<std::uint32_t>(s.ids.size()));
  }
  return s;
}

// The states of each sequence, without padding.
std::vector<std::vector<float>> run(const BertEncoder& encoder, const Sequences& s, std::size_t threads) {
  std::vector<std::vector<float>> out(s.offsets.size() - 1);
  encoder.run(s.ids, s.offsets, threads,
              [&](std::size_t i, const float* states, std::size_t length, std::size_t stride) {
                for (std::size_t t = 0; t < length; ++t) {
                  out[i].insert(out[i].end(), states + t * stride,
                                states + t * stride + encoder.config().hidden);
                }
              });
  return out;
}

BertConfig shape(std::size_t hidden, std::size_t heads, std::size_t inner, Activation activation) {
  BertConfig c;
  c.hidden = hidden;
  c.heads = heads;
  c.inner = inner;
  c.layers = 2;
  c.vocabulary = 50;
  c.positions = 96;
  c.types = 2;
  c.activation = activation;
  return c;
}

TEST(Kernels, EqualThePlainForwardPass) {
  const BertConfig shapes[] = {
      shape(64, 2, 96, Activation::kGelu),     shape(24, 3, 40, Activation::kGelu),
      shape(33, 3, 17, Activation::kRelu),     shape(40, 2, 70, Activation::kGeluTanh),
      shape(128, 2, 33, Activation::kGelu),    shape(5, 5, 3, Activation::kGelu),
      shape(96, 1, 64, Activation::kGeluTanh), shape(1, 1, 1, Activation::kRelu)};
  const std::size_t lengths[] = {1, 2, 12, 13, 16, 17, 31, 32, 33, 48, 65, 70, 3, 1, 96};
  for (const BertConfig& config : shapes) {
    SCOPED_TRACE(concat("hidden ", config.hidden, " heads ", config.heads, " inner ", config.inner));
    const TinyModel model(config, 11);
    const Sequences s = random_sequences(config, lengths, 12);
    std::vector<std::vector<double>> expected;
    for (std::size_t i = 0; i + 1 < s.offsets.size(); ++i) {
      expected.push_back(
          model.forward(std::span(s.ids).subspan(s.offsets[i], s.offsets[i + 1] - s.offsets[i])));
    }
    for (const Kernels* kernels : all_kernels()) {
      const BertEncoder encoder(config, *kernels, model.source());
      const auto states = run(encoder, s, 2);
      for (std::size_t i = 0; i < states.size(); ++i) {
        double error = 0;
        double norm = 0;
        ASSERT_EQ(states[i].size(), expected[i].size());
        for (std::size_t j = 0; j < states[i].size(); ++j) {
          error += (states[i][j] - expected[i][j]) * (states[i][j] - expected[i][j]);
          norm += expected[i][j] * expected[i][j];
        }
        // Relative to the length of all states of the sequence; bfloat16 carries 8 bits.
        EXPECT_LT(std::sqrt(error / norm), kernels->step == 1 ? 1e-5 : 0.05)
            << kernels->name << ", length " << lengths[i];
      }
    }
  }
}

TEST(Kernels, ASequenceDoesNotDependOnItsCompany) {
  const BertConfig config = shape(64, 2, 96, Activation::kGelu);
  const TinyModel model(config, 3);
  std::mt19937 random(4);
  std::vector<std::size_t> lengths(60);
  for (std::size_t& length : lengths) length = 1 + random() % 60;
  const Sequences s = random_sequences(config, lengths, 5);
  for (const Kernels* kernels : all_kernels()) {
    const BertEncoder encoder(config, *kernels, model.source());
    const auto together = run(encoder, s, 2);
    EXPECT_EQ(run(encoder, s, 1), together) << kernels->name;
    for (std::size_t i = 0; i < lengths.size(); i += 7) {
      Sequences alone;
      alone.ids.assign(s.ids.begin() + s.offsets[i], s.ids.begin() + s.offsets[i + 1]);
      alone.offsets.push_back(static_cast<std::uint32_t>(lengths[i]));
      EXPECT_EQ(run(encoder, alone, 1)[0], together[i]) << kernels->name << ", length " << lengths[i];
    }
  }
}

TEST(Kernels, ChoiceFollowsPrecisionAndEnvironment) {
  const char* before = std::getenv("VECSTORE_SIMD");
  const std::string kept = before == nullptr ? "" : before;
  setenv("VECSTORE_SIMD", "scalar", 1);
  EXPECT_EQ(choose_kernels(true).name, "scalar");
  setenv("VECSTORE_SIMD", "sse9", 1);
  EXPECT_THROW(choose_kernels(true), Error);
  setenv("VECSTORE_SIMD", "", 1);
  EXPECT_EQ(choose_kernels(false).step, 1u);
  EXPECT_EQ(&choose_kernels(true), supported_kernels().front());
  if (before == nullptr) {
    unsetenv("VECSTORE_SIMD");
  } else {
    setenv("VECSTORE_SIMD", kept.c_str(), 1);
  }
}

}  // namespace
}  // namespace vecstore::models
