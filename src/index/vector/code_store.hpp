// CodeStore: the 8-bit codes of one field in memory, for the first pass of a two-pass scan.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

#include "index/vector_index.hpp"
#include "quant/row_codes.hpp"

namespace vecstore {

/// Up to `capacity` groups of 16 rows, in memory or in a mapped file.
struct CodeChunk {
  const std::uint8_t* group(std::size_t g) const { return groups + g * group_bytes; }

  std::size_t group_bytes = 0;
  std::size_t capacity = 0;
  const std::uint8_t* groups = nullptr;  ///< Aligned to 64 bytes.
  const std::uint64_t* rows =
      nullptr;                        ///< Of each lane, ascending; kNoRow fills up the last group of a file.
  std::shared_ptr<const void> owner;  ///< Keeps what the pointers lead to.
};

/// What a CodeStore held at one moment. Cheap to copy; later appends do not change it.
class CodeView {
 public:
  using Chunks = std::vector<std::shared_ptr<CodeChunk>>;

  CodeView() = default;
  /// The groups of one chunk, which are all of its capacity.
  static CodeView of(Metric metric, std::size_t dimension, CodeChunk chunk);

  Metric metric() const { return metric_; }
  std::size_t dimension() const { return dimension_; }
  bool empty() const { return group_count_ == 0; }
  std::uint64_t row_count() const { return group_count_ * simd::kGroupRows; }
  /// Rows below this that were appended have codes here; the others are scanned with full vectors. At most 15
  /// appended rows lie behind it, which wait for their group to be complete.
  std::uint64_t end_row() const { return end_row_; }

  std::size_t chunk_count() const { return chunks_ ? chunks_->size() : 0; }
  const CodeChunk& chunk(std::size_t i) const { return *(*chunks_)[i]; }
  /// Complete groups of chunk i.
  std::size_t groups_in(std::size_t i) const {
    return i + 1 < chunk_count() ? chunk(i).capacity : last_groups_;
  }

 private:
  friend class CodeStore;
  Metric metric_ = Metric::kCosine;
  std::size_t dimension_ = 0;
  std::shared_ptr<const Chunks> chunks_;
  std::size_t last_groups_ = 0;
  std::size_t group_count_ = 0;
  std::uint64_t end_row_ = 0;
};

/// One writer at a time appends, any number of threads take views meanwhile. Retired rows stay until the
/// store is made anew: searches leave them out by their filter. Takes dimension + 20 bytes per row (cosine
/// 16), growing by chunks of at most 16,384 rows. Everything here is derived and can be built again from the
/// vectors.
class CodeStore {
 public:
  CodeStore(Metric metric, std::size_t dimension);

  /// False where this CPU scans full vectors faster than codes: FlatIndex then leaves them alone, so make
  /// none.
  static bool useful() { return simd::kernels().fast_codes; }

  /// Every row of the source up to the last one appended must have been appended, in ascending order: what is
  /// missing below CodeView::end_row() is not found by a search. Costs about 2 ns per component.
  void append(std::uint64_t row, const float* vector, float inverse_norm);
  void append(const VectorBlock& block);

  CodeView view() const;
  std::size_t memory_bytes() const;

 private:
  struct Block;
  void add_chunk();

  const Metric metric_;
  const std::size_t dimension_;
  RowEncoder encoder_;
  Block* last_ = nullptr;  // the writer's: the chunk that rows go to, and how many it has
  std::size_t last_rows_ = 0;
  std::uint64_t next_row_ = 0;
  mutable std::mutex mutex_;  // guards the published view
  CodeView published_;
};

}  // namespace vecstore
