// IdOrder: the order of rows with equal scores.
#pragma once
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.hpp"
#include "index/top_k.hpp"
#include "index/vector_index.hpp"
#include "shard/heads.hpp"
#include "shard/read_view.hpp"

namespace vecstore::query {

/// Equal scores are ordered by id, which segments know, and documents.
class IdOrder final : public RowOrder {
 public:
  explicit IdOrder(const shard::ReadView& view) : view_(view) {}
  bool before(std::uint64_t a, std::uint64_t b) const override { return id(a) < id(b); }
  std::uint64_t documents_read() const { return read_.size(); }

 private:
  struct Known {
    std::uint64_t row = kNoRow;
    std::string_view id;
  };
  static constexpr std::size_t kKnown = 256;

  // Sorting asks for the same rows again and again. What is known lasts as long as the heads and the view.
  std::string_view id(std::uint64_t row) const {
    if (known_.empty()) known_.resize(kKnown);
    Known& known = known_[row % kKnown];
    if (known.row != row) known = {row, look_up(row)};
    return known.id;
  }
  std::string_view look_up(std::uint64_t row) const {
    try {
      if (!heads_) heads_.emplace(view_);
      if (const auto id = heads_->find_id(row)) return *id;
      const auto [at, is_new] = read_.try_emplace(row);
      if (is_new) {
        if (!documents_) documents_.emplace(view_);
        at->second = documents_->read(row).id;
      }
      return at->second;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
    }
    return {};  // damaged: it will be left out, its place does not matter
  }

  const shard::ReadView& view_;
  // Made when first needed: many answers have no equal scores.
  mutable std::optional<shard::HeadReader> heads_;
  mutable std::vector<Known> known_;
  mutable std::optional<shard::DocumentReader> documents_;
  mutable std::unordered_map<std::uint64_t, std::string_view> read_;  // of rows that no segment knows
};

}  // namespace vecstore::query
