// IdTable: a hash table of 32-bit ids whose keys are stored elsewhere.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace vecstore::inverted {

/// Open addressing, at most half full, eight bytes a slot. Hashes must be well mixed.
class IdTable {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  /// The id with this hash for which equal(id) holds, else kNone.
  template <class Equal>
  std::uint32_t find(std::uint64_t hash, Equal&& equal) const {
    if (slots_.empty()) return kNone;
    for (std::size_t i = home(hash);; i = next(i)) {
      const Slot& slot = slots_[i];
      if (slot.id == kNone) return kNone;
      if (slot.tag == tag(hash) && equal(slot.id)) return slot.id;
    }
  }

  /// The id must not be in the table. `hash_of(id)` gives the hash of any id that is.
  template <class HashOf>
  void insert(std::uint64_t hash, std::uint32_t id, HashOf&& hash_of) {
    if ((used_ + 1) * 2 > slots_.size()) {
      std::vector<Slot> old =
          std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 16 : slots_.size() * 2));
      for (const Slot& slot : old) {
        if (slot.id != kNone) place(slot.tag, slot.id, home(hash_of(slot.id)));
      }
    }
    place(tag(hash), id, home(hash));
    ++used_;
  }

  /// The id must be in the table.
  template <class HashOf>
  void erase(std::uint64_t hash, std::uint32_t id, HashOf&& hash_of) {
    std::size_t hole = home(hash);
    while (slots_[hole].id != id) hole = next(hole);
    // Later entries of the run move up, unless that would put them before their home.
    for (std::size_t i = next(hole); slots_[i].id != kNone; i = next(i)) {
      const std::size_t distance = (i - home(hash_of(slots_[i].id))) & (slots_.size() - 1);
      if (distance < ((i - hole) & (slots_.size() - 1))) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = {};
    --used_;
  }

  std::size_t size() const { return used_; }
  std::size_t memory_bytes() const { return slots_.capacity() * sizeof(Slot); }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t id = kNone;
  };
  static std::uint32_t tag(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
  std::size_t home(std::uint64_t hash) const { return hash & (slots_.size() - 1); }
  std::size_t next(std::size_t i) const { return (i + 1) & (slots_.size() - 1); }
  void place(std::uint32_t tag, std::uint32_t id, std::size_t i) {
    while (slots_[i].id != kNone) i = next(i);
    slots_[i] = {tag, id};
  }

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

}  // namespace vecstore::inverted
