#include "shard/block_tables.hpp"

#include <algorithm>
#include <tuple>

#include "shard/read_view.hpp"

namespace vecstore::shard {
namespace {

constexpr std::uint64_t kLeastRows = 4096;  // fewer are one or two levels of a tree that is in the cache
// Looking at a block costs about a tenth of what the table spares a query. Where a table is empty (a damaged
// page, blocks that share theirs) the next try comes after the least number.
constexpr std::size_t kBlocksPerQuery = 8;
constexpr std::size_t kLeastQueries = 16;

}  // namespace

std::shared_ptr<const storage::BlockTable> BlockTables::at(const ReadView& view,
                                                           const storage::RowSpace& space) {
  const storage::CollectionState& state = view.state();
  if (state.next_row < kLeastRows) return nullptr;
  std::shared_ptr<const storage::BlockTable> found;
  {
    const std::lock_guard lock(mutex_);
    Kept& kept = kept_[{space.kind, space.field}];
    const bool good = kept.table && kept.map_epoch == view.txn().map_epoch() &&
                      kept.retired_sequence == state.retired_sequence;
    if (good) found = kept.table;
    if (good && state.next_row <= kept.end_row + kept.end_row / 8) return found;
    const std::size_t blocks = kept.table ? kept.table->size() : 0;
    if (++kept.wanted < std::max(kLeastQueries, blocks / kBlocksPerQuery)) return found;
    kept.wanted = 0;
    kept.asked = true;
  }
  view.shard().ask_for_block_tables();
  return found;
}

bool BlockTables::make_one(Shard& shard, const Context& context) {
  storage::RowSpace space{storage::BlockKind::kVectors, shard.collection(), 0, 0};
  {
    const std::lock_guard lock(mutex_);
    const auto asked = std::find_if(kept_.begin(), kept_.end(), [](const auto& k) { return k.second.asked; });
    if (asked == kept_.end()) return false;
    asked->second.asked = false;
    std::tie(space.kind, space.field) = asked->first;
  }
  const ReadView view(shard);
  Kept made;
  made.map_epoch = view.txn().map_epoch();
  made.retired_sequence = view.state().retired_sequence;
  made.end_row = view.state().next_row;
  made.table = std::make_shared<const storage::BlockTable>(view.txn(), space, context);
  const std::lock_guard lock(mutex_);
  Kept& kept = kept_[{space.kind, space.field}];
  // Only one is made at a time, so what stands there is older.
  made.wanted = kept.wanted;
  made.asked = kept.asked;
  kept = std::move(made);
  return true;
}

}  // namespace vecstore::shard
