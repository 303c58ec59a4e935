#include "text/term_cache.hpp"

#include <algorithm>
#include <utility>

namespace vecstore::text {
namespace {

constexpr std::size_t kFirstSlots = 256;
constexpr std::size_t kFirstBlock = 4096;
constexpr std::size_t kLargestBlock = 256 * 1024;
constexpr std::uint64_t kMultiplier = 0x9E3779B97F4A7C15ULL;

std::uint64_t mix(std::uint64_t a) {
  const auto product = static_cast<unsigned __int128>(a) * kMultiplier;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

std::uint64_t TermCache::hash(std::string_view key) {
  std::uint64_t h = key.size() * kMultiplier;
  const char* p = key.data();
  std::size_t left = key.size();
  for (; left > 8; p += 8, left -= 8) h = mix(h ^ load<std::uint64_t>(p));
  // The last 1 to 8 bytes; reading some of them twice saves a loop.
  std::uint64_t tail = 0;
  if (left >= 4) {
    tail = load<std::uint32_t>(p) | std::uint64_t{load<std::uint32_t>(p + left - 4)} << 32;
  } else if (left > 0) {
    const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(p[i])}; };
    tail = byte(0) | byte(left / 2) << 8 | byte(left - 1) << 16;
  }
  return mix(h ^ tail ^ kMultiplier);
}

std::string_view TermCache::insert(std::string_view key, std::uint64_t hash, std::string_view term) {
  if (used_ * 2 >= slots_.size()) grow();
  char* data = allocate(key.size() + term.size());
  key.copy(data, key.size());
  if (!term.empty()) term.copy(data + key.size(), term.size());
  std::size_t i = hash & (slots_.size() - 1);
  while (slots_[i].data != nullptr) i = (i + 1) & (slots_.size() - 1);
  slots_[i] = {hash, data, static_cast<std::uint16_t>(key.size()), static_cast<std::uint16_t>(term.size())};
  ++used_;
  return slots_[i].term();
}

void TermCache::grow() {
  std::vector<Entry> old =
      std::exchange(slots_, std::vector<Entry>(std::max(kFirstSlots, slots_.size() * 2)));
  for (const Entry& e : old) {
    if (e.data == nullptr) continue;
    std::size_t i = e.hash & (slots_.size() - 1);
    while (slots_[i].data != nullptr) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = e;
  }
}

char* TermCache::allocate(std::size_t bytes) {
  if (next_ == nullptr || bytes > block_free_) {
    const std::size_t wanted = std::clamp(arena_bytes_, kFirstBlock, kLargestBlock);
    block_free_ = std::max(wanted, bytes);
    arena_.push_back(std::make_unique<char[]>(block_free_));
    next_ = arena_.back().get();
    arena_bytes_ += block_free_;
  }
  char* data = next_;
  next_ += bytes;
  block_free_ -= bytes;
  return data;
}

void TermCache::clear() { *this = TermCache(); }

}  // namespace vecstore::text
