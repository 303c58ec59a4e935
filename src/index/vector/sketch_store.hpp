// SketchStore: sketches in memory, growing at the end; and how a pass over sketches sees them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "quant/sketches.hpp"

namespace vecstore {

/// Groups of 8 rows, in memory or in a mapped file.
struct SketchRun {
  const std::uint64_t* groups = nullptr;  ///< Aligned to 64 bytes.
  const std::uint64_t* fine = nullptr;    ///< Of each lane, SketchRotation::fine_words() each.
  const std::uint64_t* rows =
      nullptr;                   ///< Of each lane, ascending; kNoRow fills up the last group of a file.
  const float* norms = nullptr;  ///< Likewise; nullptr: all 1.
  std::size_t group_count = 0;
  float most_norm = 1;  ///< No norm is larger.
};

/// What a SketchStore held at one moment.
struct SketchView {
  std::vector<SketchRun> runs;
  std::vector<std::uint64_t> apart;  ///< Rows that have no sketch.
  std::uint64_t end_row = 0;         ///< Rows below this that were appended are here; at most 7 lie behind.
  std::vector<std::shared_ptr<const void>> owners;
};

/// One writer at a time appends and drops, any number of threads take views meanwhile.
class SketchStore {
 public:
  /// `norms`: keep them (the dot product).
  SketchStore(std::size_t dimension, bool norms) : encoder_(dimension), norms_(norms) {}
  const SketchRotation& rotation() const { return encoder_.rotation(); }

  /// Rows ascend. A row whose inverse norm is 0 gets no sketch.
  void append(std::uint64_t row, const float* vector, float inverse_norm);
  /// Gives back what lies wholly before `row`.
  void drop_before(std::uint64_t row);
  /// The next row to append is not below this.
  std::uint64_t next_row() const { return next_row_; }
  SketchView view() const;

 private:
  struct Chunk;
  SketchEncoder encoder_;
  const bool norms_;
  std::uint64_t next_row_ = 0;
  mutable std::mutex mutex_;  // guards what follows; what views saw of a chunk does not change
  std::vector<std::shared_ptr<Chunk>> chunks_;
  std::vector<std::uint64_t> apart_;
  std::size_t last_rows_ = 0;  // in the last chunk
  std::uint64_t end_row_ = 0;
};

}  // namespace vecstore
