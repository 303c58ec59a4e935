// Seeded vectors in blocks of every shape, for tests.
#pragma once
#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "index/vector/block_list.hpp"
#include "quant/norms.hpp"

namespace vecstore::testing_vectors {

inline std::vector<float> gaussian(std::size_t n, std::mt19937& rng) {
  std::normal_distribution<float> normal;
  std::vector<float> out(n);
  for (float& v : out) v = normal(rng);
  return out;
}

/// Owns rows that lie in blocks of 1 to `largest` rows, with gaps in the row numbers, odd alignments and
/// strides; some blocks have explicit row numbers, some have inverse norms. About one row in eight equals an
/// earlier one.
struct RandomBlocks {
  struct Owned {
    std::vector<float> data;
    std::vector<std::uint64_t> rows;
    std::vector<float> inverse_norms;
  };
  std::size_t dim;
  std::vector<std::unique_ptr<Owned>> owned;
  std::vector<VectorBlock> blocks;
  BlockList list;
  std::vector<std::uint64_t> all_rows;
  std::vector<const float*> vectors;  // of all_rows

  RandomBlocks(std::size_t dim_, std::size_t count, std::uint32_t largest, std::mt19937& rng)
      : dim(dim_), list(dim_) {
    std::uint64_t row = rng() % 5;
    while (all_rows.size() < count) {
      const std::uint32_t n =
          static_cast<std::uint32_t>(std::min<std::size_t>(1 + rng() % largest, count - all_rows.size()));
      add_block(row, n, rng);
      row = all_rows.back() + 1 + (rng() % 3 ? 0 : rng() % 40);
    }
  }

 private:
  void add_block(std::uint64_t row, std::uint32_t n, std::mt19937& rng) {
    owned.push_back(std::make_unique<Owned>());
    Owned& o = *owned.back();
    const std::size_t shift = rng() % 16, stride = dim + rng() % 3;
    o.data = gaussian(shift + stride * n, rng);
    const bool explicit_rows = rng() % 2, norms = rng() % 2;
    for (std::uint32_t i = 0; i < n; ++i) {
      float* x = o.data.data() + shift + i * stride;
      if (!vectors.empty() && rng() % 8 == 0) std::copy_n(vectors[rng() % vectors.size()], dim, x);
      if (rng() % 50 == 0) std::fill_n(x, dim, 0.0f);
      o.rows.push_back(row);
      o.inverse_norms.push_back(inverse_norm(x, dim));
      vectors.push_back(x);
      all_rows.push_back(row);
      row += explicit_rows ? 1 + (rng() % 4 ? 0 : rng() % 9) : 1;
    }
    blocks.push_back({o.data.data() + shift, stride * 4, n, o.rows[0],
                      explicit_rows ? o.rows.data() : nullptr, norms ? o.inverse_norms.data() : nullptr});
    list.add(blocks.back());
  }
};

}  // namespace vecstore::testing_vectors
