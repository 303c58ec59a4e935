// The metadata of records, read from the truth for field indexes.
#pragma once
#include <cstdint>
#include <functional>

#include "segment/fields_part.hpp"
#include "shard/read_view.hpp"
#include "storage/document.hpp"

namespace vecstore::shard {

/// Everything of a document that filters ask field indexes for. kCorruption, and nothing is added.
void add_fields(const storage::Document& document, std::uint32_t row, fields::FieldPartBuilder& out);

inline constexpr std::uint64_t kDamagedOverlay = ~std::uint64_t{0};
/// Calls `fn` for the rows from `first_row` on and before `end_row` whose metadata was replaced, with the
/// commit that did it, ascending; of damaged metadata kDamagedOverlay. kCorruption.
void for_each_overlay(const ReadView& view, std::uint64_t first_row, std::uint64_t end_row,
                      const Context& ctx,
                      const std::function<void(std::uint64_t row, std::uint64_t sequence)>& fn);

}  // namespace vecstore::shard
