#include "index/vector/row_reader.hpp"

#include <algorithm>

namespace vecstore {

RowReader::RowReader(const ExactScorer& scorer, const VectorSource& source, Context& context, TopK& out)
    : scorer_(scorer),
      context_(context),
      out_(out),
      cursor_(source.cursor()),
      row_bytes_(source.dimension() * sizeof(float)) {}

bool RowReader::find(std::uint64_t row) {
  if (!have_block_ || row > block_.last_row() || row < block_.first_row) {
    have_block_ = cursor_->seek(row, block_);
    if (!have_block_) return false;
  }
  if (row < block_.first_row) return false;
  if (!block_.row_numbers) {
    index_ = static_cast<std::uint32_t>(row - block_.first_row);
    return true;
  }
  const std::uint64_t* end = block_.row_numbers + block_.count;
  const std::uint64_t* it = std::lower_bound(block_.row_numbers, end, row);
  index_ = static_cast<std::uint32_t>(it - block_.row_numbers);
  return it != end && *it == row;
}

bool RowReader::add(std::uint64_t row) {
  if (!find(row)) return false;
  // The first kilobyte; the CPU's own prefetcher follows a row that is longer.
  const char* bytes = reinterpret_cast<const char*>(block_.vector(index_));
  for (std::size_t i = 0; i < std::min<std::size_t>(row_bytes_, 1024); i += 64) __builtin_prefetch(bytes + i);
  batch_[filled_++] = {block_, index_};
  if (filled_ == kBatch) flush();
  return true;
}

void RowReader::flush() {
  context_.check();
  for (std::size_t i = 0; i < filled_; ++i) {
    const auto& [block, index] = batch_[i];
    float score = 0;
    scorer_.score(block, index, 1, &score);
    if (score >= out_.bound()) out_.push(block.row(index), score);
  }
  context_.counters.bytes_read += filled_ * row_bytes_;
  filled_ = 0;
}

}  // namespace vecstore
