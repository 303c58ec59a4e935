#include "shard/sparse_follower.hpp"

#include "shard/read_view.hpp"
#include "shard/sparse_source.hpp"

namespace vecstore::shard {
namespace {

class Tail final : public TermTail {
 public:
  explicit Tail(std::uint16_t field) : field_(field) {}

  Add adder(const ReadView& view) override {
    return [this, reader = std::make_shared<SparseReader>(view, field_)](std::uint64_t row) {
      if (const auto vector = reader->find(row)) vectors_.add(row, *vector);
    };
  }
  std::uint64_t fill(const ReadView& view, std::uint64_t first_row, const Context& ctx) override {
    return SparseReader(view, field_)
        .scan(first_row, view.state().next_row, ctx,
              [&](std::uint64_t row, const segment::SparseRow& vector) { vectors_.add(row, vector); });
  }
  void retire(std::uint64_t row) override { vectors_.retire(row); }
  bool is_stale() const override { return vectors_.is_stale(); }
  const segment::SparseTail& vectors() const { return vectors_; }

 private:
  const std::uint16_t field_;
  segment::SparseTail vectors_;
};

}  // namespace

void SparseFollower::check(const segment::Segment& segment, const Context& ctx) const {
  if (const auto* part = segment.sparse(field_)) part->verify(ctx);
}

std::unique_ptr<TermTail> SparseFollower::new_tail(const ReadView&) const {
  return std::make_unique<Tail>(field_);
}

segment::SparseIndex SparseFollower::index(const ReadView& view, const Parts& parts) const {
  segment::SparseIndex out;
  for (const SegmentSet::Item& item : parts.items()) {
    if (const auto* part = item.segment->sparse(field_)) out.add(*part, view.retired_bits());
  }
  out.add(static_cast<const Tail&>(tail()).vectors());
  return out;
}

}  // namespace vecstore::shard
