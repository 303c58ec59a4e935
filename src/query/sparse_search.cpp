#include "query/sparse_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "shard/read_view.hpp"

namespace vecstore::query {
namespace {

constexpr std::size_t kRowsPerCheck = 256;

}  // namespace

void SparseSearch::offer(std::uint64_t row, const segment::SparseRow& vector, Context& ctx, TopK& out) const {
  ++ctx.counters.rows_scanned;
  const auto score = segment::dot(query(), vector);
  if (!score || *score < out.bound()) return;
  if (filter_) {
    ++ctx.counters.rows_filtered;
    if (!filter_->contains(row)) return;
    ++ctx.counters.rows_matched;
  }
  out.push(row, *score);
}

// Of what was found that is not done yet; the filter has been asked.
void SparseSearch::rescore(std::span<const RowScore> found, std::vector<std::uint64_t>& done, Context& ctx,
                           TopK& out) const {
  std::vector<std::uint64_t> rows;
  for (const RowScore& f : found) {
    if (!std::binary_search(done.begin(), done.end(), f.row)) rows.push_back(f.row);
  }
  std::sort(rows.begin(), rows.end());  // as they lie on the disk
  ctx.counters.rows_rescored += rows.size();
  shard::SparseReader reader(view_, field_);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i % kRowsPerCheck == 0) ctx.check();
    try {
      const auto vector = reader.find(rows[i]);
      const auto score = vector ? segment::dot(query(), *vector) : std::nullopt;
      if (score) out.push(rows[i], *score);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      ++ctx.counters.records_degraded;
    }
  }
  done = std::move(rows);
}

void SparseSearch::with_codes(const segment::SparseIndex& index, bool proven, float oversampling,
                              Context& ctx, TopK& out) const {
  std::vector<std::uint64_t> done;
  const double wanted = std::ceil(static_cast<double>(oversampling) * static_cast<double>(out.k()));
  TopK best(static_cast<std::size_t>(wanted));
  index.search(query(), filter_, ctx, best);
  rescore(best.held(), done, ctx, out);
  if (!proven || !best.full()) return;
  // What was not found scores no more than the last one that was, by its code.
  constexpr double kRounding = 0x1p-23;  // of a sum of floats, per product
  const double slack = 1 + 2 * kRounding * static_cast<double>(query_.indices.size() + 2);
  const double lacking = index.most_lacking(query());
  const double least = static_cast<double>(out.bound()) / slack - lacking;
  if (static_cast<double>(best.bound()) * slack < least) return;
  TopK all(view_.state().next_row + 1, static_cast<float>(least / (slack * slack)));
  index.search(query(), filter_, ctx, all);
  rescore(all.held(), done, ctx, out);
}

void SparseSearch::with_index(const segment::SparseIndex& index, SparseCodes codes, float oversampling,
                              Context& ctx, TopK& out) const {
  if (out.k() == 0) return;
  if (index.coded.empty() || codes == SparseCodes::kAlone)
    index.search(query(), filter_, ctx, out);
  else
    with_codes(index, codes == SparseCodes::kProven, oversampling, ctx, out);
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
