// Candidates: documents whose upper bounds may reach the k best.
#pragma once
#include <algorithm>
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
/// best lies below that.
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
  void push(std::uint32_t sum, std::uint32_t part, std::uint32_t doc) { items_.push_back({sum, part, doc}); }
  /// Call it now and then: drops what cannot reach the k best.
  void trim() {
    if (items_.size() >= room_) cut();
  }
  /// The k with the largest bounds of what is left, by part and document. The end of collecting.
  std::span<const Candidate> best() {
    cut();
    const std::size_t n = std::min(k_, items_.size());
    std::sort(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(n), by_place);
    return std::span(items_).first(n);
  }
  /// After best(): the others that reach the threshold.
  std::span<const Candidate> others() {
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(std::min(k_, items_.size())));
    std::erase_if(items_, [this](const Candidate& c) { return c.sum < threshold_; });
    std::sort(items_.begin(), items_.end(), by_place);
    return items_;
  }

 private:
  static bool by_place(const Candidate& a, const Candidate& b) {
    return a.part != b.part ? a.part < b.part : a.doc < b.doc;
  }
  /// Brings the k best to the front, too.
  void cut() {
    if (items_.size() > k_ && k_ > 0) {
      const auto kth = items_.begin() + static_cast<std::ptrdiff_t>(k_ - 1);
      std::nth_element(items_.begin(), kth, items_.end(),
                       [](const Candidate& a, const Candidate& b) { return a.sum > b.sum; });
      raise_by_rank(kth->sum);
    }
    std::erase_if(items_, [this](const Candidate& c) { return c.sum < threshold_; });
    room_ = std::max(room_, items_.size() * 2);
  }

  std::size_t k_;
  std::uint32_t band_;
  std::size_t room_;
  std::uint32_t threshold_ = 1;
  std::vector<Candidate> items_;
};

}  // namespace vecstore::inverted
