// The records that count: one for the store, one per collection, and the entry of each id. All are written in
// the same transaction as what they count.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/hash.hpp"
#include "storage/lmdb_env.hpp"

namespace vecstore::storage {

using Uuid = std::array<std::uint8_t, 16>;

/// One per truth: what the last commit left.
struct StoreState {
  Uuid uuid{};
  std::uint64_t generation = 1;
  std::uint64_t moved_to = 0;         ///< The generation that replaced this one; 0 = this one is live.
  std::uint64_t sequence = 0;         ///< Of the last commit.
  std::int64_t wall_ms = 0;           ///< When it was made.
  std::uint32_t next_collection = 1;  ///< Numbers are never reused.
  std::uint32_t next_namespace = 1;   ///< 0 is the program's own.
  std::uint64_t log_changes = 0;      ///< Changes that the log still holds.
  std::uint64_t log_from = 0;         ///< The log holds every commit after this sequence number.
};

/// One per collection.
struct CollectionState {
  std::uint64_t next_row = 0;          ///< Rows are never reused.
  std::uint64_t live = 0;              ///< Records.
  std::uint64_t stored_rows = 0;       ///< Rows in document blocks, retired ones included.
  std::uint64_t live_bytes = 0;        ///< Sum over live records of IdEntry::bytes.
  std::uint64_t digest = 0;            ///< Sum over live records of IdEntry::contribution, modulo 2^64.
  std::uint64_t sequence = 0;          ///< Last commit that changed the collection.
  std::uint64_t retired_sequence = 0;  ///< Last commit that retired a row.
  std::uint64_t overlays = 0;          ///< Documents whose metadata was updated in place.
  std::uint64_t schema = 0;            ///< Number of the live schema value, from 1.
  std::uint64_t field_names = 0;       ///< Metadata keys in the table.
};

/// The value under an id.
struct IdEntry {
  std::uint64_t row = 0;
  std::uint64_t sequence = 0;  ///< Commit that wrote the row or its metadata.
  std::uint32_t content = 0;   ///< CRC32C of document and vectors.
  std::uint32_t bytes = 0;     ///< Stored bytes of id, document and vectors.

  std::uint64_t contribution(std::string_view id) const { return contribution_of_hash(hash64(id)); }
  /// The same from hash64 of the id, which is all that the key of a long id keeps.
  std::uint64_t contribution_of_hash(std::uint64_t id_hash) const {
    return mix64(id_hash ^ mix64(row) ^ (std::uint64_t{content} << 32 | bytes));
  }
};

StoreState read_store_state(const Txn& txn);
/// From the payload of its envelope, wherever that was read.
StoreState decode_store_state(std::string_view payload);
void write_store_state(WriteTxn& txn, const StoreState& state);

/// nullopt when there is no such collection.
std::optional<CollectionState> read_collection_state(const Txn& txn, std::uint32_t collection);
CollectionState decode_collection_state(std::string_view payload);
void write_collection_state(WriteTxn& txn, std::uint32_t collection, const CollectionState& state);

/// nullopt when the id is unknown; kCorruption when its entry is damaged.
std::optional<IdEntry> find_id(const Txn& txn, std::uint32_t collection, std::string_view id);
void write_id(WriteTxn& txn, std::uint32_t collection, std::string_view id, const IdEntry& entry);
/// IdEntry::content of a record: the document's row, each vector's row by ascending field, the overlay if
/// there is one.
std::uint32_t content_crc(std::string_view document, std::span<const std::string_view> vectors,
                          std::string_view overlay = {});
/// The same piece by piece: of what stood there before and `next`.
std::uint32_t extend_content_crc(std::uint32_t content, std::string_view next);
/// Decodes the value under a key of the ids keyspace.
IdEntry decode_id(std::string_view key, std::string_view value);

}  // namespace vecstore::storage
