// Vocabulary: numbers the terms of an index in the order of their first use.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "index/inverted/id_table.hpp"

namespace vecstore::inverted {

class Vocabulary {
 public:
  static constexpr std::uint32_t kNone = IdTable::kNone;

  /// kNone for a term that was never added.
  std::uint32_t find(std::string_view term) const;
  std::uint32_t find_or_add(std::string_view term);
  std::string_view term(std::uint32_t id) const {
    return std::string_view(bytes_).substr(ends_[id], ends_[id + 1] - ends_[id]);
  }
  std::size_t size() const { return ends_.size() - 1; }
  std::size_t memory_bytes() const {
    return bytes_.capacity() + ends_.capacity() * sizeof(ends_[0]) + table_.memory_bytes();
  }

 private:
  std::string bytes_;
  std::vector<std::uint32_t> ends_ = {0};  // term i is bytes_[ends_[i], ends_[i + 1])
  IdTable table_;
};

}  // namespace vecstore::inverted
