#include "segment/dense_segment.hpp"

#include "index/vector/flat_index.hpp"
#include "quant/norms.hpp"

namespace vecstore::segment {
namespace {
// Below this many rows one pass over the vectors takes less than a few milliseconds and codes would not pay.
constexpr std::uint64_t kCodesFrom = 20'000;
}  // namespace

float inverse_norm(std::span<const float> vector) {
  return vecstore::inverse_norm(vector.data(), vector.size());
}

void DenseSegment::follow(const BlockList& blocks, std::span<const std::uint64_t> bad_rows,
                          std::uint64_t end_row) {
  if (blocks.row_count() < kCodesFrom || !CodeStore::useful()) return;
  const std::uint64_t dead = encoded_ > blocks.row_count() ? encoded_ - blocks.row_count() : 0;
  if (!codes_ || dead * 2 > encoded_) {  // more codes of vanished rows than of present ones: start anew
    codes_ = std::make_shared<CodeStore>(metric_, dimension_);
    end_ = encoded_ = 0;
  }
  if (end_row <= end_) return;
  auto bad = bad_rows.begin();
  const auto cursor = blocks.cursor();
  VectorBlock block;
  for (bool more = cursor->seek(end_, block); more; more = cursor->next(block)) {
    for (std::uint32_t i = 0; i < block.count; ++i) {
      const std::uint64_t row = block.row(i);
      while (bad != bad_rows.end() && *bad < row) ++bad;
      if (row < end_ || (bad != bad_rows.end() && *bad == row)) continue;
      codes_->append(row, block.vector(i), block.inverse_norms ? block.inverse_norms[i] : 0.0f);
      ++encoded_;
    }
  }
  end_ = end_row;
}

std::unique_ptr<VectorIndex> DenseSegment::index(const BlockList& blocks) const {
  return std::make_unique<FlatIndex>(metric_, blocks, codes_ ? codes_->view() : CodeView{});
}

}  // namespace vecstore::segment
