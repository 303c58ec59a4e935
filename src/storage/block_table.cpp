#include "storage/block_table.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace vecstore::storage {

BlockTable::BlockTable(const ReadTxn& txn, const RowSpace& space) {
  const std::string first = space.key(0);
  const std::size_t head = first.size() - sizeof(std::uint64_t);
  Cursor cursor = txn.cursor(space.keyspace());
  for (bool more = cursor.seek(first); more; more = cursor.next()) {
    const std::string_view key = cursor.key();
    if (key.size() != first.size() || key.substr(0, head) != std::string_view(first).substr(0, head)) break;
    if (!txn.has_own_pages(cursor.value())) continue;
    try {
      const BlockView block(cursor.value(), space.meta(), false);
      const auto last_row = load_big_endian<std::uint64_t>(key.data() + head);
      if (block.last_row() != last_row) continue;
      last_rows_.push_back(last_row);
      blocks_.push_back(block);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
    }
  }
}

const BlockView* BlockTable::find(std::uint64_t row) const {
  const auto at = std::lower_bound(last_rows_.begin(), last_rows_.end(), row);
  if (at == last_rows_.end()) return nullptr;
  const BlockView& block = blocks_[static_cast<std::size_t>(at - last_rows_.begin())];
  return row < block.first_row() ? nullptr : &block;
}

}  // namespace vecstore::storage
