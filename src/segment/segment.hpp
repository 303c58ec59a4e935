// Segment: one immutable file of derived data, for a run of a collection's rows; and how it is written.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "index/inverted/part_merge.hpp"
#include "index/vector/hnsw_index.hpp"
#include "io/index_file.hpp"
#include "segment/fields_part.hpp"
#include "segment/ids_part.hpp"
#include "segment/segment_format.hpp"
#include "segment/sparse_part.hpp"
#include "segment/terms_part.hpp"
#include "segment/text_part.hpp"
#include "segment/vector_part.hpp"

namespace vecstore::segment {

/// What a segment has to be, from the list that names it.
struct SegmentIdentity {
  std::array<std::byte, 16> store_uuid{};
  std::uint32_t collection = 0;
  std::uint64_t number = 0;
  std::uint64_t first_row = 0;
  std::uint64_t end_row = 0;
  std::uint64_t sequence = 0;
};

/// Thread-safe. Costs a few pages at open, whatever its size.
class Segment {
 public:
  /// kNotFound, kCorruption (also for a sound file that is another segment), kUnsupportedFormat, kIo.
  static std::shared_ptr<const Segment> open(const std::string& path, const SegmentIdentity& expected);

  struct PartEntry {
    PartMeta meta;
    std::unique_ptr<const VectorPart> part;
  };
  /// nullptr when no row of the segment has a vector in this field.
  const PartEntry* find(std::uint16_t field) const;
  const VectorPart* vectors(std::uint16_t field) const;
  const std::vector<PartEntry>& parts() const { return parts_; }
  /// terms_fingerprint of the text fields whose terms the segment has; 0: it has none.
  std::uint64_t terms() const { return terms_; }
  /// nullptr when no row of the segment has a text.
  const TermsPart* texts() const { return texts_.get(); }
  /// nullptr when no row of the segment has a vector in this sparse field.
  const SparsePart* sparse(std::uint16_t field) const;
  const std::vector<std::unique_ptr<const SparsePart>>& sparse_parts() const { return sparse_; }
  /// Of all rows that were live and could be read when the segment was made.
  const IdsPart& ids() const { return *ids_; }
  /// The metadata of its rows, as it was when the segment was made; of rows that were retired by then
  /// nothing. nullptr when it has none.
  const fields::FieldPart* fields() const { return fields_.get(); }
  /// Rows, ascending, whose texts or vectors of a sparse field could not be read when the segment was built,
  /// so that it lacks them. Some may be retired. kCorruption.
  std::span<const std::uint64_t> unreadable_texts() const;
  std::span<const std::uint64_t> unreadable_sparse(std::uint16_t field) const;
  std::uint64_t file_bytes() const { return file_->size(); }
  /// Warms one part up that is not; false when all are.
  bool warm_up(Context& context) const;
  /// Reads everything; throws kCorruption.
  void verify(const Context& context) const;

 private:
  std::span<const std::uint64_t> unreadable(std::uint32_t section) const;

  std::shared_ptr<const io::IndexFile> file_;
  std::vector<PartEntry> parts_;
  std::uint64_t terms_ = 0;
  std::unique_ptr<const TermsPart> texts_;
  std::vector<std::unique_ptr<const SparsePart>> sparse_;
  std::unique_ptr<const fields::FieldPart> fields_;
  std::unique_ptr<const IdsPart> ids_;
};

/// The vectors that a part is built from: calls its argument for each, ascending by row, always the same
/// ones.
struct SourceRow {
  std::uint64_t row = 0;
  const float* vector = nullptr;
  float inverse_norm = 0;
  bool is_copy = false;  ///< `vector` is gone after the call.
};
using VectorRows = std::function<void(const std::function<void(const SourceRow&)>&)>;

/// Writes one segment file: parts, then finish().
class SegmentWriter {
 public:
  /// `fields`: how many parts there will be at most.
  SegmentWriter(const std::string& directory, const SegmentIdentity& identity, std::size_t fields);

