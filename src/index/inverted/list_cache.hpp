// ListCache: decoded lists that were used lately.
#pragma once
#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "index/inverted/decoded_list.hpp"

namespace vecstore::inverted {

/// Thread-safe. Lists outlive their place here while somebody holds them.
class ListCache {
 public:
  explicit ListCache(std::size_t limit_bytes) : limit_(limit_bytes) {}

  /// nullptr when it is not here.
  std::shared_ptr<const DecodedList> find(std::string_view key) const {
    const std::shared_lock lock(mutex_);
    const auto it = lists_.find(key);
    if (it == lists_.end()) return nullptr;
    it->second.used.store(true, std::memory_order_relaxed);
    return it->second.list;
  }

  /// Replaces what has the same key. Lists that were not used since the last round make room.
  void put(std::string_view key, std::shared_ptr<const DecodedList> list) {
    const std::size_t bytes = cost(key, *list);
    if (bytes > limit_) return;
    const std::unique_lock lock(mutex_);
    if (const auto it = lists_.find(key); it != lists_.end()) {
      bytes_ += bytes - cost(key, *it->second.list);
      it->second.list = std::move(list);
    } else {
      order_.emplace_back(key);
      lists_.try_emplace(std::string(key), std::move(list));
      bytes_ += bytes;
    }
    while (bytes_ > limit_ && !order_.empty()) {
      const auto oldest = lists_.find(order_.front());
      if (oldest->second.used.exchange(false, std::memory_order_relaxed)) {
        order_.push_back(std::move(order_.front()));
      } else {
        bytes_ -= cost(oldest->first, *oldest->second.list);
        lists_.erase(oldest);
      }
      order_.pop_front();
    }
  }

  std::size_t memory_bytes() const {
    const std::shared_lock lock(mutex_);
    return bytes_;
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  struct Entry {
    explicit Entry(std::shared_ptr<const DecodedList> l) : list(std::move(l)) {}
    std::shared_ptr<const DecodedList> list;
    mutable std::atomic<bool> used{true};
  };
  static std::size_t cost(std::string_view key, const DecodedList& list) {
    constexpr std::size_t kNodes = 160;  // of the table and the queue, about
    return list.memory_bytes() + 2 * key.size() + kNodes;
  }

  const std::size_t limit_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> lists_;
  std::deque<std::string> order_;
  std::size_t bytes_ = 0;
};

}  // namespace vecstore::inverted
