// The rows that segments are built from, read from the truth.
#pragma once
#include <cstdint>
#include <vector>

#include "catalog/schema.hpp"
#include "segment/segment.hpp"
#include "shard/shard.hpp"

namespace vecstore::shard {

/// The live vectors of one field between two rows, a few thousand in one transaction: rows that are retired
/// meanwhile may be left out. `field` has to outlive it. kClosed, kNotFound.
segment::VectorRows vectors_in_steps(Shard& shard, const catalog::VectorFieldSchema& field,
                                     std::uint64_t first_row, std::uint64_t end_row);

/// What a RowSource throws besides errors: its base cannot be read; its field is no more.
struct BaseDamaged {};
struct FieldDropped {};

/// The live rows of one field between two numbers, and the vector of each whenever it is asked for. Holds
/// nothing in between, as a row's vector never changes. Arguments have to outlive it.
class RowSource {
 public:
  /// `base`: a part that may have some of the rows, or nullptr.
  RowSource(Shard& shard, const catalog::VectorFieldSchema& field, std::uint64_t first_row,
            std::uint64_t end_row, const segment::VectorPart* base, const Context& context);

  const std::vector<std::uint64_t>& rows() const { return rows_; }
  /// Of rows()[i], good until this thread asks for another one. Thread-safe; asking in order is quicker. A
  /// row that was retired and taken from the disk meanwhile has the vector that the base's codes stand for,
  /// else zeros: no search returns it, graphs only pass through it. kClosed; kNotFound when the collection
  /// was deleted; BaseDamaged; FieldDropped.
  const float* vector(std::uint32_t i) const;

 private:
  void read(std::uint32_t first, std::uint32_t count, float* out) const;
  void require_field(const storage::ReadTxn& txn) const;
  void substitute(std::uint64_t row, float* out) const;

  Shard& shard_;
  const catalog::VectorFieldSchema& field_;
  const segment::VectorPart* base_;
  const std::uint64_t serial_;  // tells what threads keep of one source from another's
  std::vector<std::uint64_t> rows_;
};

}  // namespace vecstore::shard
