// BlockTable: where the blocks of one space lie in memory, so that a row is found without a search in the
// tree.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "base/context.hpp"
#include "storage/row_block.hpp"
#include "storage/rows.hpp"

namespace vecstore::storage {

/// Immutable. Blocks with pages of their own stay where they are until rows of the collection are retired or
/// the map moves: a table is good for every transaction with the same map epoch, environment and
/// retired_sequence that is not older than the blocks asked for.
class BlockTable {
 public:
  /// Walks over the keys, at less than a microsecond per block. Left out is what is damaged, shares its page
  /// or lists its row numbers, and everything behind a damaged page of the tree: after that the transaction
  /// can read nothing more, so it should be the caller's own.
  BlockTable(const ReadTxn& txn, const RowSpace& space, const Context& context = {});
  /// The block that holds `row`, its directory unverified; nullopt when only the tree can tell. Reads one
  /// cache line in most cases and nothing of the block.
  std::optional<BlockView> find(std::uint64_t row) const;
  std::size_t size() const { return blocks_.size(); }

 private:
  using FormNumbers = std::map<BlockView::Form, std::uint64_t>;
  void add(std::uint64_t key_row, std::string_view value, const BlockMeta& meta, FormNumbers& numbers);

  struct Block {
    std::uint64_t last_row;
    const char* value;
    std::uint64_t sequence;
    std::uint64_t form;
  };
  std::vector<Block> blocks_;     // by last row
  std::vector<BlockView> forms_;  // one of each; most blocks of vectors are alike, those of documents are not
};

}  // namespace vecstore::storage
