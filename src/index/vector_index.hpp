// The contract of every dense vector index (flat scan now, graphs later) and of what it reads from.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/context.hpp"
#include "index/top_k.hpp"
#include "vecstore/metric.hpp"

namespace vecstore {

inline constexpr std::uint64_t kNoRow = ~std::uint64_t{0};

/// Which rows a search may return: live rows, and of these what the query's filter admits.
/// Const calls come from several threads at once when the query is parallel.
class RowFilter {
 public:
  virtual ~RowFilter() = default;
  virtual bool contains(std::uint64_t row) const = 0;
  /// How many rows are admitted at most; nullopt when that is unknown (a predicate over records). With a
  /// small count the index walks `next` and reads the matching rows only; otherwise `contains` is asked late,
  /// for promising rows only.
  virtual std::optional<std::uint64_t> count() const { return std::nullopt; }
  /// A lower bound of the smallest admitted row >= `row`, kNoRow when there is none: a bitmap skips to the
  /// row itself, a predicate that knows nothing returns `row`. `contains` is asked in any case.
  virtual std::uint64_t next(std::uint64_t row) const { return row; }
  /// Bit per row number, set where the row is admitted, when that is known of all rows; those behind the end
  /// are not. Else empty.
  virtual std::span<const std::uint64_t> bits() const { return {}; }
};

/// Runs fn(0) .. fn(count - 1), perhaps concurrently, and returns when all have ended; the first exception is
/// rethrown.
using ParallelFor = std::function<void(std::size_t count, const std::function<void(std::size_t)>& fn)>;

/// One search. Spans and pointers are borrowed for the call.
struct VectorQuery {
  std::span<const float> vector;    ///< Finite; as many components as the index has dimensions.
  Metric metric = Metric::kCosine;  ///< Must be the index's own metric.
  std::size_t k = 10;
  std::optional<float>
      score_threshold;  ///< Keep scores >= this only. Also prunes: a high threshold makes a search faster.
  const RowFilter* filter = nullptr;  ///< nullptr: every row.
  bool exact = false;                 ///< Demand the true k best. A flat index is always exact.
  bool exact_scores = true;  ///< False: an index that walks codes may return the scores that they give.
  std::size_t ef = 0;       ///< Effort of a walk, at least k; 0 = the index's default. A flat index has none.
  float oversampling = 0;   ///< At least so many times k of what a walk finds are scored in full.
  std::size_t threads = 1;  ///< How many parts the work may be cut into; above 1 needs `parallel`.
  const ParallelFor* parallel = nullptr;
};

/// A dense vector index over 64-bit rows. Thread-safe for concurrent searches.
/// Scores are those of metric.hpp (larger is better). They are computed with full vectors and equal, bit for
/// bit, what any other index on this machine computes for the same row and query under the same
/// VECSTORE_SIMD.
class VectorIndex {
 public:
  virtual ~VectorIndex() = default;
  virtual Metric metric() const = 0;
  virtual std::size_t dimension() const = 0;
  /// Offers rows to `out`, so that afterwards it holds the k best (exactly or nearly, see VectorQuery::exact)
  /// of what it held before and of the rows that the filter admits. `out` is made by the caller with
  /// make_collector or alike; it may come filled from another segment, which makes this search faster. Throws
  /// kInvalidArgument (dimension, metric, a component that is not finite), kDeadline, kCancelled; `out` is
  /// then to be thrown away. Adds to context.counters.
  virtual void search(const VectorQuery& query, Context& context, TopK& out) const = 0;
};

inline TopK make_collector(const VectorQuery& query, const RowOrder* order = nullptr) {
  return TopK(query.k, query.score_threshold, order);
}

/// A run of full vectors that lie in memory or in a mapped file. Immutable while its source lives.
struct VectorBlock {
  const float* rows = nullptr;   ///< First vector; aligned to 4 bytes only.
  std::size_t stride_bytes = 0;  ///< From one vector to the next, a multiple of 4.
  std::uint32_t count = 0;       ///< Never 0 in a block that a cursor returned.
  std::uint64_t first_row = 0;   ///< Row i of the block is first_row + i ...
  const std::uint64_t* row_numbers =
      nullptr;  ///< ... unless this is set: `count` ascending rows, [0] == first_row.
  const float* inverse_norms =
      nullptr;  ///< quant/norms.hpp's inverse_norm of each vector; nullptr: computed when needed.

  std::uint64_t row(std::uint32_t i) const { return row_numbers ? row_numbers[i] : first_row + i; }
  std::uint64_t last_row() const { return row(count - 1); }
  const float* vector(std::uint32_t i) const {
    return reinterpret_cast<const float*>(reinterpret_cast<const char*>(rows) + i * stride_bytes);
  }
};

/// Walks a source's blocks in ascending row order. One thread at a time.
class VectorCursor {
 public:
  virtual ~VectorCursor() = default;
  /// The first block whose last row is >= `row`; false when there is none. The block's pointers stay valid as
  /// long as the source. A cursor of a mapped store asks the kernel for what comes next (WILLNEED).
  virtual bool seek(std::uint64_t row, VectorBlock& block) = 0;
  /// The block after the one that seek or next returned last; false at the end.
  virtual bool next(VectorBlock& block) = 0;
};

/// The full vectors of one field as one read view sees them: blocks of ascending, disjoint row ranges,
/// usually 128 to 256 KiB, also of one row. Rows may be missing and may be retired (the filter leaves those
/// out). Thread-safe.
class VectorSource {
 public:
  virtual ~VectorSource() = default;
  virtual std::size_t dimension() const = 0;
  /// About how many rows are stored; decides between scan and lookup, nothing else.
  virtual std::uint64_t row_count() const = 0;
  /// One more than the largest row of this view.
  virtual std::uint64_t end_row() const = 0;
  virtual std::unique_ptr<VectorCursor> cursor() const = 0;
  /// At most parts - 1 ascending rows in (0, end_row()) that cut the blocks into parts of about equal size.
  virtual std::vector<std::uint64_t> split(std::size_t parts) const = 0;
};

}  // namespace vecstore
