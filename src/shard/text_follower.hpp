// TextFollower: the terms of a collection's texts, in segments and in memory.
#pragma once
#include <memory>

#include "segment/terms_part.hpp"
#include "shard/term_follower.hpp"

namespace vecstore::shard {

class TextFollower final : public TermFollower {
 public:
  /// Within search_terms.
  segment::TermsIndex index(const ReadView& view, const Parts& parts) const;

 protected:
  bool has_terms(const ReadView& view, const segment::Segment& segment) const override;
  void check(const segment::Segment& segment, const Context& ctx) const override;
  std::unique_ptr<TermTail> new_tail(const ReadView& view) const override;
};

}  // namespace vecstore::shard
