// Seeded vectors that the parts of vecstore-bench search.
#pragma once
#include <array>
#include <random>
#include <vector>

namespace vecstore::bench {

/// Rows around a few hundred centres in a space of fewer dimensions than they have: like embeddings, unlike
/// noise.
class Seeded {
 public:
  explicit Seeded(std::size_t dimension) : dimension_(dimension) {
    for (auto& axis : axes_) axis = noise(dimension_, 1.0f);
    for (auto& centre : centres_) centre = noise(kInner, 1.0f);
  }
  std::vector<float> next() {
    const auto& centre = centres_[random_() % centres_.size()];
    const std::vector<float> inner = noise(kInner, 0.6f);
    std::vector<float> row = noise(dimension_, 0.5f);
    for (std::size_t a = 0; a < kInner; ++a) {
      for (std::size_t j = 0; j < dimension_; ++j) row[j] += (centre[a] + inner[a]) * axes_[a][j];
    }
    return row;
  }

 private:
  static constexpr std::size_t kInner = 32;
  std::vector<float> noise(std::size_t n, float scale) {
    std::vector<float> v(n);
    for (float& x : v) x = scale * normal_(random_);
    return v;
  }
  std::size_t dimension_;
  std::mt19937 random_{20240229};
  std::normal_distribution<float> normal_;
  std::array<std::vector<float>, kInner> axes_;
  std::array<std::vector<float>, 300> centres_;
};

}  // namespace vecstore::bench
