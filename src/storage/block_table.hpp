// BlockTable: where the blocks of one space lie in memory, so that a row is found without a search in the
// tree.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "storage/row_block.hpp"
#include "storage/rows.hpp"

namespace vecstore::storage {

/// Immutable. Blocks with pages of their own stay where they are until rows of the collection are retired or
/// the map moves: a table is good for every transaction with the same map epoch, environment and
/// retired_sequence that is not older than the blocks asked for.
class BlockTable {
 public:
  /// Walks over the keys, at less than a microsecond per block. What is damaged or shares its page is left
  /// out.
  BlockTable(const ReadTxn& txn, const RowSpace& space);
  /// The block that may hold `row`; nullptr when only the tree can tell. Its directory was not verified.
  const BlockView* find(std::uint64_t row) const;
  std::size_t size() const { return blocks_.size(); }

 private:
  std::vector<std::uint64_t> last_rows_;  // ascending, beside the blocks they belong to
  std::vector<BlockView> blocks_;
};

}  // namespace vecstore::storage
