// SparseFollower: the vectors of one sparse field, in segments and in memory.
#pragma once
#include <cstdint>
#include <memory>

#include "segment/sparse_part.hpp"
#include "shard/term_follower.hpp"

namespace vecstore::shard {

class SparseFollower final : public TermFollower {
 public:
  explicit SparseFollower(std::uint16_t field) : field_(field) {}
  /// `read`, of the view's state, has to outlive it. TermsDamaged.
  segment::SparseIndex index(const ReadView& view, const TermsRead& read,
                             std::span<const std::uint64_t> rows = {}) const;

 protected:
  /// Always: a segment names the fields of which its rows have vectors.
  bool has_terms(const ReadView&, const segment::Segment&) const override { return true; }
  std::span<const std::uint64_t> unreadable(const segment::Segment& segment) const override;
  std::unique_ptr<TermTail> new_tail(const ReadView& view) const override;
  std::unique_ptr<TermPieces> new_pieces(const ReadView& view, std::uint64_t first_row) const override;

 private:
  const std::uint16_t field_;
};

}  // namespace vecstore::shard
