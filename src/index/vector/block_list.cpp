#include "index/vector/block_list.hpp"

#include <algorithm>

namespace vecstore {

namespace {

class BlockCursor final : public VectorCursor {
 public:
  explicit BlockCursor(const std::vector<VectorBlock>& blocks) : blocks_(blocks) {}

  bool seek(std::uint64_t row, VectorBlock& block) override {
    const auto it = std::partition_point(blocks_.begin(), blocks_.end(),
                                         [row](const VectorBlock& b) { return b.last_row() < row; });
    at_ = static_cast<std::size_t>(it - blocks_.begin());
    return read(block);
  }

  bool next(VectorBlock& block) override {
    ++at_;
    return read(block);
  }

 private:
  bool read(VectorBlock& block) const {
    if (at_ >= blocks_.size()) return false;
    block = blocks_[at_];
    return true;
  }

  const std::vector<VectorBlock>& blocks_;
  std::size_t at_ = 0;
};

}  // namespace

void BlockList::add(const VectorBlock& block) {
  if (block.count == 0) return;
  if (!blocks_.empty() && block.first_row < end_row()) {
    invalid("block of rows from ", block.first_row, ": rows must ascend, the last one is ", end_row() - 1);
  }
  blocks_.push_back(block);
  rows_before_.push_back(rows_);
  rows_ += block.count;
}

std::unique_ptr<VectorCursor> BlockList::cursor() const { return std::make_unique<BlockCursor>(blocks_); }

std::vector<std::uint64_t> BlockList::split(std::size_t parts) const {
  std::vector<std::uint64_t> cuts;
  for (std::size_t i = 1; i < parts; ++i) {
    const auto it = std::lower_bound(rows_before_.begin(), rows_before_.end(), rows_ * i / parts);
    if (it == rows_before_.end()) break;
    const std::uint64_t row = blocks_[static_cast<std::size_t>(it - rows_before_.begin())].first_row;
    if (row > 0 && (cuts.empty() || row > cuts.back())) cuts.push_back(row);
  }
  return cuts;
}

}  // namespace vecstore
