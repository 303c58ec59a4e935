#include "segment/sketch_part.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"

namespace vecstore::segment {
namespace {

// Of more rows than one in so many the sketches would let too many through.
constexpr std::size_t kMostShare = 8;

/// Whether a query looks at every row instead.
bool wants_every_row(const PartQuery& query, std::size_t rows) {
  return !query.sketch || query.ef >= rows || query.k > rows / kMostShare;
}

void add_row(std::uint64_t row, const PartQuery& query, std::vector<PartCandidate>& out) {
  if (query.filter && !query.filter->contains(row)) return;
  out.push_back({row, std::numeric_limits<float>::infinity(), true});
}

}  // namespace

SketchPart::SketchPart(std::shared_ptr<const io::IndexFile> file, const PartMeta& meta)
    : file_(std::move(file)),
      field_(static_cast<std::uint16_t>(meta.field)),
      rows_(static_cast<std::size_t>(meta.rows)),
      norms_(static_cast<Metric>(meta.metric) == Metric::kDot) {
  const std::size_t lanes = (rows_ + simd::kSketchRows - 1) / simd::kSketchRows * simd::kSketchRows;
  const std::size_t words = (meta.dimension + 63) / 64, fine_words = 2 * words + 1;
  const auto size = [&](std::uint32_t what) { return file_->section_size(vector_section(field_, what)); };
  if (size(kRowsSection) != lanes * sizeof(std::uint64_t) ||
      size(kSketchesSection) != lanes * words * sizeof(std::uint64_t) ||
      size(kFineSection) != lanes * fine_words * sizeof(std::uint64_t) ||
      (norms_ && size(kNormsSection) != (kNormsHeader + lanes) * sizeof(float))) {
    fail(ErrorCode::kCorruption, file_->path(), ": the sections of field ", field_, " do not fit ", rows_,
         " rows of ", meta.dimension, " dimensions");
  }
  if (!norms_) return;
  const auto norms = file_->array<float>(vector_section(field_, kNormsSection));
  for (float norm : norms) {
    if (!(norm >= 0 && norm <= norms[0] && std::isfinite(norm)))
      fail(ErrorCode::kCorruption, file_->path(), ": a norm of field ", field_, " is out of range");
  }
}

std::span<const std::uint64_t> SketchPart::row_numbers() const {
  return file_->array<std::uint64_t>(vector_section(field_, kRowsSection)).first(rows_);
}

void SketchPart::search(const PartQuery& query, Context& context, std::vector<PartCandidate>& out) const {
  const auto rows = file_->array<std::uint64_t>(vector_section(field_, kRowsSection));
  if (wants_every_row(query, rows_)) {
    for (std::uint64_t row : rows.first(rows_)) add_row(row, query, out);
    return;
  }
  SketchRun run;
  run.rows = rows.data();
  run.groups = file_->array<std::uint64_t>(vector_section(field_, kSketchesSection)).data();
  run.fine = file_->array<std::uint64_t>(vector_section(field_, kFineSection)).data();
  run.group_count = rows.size() / simd::kSketchRows;
  if (norms_) {
    const auto norms = file_->array<float>(vector_section(field_, kNormsSection));
    run.most_norm = norms[0];
    run.norms = norms.data() + kNormsHeader;
  }
  SketchPass pass(*query.sketch, *query.reached, query.filter);
  pass.run(run, 0, kNoRow, context);
  for (const Candidate& c : pass.take()) out.push_back({c.row, c.upper, true});
}

void SketchedTail::search(const PartQuery& query, Context& context, std::vector<PartCandidate>& out) const {
  const bool every_row = wants_every_row(query, rows());
  if (!every_row) {
    SketchPass pass(*query.sketch, *query.reached, query.filter);
    for (const SketchRun& run : sketches_.runs) pass.run(run, first_row_, blocks_.end_row(), context);
    for (const Candidate& c : pass.take()) out.push_back({c.row, c.upper, true});
    for (std::uint64_t row : sketches_.apart) {
      if (row >= first_row_ && row < std::min(blocks_.end_row(), sketches_.end_row)) add_row(row, query, out);
    }
  }
  const std::uint64_t from = every_row ? first_row_ : std::max(first_row_, sketches_.end_row);
  const auto cursor = blocks_.cursor();
  VectorBlock block;
  for (bool more = cursor->seek(from, block); more; more = cursor->next(block)) {
    for (std::uint32_t i = 0; i < block.count; ++i) {
      if (block.row(i) >= from) add_row(block.row(i), query, out);
    }
  }
}

}  // namespace vecstore::segment
