// The change log: what each commit did, without payload. Derived indexes and other processes follow it.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "storage/lmdb_env.hpp"
#include "storage/state.hpp"

namespace vecstore::storage {

/// The numbers are on disk and frozen.
enum class ChangeKind : std::uint8_t { kUpsert = 1, kErase = 2, kUpdateMetadata = 3, kDropCollection = 4 };

struct ChangeEntry {
  std::uint32_t collection = 0;
  ChangeKind kind = ChangeKind::kUpsert;
  std::uint64_t row = 0;                     ///< The row that is live now; of an erase, the one that was.
  std::optional<std::uint64_t> retired_row;  ///< The row that the change retired.
  std::string_view id;
};

/// Collects the changes of one commit.
class ChangeLogEntry {
 public:
  void add(const ChangeEntry& change);
  bool empty() const { return count_ == 0; }
  /// Writes the entry, and cuts the oldest ones while the log holds more than `retention` changes.
  void write(WriteTxn& txn, StoreState& state, std::uint64_t sequence, std::uint64_t retention) const;

 private:
  std::uint64_t count_ = 0;
  std::string changes_;
};

/// Calls `fn` for each change of one entry's payload until it returns false, which is the result then.
bool decode_changes(std::string_view payload, const std::function<bool(const ChangeEntry&)>& fn);

/// Calls `fn` for each change after `since`, oldest first, until it returns false. False when the log was cut
/// after `since`, so that changes are missing.
bool read_changes(const Txn& txn, std::uint64_t since,
                  const std::function<bool(std::uint64_t sequence, const ChangeEntry&)>& fn);

}  // namespace vecstore::storage
