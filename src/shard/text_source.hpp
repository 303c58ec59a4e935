// The texts and ids of records, read from the truth.
#pragma once
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "segment/ids_part.hpp"
#include "segment/text_part.hpp"
#include "shard/shard.hpp"
#include "storage/document.hpp"

namespace vecstore::shard {

class ReadView;

/// The path of the text field that is the records' own text.
inline constexpr std::string_view kTextPath = "text";

/// The texts of one record, parallel to the fields: the record's own text, or the strings at a path of its
/// metadata.
std::vector<segment::FieldTexts> texts_of(const ReadView& view, const storage::Document& document,
                                          const std::vector<TextField>& fields);

using TextSink = std::function<void(std::uint64_t row, const std::vector<segment::FieldTexts>& texts)>;
/// Calls `fn` with the texts of the view's live rows between two numbers, ascending; how many could not be
/// read.
std::uint64_t scan_texts(const ReadView& view, std::uint64_t first_row, std::uint64_t end_row,
                         const std::vector<TextField>& fields, const Context& context, const TextSink& fn);

segment::RecordHead head_of(const storage::Document& document);

/// Adds the texts and the ids (where not nullptr) of the live rows between two numbers, a few thousand in one
/// transaction: rows that are retired meanwhile may be left out, damaged ones are. kClosed, kNotFound.
void add_documents(Shard& shard, std::uint64_t first_row, std::uint64_t end_row,
                   segment::TextPartBuilder* texts, segment::IdsBuilder* ids, const Context& context);

/// Reads all terms of a segment's texts; kCorruption.
void check_texts(const segment::Segment& segment, const Context& context);

}  // namespace vecstore::shard
