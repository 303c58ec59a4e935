#include "shard/text_follower.hpp"

#include "shard/read_view.hpp"
#include "shard/text_source.hpp"

namespace vecstore::shard {
namespace {

class Tail final : public TermTail {
 public:
  Tail(std::span<const TextField> fields, std::size_t most_bytes) : texts_(fields), most_bytes_(most_bytes) {}

  void add(const ReadView& view, RowWalk& walk, const Context& ctx) override {
    if (texts_.memory_bytes() >= most_bytes_) return;
    walk_texts(view, walk, view.state().next_row, texts_.fields(), ctx,
               [&](std::uint64_t row, const std::vector<segment::FieldTexts>& texts) {
                 texts_.add(row, texts);
                 return texts_.memory_bytes() < most_bytes_;
               });
  }
  void retire(std::uint64_t row) override { texts_.retire(row); }
  bool is_stale() const override { return texts_.is_stale(); }
  segment::SparseTailView view() const override { return {texts_.view(), nullptr}; }

 private:
  segment::TextTail texts_;
  const std::size_t most_bytes_;
};

}  // namespace

bool TextFollower::has_terms(const ReadView& view, const segment::Segment& segment) const {
  return segment.terms() == view.shard().terms_fingerprint(view.schema());
}

std::span<const std::uint64_t> TextFollower::unreadable(const segment::Segment& segment) const {
  return segment.unreadable_texts();
}

std::unique_ptr<TermTail> TextFollower::new_tail(const ReadView& view) const {
  return std::make_unique<Tail>(view.schema().text_fields, view.shard().segment_options().term_bytes);
}

std::unique_ptr<TermPieces> TextFollower::new_pieces(const ReadView& view, std::uint64_t first_row) const {
  return std::make_unique<TextPieces>(view.shard(), view.schema().text_fields, first_row);
}

segment::TermsIndex TextFollower::index(const ReadView& view, const TermsRead& read,
                                        std::span<const std::uint64_t> rows) {
  segment::TermsIndex out(rows);
  for (const auto& segment : read.segments) {
    if (const auto* texts = segment->texts()) out.add(*texts, view.retired_bits());
  }
  out.add(*read.newest.terms);
  return out;
}

}  // namespace vecstore::shard
