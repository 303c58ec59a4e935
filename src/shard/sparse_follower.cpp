#include "shard/sparse_follower.hpp"

#include "shard/read_view.hpp"
#include "shard/sparse_source.hpp"

namespace vecstore::shard {
namespace {

class Tail final : public TermTail {
 public:
  Tail(std::uint16_t field, std::size_t most_bytes) : field_(field), most_bytes_(most_bytes) {}

  void add(const ReadView& view, RowWalk& walk, const Context& ctx) override {
    if (vectors_.memory_bytes() >= most_bytes_) return;
    SparseReader(view, field_)
        .walk(walk, view.state().next_row, ctx, [&](std::uint64_t row, const segment::SparseRow& vector) {
          vectors_.add(row, vector);
          return vectors_.memory_bytes() < most_bytes_;
        });
  }
  void retire(std::uint64_t row) override { vectors_.retire(row); }
  bool is_stale() const override { return vectors_.is_stale(); }
  segment::SparseTailView view() const override { return vectors_.view(); }

 private:
  const std::uint16_t field_;
  segment::SparseTail vectors_;
  const std::size_t most_bytes_;
};

}  // namespace

std::span<const std::uint64_t> SparseFollower::unreadable(const segment::Segment& segment) const {
  return segment.unreadable_sparse(field_);
}

std::unique_ptr<TermTail> SparseFollower::new_tail(const ReadView& view) const {
  return std::make_unique<Tail>(field_, view.shard().segment_options().term_bytes);
}

std::unique_ptr<TermPieces> SparseFollower::new_pieces(const ReadView& view, std::uint64_t first_row) const {
  return std::make_unique<SparsePieces>(view.shard(), field_, first_row);
}

segment::SparseIndex SparseFollower::index(const ReadView& view, const TermsRead& read,
                                           std::span<const std::uint64_t> rows) const {
  segment::SparseIndex out;
  out.terms = segment::TermsIndex(rows);
  for (const auto& segment : read.segments) {
    if (const auto* part = segment->sparse(field_)) out.add(*part, view.retired_bits());
  }
  out.add(read.newest);
  return out;
}

}  // namespace vecstore::shard
