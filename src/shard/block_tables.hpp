// The block tables that queries of one collection share.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/context.hpp"
#include "storage/block_table.hpp"

namespace vecstore::shard {

class ReadView;
class Shard;

/// Thread-safe.
class BlockTables {
 public:
  /// A table that is good for this view; nullptr where searching the tree is cheaper: in small collections,
  /// until some queries have come since rows were retired last, and until the background has made it.
  std::shared_ptr<const storage::BlockTable> at(const ReadView& view, const storage::RowSpace& space);
  /// Makes one that was asked for, in a view of its own: a damaged page is nothing to the query that asked.
  /// False when there is none to make. The caller holds no transaction.
  bool make_one(Shard& shard, const Context& context);

 private:
  struct Kept {
    std::shared_ptr<const storage::BlockTable> table;
    std::uint64_t map_epoch = 0;  ///< No two environments have the same.
    std::uint64_t retired_sequence = 0;
    std::uint64_t end_row = 0;  ///< The next row of the view it was made for.
    std::size_t wanted = 0;     ///< Queries that could have used a newer one.
    bool asked = false;         ///< The background is to make it.
  };
  std::mutex mutex_;
  std::map<std::pair<storage::BlockKind, std::uint16_t>, Kept> kept_;  // by kind and field
};

}  // namespace vecstore::shard
