// TermPieces: the terms of a run of rows from the truth, in bounded memory, however many they are.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "segment/segment.hpp"
#include "shard/row_walk.hpp"
#include "storage/document.hpp"

namespace vecstore::shard {

class ReadView;
class Shard;

/// Collects terms and writes them to temporary segments whenever they take as much memory as they may. Only
/// this process sees these: their files have no name any more. One thread at a time.
class TermPieces {
 public:
  /// Beginning with this row.
  TermPieces(Shard& shard, std::uint64_t first_row)
      : shard_(shard), first_row_(first_row), written_(first_row) {
    walk_.next_row = first_row;
  }
  virtual ~TermPieces() = default;

  std::uint64_t first_row() const { return first_row_; }
  /// Rows below this one are in.
  std::uint64_t next_row() const { return walk_.next_row; }
  /// Live rows, ascending, that could not be read and are missing.
  std::span<const std::uint64_t> unreadable() const { return walk_.unreadable; }

  /// Adds the view's live rows before `end_row`, but stops where a segment was written; true when all are in.
  /// Each view is as new as the one before. Ended by a deadline it goes on from there; after other errors the
  /// object is to be thrown away.
  bool add(const ReadView& view, std::uint64_t end_row, const Context& ctx);
  /// The same for all, with a view for every few thousand rows: rows that are retired meanwhile may be left
  /// out. kClosed, kNotFound.
  void add_all(std::uint64_t end_row, const Context& ctx);
  /// Writes what is still in memory.
  void flush(const Context& ctx);
  bool is_flushed() const { return empty(); }
  const std::vector<std::shared_ptr<const segment::Segment>>& segments() const { return segments_; }

 protected:
  /// Adds rows until `enough` says so.
  virtual void walk(const ReadView& view, RowWalk& walk, std::uint64_t end_row, const Context& ctx) = 0;
  virtual bool empty() const = 0;
  virtual std::size_t memory_bytes() const = 0;
  /// Writes what is in memory, and forgets it.
  virtual void write(segment::SegmentWriter& writer, const Context& ctx) = 0;
  bool enough() const;

 private:
  Shard& shard_;
  const std::uint64_t first_row_;
  std::uint64_t written_;  // rows below this one are in segments
  RowWalk walk_;
  std::vector<std::shared_ptr<const segment::Segment>> segments_;
};

class TextPieces final : public TermPieces {
 public:
  using DocumentAlso = std::function<void(std::uint64_t row, const storage::Document& document)>;
  /// `also` gets the documents of all rows, unless it is empty.
  TextPieces(Shard& shard, std::span<const TextField> fields, std::uint64_t first_row, DocumentAlso also = {})
      : TermPieces(shard, first_row), also_(std::move(also)), texts_(fields) {}
  /// Everything, as part of one segment.
  void write_all(segment::SegmentWriter& writer, std::uint64_t terms, const Context& ctx);

 protected:
  void walk(const ReadView& view, RowWalk& walk, std::uint64_t end_row, const Context& ctx) override;
  bool empty() const override { return texts_.documents() == 0; }
  std::size_t memory_bytes() const override { return texts_.memory_bytes(); }
  void write(segment::SegmentWriter& writer, const Context& ctx) override;

 private:
  const DocumentAlso also_;
  segment::TextPartBuilder texts_;
  std::vector<segment::FieldTexts> row_;
};

class SparsePieces final : public TermPieces {
 public:
  SparsePieces(Shard& shard, std::uint16_t field, std::uint64_t first_row)
      : TermPieces(shard, first_row), field_(field) {}
  /// Everything, as part of one segment; `codes`: with codes of the values alone.
  void write_all(segment::SegmentWriter& writer, bool codes, const Context& ctx);

 protected:
  void walk(const ReadView& view, RowWalk& walk, std::uint64_t end_row, const Context& ctx) override;
  bool empty() const override { return vectors_.empty(); }
  std::size_t memory_bytes() const override { return vectors_.memory_bytes(); }
  void write(segment::SegmentWriter& writer, const Context& ctx) override;

 private:
  const std::uint16_t field_;
  segment::SparseRowsBuilder vectors_;
};

}  // namespace vecstore::shard
