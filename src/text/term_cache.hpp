// TermCache: from a word as it is written to its term, so that each form is folded and stemmed once.
#pragma once
#include <cstddef>
#include <cstdint>
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
      if (e.hash == hash && e.key() == key) return &e;
    }
  }
  /// The key must be new; at most 65,535 bytes each. Returns the stored copy of the term.
  std::string_view insert(std::string_view key, std::uint64_t hash, std::string_view term);

  void clear();
  std::size_t memory_bytes() const { return slots_.size() * sizeof(Entry) + arena_bytes_; }

 private:
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
