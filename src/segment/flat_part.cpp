#include "segment/flat_part.hpp"

#include "base/error.hpp"
#include "index/vector/code_pass.hpp"
#include "index/vector/exact_scorer.hpp"
#include "quant/row_codes.hpp"

namespace vecstore::segment {

FlatPart::FlatPart(std::shared_ptr<const io::IndexFile> file, const PartMeta& meta)
    : file_(std::move(file)),
      kind_(static_cast<PartKind>(meta.kind)),
      field_(static_cast<std::uint16_t>(meta.field)),
      rows_(static_cast<std::size_t>(meta.rows)),
      metric_(static_cast<Metric>(meta.metric)) {
  const std::size_t groups = (rows_ + simd::kGroupRows - 1) / simd::kGroupRows;
  const std::size_t group_bytes = code_group_bytes(metric_, meta.dimension);
  const auto row_bytes = file_->unchecked(vector_section(field_, kRowsSection));
  const auto code_bytes = file_->unchecked(vector_section(field_, kGroupsSection));
  if (row_bytes.size() != groups * simd::kGroupRows * sizeof(std::uint64_t) ||
      code_bytes.size() != groups * group_bytes) {
    fail(ErrorCode::kCorruption, file_->path(), ": the sections of field ", field_, " do not fit ", rows_,
         " rows");
  }
  codes_ = CodeView::of(metric_, meta.dimension,
                        {.group_bytes = group_bytes,
                         .capacity = groups,
                         .groups = reinterpret_cast<const std::uint8_t*>(code_bytes.data()),
                         .rows = reinterpret_cast<const std::uint64_t*>(row_bytes.data()),
                         .owner = file_});
}

std::span<const std::uint64_t> FlatPart::row_numbers() const {
  return file_->array<std::uint64_t>(vector_section(field_, kRowsSection)).first(rows_);
}

void FlatPart::search(const PartQuery& query, Context& context, std::vector<PartCandidate>& out) const {
  file_->read(vector_section(field_, kRowsSection));
  file_->read(vector_section(field_, kGroupsSection));
  const ExactScorer scorer(metric_, query.vector);
  if (!CodeStore::useful() || query.k > rows_ / 8 || !RowCodeQuery::usable(scorer.query()))
    return every_row(query, out);
  const RowCodeQuery codes(metric_, scorer.query());
  CodePass pass(codes_, codes, query.k, query.bound, kNoRow, query.filter);
  pass.run(0, codes_.row_count() / simd::kGroupRows, context);
  for (const Candidate& c : pass.take()) out.push_back({c.row, c.upper, true});
}

// Where codes do not pay or give no bounds, the full vectors decide about every row.
void FlatPart::every_row(const PartQuery& query, std::vector<PartCandidate>& out) const {
  for (std::uint64_t row : row_numbers()) {
    if (query.filter && !query.filter->contains(row)) continue;
    out.push_back({row, std::numeric_limits<float>::infinity(), true});
  }
}

}  // namespace vecstore::segment
