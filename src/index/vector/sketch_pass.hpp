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

/// The k largest of the scores that rows reach for certain or very likely: a row that stays below all of
/// them is none of the k best.
class ReachedScores {
 public:
  /// Scores below `bound` are of no interest.
  ReachedScores(std::size_t k, float bound) : k_(k), bound_(bound) {}
  /// Of a row that was not added before.
  void add(float score);
  float bound() const { return bound_; }

 private:
  const std::size_t k_;
  float bound_;
  std::vector<float> heap_;  // the smallest in front
};

/// Drops what very likely lies below the k best: by the bits that differ, then by the estimate from the row's
/// signs, then by its fine code.
class SketchPass {
 public:
  /// `reached`: what is known of other rows; learns of these. `filter` admits rows.
  SketchPass(const SketchSearch& search, ReachedScores& reached, const RowFilter* filter);

  /// Rows from `first_row` on, below `end_row`.
  void run(const SketchRun& run, std::uint64_t first_row, std::uint64_t end_row, Context& context);
  /// The candidates left, in no order. Candidate::upper holds in all but a fortieth of the cases.
  std::vector<Candidate> take();

 private:
  void set_limits(const SketchRun& run);
  void estimate(const SketchRun& run, std::size_t first_group, std::size_t count);
  void refine(const SketchRun& run, std::uint64_t first_row, std::uint64_t end_row, Context& context);
  float length(const SketchRun& run, std::size_t at) const {
    return run.norms ? search_.norm * run.norms[at] : search_.norm;
  }

  const SketchSearch& search_;
  ReachedScores& reached_;
  const RowFilter* filter_;
  const std::uint32_t near_;  // at so few bits a row may equal the query
  float bound_ = 0;
  // As it wants them:
  std::uint32_t limit_ = 0;  // more bits differ where it is not reached
  float margin_ = 0;         // of an estimated cosine
  float fine_margin_ = 0;
  std::vector<simd::SketchHit> hits_;
  std::vector<std::int32_t> sums_;
  struct Promising {
    std::size_t at;  // in the run
    std::int32_t sum;
    bool near;
  };
  std::vector<Promising> promising_;
  std::vector<Candidate> candidates_;
};

}  // namespace vecstore