  /// 8-bit codes; about 1 microsecond per row of 384 dimensions. Nothing is written for no rows.
  void add_flat(std::uint16_t field, Metric metric, std::size_t dimension, const VectorRows& rows,
                const Context& context, const PartBuild& build = {}, PartKind kind = PartKind::kFlat);

  /// Sketches, for the cosine and the dot product; about 0.25 microseconds per row of 384 dimensions. False,
  /// and nothing is written, when a row is too short or too long for one.
  bool add_sketches(std::uint16_t field, Metric metric, std::size_t dimension, const VectorRows& rows,
                    const PartBuild& build, const Context& context);

  /// A graph whose nodes are `rows`, ascending.
  void add_graph(std::uint16_t field, const HnswIndex& index, std::span<const std::uint64_t> rows,
                 const PartBuild& build, const Context& context);

  /// Says that the field's rows, at most `rows`, are not in this segment.
  void add_nothing(std::uint16_t field, Metric metric, std::size_t dimension, std::uint64_t rows,
                   const PartBuild& build);

  /// The terms of the segment's texts. `texts` is empty afterwards.
  void add_texts(TextPartBuilder& texts, const Context& context);

  /// The terms of other segments, which lie one behind the other, without those of retired rows. `terms` is
  /// the fingerprint of all of them. kCorruption: one of them is damaged.
  void merge_texts(std::span<const TermsPart* const> parts, std::uint64_t terms, const RetiredBits& retired,
                   const Context& context);

  /// The vectors of a sparse field; `codes`: with codes of their values alone. `vectors` is empty afterwards.
  void add_sparse(std::uint16_t field, SparseRowsBuilder& vectors, bool codes, const Context& context);

  /// Those of other segments, which lie one behind the other and have no codes, without those of retired
  /// rows. kCorruption: one of them is damaged.
  void merge_sparse(std::uint16_t field, std::span<const SparsePart* const> parts, const RetiredBits& retired,
                    bool codes, const Context& context);

  /// What is ready of the ids, so that not all of them are in memory: from time to time, with no other call
  /// between this and add_ids.
  void add_some_ids(IdsBuilder& ids);
  /// The ids of the segment's rows. `ids` is of no use afterwards.
  void add_ids(IdsBuilder& ids);

  /// The metadata of the rows. `fields` is empty afterwards.
  void add_fields(fields::FieldPartBuilder& fields);
  /// That of other parts. kCorruption: one of them is damaged.
  void merge_fields(std::span<const fields::MergeInput> parts, const Context& context);

  /// Says which rows' texts, or vectors of a sparse field, are missing as they could not be read; ascending.
  void add_unreadable_texts(std::span<const std::uint64_t> rows);
  void add_unreadable_sparse(std::uint16_t field, std::span<const std::uint64_t> rows);

  /// In its place when this returns, and synced if `durable`; its length.
  std::uint64_t finish(bool durable = true);
  std::uint64_t rows() const { return rows_; }

 private:
  /// Appends the live documents of some parts to the inputs of a merge; how many they are.
  static std::uint64_t take_live(const TermsPart& part, const RetiredBits& retired,
                                 std::vector<inverted::MergeInput>& inputs,
                                 std::vector<std::shared_ptr<const std::vector<std::uint64_t>>>& live);
  void write_fields(const std::function<void(fields::FieldPartWriter&)>& write);
  void end_sparse(const SparseMeta& meta, std::span<const std::uint64_t> apart);

  SegmentIdentity identity_;
  io::IndexFileWriter file_;
  std::vector<PartMeta> parts_;
  std::vector<SparseMeta> sparse_;
  std::uint64_t rows_ = 0;  // of the largest part
  std::uint64_t terms_ = 0;
  std::uint64_t documents_ = 0;
  bool has_fields_ = false;
  std::uint64_t ids_ = 0;
  bool ids_begun_ = false;
};

}  // namespace vecstore::segment
