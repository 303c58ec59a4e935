// Row blocks: immutable runs of rows of one vector field, or of documents, stored as one value.
// docs/format.md draws them.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "storage/format.hpp"

namespace vecstore::storage {

/// The fixed part of a block. Numbers are little-endian.
struct BlockHeader {
  std::uint32_t magic;
  std::uint16_t format;
  BlockKind kind;
  std::uint8_t element;     ///< ElementType of a vector block, 0 for documents.
  std::uint32_t count;      ///< Rows.
  std::uint32_t row_bytes;  ///< Of each row; 0 = they differ.
  std::uint32_t collection;
  std::uint16_t field;
  std::uint16_t flags;  ///< Bit 0: row numbers are listed. Bit 1: inverse norms are listed.
  std::uint64_t first_row;
  std::uint64_t last_row;
  std::uint64_t sequence;     ///< Newest commit among the rows.
  std::uint32_t crc;          ///< Of the header (this field 0) and the directory.
  std::uint32_t data_offset;  ///< Where the rows begin.
};
static_assert(sizeof(BlockHeader) == 56);

/// What a row needs to become part of a block. Views are borrowed until the block is written.
struct BlockRow {
  std::uint64_t row = 0;
  std::string_view bytes;
  float inverse_norm = 0;  ///< Dense f32 only.
};

struct BlockMeta {
  BlockKind kind = BlockKind::kDocuments;
  std::uint8_t element = 0;
  std::uint32_t collection = 0;
  std::uint16_t field = 0;
  std::uint64_t sequence = 0;
};

/// Bytes of the block that `rows` (ascending) make, and the block itself written to `out`, which has that
/// many.
std::size_t block_size(const BlockMeta& meta, std::span<const BlockRow> rows);
void write_block(const BlockMeta& meta, std::span<const BlockRow> rows, char* out);
/// How many rows of this size one block should hold: about 192 KiB, 16 to 1,024 rows, ending close to a
/// page's end.
std::size_t rows_per_block(std::size_t row_bytes);

/// The checksum of one row, bound to its place: a row moved or swapped does not verify.
std::uint32_t row_crc(const BlockMeta& meta, const BlockRow& row);

/// Reads a block in place. Every number is checked against the value's size before use.
class BlockView {
 public:
  BlockView() = default;
  /// kCorruption unless it is a well-formed block with the kind, collection and field expected. Does not read
  /// the rows; `verify_directory` also checks the header's checksum (rows carry their own).
  BlockView(std::string_view value, const BlockMeta& expected, bool verify_directory);

  /// The block at `value`, which has the form of this one: as many rows, as long, without listed numbers.
  /// Reads nothing of it.
  BlockView like(const char* value, std::uint64_t last_row, std::uint64_t sequence) const;
  /// What blocks have in common that `like` may be used between.
  struct Form {
    std::uint64_t bytes;
    std::uint32_t count;
    std::uint32_t row_bytes;
    std::uint16_t flags;
    std::uint8_t element;
    auto operator<=>(const Form&) const = default;
  };
  Form form() const {
    return {value_.size(), header_.count, header_.row_bytes, header_.flags, header_.element};
  }

  std::uint32_t count() const { return header_.count; }
  std::uint64_t first_row() const { return header_.first_row; }
  std::uint64_t last_row() const { return header_.last_row; }
  std::uint64_t sequence() const { return header_.sequence; }
  std::uint8_t element() const { return header_.element; }
  std::uint32_t row_bytes() const { return header_.row_bytes; }
  std::uint64_t row(std::uint32_t i) const {
    return rows_ ? load<std::uint64_t>(rows_ + 8 * i) : header_.first_row + i;
  }
  /// Position of a row; nullopt when the block does not hold it.
  std::optional<std::uint32_t> find(std::uint64_t row) const;
  /// The row's bytes as they are, unchecked but for their bounds.
  std::string_view bytes(std::uint32_t i) const;
  float inverse_norm(std::uint32_t i) const { return norms_ ? load<float>(norms_ + 4 * i) : 0.0f; }
  /// Asks the memory for what `bytes`, `verify` and `inverse_norm` will read.
  void prefetch_directory(std::uint32_t i) const {
    if (offsets_) __builtin_prefetch(offsets_ + 4 * std::size_t{i});
    __builtin_prefetch(crcs_ + 4 * std::size_t{i});
    if (norms_) __builtin_prefetch(norms_ + 4 * std::size_t{i});
  }
  /// What the directory says of a row.
  struct Witness {
    std::uint32_t crc = 0;
    float inverse_norm = 0;
  };
  Witness witness(std::uint32_t i) const { return {load<std::uint32_t>(crcs_ + 4 * i), inverse_norm(i)}; }
  /// True when the row's checksum holds.
  bool verify(std::uint32_t i, const Witness& witness) const;
  bool verify(std::uint32_t i) const { return verify(i, witness(i)); }
  /// Listed row numbers and norms, for scans that take the block whole; nullptr when absent. May be
  /// unaligned.
  const char* row_numbers() const { return rows_; }
  const char* inverse_norms() const { return norms_; }
  const char* data() const { return data_; }

 private:
  BlockHeader header_{};
  std::string_view value_;
  const char* rows_ = nullptr;
  const char* offsets_ = nullptr;
  const char* crcs_ = nullptr;
  const char* norms_ = nullptr;
  const char* data_ = nullptr;
};

}  // namespace vecstore::storage
