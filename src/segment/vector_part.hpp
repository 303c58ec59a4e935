// VectorPart: the rows of one vector field in one segment, as a search sees them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/context.hpp"
#include "index/vector/sketch_pass.hpp"
#include "index/vector_index.hpp"
#include "vecstore/metric.hpp"

namespace vecstore::segment {

/// How a part holds its rows. The numbers are on disk and frozen.
enum class PartKind : std::uint32_t {
  kFlat = 1,      ///< 8-bit codes that are scanned.
  kGraph = 2,     ///< A neighbour graph that is walked.
  kScanned = 3,   ///< Like kFlat, and to stay so: no graph is wanted, or it does not suit these rows.
  kSketched = 4,  ///< Sketches (one bit per component) that are scanned.
  kNothing = 5,   ///< No index is wanted: the rows are read from the truth.
};

/// One search of one part. Borrowed for the call.
struct PartQuery {
  std::span<const float> vector;
  std::size_t k = 10;
  std::size_t ef = 0;                                     ///< Effort of a walk; 0 = the part's default.
  std::size_t candidates = 0;                             ///< How many a walk is to bring at least.
  float bound = -std::numeric_limits<float>::infinity();  ///< Scores below this are not wanted.
  const RowFilter* filter = nullptr;       ///< Rows that may be returned; must leave out the retired ones.
  std::span<const std::uint64_t> retired;  ///< The same for graphs: bit per row number, retired ones set.
  std::uint64_t retired_version = 0;       ///< Grows whenever `retired` changes.
  const SketchSearch* sketch = nullptr;    ///< For kSketched; nullptr: the query is none for sketches.
  ReachedScores* reached = nullptr;        ///< For kSketched: by the rows found so far.
};

/// A row that may be among the k best.
struct PartCandidate {
  std::uint64_t row = 0;
  float score = 0;  ///< Estimated from codes; what a proven candidate cannot exceed.
  /// `score` is an upper bound, and no row outside of the list can be among the k best (sketches: with high
  /// probability).
  bool proven = false;
};

/// Immutable. Thread-safe. Damage that a search meets is kCorruption.
class VectorPart {
 public:
  virtual ~VectorPart() = default;
  virtual PartKind kind() const = 0;
  virtual std::size_t rows() const = 0;
  /// Appends candidates, in no particular order: all of them proven, or none.
  virtual void search(const PartQuery& query, Context& context, std::vector<PartCandidate>& out) const = 0;
  /// Ascending.
  virtual std::span<const std::uint64_t> row_numbers() const = 0;
  /// Checks everything and prepares for quick searches, for a thread in the background. False when that was
  /// done before. Throws kCorruption, kCancelled.
  virtual bool warm_up(Context&) const { return false; }
};

}  // namespace vecstore::segment
