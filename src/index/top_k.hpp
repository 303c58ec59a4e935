// TopK: keeps the k best (row, score) pairs of a search in a total order, so that results are reproducible.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace vecstore {

struct RowScore {
  std::uint64_t row = 0;
  float score = 0;
  bool operator==(const RowScore&) const = default;
};

/// Decides between rows of exactly equal score. Asked for such pairs only, so it may be slow (read two record
/// ids).
class RowOrder {
 public:
  virtual ~RowOrder() = default;
  /// True when `a` comes before `b`: a strict total order. Calls are never concurrent within one search.
  virtual bool before(std::uint64_t a, std::uint64_t b) const = 0;
};

/// Collects the k best pairs: larger score first, equal scores by `order`, or by ascending row without one.
/// The result does not depend on the order of the pushes. Scores are never NaN; -0 equals +0. One thread at a
/// time. Memory grows with the pairs held, not with k. push costs O(1) for a row that cannot enter, else
/// O(log k).
class TopK {
 public:
  /// `threshold`: only scores >= it are kept. `order` must outlive the collector.
  explicit TopK(std::size_t k, std::optional<float> threshold = std::nullopt, const RowOrder* order = nullptr)
      : k_(k), threshold_(threshold.value_or(-std::numeric_limits<float>::infinity())), order_(order) {}

  std::size_t k() const { return k_; }
  std::size_t size() const { return heap_.size(); }
  bool full() const { return heap_.size() >= k_; }
  float threshold() const { return threshold_; }
  const RowOrder* order() const { return order_; }

  /// What it holds, in no order.
  std::span<const RowScore> held() const { return heap_; }

  /// A score below this cannot enter; one equal to it may.
  float bound() const { return full() && k_ > 0 ? heap_.front().score : threshold_; }

  void push(std::uint64_t row, float score) {
    if (k_ == 0 || score < threshold_) return;
    const RowScore item{row, score};
    if (!full()) {
      heap_.push_back(item);
      std::push_heap(heap_.begin(), heap_.end(), Better{order_});
    } else if (score >= heap_.front().score && Better{order_}(item, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), Better{order_});
      heap_.back() = item;
      std::push_heap(heap_.begin(), heap_.end(), Better{order_});
    }
  }

  void merge(const TopK& other) {
    for (const RowScore& item : other.heap_) push(item.row, item.score);
  }

  /// The collected pairs, best first; the collector is empty afterwards.
  std::vector<RowScore> take() {
    std::sort(heap_.begin(), heap_.end(), Better{order_});
    return std::exchange(heap_, {});
  }

 private:
  struct Better {
    const RowOrder* order;
    bool operator()(const RowScore& a, const RowScore& b) const {
      if (a.score != b.score) return a.score > b.score;
      if (a.row == b.row) return false;
      return order ? order->before(a.row, b.row) : a.row < b.row;
    }
  };

  std::size_t k_;
  float threshold_;
  const RowOrder* order_;
  std::vector<RowScore> heap_;  // std heap whose front is the worst pair held
};

}  // namespace vecstore
