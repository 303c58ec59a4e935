#include "shard/segmented_index.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "index/vector/exact_scorer.hpp"
#include "shard/read_view.hpp"
#include "storage/rows.hpp"

namespace vecstore::shard {
namespace {

using segment::PartCandidate;

// Of what walks have found, how many times k is scored with full vectors.
constexpr std::size_t kRescored = 2;

bool better(const PartCandidate& a, const PartCandidate& b) {
  return a.score != b.score ? a.score > b.score : a.row < b.row;
}

}  // namespace

/// Scores rows with the vectors that the truth has.
class SegmentedIndex::Rescorer {
 public:
  Rescorer(const SegmentedIndex& index, const VectorQuery& query, Context& context)
      : scorer_(index.field_.metric, query.vector),
        row_bytes_(index.field_.dimension * sizeof(float)),
        reader_(index.view_.txn(),
                {storage::BlockKind::kVectors, index.view_.shard().collection(), index.field_.number, 0}),
        context_(context) {}

  void run(std::span<const PartCandidate> candidates, TopK& out) {
    rows_.clear();
    for (const PartCandidate& c : candidates) rows_.push_back(c.row);
    std::sort(rows_.begin(), rows_.end());
    reader_.prefetch(rows_);
    for (std::uint64_t row : rows_) {
      try {
        const auto stored = reader_.find(row);
        if (stored && stored->bytes.size() == row_bytes_) {
          out.push(row, score(row, *stored));
          continue;
        }
      } catch (const Error& e) {
        if (e.code() != ErrorCode::kCorruption) throw;
      }
      ++context_.counters.records_degraded;
    }
    context_.counters.rows_rescored += rows_.size();
    context_.counters.bytes_read += rows_.size() * row_bytes_;
  }

 private:
  float score(std::uint64_t row, const storage::StoredRow& stored) {
    VectorBlock block;
    block.stride_bytes = row_bytes_;
    block.count = 1;
    block.first_row = row;
    block.inverse_norms = &stored.inverse_norm;
    block.rows = reinterpret_cast<const float*>(stored.bytes.data());
    if (reinterpret_cast<std::uintptr_t>(stored.bytes.data()) % alignof(float) !=
        0) {  // of a lone row's block
      copy_.resize(row_bytes_ / sizeof(float));
      std::memcpy(copy_.data(), stored.bytes.data(), row_bytes_);
      block.rows = copy_.data();
    }
    float out = 0;
    scorer_.score(block, 0, 1, &out);
    return out;
  }

  const ExactScorer scorer_;
  const std::size_t row_bytes_;
  storage::RowReader reader_;
  Context& context_;
  std::vector<std::uint64_t> rows_;
  std::vector<float> copy_;
};

SegmentedIndex::SegmentedIndex(const ReadView& view, const catalog::VectorFieldSchema& field,
                               std::shared_ptr<const SegmentSet> set, std::unique_ptr<VectorIndex> tail)
    : view_(view), field_(field), set_(std::move(set)), tail_(std::move(tail)) {}

bool SegmentedIndex::approximate() const {
  return std::any_of(set_->items.begin(), set_->items.end(), [&](const SegmentSet::Item& item) {
    const segment::VectorPart* part = item.segment->vectors(field_.number);
    return part && part->kind() == segment::PartKind::kGraph;
  });
}

void SegmentedIndex::search(const VectorQuery& query, Context& context, TopK& out) const {
  tail_->search(query, context, out);
  if (out.k() == 0) return;
  segment::PartQuery part_query;
  part_query.vector = query.vector;
  part_query.k = out.k();
  part_query.ef = query.ef;
  part_query.filter = query.filter;
  part_query.retired = view_.retired().words();
  part_query.retired_version = view_.state().retired_sequence;
  // Small parts first: what they find spares the large ones work.
  std::vector<PartCandidate> found;
  std::vector<PartCandidate> estimated;
  Rescorer rescorer(*this, query, context);
  for (auto item = set_->items.rbegin(); item != set_->items.rend(); ++item) {
    const segment::VectorPart* part = item->segment->vectors(field_.number);
    if (!part) continue;
    part_query.bound = out.bound();
    found.clear();
    try {
      part->search(part_query, context, found);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      view_.shard().segments().report_damage(item->entry.number);
      throw SegmentDamaged{};
    }
    if (found.empty() || !found.front().proven) {
      estimated.insert(estimated.end(), found.begin(), found.end());
      continue;
    }
    // Two rounds: the most promising rows settle most of the result, then those that can still change it.
    std::sort(found.begin(), found.end(), better);
    const std::size_t first = std::min(found.size(), out.k() + out.k() / 2);
    rescorer.run(std::span(found).first(first), out);
    std::size_t end = first;
    while (end < found.size() && !(found[end].score < out.bound())) ++end;
    rescorer.run(std::span(found).subspan(first, end - first), out);
  }
  if (estimated.empty()) return;
  const std::size_t wanted = std::min(estimated.size(), query.exact_scores ? kRescored * out.k() : out.k());
  std::partial_sort(estimated.begin(), estimated.begin() + static_cast<std::ptrdiff_t>(wanted),
                    estimated.end(), better);
  if (query.exact_scores) {
    rescorer.run(std::span(estimated).first(wanted), out);
  } else {
    for (std::size_t i = 0; i < wanted; ++i) out.push(estimated[i].row, estimated[i].score);
  }
}

}  // namespace vecstore::shard
