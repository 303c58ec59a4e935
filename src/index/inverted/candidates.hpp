// Candidates: documents whose upper bounds may reach the k best.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace vecstore::inverted {

struct Candidate {
  std::uint32_t sum;  ///< Upper bound of the score, in whole units.
  std::uint32_t part;
  std::uint32_t doc;
};

/// A document is kept while its bound is not below the k-th best bound minus `band`: no true score of the k
/// best lies below that. The k-th best is known to a step: sums are counted by steps.
class Candidates {
 public:
  Candidates(std::size_t k, std::uint32_t band) : k_(k), band_(band), room_(2 * k + 64) {}

  /// What a bound has to reach, 1 at least.
  std::uint32_t threshold() const { return threshold_; }
  void raise(std::uint32_t threshold) { threshold_ = std::max(threshold_, threshold); }
  /// `k` documents have at least this bound.
  void raise_by_rank(std::uint32_t sum) {
    if (sum > band_) raise(sum - band_);
  }
  /// `sum` < 65,536. A document is pushed once.
  void push(std::uint32_t sum, std::uint32_t part, std::uint32_t doc) {
    items_.push_back({sum, part, doc});
    const std::uint32_t step = sum / kStep;
    if (step <= level_) return;
    ++counts_[step];
    if (++above_ < k_) return;
    for (; above_ >= k_; above_ -= counts_[level_]) ++level_;
    raise_by_rank(level_ * kStep);
  }
  /// Call it now and then: drops what cannot reach the k best.
  void trim() {
    if (items_.size() < room_) return;
    drop();
    room_ = std::max(room_, items_.size() * 2);
  }
  /// By part and document: the k with the largest bounds of what is left, or all where these are few more.
  /// The end of collecting.
  std::span<const Candidate> best() {
    drop();
    best_ = items_.size();
    if (best_ > k_ + k_ / 4 + 32) {
      best_ = k_;
      const auto kth = items_.begin() + static_cast<std::ptrdiff_t>(k_ - 1);
      std::nth_element(items_.begin(), kth, items_.end(),
                       [](const Candidate& a, const Candidate& b) { return a.sum > b.sum; });
      raise_by_rank(kth->sum);
    }
    std::sort(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(best_), by_place);
    return std::span(items_).first(best_);
  }
  /// After best(): the others that reach the threshold.
  std::span<const Candidate> others() {
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(best_));
    drop();
    std::sort(items_.begin(), items_.end(), by_place);
    return items_;
  }

 private:
  static constexpr std::uint32_t kStep = 64;

  static bool by_place(const Candidate& a, const Candidate& b) {
    return a.part != b.part ? a.part < b.part : a.doc < b.doc;
  }
  void drop() {
    std::erase_if(items_, [this](const Candidate& c) { return c.sum < threshold_; });
  }

  std::size_t k_;
  std::uint32_t band_;
  std::size_t room_, best_ = 0;
  std::uint32_t threshold_ = 1;
  std::vector<Candidate> items_;
  std::uint32_t level_ = 0;                                 // above it are fewer than k
  std::size_t above_ = 0;                                   // so many
  std::array<std::uint32_t, (1u << 16) / kStep> counts_{};  // of the steps above it
};

}  // namespace vecstore::inverted
