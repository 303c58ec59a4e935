// SegmentedIndex: one vector field's parts in segments and the rows behind them, searched as one index.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "index/vector_index.hpp"
#include "segment/vector_part.hpp"

namespace vecstore::segment {

/// The full vectors, wherever they are stored. One thread at a time.
class VectorLookup {
 public:
  virtual ~VectorLookup() = default;
  using Found = std::function<void(std::uint64_t row, const float* vector, float inverse_norm)>;
  /// Calls `found` for each of `rows` (ascending) that can be read; the pointers are gone after the call.
  /// What is missing or damaged is left out. Returns how many were left out.
  virtual std::size_t read(std::span<const std::uint64_t> rows, const Found& found) = 0;
};

/// Thrown by a search that met damage in a part: search again without its segment.
struct PartDamaged {
  std::size_t part = 0;  ///< Index into SearchedParts::parts.
};

/// What is searched. Everything must outlive the index.
struct SearchedParts {
  Metric metric = Metric::kCosine;
  std::size_t dimension = 0;
  std::vector<const VectorPart*> parts;    ///< Largest first.
  std::unique_ptr<VectorIndex> tail;       ///< The rows that no part has; nullptr: none.
  std::unique_ptr<VectorPart> own_part;    ///< One of the parts that nobody else keeps, or nullptr.
  std::unique_ptr<VectorLookup> vectors;   ///< Of all rows.
  std::span<const std::uint64_t> retired;  ///< See PartQuery.
  std::uint64_t retired_version = 0;
};

/// The tail is searched exactly; so are parts that hold codes; graphs are walked. What is found is scored
/// with the full vectors, unless the query wants the estimates. One search at a time.
class SegmentedIndex final : public VectorIndex {
 public:
  explicit SegmentedIndex(SearchedParts parts) : parts_(std::move(parts)) {}
  Metric metric() const override { return parts_.metric; }
  std::size_t dimension() const override { return parts_.dimension; }
  void search(const VectorQuery& query, Context& context, TopK& out) const override;

 private:
  class Rescorer;
  const SearchedParts parts_;
};

}  // namespace vecstore::segment
