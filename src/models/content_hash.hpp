// A fast 128-bit hash of content, for telling models apart. Not for adversaries. The values are stored in
// collections' schemas: frozen.
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace vecstore::models {

class ContentHash {
 public:
  /// Hashes a piece of content with its length, so that pieces cannot flow into each other.
  void add(const void* data, std::size_t size) {
    const auto* p = static_cast<const unsigned char*>(data);
    total_ += size;
    for (; size >= 32; size -= 32, p += 32) {
      for (std::size_t lane = 0; lane < 4; ++lane) mix(lane, word(p + 8 * lane, 8));
    }
    for (std::size_t lane = 0; size > 0; lane = (lane + 1) % 4) {
      const std::size_t n = size < 8 ? size : 8;
      mix(lane, word(p, n));
      p += n;
      size -= n;
    }
    mix(0, total_);
  }
  void add(std::string_view text) { add(text.data(), text.size()); }
  void add(std::uint64_t number) { add(&number, sizeof number); }

  /// 32 hexadecimal digits.
  std::string hex() const {
    const std::uint64_t high = finish(lanes_[0] ^ std::rotl(lanes_[1], 17));
    const std::uint64_t low = finish(lanes_[2] + std::rotl(lanes_[3], 41) + high);
    std::string out;
    for (const std::uint64_t half : {high, low}) {
      for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[(half >> shift) & 15];
    }
    return out;
  }

 private:
  static std::uint64_t word(const unsigned char* p, std::size_t n) {
    std::uint64_t w = 0;
    std::memcpy(&w, p, n);
    return w;
  }
  void mix(std::size_t lane, std::uint64_t w) {
    lanes_[lane] = std::rotl(lanes_[lane] ^ w, 29) * 0x9fb21c651e98df25u + 0x2545f4914f6cdd1du;
  }
  static std::uint64_t finish(std::uint64_t h) {
    h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93u;
    h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93u;
    return h ^ (h >> 32);
  }

  std::array<std::uint64_t, 4> lanes_ = {0x243f6a8885a308d3u, 0x13198a2e03707344u, 0xa4093822299f31d0u,
                                         0x082efa98ec4e6c89u};
  std::uint64_t total_ = 0;
};

}  // namespace vecstore::models
