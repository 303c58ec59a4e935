// TermCache: from a word as it is written to its term, so that each form is folded and stemmed once.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace vecstore::text {

/// Open addressing over records in an arena whose addresses are stable. An empty term means "not indexed".
class TermCache {
 public:
  struct Entry {
    std::uint64_t hash = 0;
    const char* data = nullptr;  // key, then term; nullptr: free
    std::uint16_t key_size = 0;
    std::uint16_t term_size = 0;

    std::string_view key() const { return {data, key_size}; }
    std::string_view term() const { return {data + key_size, term_size}; }
  };

  static std::uint64_t hash(std::string_view key);

  /// nullptr when the form is new.
  const Entry* find(std::string_view key, std::uint64_t hash) const {
    if (slots_.empty()) return nullptr;
    for (std::size_t i = hash & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      const Entry& e = slots_[i];
      if (e.data == nullptr) return nullptr;
      if (e.hash == hash && e.key_size == key.size() && same_bytes(e.data, key.data(), key.size())) return &e;
    }
  }
  /// The key must be new; at most 65,535 bytes each. Returns the stored copy of the term.
  std::string_view insert(std::string_view key, std::uint64_t hash, std::string_view term);

  void clear();
  std::size_t memory_bytes() const { return slots_.size() * sizeof(Entry) + arena_bytes_; }

 private:
  /// Most keys are short: calling memcmp would cost more than comparing.
  static bool same_bytes(const char* a, const char* b, std::size_t size) {
    if (size < 4) {
      for (std::size_t i = 0; i < size; ++i) {
        if (a[i] != b[i]) return false;
      }
      return true;
    }
    if (size < 8)
      return load<std::uint32_t>(a) == load<std::uint32_t>(b) &&
             load<std::uint32_t>(a + size - 4) == load<std::uint32_t>(b + size - 4);
    for (std::size_t i = 0; i + 8 < size; i += 8) {
      if (load<std::uint64_t>(a + i) != load<std::uint64_t>(b + i)) return false;
    }
    return load<std::uint64_t>(a + size - 8) == load<std::uint64_t>(b + size - 8);
  }
  template <class T>
  static T load(const char* p) {
    T v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }

  void grow();
  char* allocate(std::size_t bytes);

  std::vector<Entry> slots_;
  std::size_t used_ = 0;
  std::vector<std::unique_ptr<char[]>> arena_;
  std::size_t arena_bytes_ = 0;
  std::size_t block_free_ = 0;  // bytes left at the end of the last block
  char* next_ = nullptr;
};

}  // namespace vecstore::text
