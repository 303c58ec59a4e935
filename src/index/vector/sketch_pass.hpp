// SketchPass: the first pass of an approximate scan. Finds the rows that may be among the k best as far as
// their sketches tell.
#pragma once
#include <cstdint>
#include <vector>

#include "index/vector/code_pass.hpp"
#include "index/vector/sketch_store.hpp"
#include "index/vector_index.hpp"

namespace vecstore {

/// What one search needs for any number of passes. Cosine and dot product.
struct SketchSearch {
  SketchSearch(const SketchRotation& rotation, Metric metric, std::span<const float> query);
  /// False for a query whose length floats cannot hold well, and for other metrics.
  static bool usable(Metric metric, std::span<const float> query);

  SketchQuery query;
  float norm = 1;  ///< Of the query, where it takes part in the score.
};

/// Keeps the k largest of what is very likely each row's least score, and drops what very likely lies below
/// the smallest of them.
class SketchPass {
 public:
  /// Rows whose score lies below `bound` are not wanted; `filter` admits rows.
  SketchPass(const SketchSearch& search, std::size_t k, float bound, const RowFilter* filter);

  /// Rows from `first_row` on, below `end_row`.
  void run(const SketchRun& run, std::uint64_t first_row, std::uint64_t end_row, Context& context);
  /// The candidates left, in no order. Candidate::upper holds in all but a fortieth of the cases.
  std::vector<Candidate> take();

 private:
  void offer(const SketchRun& run, std::size_t group, const std::uint32_t* distances, std::uint64_t first_row,
             std::uint64_t end_row, Context& context);
  void add_lower_bound(float lower, const SketchRun& run);
  void set_limit(const SketchRun& run);

  const SketchSearch& search_;
  const std::size_t k_;
  float bound_;
  const RowFilter* filter_;
  std::uint32_t limit_ = 0;          // more bits differ where the bound is not reached
  float margin_ = 0;                 // of an estimated cosine
  const std::uint32_t near_;         // at so few bits a row may equal the query
  std::vector<float> lower_bounds_;  // heap, the smallest in front
  std::vector<Candidate> candidates_;
};

}  // namespace vecstore
