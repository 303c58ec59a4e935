// ReadView: one consistent snapshot of a collection, from the truth and everything derived from it.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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
  segment::RetiredBits retired_bits() const { return {retired_->words(), state_.retired_sequence}; }
  const FieldNames& field_names() const { return shard_.field_names(); }
  /// True when what `is_live` says of a row, and the row itself, need no second witness: each row ever given
  /// out is counted as live or retired, and no metadata lies elsewhere. Then a live row's document is its
  /// id's.
  bool rows_are_proven() const {
    return state_.overlays == 0 && retired_->count() + state_.live == state_.next_row;
  }
  /// Before several threads use the view.
  void touch_trees() const;
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
  void prefetch(std::span<const std::uint64_t> rows);
  /// kCorruption when the row is missing or damaged. Views last as long as the read view.
  storage::Document read(std::uint64_t row);
  /// kCorruption unless what was read last is the version that the id's entry names. A damaged page can hide
  /// updated metadata, and what is found then is sound but old. `read` alone does not see that.
  void check(const storage::IdEntry& entry);
  /// The same to the last byte, with the stored vectors by ascending field.
  void check(const storage::IdEntry& entry, std::span<const std::string_view> vectors) const;
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
  // Of the last read:
  std::uint64_t row_ = 0;
  std::string_view stored_;
  std::uint64_t stored_sequence_ = 0;
  std::string_view overlay_;
  std::optional<std::uint64_t> overlay_sequence_;
};

/// Finds an id; nullopt when it is unknown.
std::optional<storage::IdEntry> find_id(const ReadView& view, std::string_view id);
/// The whole record; `document` is what `documents` read last, `entry` must belong to it. kCorruption when
/// they are not of the same version, or, with vectors, when something of it is missing.
Record read_record(const ReadView& view, DocumentReader& documents, const storage::Document& document,
                   const storage::IdEntry& entry, bool with_vectors);
/// All vectors of a row. `stored` gets them as they are stored, by ascending field.
void read_vectors(const ReadView& view, std::uint64_t row, Vector& unnamed,
                  std::map<std::string, Vector>& named, std::vector<std::string_view>* stored = nullptr);

/// Sparse vectors as they are stored: count, ascending indices, values.
std::string encode_sparse(const Sparse& sparse);
Sparse decode_sparse(std::string_view bytes);

}  // namespace vecstore::shard
