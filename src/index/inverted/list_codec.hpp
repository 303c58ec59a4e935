// Posting lists and positions as bytes.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "index/inverted/bit_stream.hpp"
#include "index/inverted/part_format.hpp"

namespace vecstore::inverted {

/// How often a term occurs in each field of a document: such vectors of counts are numbered per part.
class ClassTable {
 public:
  ClassTable() = default;
  /// `counts`: `fields` per class.
  ClassTable(std::uint32_t fields, std::vector<std::uint32_t> counts);

  std::uint32_t fields() const { return fields_; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(totals_.size()); }
  std::span<const std::uint32_t> counts(std::uint32_t c) const {
    return std::span(counts_).subspan(std::size_t{c} * fields_, fields_);
  }
  /// Occurrences in all fields.
  std::uint32_t total(std::uint32_t c) const { return totals_[c]; }

 private:
  std::uint32_t fields_ = 1;
  std::vector<std::uint32_t> counts_, totals_;
};

/// Appends documents (ascending) and, where there are any, their classes.
void encode_postings(std::span<const std::uint32_t> docs, std::span<const std::uint32_t> classes,
                     std::string& out);
/// False when the bytes are damaged: `docs` are otherwise ascending and below `documents`, classes below
/// `class_count` (0: there are none).
bool decode_postings(std::span<const std::byte> bytes, std::uint32_t count, std::uint32_t documents,
                     std::uint32_t class_count, std::vector<std::uint32_t>& docs,
                     std::vector<std::uint32_t>& classes);

/// Appends the positions of a term's occurrences: per document and field ascending, field << kPositionBits |
/// position.
void encode_positions(const ClassTable& table, std::span<const std::uint32_t> classes,
                      std::span<const std::uint32_t> positions, std::string& out);

/// Where the last call of PositionReader::read ended: the next posting of its block is read from there.
struct PositionCursor {
  std::uint32_t next = 0;
  std::uint64_t bit = 0;
  unsigned first = 0, other = 0;  // parameters of the block
  bool open = false;
};

/// Reads what encode_positions wrote.
class PositionReader {
 public:
  /// `count` postings.
  PositionReader(std::span<const std::byte> bytes, std::uint32_t count);
  /// Appends the positions of one posting. class_of(i) is called for postings of its block up to it; postings
  /// in ascending order are each passed once. False
  /// when the bytes are damaged.
  template <class ClassOf>
  bool read(const ClassTable& table, ClassOf&& class_of, std::uint32_t posting, PositionCursor& cursor,
            std::vector<std::uint32_t>& out) const;
  /// Appends all.
  bool read_all(const ClassTable& table, std::span<const std::uint32_t> classes,
                std::vector<std::uint32_t>& out) const;
  bool good() const { return good_; }

 private:
  std::uint64_t block_at(std::uint32_t block) const;
  std::span<const std::byte> skips_, bits_;
  std::uint32_t skip_bytes_ = 4;
  std::uint32_t count_ = 0;
  bool good_ = true;
};

template <class ClassOf>
bool PositionReader::read(const ClassTable& table, ClassOf&& class_of, std::uint32_t posting,
                          PositionCursor& cursor, std::vector<std::uint32_t>& out) const {
  if (!good_ || posting >= count_) return false;
  const std::uint32_t begin = posting / kPostingsPerPositionBlock * kPostingsPerPositionBlock;
  BitReader in(bits_, cursor.bit);
  if (!cursor.open || cursor.next > posting || cursor.next <= begin) {
    in = BitReader(bits_, block_at(posting / kPostingsPerPositionBlock));
    cursor.first = static_cast<unsigned>(in.get(kParameterBits));
    cursor.other = static_cast<unsigned>(in.get(kParameterBits));
    cursor.next = begin;
    cursor.open = true;
  }
  const unsigned first = cursor.first, next = cursor.other;
  const bool one_field = table.fields() == 1;
  for (std::uint32_t i = cursor.next; i < posting; ++i) {
    const std::uint32_t c = class_of(i);
    if (one_field) {
      in.get_rice(first);
      for (std::uint32_t n = table.total(c); n > 1 && !in.overrun(); --n) in.get_rice(next);
      continue;
    }
    for (std::uint32_t n : table.counts(c)) {
      if (n == 0) continue;
      in.get_rice(first);
      for (; n > 1 && !in.overrun(); --n) in.get_rice(next);
    }
  }
  std::uint32_t field = 0;
  for (std::uint32_t n : table.counts(class_of(posting))) {
    std::uint64_t position = 0;
    for (std::uint32_t j = 0; j < n; ++j) {
      position += in.get_rice(j == 0 ? first : next);
      if (position > kMostPosition || in.overrun()) return false;
      out.push_back(field << kPositionBits | static_cast<std::uint32_t>(position));
    }
    ++field;
  }
  cursor.next = posting + 1;
  cursor.bit = in.position();
  return !in.overrun();
}

}  // namespace vecstore::inverted
