#include "shard/block_tables.hpp"

#include <algorithm>

#include "shard/read_view.hpp"

namespace vecstore::shard {
namespace {

constexpr std::uint64_t kLeastRows = 4096;  // fewer are one or two levels of a tree that is in the cache
// Looking at a block costs about a tenth of what the table spares a query.
constexpr std::size_t kBlocksPerQuery = 8;
constexpr std::size_t kLeastQueries = 16;

}  // namespace

std::shared_ptr<const storage::BlockTable> BlockTables::at(const ReadView& view,
                                                           const storage::RowSpace& space) {
  const storage::CollectionState& state = view.state();
  if (state.next_row < kLeastRows) return nullptr;
  Kept now{nullptr, view.txn().map_epoch(), state.retired_sequence, state.next_row, 0};
  {
    const std::lock_guard lock(mutex_);
    Kept& kept = kept_[{space.kind, space.field}];
    const bool good =
        kept.table && kept.map_epoch == now.map_epoch && kept.retired_sequence == now.retired_sequence;
    if (good && now.end_row <= kept.end_row + kept.end_row / 8) return kept.table;
    const std::size_t blocks = kept.table ? kept.table->size() : 0;
    if (++kept.wanted < std::max(kLeastQueries, blocks / kBlocksPerQuery)) return good ? kept.table : nullptr;
    kept.wanted = 0;  // other threads do without meanwhile
  }
  now.table = std::make_shared<const storage::BlockTable>(view.txn(), space);
  const std::lock_guard lock(mutex_);
  Kept& kept = kept_[{space.kind, space.field}];
  if (!kept.table ||
      std::pair(kept.map_epoch, kept.retired_sequence) <= std::pair(now.map_epoch, now.retired_sequence))
    kept = now;
  return now.table;
}

}  // namespace vecstore::shard
