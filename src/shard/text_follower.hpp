// TextFollower: the terms of a collection's texts, in segments and in memory.
#pragma once
#include <memory>

#include "segment/terms_part.hpp"
#include "shard/term_follower.hpp"

namespace vecstore::shard {

class TextFollower final : public TermFollower {
 public:
  /// `read`, of the view's state, has to outlive it. TermsDamaged.
  static segment::TermsIndex index(const ReadView& view, const TermsRead& read,
                                   std::span<const std::uint64_t> rows = {});
  /// Rows of the view whose texts in a field have all the words; those whose texts could not be read may have
  /// them. Retired ones may be among them. TermsDamaged.
  static RowSet rows_with(const ReadView& view, const TermsRead& read, std::uint32_t field,
                          std::span<const std::string> words, const Context& ctx);
  /// How many these are. TermsDamaged.
  static Cardinality estimated_rows_with(const ReadView& view, const TermsRead& read, std::uint32_t field,
                                         std::span<const std::string> words);

 protected:
  bool has_terms(const ReadView& view, const segment::Segment& segment) const override;
  std::span<const std::uint64_t> unreadable(const segment::Segment& segment) const override;
  std::unique_ptr<TermTail> new_tail(const ReadView& view) const override;
  std::unique_ptr<TermPieces> new_pieces(const ReadView& view, std::uint64_t first_row) const override;
};

}  // namespace vecstore::shard
