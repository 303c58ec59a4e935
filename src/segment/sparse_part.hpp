// The sparse vectors of rows: the part of a segment file that holds them, and the newest ones in memory.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "index/inverted/memory_sparse.hpp"
#include "index/inverted/part_builder.hpp"
#include "segment/segment_format.hpp"
#include "segment/terms_part.hpp"

namespace vecstore::segment {

/// A sparse vector that lies somewhere else: ascending indices, and a value for each.
struct SparseRow {
  std::span<const std::uint32_t> indices;
  std::span<const float> values;
};

/// Whether the inverted index can answer for a vector: all its values are between 2^-50 and 2^50. Products of
/// two such values are neither lost nor infinite, and no sum falls. Other vectors stand apart: their rows are
/// remembered, and each search scores them from the truth.
bool is_plain(const SparseRow& vector);

/// Their product over the indices that both have, summed in ascending order; nullopt when they have none in
/// common. What a float cannot hold is the largest one that it can.
std::optional<float> dot(const SparseRow& a, const SparseRow& b);

/// Collects the vectors of rows for a part. Rows ascending. One thread at a time.
class SparseRowsBuilder {
 public:
  /// One without entries is left out: no search finds it. kCorruption: its indices are not ascending.
  void add(std::uint64_t row, const SparseRow& vector);
  bool empty() const { return plain_.documents() == 0 && apart_.empty(); }
  std::size_t memory_bytes() const { return plain_.memory_bytes() + apart_.size() * sizeof apart_[0]; }

 private:
  friend class SegmentWriter;
  inverted::SparsePartBuilder plain_;
  std::vector<std::uint64_t> apart_;
};

/// What a SparseTail held at some moment, whatever is added and retired later.
struct SparseTailView {
  std::shared_ptr<const inverted::TermSource> terms;
  std::shared_ptr<const std::vector<std::uint64_t>> apart;
};

/// The newest rows' vectors, in memory. One thread at a time; views may be searched meanwhile.
class SparseTail {
 public:
  /// As SparseRowsBuilder has it.
  void add(std::uint64_t row, const SparseRow& vector);
  void retire(std::uint64_t row);
  /// Whether most of what it holds is of retired rows.
  bool is_stale() const { return plain_.retired() > plain_.documents() / 2 + 1024; }
  std::size_t memory_bytes() const { return plain_.memory_bytes() + apart_.size() * sizeof apart_[0]; }
  SparseTailView view() const;

 private:
  inverted::MemorySparse plain_;
  std::vector<std::uint64_t> apart_;
  mutable std::shared_ptr<const std::vector<std::uint64_t>> apart_view_;  // nullptr when it is not of now
};

/// The vectors of one field in a segment file. Thread-safe. Damage that a call meets is kCorruption.
class SparsePart {
 public:
  SparsePart(std::shared_ptr<const io::IndexFile> file, const SparseMeta& meta, std::uint64_t first_row,
             std::uint64_t end_row);

  const SparseMeta& meta() const { return meta_; }
  /// nullptr when all vectors stand apart.
  const TermsPart* terms() const { return terms_.get(); }
  /// Whether its vectors' values are codes.
  bool has_codes() const { return terms_ && terms_->terms().has_codes(); }
  /// Rows whose vectors are read from the truth, ascending; some may be retired.
  std::span<const std::uint64_t> apart() const;
  /// How many of its vectors' rows are retired.
  std::uint64_t retired(const RetiredBits& retired) const;
  /// Reads everything.
  void verify(const Context& context) const;

 private:
  std::shared_ptr<const io::IndexFile> file_;
  SparseMeta meta_;
  std::uint64_t first_row_;
  std::uint64_t end_row_;
  std::unique_ptr<const TermsPart> terms_;
};

/// What a search of a sparse field reads. Lives for one call; what it points to has to outlive it.
struct SparseIndex {
  TermsIndex terms;
  std::vector<std::uint64_t> apart;              ///< Ascending; some may be retired.
  std::vector<const inverted::TermPart*> coded;  ///< Of the parts those whose values are codes.

  /// TermsDamaged.
  void add(const SparsePart& part, const RetiredBits& retired);
  /// `tail` has to outlive it.
  void add(const SparseTailView& tail);
  /// Offers the vectors that the query, which is_plain, shares an index with and that do not stand apart; the
  /// filter is asked late. Scores are exact but for vectors in `coded`. TermsDamaged.
  void search(const SparseRow& query, const RowFilter* filter, Context& context, TopK& out) const;
  /// By how much a vector's score may be below its exact one, at most; rounding of sums not counted.
  /// TermsDamaged.
  double most_lacking(const SparseRow& query) const;
};

}  // namespace vecstore::segment
