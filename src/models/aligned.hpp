// Memory that begins at a multiple of 64 bytes and is zeroed: what the kernels' buffers are made of.
#pragma once
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

namespace vecstore::models {

class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(std::size_t size)
      : bytes_(static_cast<std::byte*>(::operator new(size == 0 ? 1 : size, std::align_val_t{64}))) {
    std::memset(bytes_.get(), 0, size);
  }
  std::byte* data() const { return bytes_.get(); }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(bytes_.get());
  }

 private:
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte, Free> bytes_;
};

}  // namespace vecstore::models
