// Writes that are ready for the truth: checked, encoded, without any lock or transaction. They are views of
// the caller's records and of the batch's arena, so that a record costs no allocation of its own.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_arena.hpp"
#include "catalog/schema.hpp"

namespace vecstore::shard {

struct PreparedVector {
  std::uint16_t field = 0;
  ElementType element = ElementType::kF32;
  std::string_view bytes;
  float inverse_norm = 0;  ///< Dense f32 only.
};

struct PreparedWrite {
  enum class Kind : std::uint8_t { kInsert, kUpsert, kErase, kUpdateMetadata };
  Kind kind = Kind::kUpsert;
  std::string_view id;
  std::string_view document;       ///< kInsert, kUpsert: the encoded document.
  std::string_view metadata;       ///< kUpdateMetadata: the stored form.
  std::uint32_t first_vector = 0;  ///< In PreparedBatch::vectors, by ascending field.
  std::uint32_t vector_count = 0;
  std::uint32_t content = 0;  ///< kInsert, kUpsert: storage::IdEntry::content.
  std::optional<std::uint64_t>
      expected_sequence;   ///< Only this version of the record; 0 = only where there is none.
  bool must_match = true;  ///< kConflict where it is another one; else the write is left out.
};

/// The records it was prepared from must outlive it.
struct PreparedBatch {
  std::vector<PreparedWrite> writes;  ///< Each id once.
  std::vector<PreparedVector> vectors;
  ByteArena arena;
  std::uint64_t schema = 0;  ///< The schema number that they were encoded for.
  std::optional<catalog::Schema>
      changed_schema;             ///< What the writes taught: a dimension, a first sparse vector.
  std::uint32_t field_names = 0;  ///< Metadata keys that must be in the stored table.
  std::optional<std::string> replaced_source;  ///< Erase what this source has beyond the ids written here.

  std::span<const PreparedVector> vectors_of(const PreparedWrite& write) const {
    return std::span(vectors).subspan(write.first_vector, write.vector_count);
  }
  /// Appends a write whose vectors are the ones added since `first_vector`, and computes its checksum.
  void add(PreparedWrite write, std::size_t first_vector);
  /// What the write brings to the truth.
  std::size_t bytes_of(const PreparedWrite& write) const {
    std::size_t n = write.document.size();
    for (const auto& v : vectors_of(write)) n += v.bytes.size();
    return n;
  }
  std::size_t bytes() const {
    std::size_t n = 0;
    for (const auto& w : writes) {
      n += 2 * w.id.size() + w.metadata.size() + 128 + bytes_of(w) + 16 * std::size_t{w.vector_count};
    }
    return n;
  }
  bool only_erases() const {
    for (const auto& w : writes) {
      if (w.kind != PreparedWrite::Kind::kErase) return false;
    }
    return true;
  }
};

/// A dense vector as it is stored: minus zero becomes zero, so that equal vectors have equal bytes. Views
/// `values` where nothing changes, else a copy in `arena`.
PreparedVector prepare_dense(std::uint16_t field, std::span<const float> values, ByteArena& arena);

/// Thrown when the schema is no longer the one that a batch was prepared for: prepare again.
struct SchemaChanged {};

}  // namespace vecstore::shard
