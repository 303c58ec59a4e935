// DenseSegment: exact search over the vectors of one field, with 8-bit codes in memory once that pays.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "index/vector/block_list.hpp"
#include "index/vector/code_store.hpp"
#include "index/vector_index.hpp"

namespace vecstore::segment {

/// 1 / norm, as searches want it beside each vector; 0 where the vector has to be scored in double.
float inverse_norm(std::span<const float> vector);

/// Codes of the rows that were shown to it. One thread at a time follows; indexes made before stay valid.
class DenseSegment {
 public:
  DenseSegment(Metric metric, std::size_t dimension) : metric_(metric), dimension_(dimension) {}

  /// Encodes the rows of `blocks` (ascending) below `end_row` that are new. `bad_rows` (ascending) are left
  /// out. Does nothing while there are so few rows that one pass over the vectors is as quick.
  void follow(const BlockList& blocks, std::span<const std::uint64_t> bad_rows, std::uint64_t end_row);
  /// An index over `blocks`, which must outlive it. Rows that have a code but no vector any more must be
  /// filtered.
  std::unique_ptr<VectorIndex> index(const BlockList& blocks) const;
  bool has_codes() const { return codes_ != nullptr; }

 private:
  Metric metric_;
  std::size_t dimension_;
  std::shared_ptr<CodeStore> codes_;
  std::uint64_t end_ = 0;      // rows below this were encoded
  std::uint64_t encoded_ = 0;  // how many
};

}  // namespace vecstore::segment
