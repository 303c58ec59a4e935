#include "index/vector/sketch_pass.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "quant/norms.hpp"

namespace vecstore {
namespace {

// An equal row's score and the product of the lengths may be rounded differently.
constexpr float kRounding = 1 + 1e-5f;
constexpr std::size_t kGroupsPerCheck = 1024 / simd::kSketchRows;

std::vector<float> unit(std::span<const float> query) {
  const double length = norm_in_double(query.data(), query.size());
  std::vector<float> out(query.begin(), query.end());
  for (float& v : out) v = static_cast<float>(v / length);
  return out;
}

}  // namespace

SketchSearch::SketchSearch(const SketchRotation& rotation, Metric metric, std::span<const float> vector)
    : query(rotation, unit(vector)),
      norm(metric == Metric::kDot ? static_cast<float>(norm_in_double(vector.data(), vector.size())) : 1.0f) {
}

bool SketchSearch::usable(Metric metric, std::span<const float> query) {
  return metric != Metric::kEuclidean && inverse_norm(query.data(), query.size()) > 0;
}

SketchPass::SketchPass(const SketchSearch& search, std::size_t k, float bound, const RowFilter* filter)
    : search_(search), k_(k), bound_(bound), filter_(filter), near_(search.query.most_distance(1)) {}

// The cosine that a row must have is bound / norms, so the longest row decides what may be passed over.
void SketchPass::set_limit(const SketchRun& run) {
  float cosine = -1;
  if (bound_ > 0) {
    cosine = std::min(1.0f, bound_ / (search_.norm * run.most_norm));
  } else if (!run.norms) {
    cosine = std::max(-1.0f, bound_);
  }
  limit_ = search_.query.most_distance(cosine);
  // Without a bound above 0 rows of every angle may count, and those at right angles are off the most.
  margin_ = search_.query.margin(std::max(cosine, 0.0f));
}

void SketchPass::run(const SketchRun& run, std::uint64_t first_row, std::uint64_t end_row, Context& context) {
  const auto& kernels = simd::sketch_kernels();
  const std::size_t words = search_.query.words();
  set_limit(run);
  for (std::size_t slice = 0; slice < run.group_count; slice += kGroupsPerCheck) {
    if (run.rows[slice * simd::kSketchRows] >= end_row) return;
    context.check();
    const std::size_t end = std::min(run.group_count, slice + kGroupsPerCheck);
    for (std::size_t g = slice; g < end; ++g) {
      std::uint32_t distances[simd::kSketchRows];
      g = kernels.scan(search_.query.bits(), run.groups, words, g, end, limit_, distances);
      if (g < end) offer(run, g, distances, first_row, end_row, context);
    }
    context.counters.rows_scanned += (end - slice) * simd::kSketchRows;
    context.counters.bytes_read += (end - slice) * simd::kSketchRows * words * sizeof(std::uint64_t);
  }
}

void SketchPass::offer(const SketchRun& run, std::size_t group, const std::uint32_t* distances,
                       std::uint64_t first_row, std::uint64_t end_row, Context& context) {
  const std::uint64_t* words = run.groups + group * search_.query.words() * simd::kSketchRows;
  for (std::size_t lane = 0; lane < simd::kSketchRows; ++lane) {
    if (distances[lane] > limit_) continue;
    const std::size_t at = group * simd::kSketchRows + lane;
    const float cosine = search_.query.estimate(words, lane);
    const float length = run.norms ? search_.norm * run.norms[at] : search_.norm;
    // Whoever asks for a row by its own vector finds it, however many are nearly equal: their estimates are
    // off by more than they differ.
    const float upper = distances[lane] <= near_ ? length * kRounding : length * (cosine + margin_);
    if (!(upper >= bound_)) continue;
    const std::uint64_t row = run.rows[at];
    if (row < first_row || row >= end_row) continue;
    if (filter_) {
      ++context.counters.rows_filtered;
      if (!filter_->contains(row)) continue;
      ++context.counters.rows_matched;
    }
    candidates_.push_back({row, upper});
    add_lower_bound(length * std::min(1.0f, cosine - margin_), run);
  }
}

void SketchPass::add_lower_bound(float lower, const SketchRun& run) {
  const auto smallest_first = std::greater<float>();
  if (lower_bounds_.size() < k_) {
    lower_bounds_.push_back(lower);
    std::push_heap(lower_bounds_.begin(), lower_bounds_.end(), smallest_first);
  } else if (k_ > 0 && lower > lower_bounds_.front()) {
    std::pop_heap(lower_bounds_.begin(), lower_bounds_.end(), smallest_first);
    lower_bounds_.back() = lower;
    std::push_heap(lower_bounds_.begin(), lower_bounds_.end(), smallest_first);
  }
  if (lower_bounds_.size() < k_ || !(lower_bounds_.front() > bound_)) return;
  bound_ = lower_bounds_.front();
  set_limit(run);
}

std::vector<Candidate> SketchPass::take() {
  std::erase_if(candidates_, [this](const Candidate& c) { return c.upper < bound_; });
  return std::move(candidates_);
}

}  // namespace vecstore
