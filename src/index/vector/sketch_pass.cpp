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
constexpr std::size_t kGroupsPerSlice = 1024 / simd::kSketchRows;

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

void ReachedScores::add(float score) {
  const auto smallest_first = std::greater<float>();
  if (heap_.size() < k_) {
    heap_.push_back(score);
    std::push_heap(heap_.begin(), heap_.end(), smallest_first);
  } else if (k_ > 0 && score > heap_.front()) {
    std::pop_heap(heap_.begin(), heap_.end(), smallest_first);
    heap_.back() = score;
    std::push_heap(heap_.begin(), heap_.end(), smallest_first);
  }
  if (k_ > 0 && heap_.size() == k_) bound_ = std::max(bound_, heap_.front());
}

SketchPass::SketchPass(const SketchSearch& search, ReachedScores& reached, const RowFilter* filter)
    : search_(search),
      reached_(reached),
      filter_(filter),
      near_(search.query.most_distance(1)),
      hits_(kGroupsPerSlice * simd::kSketchRows),
      sums_(hits_.size()) {}

// The cosine that a row must have is bound / norms, so the longest row decides what may be passed over.
void SketchPass::set_limits(const SketchRun& run) {
  bound_ = reached_.bound();
  float cosine = -1;
  if (bound_ > 0) {
    cosine = std::min(1.0f, bound_ / (search_.norm * run.most_norm));
  } else if (!run.norms) {
    cosine = std::max(-1.0f, bound_);
  }
  limit_ = search_.query.most_distance(cosine);
  // Without a bound above 0 rows of every angle may count, and those at right angles are off the most.
  margin_ = search_.query.margin(std::max(cosine, 0.0f));
  fine_margin_ = search_.query.fine_margin(std::max(cosine, 0.0f));
}

// A slice's fine codes are asked for while it is estimated and read when the next one was scanned.
void SketchPass::run(const SketchRun& run, std::uint64_t first_row, std::uint64_t end_row, Context& context) {
  const auto& kernels = simd::sketch_kernels();
  const std::size_t words = search_.query.words();
  set_limits(run);
  for (std::size_t first = 0; first < run.group_count; first += kGroupsPerSlice) {
    if (run.rows[first * simd::kSketchRows] >= end_row) break;
    context.check();
    if (reached_.bound() != bound_) set_limits(run);
    const std::size_t count = std::min(run.group_count - first, kGroupsPerSlice);
    const std::uint64_t* groups = run.groups + first * words * simd::kSketchRows;
    const std::size_t found = kernels.scan(search_.query.bits(), groups, words, count, limit_, hits_.data());
    refine(run, first_row, end_row, context);
    search_.query.sums(groups, hits_.data(), found, sums_.data());
    estimate(run, first, found);
    context.counters.rows_scanned += count * simd::kSketchRows;
    context.counters.bytes_read += count * simd::kSketchRows * words * sizeof(std::uint64_t);
  }
  refine(run, first_row, end_row, context);
}

void SketchPass::estimate(const SketchRun& run, std::size_t first_group, std::size_t count) {
  constexpr std::size_t kLine = 64;
  const std::size_t fine_words = 2 * search_.query.words() + 1;
  const float bound = reached_.bound();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = first_group * simd::kSketchRows + hits_[i].row;
    const bool near = hits_[i].distance <= near_;
    if (!near && !(length(run, at) * (search_.query.estimate(sums_[i]) + margin_) >= bound)) continue;
    promising_.push_back({at, sums_[i], near});
    const char* fine = reinterpret_cast<const char*>(run.fine + at * fine_words);
    for (std::size_t byte = 0; byte < fine_words * sizeof(std::uint64_t); byte += kLine)
      __builtin_prefetch(fine + byte);
  }
}

void SketchPass::refine(const SketchRun& run, std::uint64_t first_row, std::uint64_t end_row,
                        Context& context) {
  const std::size_t fine_words = 2 * search_.query.words() + 1;
  for (const Promising& p : promising_) {
    const float cosine = search_.query.fine_estimate(p.sum, run.fine + p.at * fine_words);
    const float norms = length(run, p.at);
    // Whoever asks for a row by its own vector finds it, however many are nearly equal: their estimates are
    // off by more than they differ.
    const float upper = norms * (p.near ? kRounding : cosine + fine_margin_);
    if (!(upper >= reached_.bound())) continue;
    const std::uint64_t row = run.rows[p.at];
    if (row < first_row || row >= end_row) continue;
    if (filter_) {
      ++context.counters.rows_filtered;
      if (!filter_->contains(row)) continue;
      ++context.counters.rows_matched;
    }
    candidates_.push_back({row, upper});
    reached_.add(norms * std::min(1.0f, cosine - fine_margin_));
  }
  context.counters.bytes_read += promising_.size() * fine_words * sizeof(std::uint64_t);
  promising_.clear();
}

std::vector<Candidate> SketchPass::take() {
  std::erase_if(candidates_, [this](const Candidate& c) { return c.upper < reached_.bound(); });
  return std::move(candidates_);
}

}  // namespace vecstore
