#include "segment/segmented_index.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.hpp"
#include "index/vector/exact_scorer.hpp"

namespace vecstore::segment {
namespace {

bool better(const PartCandidate& a, const PartCandidate& b) {
  return a.score != b.score ? a.score > b.score : a.row < b.row;
}

}  // namespace

/// Scores rows with their full vectors, best candidates first.
class SegmentedIndex::Rescorer {
 public:
  Rescorer(const SearchedParts& parts, const VectorQuery& query, Context& context)
      : scorer_(parts.metric, query.vector),
        row_bytes_(parts.dimension * sizeof(float)),
        vectors_(*parts.vectors),
        context_(context) {}

  /// Scores are upper bounds. Two rounds: the most promising rows settle most of the result, then those that
  /// can still change it.
  void proven(std::vector<PartCandidate>& found, TopK& out) {
    std::sort(found.begin(), found.end(), better);
    const std::size_t first = std::min(found.size(), out.k() + out.k() / 2);
    run(std::span(found).first(first), out);
    std::size_t end = first;
    while (end < found.size() && !(found[end].score < out.bound())) ++end;
    run(std::span(found).subspan(first, end - first), out);
  }

  /// Scores are estimates. How far they are off shows in the first rows, k or more; those that could still be
  /// among the k best if they were off as far again, on their side, are scored too.
  void estimated(std::vector<PartCandidate>& found, std::size_t at_least, TopK& out) {
    std::sort(found.begin(), found.end(), better);
    const std::size_t first = std::min(found.size(), std::max(out.k(), at_least));
    error_ = 0;
    run(std::span(found).first(first), out);
    const float slack = kErrorRoom * error_;
    std::size_t end = first;
    while (end < found.size() && found[end].score + slack >= out.bound()) ++end;
    run(std::span(found).subspan(first, end - first), out);
  }

 private:
  static constexpr float kErrorRoom = 1.5f;
  // So many are announced to the memory at once, between two looks at the context.
  static constexpr std::size_t kRowsPerRead = 1024;

  void run(std::span<const PartCandidate> candidates, TopK& out) {
    if (candidates.empty()) return;
    sorted_.assign(candidates.begin(), candidates.end());
    std::sort(sorted_.begin(), sorted_.end(), [](const auto& a, const auto& b) { return a.row < b.row; });
    rows_.clear();
    for (const PartCandidate& c : sorted_) rows_.push_back(c.row);
    std::size_t at = 0;
    const VectorLookup::Found found = [&](std::uint64_t row, const float* vector, float inverse_norm) {
      VectorBlock block;
      block.rows = vector;
      block.stride_bytes = row_bytes_;
      block.count = 1;
      block.first_row = row;
      block.inverse_norms = &inverse_norm;
      float score = 0;
      scorer_.score(block, 0, 1, &score);
      while (sorted_[at].row != row) ++at;
      error_ = std::max(error_, score - sorted_[at].score);
      out.push(row, score);
    };
    for (std::size_t first = 0; first < rows_.size(); first += kRowsPerRead) {
      context_.check();
      const std::size_t count = std::min(kRowsPerRead, rows_.size() - first);
      context_.counters.records_degraded += vectors_.read(std::span(rows_).subspan(first, count), found);
    }
    context_.counters.rows_rescored += rows_.size();
    context_.counters.bytes_read += rows_.size() * row_bytes_;
  }

  const ExactScorer scorer_;
  const std::size_t row_bytes_;
  VectorLookup& vectors_;
  Context& context_;
  float error_ = 0;  // by how much an estimate was too low
  std::vector<PartCandidate> sorted_;
  std::vector<std::uint64_t> rows_;
};

void SegmentedIndex::search(const VectorQuery& query, Context& context, TopK& out) const {
  if (query.metric != metric() || query.vector.size() != dimension()) {
    invalid("query vector has ", query.vector.size(), " dimensions and metric ", to_string(query.metric),
            ", the index has ", dimension(), " and ", to_string(metric()));
  }
  if (out.k() == 0) return;
  PartQuery part_query;
  part_query.vector = query.vector;
  part_query.k = out.k();
  part_query.ef = query.ef;
  part_query.bound = out.bound();
  part_query.candidates =
      query.exact_scores
          ? static_cast<std::size_t>(std::ceil(query.oversampling * static_cast<float>(out.k())))
          : 0;
  part_query.filter = query.filter;
  part_query.retired = parts_.retired;
  part_query.retired_version = parts_.retired_version;
  const auto search_part = [&](std::size_t i, std::vector<PartCandidate>& found) {
    try {
      parts_.parts[i]->search(part_query, context, found);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      throw PartDamaged{i};
    }
  };
  std::optional<Rescorer> made;
  const auto rescorer = [&]() -> Rescorer& { return made ? *made : made.emplace(parts_, query, context); };
  // Graphs first: what they find tells scans what to pass over.
  std::vector<PartCandidate> walked;
  std::vector<PartCandidate> found;
  for (std::size_t i = 0; i < parts_.parts.size(); ++i) {
    if (parts_.parts[i]->kind() != PartKind::kGraph) continue;
    // What looked at every row has proven candidates.
    const std::size_t before = walked.size();
    search_part(i, walked);
    if (walked.size() > before && walked[before].proven) {
      found.insert(found.end(), walked.begin() + static_cast<std::ptrdiff_t>(before), walked.end());
      walked.resize(before);
    }
  }
  if (query.exact_scores) {
    if (!walked.empty()) rescorer().estimated(walked, part_query.candidates, out);
  } else {
    // Codes of vectors that are nearly equal to the query may come to a cosine beyond 1.
    const bool cosine = metric() == Metric::kCosine;
    for (const PartCandidate& c : walked)
      out.push(c.row, cosine ? std::clamp(c.score, -1.0f, 1.0f) : c.score);
  }
  if (parts_.tail) parts_.tail->search(query, context, out);
  std::optional<SketchSearch> sketch;
  std::optional<ReachedScores> reached;
  for (std::size_t i = 0; i < parts_.parts.size(); ++i) {
    const PartKind kind = parts_.parts[i]->kind();
    if (kind == PartKind::kGraph) continue;
    if (kind == PartKind::kSketched && !sketch && SketchSearch::usable(metric(), query.vector)) {
      sketch.emplace(SketchRotation::of(dimension()), metric(), query.vector);
      part_query.sketch = &*sketch;
    }
    // Without a bound the first part finds one for the others.
    if (!out.full() && !found.empty()) {
      rescorer().proven(found, out);
      found.clear();
      reached.reset();
    }
    part_query.bound = out.bound();
    if (kind == PartKind::kSketched && !reached) {
      reached.emplace(out.k(), out.bound());
      for (const RowScore& held : out.held()) reached->add(held.score);
    }
    part_query.reached = reached ? &*reached : nullptr;
    search_part(i, found);
  }
  if (!found.empty()) rescorer().proven(found, out);
}

}  // namespace vecstore::segment
