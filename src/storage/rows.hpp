// Rows: finding one row in the blocks of a keyspace, writing runs of rows, and taking retired rows out again.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "storage/lmdb_env.hpp"
#include "storage/retired.hpp"
#include "storage/row_block.hpp"

namespace vecstore::storage {

/// Which blocks: one vector field's, or the documents of a collection.
struct RowSpace {
  BlockKind kind = BlockKind::kDocuments;
  std::uint32_t collection = 0;
  std::uint16_t field = 0;
  std::uint8_t element = 0;  ///< For writing.

  Keyspace keyspace() const {
    return kind == BlockKind::kVectors ? Keyspace::kVectors : Keyspace::kDocuments;
  }
  std::string key(std::uint64_t last_row) const;
  BlockMeta meta(std::uint64_t sequence = 0) const { return {kind, element, collection, field, sequence}; }
};

/// One row as it is stored.
struct StoredRow {
  std::string_view bytes;
  std::uint8_t element = 0;
  float inverse_norm = 0;
  std::uint64_t sequence = 0;  ///< Of its block: the newest commit among the block's rows.
};

class BlockTable;

/// Reads rows of one space; quick when rows are asked for in ascending order, since the current block is
/// kept. Lives inside a transaction, one thread at a time.
class RowReader {
 public:
  RowReader(const Txn& txn, const RowSpace& space) : txn_(txn), space_(space) {}

  /// Starts the memory reads of `rows` all at once, so that asking `find` for them in this order waits for
  /// memory about once instead of once each. What cannot be located is left to `find`. A table that is good
  /// for this transaction spares searching the tree.
  void prefetch(std::span<const std::uint64_t> rows, const BlockTable* table = nullptr);
  /// The row, its checksum verified; nullopt when no block holds it; kCorruption when it is damaged.
  std::optional<StoredRow> find(std::uint64_t row);
  /// The block that may hold `row` or else the next one; false past the end. A damaged block is kCorruption;
  /// `next` then moves on.
  bool seek(std::uint64_t row);
  bool next();
  const BlockView& block() const { return block_; }
  /// The whole stored value of the current block.
  std::string_view value() const { return cursor_->value(); }
  /// After seek or next threw: the last row that the damaged block's key names, to go on behind it.
  std::uint64_t damaged_last_row() const { return key_row_; }

 private:
  bool open_current(bool found, bool verify_directory);
  bool seek_key(std::uint64_t row);
  StoredRow checked(const BlockView& block, std::uint32_t index, const BlockView::Witness& witness) const;
  const Txn& txn_;
  RowSpace space_;
  std::optional<Cursor> cursor_;  // made when the tree is first needed
  std::string key_;               // of the space, its last 8 bytes to be filled with a row
  BlockView block_;
  std::uint64_t key_row_ = 0;
  bool have_ = false;
  /// Where prefetch found rows, in the order in which find will be asked.
  struct Located {
    std::uint64_t row = 0;
    BlockView block;
    std::optional<std::uint32_t> index;
    BlockView::Witness witness;
  };
  std::vector<Located> located_;
  std::size_t next_located_ = 0;
};

/// Writes rows (ascending, all above the space's last) as blocks of about 192 KiB.
void write_rows(WriteTxn& txn, const RowSpace& space, std::span<const BlockRow> rows, std::uint64_t sequence);

/// Gives space back after rows were retired: drops blocks without a live row, rewrites those of which less
/// than half lives. Returns how many rows are stored less. A damaged block is left as it is.
std::uint64_t reclaim(WriteTxn& txn, const RowSpace& space, std::span<const std::uint64_t> retired_rows,
                      RetiredUpdate& retired, std::uint64_t sequence);

}  // namespace vecstore::storage
