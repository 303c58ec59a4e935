// PostingList: the documents of one term, in ascending order of their slots.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace vecstore::inverted {

/// Five bytes a posting: slots, then frequency codes, in one allocation. Retired documents stay until the
/// index is compacted; `live` counts the others.
class PostingList {
 public:
  std::uint32_t size() const { return size_; }
  const std::uint32_t* slots() const { return reinterpret_cast<const std::uint32_t*>(data_.get()); }
  const std::uint8_t* codes() const {
    return reinterpret_cast<const std::uint8_t*>(data_.get()) +
           std::size_t{capacity_} * sizeof(std::uint32_t);
  }

  void append(std::uint32_t slot, std::uint8_t code) {
    if (size_ == capacity_) reserve(capacity_ + capacity_ / 2 + 1);
    const_cast<std::uint32_t*>(slots())[size_] = slot;
    const_cast<std::uint8_t*>(codes())[size_] = code;
    ++size_;
  }
  void reserve(std::uint32_t capacity) {
    PostingList larger;
    larger.data_.reset(new std::byte[capacity * kBytes]);
    larger.capacity_ = capacity;
    if (size_ != 0) {
      std::memcpy(larger.data_.get(), slots(), size_ * sizeof(std::uint32_t));
      std::memcpy(const_cast<std::uint8_t*>(larger.codes()), codes(), size_);
    }
    data_ = std::move(larger.data_);
    capacity_ = capacity;
  }
  std::size_t memory_bytes() const { return capacity_ * kBytes; }

  std::uint32_t live = 0;

 private:
  static constexpr std::size_t kBytes = sizeof(std::uint32_t) + 1;

  std::unique_ptr<std::byte[]> data_;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace vecstore::inverted
