// The texts of records, read from the truth: a record's own text, or the strings at a path of its metadata.
#pragma once
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/context.hpp"
#include "segment/text_part.hpp"
#include "shard/row_walk.hpp"
#include "vecstore/options.hpp"

namespace vecstore::shard {

class ReadView;

/// The path of the text field that is the records' own text.
inline constexpr std::string_view kTextPath = "text";

/// Gets the texts of one row; false ends the walk behind it.
using TextSink = std::function<bool(std::uint64_t row, const std::vector<segment::FieldTexts>& texts)>;
/// Calls `fn` with the texts of the view's live rows that have any, from the walk's next one on and before
/// `end_row`.
void walk_texts(const ReadView& view, RowWalk& walk, std::uint64_t end_row,
                const std::vector<TextField>& fields, const Context& context, const TextSink& fn);

}  // namespace vecstore::shard
