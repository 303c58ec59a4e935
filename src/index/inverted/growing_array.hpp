// GrowingArray: an array that only grows, whose copies keep what there was.
#pragma once
#include <algorithm>
#include <cstddef>
#include <memory>

namespace vecstore::inverted {

/// Items never change once they are there. A copy shares them; only the array that was copied from may go on
/// growing, also while others read copies.
template <class T>
class GrowingArray {
 public:
  void push_back(const T& item) {
    if (size_ == capacity_) {
      const std::size_t capacity = std::max<std::size_t>(64, 2 * capacity_);
      std::shared_ptr<T[]> larger(new T[capacity]);
      std::copy_n(items_.get(), size_, larger.get());
      items_ = std::move(larger);
      capacity_ = capacity;
    }
    items_[static_cast<std::ptrdiff_t>(size_++)] = item;
  }
  std::size_t size() const { return size_; }
  const T* data() const { return items_.get(); }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  const T& operator[](std::size_t i) const { return data()[i]; }

 private:
  std::shared_ptr<T[]> items_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace vecstore::inverted
