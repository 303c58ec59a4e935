#include "shard/text_follower.hpp"

#include <algorithm>

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

RowSet TextFollower::rows_with(const ReadView& view, const TermsRead& read, std::uint32_t field,
                               std::span<const std::string> words, const Context& ctx) {
  RowBits sure(view.state().next_row);
  segment::meeting_damage([&] {
    for (const auto& segment : read.segments) {
      if (const auto* texts = segment->texts())
        inverted::add_rows_with(texts->terms(), words, field, ctx, sure);
    }
    inverted::add_rows_with(*read.newest.terms, words, field, ctx, sure);
  });
  RowBits maybe = sure;
  for (const std::uint64_t row : read.unreadable) maybe.set(row);
  return {std::move(sure), std::move(maybe)};
}

Cardinality TextFollower::estimated_rows_with(const ReadView& view, const TermsRead& read,
                                              std::uint32_t field, std::span<const std::string> words) {
  Cardinality out;
  const auto add = [&](const inverted::TermSource& source) {
    const Cardinality n = inverted::estimate_rows_with(source, words, field);
    out.least += n.least;
    out.expected += n.expected;
    out.most += n.most;
  };
  segment::meeting_damage([&] {
    for (const auto& segment : read.segments) {
      if (const auto* texts = segment->texts()) add(texts->terms());
    }
    add(*read.newest.terms);
  });
  // Any of the retired rows may be one of these.
  out.least -= std::min(out.least, view.retired().count());
  out.most += read.unreadable.size();
  return out;
}

}  // namespace vecstore::shard
