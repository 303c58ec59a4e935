// Records and their texts, read from the truth. A text is a record's own, or the strings at a path of
// its metadata.
#pragma once
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/context.hpp"
#include "segment/ids_part.hpp"
#include "segment/text_part.hpp"
#include "shard/row_walk.hpp"
#include "storage/document.hpp"
#include "vecstore/options.hpp"

namespace vecstore::shard {

class ReadView;
class Shard;

/// The path of the text field that is the records' own text.
inline constexpr std::string_view kTextPath = "text";

/// Gets the document of one row; false ends the walk behind it.
using DocumentSink = std::function<bool(std::uint64_t row, const storage::Document& document)>;
/// Calls `fn` for the view's live rows from the walk's next one on and before `end_row`. Where it throws
/// kCorruption, the row could not be read.
void walk_documents(const ReadView& view, RowWalk& walk, std::uint64_t end_row, const Context& context,
                    const DocumentSink& fn);

/// Reads a document's texts, parallel to the fields; false when it has none, which costs next to nothing.
bool read_texts(const ReadView& view, const storage::Document& document, const std::vector<TextField>& fields,
                std::vector<segment::FieldTexts>& out);

/// Gets the texts of one row; false ends the walk behind it.
using TextSink = std::function<bool(std::uint64_t row, const std::vector<segment::FieldTexts>& texts)>;
/// Calls `fn` with the texts of the view's live rows that have any, from the walk's next one on and before
/// `end_row`.
void walk_texts(const ReadView& view, RowWalk& walk, std::uint64_t end_row,
                const std::vector<TextField>& fields, const Context& context, const TextSink& fn);

segment::RecordHead head_of(const storage::Document& document);

/// Calls `fn` for the live rows between two numbers, a few thousand in one transaction: rows that are retired
/// meanwhile may be left out. Returns those that could not be read, ascending. kClosed, kNotFound.
std::vector<std::uint64_t> for_each_document(
    Shard& shard, std::uint64_t first_row, std::uint64_t end_row, const Context& context,
    const std::function<void(std::uint64_t row, const storage::Document& document)>& fn);

}  // namespace vecstore::shard
