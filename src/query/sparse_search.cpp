#include "query/sparse_search.hpp"

#include "base/error.hpp"
#include "shard/read_view.hpp"

namespace vecstore::query {
namespace {

constexpr std::size_t kRowsPerCheck = 256;

}  // namespace

void SparseSearch::offer(std::uint64_t row, const segment::SparseRow& vector, Context& ctx, TopK& out) const {
  ++ctx.counters.rows_scanned;
  const auto score = segment::dot({query_.indices, query_.values}, vector);
  if (!score || *score < out.bound()) return;
  if (filter_) {
    ++ctx.counters.rows_filtered;
    if (!filter_->contains(row)) return;
    ++ctx.counters.rows_matched;
  }
  out.push(row, *score);
}

void SparseSearch::with_index(const segment::SparseIndex& index, Context& ctx, TopK& out) const {
  index.search({query_.indices, query_.values}, filter_, ctx, out);
  shard::SparseReader reader(view_, field_);
  for (std::size_t i = 0; i < index.apart.size(); ++i) {
    if (i % kRowsPerCheck == 0) ctx.check();
    const std::uint64_t row = index.apart[i];
    if (!view_.is_live(row)) continue;
    try {
      if (const auto vector = reader.find(row)) offer(row, *vector, ctx, out);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      ++ctx.counters.records_degraded;
    }
  }
}

void SparseSearch::scan(Context& ctx, TopK& out) const {
  shard::RowWalk walk;
  shard::SparseReader(view_, field_)
      .walk(walk, view_.state().next_row, ctx, [&](std::uint64_t row, const segment::SparseRow& vector) {
        offer(row, vector, ctx, out);
        return true;
      });
  ctx.counters.records_degraded += walk.unreadable.size();
}

}  // namespace vecstore::query
