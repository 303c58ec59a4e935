// ReadView: one consistent snapshot of a collection, from the truth and everything derived from it.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/metadata_names.hpp"
#include "catalog/schema.hpp"
#include "shard/shard.hpp"
#include "storage/document.hpp"
#include "storage/rows.hpp"
#include "vecstore/record.hpp"

namespace vecstore::shard {

/// Pairs a read transaction with the collection's state in it. Lives for one call, in one thread; the objects
/// it hands out die with it.
class ReadView {
 public:
  /// kNotFound when the collection was deleted; kClosed, kForked.
  explicit ReadView(Shard& shard);
  /// Moves on to the newest commit.
  void renew();

  Shard& shard() const { return shard_; }
  const storage::ReadTxn& txn() const { return *txn_; }
  const storage::CollectionState& state() const { return state_; }
  const catalog::Schema& schema() const { return *schema_; }
  const storage::RetiredRows& retired() const { return *retired_; }
  const FieldNames& field_names() const { return shard_.field_names(); }
  bool is_live(std::uint64_t row) const { return row < state_.next_row && !retired_->contains(row); }

 private:
  void load();
  Shard& shard_;
  storage::Store::Session session_;
  std::optional<storage::ReadTxn> txn_;
  storage::CollectionState state_;
  std::shared_ptr<const catalog::Schema> schema_;
  std::shared_ptr<const storage::RetiredRows> retired_;
};

/// Reads documents of a view by row; quickest in ascending order. One thread at a time; several readers may
/// share a view.
class DocumentReader {
 public:
  explicit DocumentReader(const ReadView& view);
  /// Rows that `read` will be asked for in this order.
  void prefetch(std::span<const std::uint64_t> rows) { rows_.prefetch(rows); }
  /// kCorruption when the row is missing or damaged. Views last as long as the read view.
  storage::Document read(std::uint64_t row);
  /// The first live row >= `row` that has a document, for walks over everything; nullopt at the end. Damaged
  /// blocks are passed over and counted.
  std::optional<std::uint64_t> next_row(std::uint64_t row);
  std::uint64_t damaged() const { return damaged_; }
  /// kCorruption when a walk had to pass over damaged blocks, for callers whose answer must be whole.
  void require_complete() const;

 private:
  const ReadView& view_;
  storage::RowSpace space_;
  storage::RowReader rows_;
  std::uint64_t damaged_ = 0;
};

/// Finds an id; nullopt when it is unknown.
std::optional<storage::IdEntry> find_id(const ReadView& view, std::string_view id);
/// The whole record; `document` and `entry` must belong together.
Record read_record(const ReadView& view, const storage::Document& document, const storage::IdEntry& entry,
                   bool with_vectors);
/// All vectors of a row.
void read_vectors(const ReadView& view, std::uint64_t row, Vector& unnamed,
                  std::map<std::string, Vector>& named);

/// Sparse vectors as they are stored: count, ascending indices, values.
std::string encode_sparse(const Sparse& sparse);
Sparse decode_sparse(std::string_view bytes);

}  // namespace vecstore::shard
