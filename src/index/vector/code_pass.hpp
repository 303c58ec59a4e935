// CodePass: the first pass of a two-pass scan. Finds the rows whose code says that they may be among the k
// best.
#pragma once
#include <cstdint>
#include <vector>

#include "index/vector/code_store.hpp"
#include "index/vector_index.hpp"
#include "quant/row_codes.hpp"

namespace vecstore {

struct Candidate {
  std::uint64_t row;
  float upper;  ///< The row's score is not larger; infinite when nothing is known.
};

/// Keeps the k largest lower bounds seen. A row whose upper bound lies below the smallest of them cannot be a
/// result.
class CodePass {
 public:
  /// Rows whose score must be below `threshold` are left out from the start, so are rows >= `end_row`.
  CodePass(const CodeView& codes, const RowCodeQuery& query, std::size_t k, float threshold,
           std::uint64_t end_row, const RowFilter* filter);

  /// Looks at complete groups first .. last - 1, counted through all chunks.
  void run(std::size_t first, std::size_t last, Context& context);
  /// Adds what another pass over other groups found.
  void merge(const CodePass& other);
  /// The candidates left, largest upper bound first.
  std::vector<Candidate> take();

 private:
  void run_chunk(const CodeChunk& chunk, std::size_t first, std::size_t last, Context& context);
  void offer_group(const CodeChunk& chunk, std::size_t group, const float* values, Context& context);
  void add_lower_bound(float lower);
  void drop_hopeless();

  const CodeView& codes_;
  const RowCodeQuery& query_;
  std::size_t k_;
  float threshold_;
  std::uint64_t end_row_;
  const RowFilter* filter_;
  std::vector<float> lower_bounds_;  // heap, the smallest in front
  std::vector<Candidate> candidates_;
  std::size_t drop_at_;
};

}  // namespace vecstore
