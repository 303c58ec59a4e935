#include "storage/rows.hpp"

#include "storage/block_table.hpp"
#include "storage/keys.hpp"

namespace vecstore::storage {

std::string RowSpace::key(std::uint64_t last_row) const {
  return kind == BlockKind::kVectors ? vector_key(collection, field, last_row)
                                     : document_key(collection, last_row);
}

bool RowReader::seek_key(std::uint64_t row) {
  if (!cursor_) {
    key_ = space_.key(0);
    cursor_.emplace(txn_.cursor(space_.keyspace()));
  }
  store(key_.data() + key_.size() - 8, __builtin_bswap64(row));
  return cursor_->seek(key_);
}

bool RowReader::open_current(bool found, bool verify_directory) {
  have_ = false;
  if (!found) return false;
  const std::string_view key = cursor_->key();
  const std::size_t head = key_.size() - 8;
  if (key.size() != key_.size() || key.substr(0, head) != std::string_view(key_).substr(0, head))
    return false;
  key_row_ = load_big_endian<std::uint64_t>(key.data() + head);
  block_ = BlockView(cursor_->value(), space_.meta(), verify_directory);
  if (block_.last_row() != key_row_) {
    fail(ErrorCode::kCorruption, "row block of collection ", space_.collection,
         ": key and header name different rows");
  }
  return have_ = true;
}

bool RowReader::seek(std::uint64_t row) { return open_current(seek_key(row), true); }
bool RowReader::next() { return open_current(cursor_->next(), true); }

// Three rounds, each of which starts what the next one reads: blocks, their directories, rows.
void RowReader::prefetch(std::span<const std::uint64_t> rows, const BlockTable* table) {
  constexpr std::size_t kLine = 64;
  located_.assign(rows.size(), {});
  next_located_ = 0;
  std::vector<std::string_view> values;  // of rows that the table does not know
  bool damaged = false;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Located& at = located_[i];
    at.row = rows[i];
    if (const auto block = table ? table->find(rows[i]) : std::nullopt) {
      at.block = *block;
      at.index = block->find(rows[i]);
      if (at.index) block->prefetch_directory(*at.index);
      continue;
    }
    if (damaged) continue;
    if (values.empty()) values.resize(rows.size());
    have_ = false;
    try {
      if (!seek_key(rows[i])) break;
      values[i] = cursor_->value();
    } catch (const Error& e) {
      // This transaction can search the tree no more: find says so of the rows that are left.
      if (e.code() != ErrorCode::kCorruption) throw;
      damaged = true;
      continue;
    }
    __builtin_prefetch(values[i].data());
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    Located& at = located_[i];
    if (values[i].empty()) continue;
    try {
      at.block = BlockView(values[i], space_.meta(), false);
      at.index = at.block.find(rows[i]);
      if (at.index) at.block.prefetch_directory(*at.index);
    } catch (const Error&) {
      // Damaged, or beyond the space's last key: find says so.
    }
  }
  for (Located& at : located_) {
    if (!at.index) continue;
    try {
      const std::string_view bytes = at.block.bytes(*at.index);
      for (std::size_t line = 0; line < bytes.size(); line += kLine) __builtin_prefetch(bytes.data() + line);
    } catch (const Error&) {
      at.index.reset();
    }
  }
  // Loads that wait side by side, before each row's own work would keep the next one's from starting.
  for (Located& at : located_) {
    if (at.index) at.witness = at.block.witness(*at.index);
  }
}

std::optional<StoredRow> RowReader::find(std::uint64_t row) {
  if (next_located_ < located_.size() && located_[next_located_].row == row) {
    const Located& found = located_[next_located_++];
    if (found.index) return checked(found.block, *found.index, found.witness);
  }
  // The row's own checksum covers its place, so a lookup need not read the whole directory.
  if (!have_ || row < block_.first_row() || row > block_.last_row()) {
    if (!open_current(seek_key(row), false)) return std::nullopt;
  }
  const auto at = block_.find(row);
  if (!at) return std::nullopt;
  return checked(block_, *at, block_.witness(*at));
}

StoredRow RowReader::checked(const BlockView& block, std::uint32_t index,
                             const BlockView::Witness& witness) const {
  if (!block.verify(index, witness)) {
    fail(ErrorCode::kCorruption, "collection ", space_.collection, ": the checksum of row ", block.row(index),
         " differs");
  }
  return {block.bytes(index), block.element(), witness.inverse_norm, block.sequence()};
}

void write_rows(WriteTxn& txn, const RowSpace& space, std::span<const BlockRow> rows,
                std::uint64_t sequence) {
  const BlockMeta meta = space.meta(sequence);
  while (!rows.empty()) {
    std::size_t count = 0;
    std::size_t bytes = 0;
    const std::size_t limit = rows_per_block(rows.front().bytes.size());
    const bool fixed = space.kind == BlockKind::kVectors;
    while (count < rows.size() && count < (fixed ? limit : kMaxRowsPerBlock) &&
           (count == 0 || bytes < kBlockTarget)) {
      bytes += rows[count++].bytes.size();
    }
    const auto part = rows.first(count);
    write_block(meta, part,
                txn.reserve(space.keyspace(), space.key(part.back().row), block_size(meta, part)));
    rows = rows.subspan(count);
  }
}

std::uint64_t reclaim(WriteTxn& txn, const RowSpace& space, std::span<const std::uint64_t> retired_rows,
                      RetiredUpdate& retired, std::uint64_t sequence) {
  std::uint64_t removed = 0;
  std::optional<std::uint64_t> done;  // rows up to here lie in blocks that were looked at
  for (std::uint64_t row : retired_rows) {
    if (done && row <= *done) continue;
    std::vector<BlockRow> live;
    std::string copy;
    std::uint32_t count = 0;
    std::uint64_t last = 0;
    RowSpace target = space;
    try {
      RowReader reader(txn, space);
      if (!reader.seek(row) || !reader.block().find(row)) continue;
      const BlockView& block = reader.block();
      count = block.count();
      last = block.last_row();
      target.element = block.element();
      std::vector<std::uint32_t> kept;
      for (std::uint32_t i = 0; i < count; ++i) {
        if (!retired.contains(block.row(i))) kept.push_back(i);
      }
      done = last;
      if (kept.size() * 2 > count) continue;
      std::size_t bytes = 0;
      for (std::uint32_t i : kept) bytes += block.bytes(i).size();
      copy.reserve(bytes);  // views into it must stay
      for (std::uint32_t i : kept) {
        if (!block.verify(i)) fail(ErrorCode::kCorruption, "row ", block.row(i));
        const std::size_t at = copy.size();
        copy += block.bytes(i);
        live.push_back({block.row(i), std::string_view(copy).substr(at), block.inverse_norm(i)});
      }
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      continue;
    }
    txn.erase(space.keyspace(), space.key(last));
    if (!live.empty()) write_rows(txn, target, live, sequence);
    removed += count - live.size();
  }
  return removed;
}

}  // namespace vecstore::storage
