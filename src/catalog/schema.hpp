// Schema: what a collection's records look like. Stored as JSON in an envelope, so that fields can be added.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vecstore/metric.hpp"
#include "vecstore/options.hpp"

namespace vecstore::catalog {

/// One vector field. A record's vector "" may have a dense and a sparse part: two fields of the same name.
struct VectorFieldSchema {
  std::string name;
  ElementType element = ElementType::kF32;
  std::uint16_t number = 0;  ///< Key of its rows; never reused within a collection.
  Metric metric = Metric::kCosine;
  std::size_t dimension = 0;  ///< 0 until the first vector; always 0 for sparse fields.
  IndexOptions index;

  bool operator==(const VectorFieldSchema&) const = default;
};

struct Schema {
  std::vector<VectorFieldSchema> vectors;
  std::uint16_t next_number = 0;
  std::vector<TextField> text_fields;
  std::string embedder_name;
  std::string embedder_fingerprint;

  const VectorFieldSchema* find(std::string_view name, ElementType element = ElementType::kF32) const;
  VectorFieldSchema* find(std::string_view name, ElementType element = ElementType::kF32);
  VectorFieldSchema& add(std::string name, ElementType element, Metric metric, std::size_t dimension,
                         const IndexOptions& index = {});
  /// What stands for the values of the sparse vectors of this name: kF32 or kInt8.
  Codes sparse_codes(std::string_view name) const;
  /// True when a text field lies in the metadata, so that changing metadata changes what text search finds.
  bool indexes_metadata() const;

  bool operator==(const Schema&) const = default;
};

/// Checks names, dimensions, analyzers' weights and paths; kInvalidArgument names what is wrong.
Schema make_schema(const CollectionOptions& options);

std::string to_json(const Schema& schema);
/// kCorruption when it is no schema.
Schema schema_from_json(std::string_view json);

inline constexpr std::size_t kMaxDimension = 65'536;
inline constexpr std::size_t kMaxVectorFields = 64;
inline constexpr std::size_t kMaxTextFields = 64;

/// Collections, namespaces and vectors: [A-Za-z0-9][A-Za-z0-9_-]{0,63}; `what` begins the message.
void check_name(std::string_view what, std::string_view name);
void check_dimension(std::string_view what, std::size_t dimension);

}  // namespace vecstore::catalog
