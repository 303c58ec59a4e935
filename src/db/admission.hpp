// Admission: every record is checked and encoded here, before any lock or transaction. What passes cannot
// fail later for being malformed.
#pragma once
#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/metadata_names.hpp"
#include "catalog/schema.hpp"
#include "shard/prepared.hpp"
#include "vecstore/collection.hpp"

namespace vecstore::db {

inline constexpr std::size_t kMaxBatchRecords = 10'000;
inline constexpr std::size_t kMaxTextBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxSourceBytes = 4096;
inline constexpr std::size_t kMaxSparseEntries = 65'536;

/// 1 to 512 bytes of UTF-8 without NUL.
void check_id(std::string_view id);
/// Finite components, the field's dimension, a norm whose square float holds; for the cosine not zero. `what`
/// names the vector.
void check_dense(std::string_view what, std::span<const float> vector, std::size_t dimension, Metric metric);
/// Sorted by index, without duplicates, at most 65,536 finite entries.
Sparse check_sparse(std::string_view what, Sparse sparse);

/// The time that a deadline comes to, however far.
std::chrono::steady_clock::time_point deadline_after(std::chrono::milliseconds time);

/// A write to be prepared; the record is borrowed.
struct Write {
  Operation::Kind kind;
  const Record* record;
  std::optional<SequenceNumber> if_sequence;  ///< See WriteCondition.
  bool must_match = true;                     ///< See PreparedWrite.
};

/// Turns writes into prepared writes for one commit. Learns what the schema leaves open (a dimension, the
/// first sparse vector of a name) into `changed_schema`. Errors carry the item's index when `is_batch`.
shard::PreparedBatch prepare(std::span<const Write> writes, const catalog::Schema& schema,
                             std::uint64_t schema_number, FieldNames& names, bool is_batch);

}  // namespace vecstore::db
