// Writes that are ready for the truth: checked, encoded, without any lock or transaction.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "catalog/schema.hpp"

namespace vecstore::shard {

struct PreparedVector {
  std::uint16_t field = 0;
  ElementType element = ElementType::kF32;
  std::string bytes;
  float inverse_norm = 0;  ///< Dense f32 only.
};

struct PreparedWrite {
  enum class Kind : std::uint8_t { kInsert, kUpsert, kErase, kUpdateMetadata };
  Kind kind = Kind::kUpsert;
  std::string id;
  std::string document;                            ///< kInsert, kUpsert: the encoded document.
  std::string metadata;                            ///< kUpdateMetadata: the stored form.
  std::vector<PreparedVector> vectors;             ///< By ascending field.
  std::optional<std::uint64_t> expected_sequence;  ///< kErase: only this version of the record.
};

struct PreparedBatch {
  std::vector<PreparedWrite> writes;  ///< Each id once.
  std::uint64_t schema = 0;           ///< The schema number that they were encoded for.
  std::optional<catalog::Schema>
      changed_schema;             ///< What the writes taught: a dimension, a first sparse vector.
  std::uint32_t field_names = 0;  ///< Metadata keys that must be in the stored table.
  std::optional<std::string> replaced_source;  ///< Erase what this source has beyond the ids written here.

  std::size_t bytes() const {
    std::size_t n = 0;
    for (const auto& w : writes) {
      n += 2 * w.id.size() + w.document.size() + w.metadata.size() + 128;
      for (const auto& v : w.vectors) n += v.bytes.size() + 16;
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

/// A dense vector as it is stored: minus zero becomes zero, so that equal vectors have equal bytes.
PreparedVector prepare_dense(std::uint16_t field, std::span<const float> values);

/// Thrown when the schema is no longer the one that a batch was prepared for: prepare again.
struct SchemaChanged {};

}  // namespace vecstore::shard
