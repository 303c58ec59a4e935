#include "storage/block_table.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace vecstore::storage {

BlockTable::BlockTable(const ReadTxn& txn, const RowSpace& space, const Context& context) {
  constexpr std::uint64_t kBlocksPerCheck = 1024;
  const std::string first = space.key(0);
  const std::size_t head = first.size() - sizeof(std::uint64_t);
  FormNumbers numbers;
  try {
    Cursor cursor = txn.cursor(space.keyspace());
    std::uint64_t seen = 0;
    for (bool more = cursor.seek(first); more; more = cursor.next()) {
      if (++seen % kBlocksPerCheck == 0) context.check();
      const std::string_view key = cursor.key();
      if (key.size() != first.size() || key.substr(0, head) != std::string_view(first).substr(0, head)) break;
      if (!txn.has_own_pages(cursor.value())) continue;
      add(load_big_endian<std::uint64_t>(key.data() + head), cursor.value(), space.meta(), numbers);
    }
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;  // else what was found so far is good
  }
}

void BlockTable::add(std::uint64_t key_row, std::string_view value, const BlockMeta& meta,
                     FormNumbers& numbers) {
  try {
    const BlockView block(value, meta, false);
    if (block.last_row() != key_row || block.row_numbers()) return;
    const auto [form, fresh] = numbers.try_emplace(block.form(), forms_.size());
    if (fresh) forms_.push_back(block);
    blocks_.push_back({key_row, value.data(), block.sequence(), form->second});
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
  }
}

// Blocks are of about equal size, so the place can be told from the number within a few steps.
std::optional<BlockView> BlockTable::find(std::uint64_t row) const {
  constexpr std::size_t kSteps = 4;
  if (blocks_.empty() || row > blocks_.back().last_row) return std::nullopt;
  const double share = static_cast<double>(row) / static_cast<double>(blocks_.back().last_row + 1);
  auto at =
      std::min(static_cast<std::size_t>(share * static_cast<double>(blocks_.size())), blocks_.size() - 1);
  for (std::size_t step = 0;; ++step) {
    if (step == kSteps) {
      const auto found =
          std::lower_bound(blocks_.begin(), blocks_.end(), row,
                           [](const Block& b, std::uint64_t wanted) { return b.last_row < wanted; });
      at = static_cast<std::size_t>(found - blocks_.begin());
      break;
    }
    if (blocks_[at].last_row < row) {
      ++at;
    } else if (at > 0 && blocks_[at - 1].last_row >= row) {
      --at;
    } else {
      break;
    }
  }
  const Block& block = blocks_[at];
  const BlockView& form = forms_[block.form];
  if (block.last_row - row >= form.count()) return std::nullopt;
  return form.like(block.value, block.last_row, block.sequence);
}

}  // namespace vecstore::storage
