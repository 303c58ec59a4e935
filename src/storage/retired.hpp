// Retired rows: which row numbers of a collection no longer stand for a record.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "storage/lmdb_env.hpp"

namespace vecstore::storage {

/// The retired rows as one transaction sees them. Immutable once loaded, shared by queries.
class RetiredRows {
 public:
  RetiredRows() = default;
  /// Reads every slice of a collection: 1 KiB per 8,192 rows that were ever retired in.
  static RetiredRows read(const Txn& txn, std::uint32_t collection);

  bool contains(std::uint64_t row) const {
    const std::uint64_t word = row / 64;
    return word < words_.size() && (words_[word] >> (row % 64) & 1);
  }
  /// The first row >= `row` that is not retired.
  std::uint64_t next_live(std::uint64_t row) const;
  std::uint64_t count() const { return count_; }
  /// Bit per row; rows beyond the end are live.
  const std::vector<std::uint64_t>& words() const { return words_; }
  /// Takes the retired rows out of a set of rows, a bit per row.
  void clear_in(std::span<std::uint64_t> rows) const;

 private:
  std::vector<std::uint64_t> words_;
  std::uint64_t count_ = 0;
};

/// Sets bits inside one write transaction and writes the changed slices back once.
class RetiredUpdate {
 public:
  RetiredUpdate(const Txn& txn, std::uint32_t collection) : txn_(txn), collection_(collection) {}
  void retire(std::uint64_t row);
  bool contains(std::uint64_t row);
  bool empty() const { return slices_.empty(); }
  void write(WriteTxn& txn, std::uint64_t sequence) const;

 private:
  std::string& slice(std::uint64_t number);
  const Txn& txn_;
  std::uint32_t collection_;
  struct Slice {
    std::string bits;
    bool changed = false;
  };
  std::map<std::uint64_t, Slice> slices_;
};

}  // namespace vecstore::storage
