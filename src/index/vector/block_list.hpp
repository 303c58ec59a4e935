// BlockList: a VectorSource over blocks whose addresses are known, in memory or in a mapping.
#pragma once
#include <memory>
#include <vector>

#include "index/vector_index.hpp"

namespace vecstore {

/// Does not own the vectors. Not to be changed while a search or a cursor uses it.
class BlockList final : public VectorSource {
 public:
  explicit BlockList(std::size_t dimension) : dimension_(dimension) {}
  /// Blocks come in ascending row order; an empty one is left out.
  void add(const VectorBlock& block);

  std::size_t dimension() const override { return dimension_; }
  std::uint64_t row_count() const override { return rows_; }
  std::uint64_t end_row() const override { return blocks_.empty() ? 0 : blocks_.back().last_row() + 1; }
  std::unique_ptr<VectorCursor> cursor() const override;
  std::vector<std::uint64_t> split(std::size_t parts) const override;

 private:
  std::size_t dimension_;
  std::uint64_t rows_ = 0;
  std::vector<VectorBlock> blocks_;
  std::vector<std::uint64_t> rows_before_;  // of each block
};

}  // namespace vecstore
