// ByteArena: many small byte strings that are made together and die together.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace vecstore {

/// Hands out room that stays where it is while the arena lives, also when the arena is moved. One thread at a
/// time.
class ByteArena {
 public:
  char* reserve(std::size_t size) {
    if (size > left_) {
      left_ = std::max(size, kChunk);
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(left_));
      next_ = chunks_.back().get();
    }
    char* room = next_;
    next_ += size;
    left_ -= size;
    return room;
  }
  std::string_view add(std::string_view bytes) {
    if (bytes.empty()) return {};
    char* room = reserve(bytes.size());
    std::memcpy(room, bytes.data(), bytes.size());
    return {room, bytes.size()};
  }

 private:
  static constexpr std::size_t kChunk = std::size_t{64} << 10;
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace vecstore
