#include "index/vector/code_pass.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace vecstore {

namespace {

constexpr std::size_t kGroupsPerCheck = 1024 / simd::kGroupRows;

}  // namespace

CodePass::CodePass(const CodeView& codes, const RowCodeQuery& query, std::size_t k, float threshold,
                   std::uint64_t end_row, const RowFilter* filter)
    : codes_(codes),
      query_(query),
      k_(k),
      threshold_(threshold),
      end_row_(end_row),
      filter_(filter),
      drop_at_(4 * k + 1024) {}

void CodePass::run(std::size_t first, std::size_t last, Context& context) {
  std::size_t before = 0;
  for (std::size_t i = 0; i < codes_.chunk_count() && before < last; ++i) {
    const std::size_t groups = codes_.groups_in(i);
    if (before + groups > first) {
      const std::size_t from = first > before ? first - before : 0;
      run_chunk(codes_.chunk(i), from, std::min(groups, last - before), context);
    }
    before += groups;
  }
}

void CodePass::run_chunk(const CodeChunk& chunk, std::size_t first, std::size_t last, Context& context) {
  const auto& kernels = simd::kernels();
  for (std::size_t slice = first; slice < last; slice += kGroupsPerCheck) {
    if (chunk.rows[slice * simd::kGroupRows] >= end_row_) return;
    context.check();
    const std::size_t end = std::min(last, slice + kGroupsPerCheck);
    for (std::size_t g = slice; g < end; ++g) {
      float values[simd::kGroupRows];
      g = kernels.scan_codes(query_.code_query(), chunk.groups, g, end, threshold_, values);
      if (g < end) offer_group(chunk, g, values, context);
    }
    context.counters.rows_scanned += (end - slice) * simd::kGroupRows;
    context.counters.bytes_read += (end - slice) * chunk.group_bytes;
  }
}

void CodePass::offer_group(const CodeChunk& chunk, std::size_t group, const float* values, Context& context) {
  for (std::size_t lane = 0; lane < simd::kGroupRows; ++lane) {
    const ScoreBounds bounds = query_.bounds(chunk.group(group), lane, values[lane]);
    if (bounds.upper < threshold_) continue;  // a bound that is not a number stays
    const std::uint64_t row = chunk.rows[group * simd::kGroupRows + lane];
    if (row >= end_row_) return;
    if (filter_) {
      ++context.counters.rows_filtered;
      if (!filter_->contains(row)) continue;
      ++context.counters.rows_matched;
    }
    candidates_.push_back(
        {row, std::isnan(bounds.upper) ? std::numeric_limits<float>::infinity() : bounds.upper});
    add_lower_bound(bounds.lower);
    if (candidates_.size() >= drop_at_) drop_hopeless();
  }
}

void CodePass::add_lower_bound(float lower) {
  const auto smallest_first = std::greater<float>();
  if (lower_bounds_.size() < k_) {
    if (!std::isfinite(lower)) return;
    lower_bounds_.push_back(lower);
    std::push_heap(lower_bounds_.begin(), lower_bounds_.end(), smallest_first);
  } else if (lower > lower_bounds_.front()) {
    std::pop_heap(lower_bounds_.begin(), lower_bounds_.end(), smallest_first);
    lower_bounds_.back() = lower;
    std::push_heap(lower_bounds_.begin(), lower_bounds_.end(), smallest_first);
  }
  if (lower_bounds_.size() == k_) threshold_ = std::max(threshold_, lower_bounds_.front());
}

void CodePass::drop_hopeless() {
  std::erase_if(candidates_, [this](const Candidate& c) { return c.upper < threshold_; });
  drop_at_ = std::max(drop_at_, 2 * candidates_.size());
}

void CodePass::merge(const CodePass& other) {
  threshold_ = std::max(threshold_, other.threshold_);
  for (float lower : other.lower_bounds_) add_lower_bound(lower);
  candidates_.insert(candidates_.end(), other.candidates_.begin(), other.candidates_.end());
}

std::vector<Candidate> CodePass::take() {
  drop_hopeless();
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
    return a.upper != b.upper ? a.upper > b.upper : a.row < b.row;
  });
  return std::move(candidates_);
}

}  // namespace vecstore
