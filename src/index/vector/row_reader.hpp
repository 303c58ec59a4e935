// RowReader: scores single rows by number, a batch at a time, so that the memory reads of a batch overlap.
#pragma once
#include <array>
#include <cstdint>
#include <memory>

#include "index/vector/exact_scorer.hpp"
#include "index/vector_index.hpp"

namespace vecstore {

class RowReader {
 public:
  RowReader(const ExactScorer& scorer, const VectorSource& source, Context& context, TopK& out);

  /// Rows come in ascending order. False when the source lacks the row.
  bool add(std::uint64_t row);
  /// Scores what was added and not scored yet. To be called at the end.
  void flush();
  /// Where the rows begin anew.
  void rewind() { have_block_ = false; }

 private:
  static constexpr std::size_t kBatch = 32;

  bool find(std::uint64_t row);

  struct Item {
    VectorBlock block;
    std::uint32_t index;
  };

  const ExactScorer& scorer_;
  Context& context_;
  TopK& out_;
  std::unique_ptr<VectorCursor> cursor_;
  VectorBlock block_;
  bool have_block_ = false;
  std::uint32_t index_ = 0;  // of the row that find() found
  std::array<Item, kBatch> batch_;
  std::size_t filled_ = 0;
  std::size_t row_bytes_;
};

}  // namespace vecstore
