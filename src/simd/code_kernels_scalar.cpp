// Code kernels in plain C.
#include "simd/code_kernels.hpp"
#include "simd/graph_walk.hpp"

namespace vecstore::simd {
namespace {

void byte_dots(const uint8_t* query, const uint8_t* codes, size_t stride, size_t bytes, const uint32_t* ids,
               size_t count, int32_t* out) {
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* code = codes + ids[i] * stride;
    int32_t sum = 0;
    for (size_t j = 0; j < bytes; ++j) sum += code[j] * (query[j] - 128);
    out[i] = sum;
  }
}

struct Scalar {
  static void score(const WalkGraph& g, const WalkQuery& q, uint32_t* ids, uint32_t count, float* out) {
    for (uint32_t i = 0; i < count; ++i) {
      const uint8_t* code = g.codes + ids[i] * g.code_bytes;
      int32_t sum = 0;
      for (size_t line = 0; line < g.code_bytes; line += 64) {
        const int8_t* values = q.values + 2 * line;
        for (size_t j = 0; j < 64; ++j)
          sum += (code[line + j] & 15) * values[j] + (code[line + j] >> 4) * values[64 + j];
      }
      const float inner = q.weight * (q.offset + q.step * static_cast<float>(sum));
      out[i] =
          (g.terms ? q.term_weight * g.terms[ids[i]] : 0.0f) - (g.scales ? g.scales[ids[i]] : 1.0f) * inner;
    }
  }

  static float least(const float* values, uint32_t count, uint32_t* place) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; ++i) best = values[i] < values[best] ? i : best;
    *place = best;
    return values[best];
  }

  static uint32_t append(const float* values, const uint32_t* ids, uint32_t count, float bound,
                         float* out_values, uint32_t* out_ids) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; ++i) {
      out_values[kept] = values[i];
      out_ids[kept] = ids[i];
      kept += values[i] < bound;
    }
    return kept;
  }
};

void rescore(const RescoreQuery& q, const uint8_t* code, size_t bytes, const uint8_t* residual,
             size_t residual_bytes, int32_t* out) {
  int32_t sums[4] = {0, 0, 0, 0};
  for (size_t line = 0; line < bytes; line += 64) {
    for (size_t j = 0; j < 64; ++j) {
      const size_t at = 2 * line + j;
      const int32_t low = code[line + j] & 15, high = code[line + j] >> 4;
      sums[0] += low * q.high[at] + high * q.high[at + 64];
      sums[1] += low * q.low[at] + high * q.low[at + 64];
    }
  }
  for (size_t j = 0; j < residual_bytes; ++j) {
    sums[2] += residual[j] * q.high[j];
    sums[3] += residual[j] * q.low[j];
  }
  for (size_t i = 0; i < 4; ++i) out[i] = sums[i];
}

}  // namespace

const CodeKernels kScalarCodeKernels = {byte_dots, walk<Scalar>, Scalar::score, rescore};

}  // namespace vecstore::simd
