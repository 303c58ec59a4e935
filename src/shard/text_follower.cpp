#include "shard/text_follower.hpp"

#include "shard/read_view.hpp"
#include "shard/text_source.hpp"

namespace vecstore::shard {
namespace {

class Tail final : public TermTail {
 public:
  explicit Tail(std::span<const TextField> fields) : texts_(fields) {}

  Add adder(const ReadView& view) override {
    return [this, &view, documents = std::make_shared<DocumentReader>(view)](std::uint64_t row) {
      texts_.add(row, texts_of(view, documents->read(row), texts_.fields()));
    };
  }
  std::uint64_t fill(const ReadView& view, std::uint64_t first_row, const Context& ctx) override {
    return scan_texts(
        view, first_row, view.state().next_row, texts_.fields(), ctx,
        [&](std::uint64_t row, const std::vector<segment::FieldTexts>& texts) { texts_.add(row, texts); });
  }
  void retire(std::uint64_t row) override { texts_.retire(row); }
  bool is_stale() const override { return texts_.is_stale(); }
  const inverted::TermSource& terms() const { return texts_.terms(); }

 private:
  segment::TextTail texts_;
};

}  // namespace

bool TextFollower::has_terms(const ReadView& view, const segment::Segment& segment) const {
  return segment.terms() == view.shard().terms_fingerprint(view.schema());
}

void TextFollower::check(const segment::Segment& segment, const Context& ctx) const {
  check_texts(segment, ctx);
}

std::unique_ptr<TermTail> TextFollower::new_tail(const ReadView& view) const {
  return std::make_unique<Tail>(view.schema().text_fields);
}

segment::TermsIndex TextFollower::index(const ReadView& view, const Parts& parts) const {
  segment::TermsIndex out;
  for (const SegmentSet::Item& item : parts.items()) {
    if (const auto* texts = item.segment->texts()) out.add(*texts, view.retired_bits());
  }
  out.add(static_cast<const Tail&>(tail()).terms());
  return out;
}

}  // namespace vecstore::shard
