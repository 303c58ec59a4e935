// Kernels for every CPU: the vectors that the compiler has anyway.
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "simd/f32_rows.hpp"
#include "simd/kernels.hpp"

namespace vecstore::simd {
namespace {

// Vectors of four floats are in the base set of every 64-bit CPU (SSE2, NEON). With so narrow registers loads
// are what is short, not memory: four rows at once share the loads of the query.
struct Portable {
  typedef float Reg __attribute__((vector_size(16)));
  static constexpr size_t kWidth = 4;
  static constexpr bool kFourRows = true;
  static Reg zero() { return Reg{}; }
  static Reg load(const float* p) {
    Reg r;
    __builtin_memcpy(&r, p, sizeof r);
    return r;
  }
  static Reg load_tail(const float* p, size_t n) { return Reg{p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0}; }
  static Reg add(Reg a, Reg b) { return a + b; }
  static Reg sub(Reg a, Reg b) { return a - b; }
  static Reg fma(Reg a, Reg b, Reg c) { return a * b + c; }
  static float sum(Reg a) { return (a[0] + a[2]) + (a[1] + a[3]); }
};

float upper_bound(const CodeQuery& q, const float* side, int r, float value) {
  const float inner = q.step * side[r] * value;
  const float error = side[16 + r];
  switch (q.form) {
    case BoundForm::kUnit:
      return inner + error * q.error_weight + q.norm_weight;
    case BoundForm::kInner:
      return inner + error * q.error_weight + side[32 + r] * q.norm_weight;
    case BoundForm::kDistance:
      break;
  }
  const float square = q.square + side[32 + r] - 2 * inner;
  return error + q.norm_weight - q.shrink * sqrtf(square < 0 ? 0 : square);
}

typedef int16_t Shorts __attribute__((vector_size(16)));
typedef int32_t Ints __attribute__((vector_size(16)));
typedef uint8_t Bytes __attribute__((vector_size(16)));

// The sums of the products of neighbours.
inline Ints add_products(Ints sum, Shorts a, Shorts b) {
#if defined(__SSE2__)
  return sum +
         reinterpret_cast<Ints>(_mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  const Ints x = reinterpret_cast<Ints>(a), y = reinterpret_cast<Ints>(b);
  return sum + (x >> 16) * (y >> 16) + ((x << 16) >> 16) * ((y << 16) >> 16);
#endif
}

// Bytes of two vectors in turns. g++ 12 knows the instruction by exactly these indices.
inline Shorts interleave_low(Bytes a, Bytes b) {
  return reinterpret_cast<Shorts>(
      __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
}
inline Shorts interleave_high(Bytes a, Bytes b) {
  return reinterpret_cast<Shorts>(
      __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
}

// Four signed bytes, twice, as the upper halves of 16 bits.
inline Shorts spread(const int8_t* four_values) {
  int32_t four;
  __builtin_memcpy(&four, four_values, 4);
  return interleave_low(Bytes{}, reinterpret_cast<Bytes>(Ints{four, four, four, four}));
}

// 128 high + low fits 16 bits, and the sums of this many products 32.
constexpr size_t kChunk = 256;

// sums[r] += the products of row r with quads begin .. end - 1.
inline void add_chunk(const CodeQuery& q, const uint8_t* codes, size_t begin, size_t end, int64_t* sums) {
  Ints rows01{}, rows23{}, rows45{}, rows67{}, rows89{}, rowsAB{}, rowsCD{}, rowsEF{};
  const auto add = [](const uint8_t* four_rows, Shorts weights, Ints& first, Ints& second) {
    Bytes c;
    __builtin_memcpy(&c, four_rows, sizeof c);
    first = add_products(first, interleave_low(c, Bytes{}), weights);
    second = add_products(second, interleave_high(c, Bytes{}), weights);
  };
  for (size_t j = begin; j < end; ++j) {
    const Shorts weights = (spread(q.high + j * 4) >> 1) + (spread(q.low + j * 4) >> 8);
    const uint8_t* line = codes + j * 64;
    add(line, weights, rows01, rows23);
    add(line + 16, weights, rows45, rows67);
    add(line + 32, weights, rows89, rowsAB);
    add(line + 48, weights, rowsCD, rowsEF);
  }
  const Ints all[8] = {rows01, rows23, rows45, rows67, rows89, rowsAB, rowsCD, rowsEF};
  for (size_t i = 0; i < 8; ++i) {
    sums[2 * i] += all[i][0] + all[i][1];
    sums[2 * i + 1] += all[i][2] + all[i][3];
  }
}

size_t scan_codes(const CodeQuery& q, const uint8_t* groups, size_t first, size_t last, float threshold,
                  float* values) {
  const size_t bytes = group_bytes(q.quads, q.form);
  const int64_t offset = int64_t{128} * q.high_offset + q.low_offset;
  for (size_t g = first; g < last; ++g) {
    const uint8_t* codes = groups + g * bytes;
    int64_t sums[kGroupRows] = {};
    for (size_t j = 0; j < q.quads; j += kChunk)
      add_chunk(q, codes, j, j + kChunk < q.quads ? j + kChunk : q.quads, sums);
    const float* side = reinterpret_cast<const float*>(codes + q.quads * 64);
    bool hit = false;
    for (int r = 0; r < 16; ++r) {
      values[r] = static_cast<float>(sums[r] - offset);
      hit |= !(upper_bound(q, side, r, values[r]) < threshold);
    }
    if (hit) return g;
  }
  return last;
}

// Scanning codes pays where a multiply-and-add of 16 bits is in the base set; elsewhere nobody has measured.
#if defined(__SSE2__)
constexpr bool kFastCodes = true;
#else
constexpr bool kFastCodes = false;
#endif

}  // namespace

const Kernels kScalarKernels = {Isa::kScalar,
                                kFastCodes,
                                score_all_rows<Portable, DotOp>,
                                score_all_rows<Portable, SquaredL2Op>,
                                square_all_rows<Portable>,
                                scan_codes};

}  // namespace vecstore::simd
