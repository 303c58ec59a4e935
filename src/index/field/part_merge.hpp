// merge_parts: one part from several.
#pragma once
#include <span>

#include "base/context.hpp"
#include "base/row_bits.hpp"
#include "index/field/field_part.hpp"
#include "index/field/part_writer.hpp"

namespace vecstore::fields {

struct MergeInput {
  const FieldPart* part = nullptr;
  const RowBits* keep = nullptr;                ///< Of the part's rows; nullptr: all.
  std::uint32_t shift = 0;                      ///< What the part's first row becomes; the others follow.
  std::span<const std::uint32_t> numbers = {};  ///< Or, unless empty: what each row becomes, ascending.

  std::uint32_t number(std::uint32_t row) const { return numbers.empty() ? row + shift : numbers[row]; }
};

/// Writes the kept rows of the parts as one part; no row is kept in two of them.
/// Memory: one field at a time, about 12 bytes per value. kCorruption: one of the parts is damaged.
void merge_parts(std::span<const MergeInput> inputs, FieldPartWriter& out, const Context& context);

}  // namespace vecstore::fields
