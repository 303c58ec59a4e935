#include "shard/text_source.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/metadata_codec.hpp"
#include "shard/read_view.hpp"

namespace vecstore::shard {
namespace {

constexpr std::uint64_t kRowsPerStep = 4'096;
constexpr std::uint64_t kRowsPerCheck = 256;

segment::FieldTexts field_texts(const ReadView& view, const storage::Document& document,
                                const TextField& field) {
  if (field.path == kTextPath) {
    return document.text.empty() ? segment::FieldTexts{}
                                 : segment::FieldTexts{storage::document_text(document)};
  }
  segment::FieldTexts out;
  const Metadata metadata = decode_metadata(document.metadata, view.field_names());
  const Metadata& value = metadata.get(field.path);
  if (value.is_string()) out.push_back(value.as_string());
  if (value.is_array()) {
    for (const Metadata& element : value.as_array()) {
      if (element.is_string()) out.push_back(element.as_string());
    }
  }
  return out;
}

}  // namespace

std::vector<segment::FieldTexts> texts_of(const ReadView& view, const storage::Document& document,
                                          const std::vector<TextField>& fields) {
  std::vector<segment::FieldTexts> out;
  for (const TextField& field : fields) out.push_back(field_texts(view, document, field));
  return out;
}

segment::RecordHead head_of(const storage::Document& document) {
  return {document.id, document.source, document.start, document.end, document.part};
}

namespace {

template <class Fn>
std::uint64_t scan_documents(const ReadView& view, std::uint64_t first_row, std::uint64_t end_row,
                             const Context& context, Fn&& fn) {
  std::uint64_t damaged = 0, steps = 0;
  DocumentReader documents(view);
  for (auto row = documents.next_row(first_row); row && *row < end_row; row = documents.next_row(*row + 1)) {
    if (steps++ % kRowsPerCheck == 0) context.check();
    try {
      fn(*row, documents.read(*row));
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      ++damaged;
    }
  }
  return damaged + documents.damaged();
}

}  // namespace

std::uint64_t scan_texts(const ReadView& view, std::uint64_t first_row, std::uint64_t end_row,
                         const std::vector<TextField>& fields, const Context& context, const TextSink& fn) {
  return scan_documents(
      view, first_row, end_row, context,
      [&](std::uint64_t row, const storage::Document& d) { fn(row, texts_of(view, d, fields)); });
}

void add_documents(Shard& shard, std::uint64_t first_row, std::uint64_t end_row,
                   segment::TextPartBuilder* texts, segment::IdsBuilder* ids, const Context& context) {
  for (std::uint64_t row = first_row; row < end_row;) {
    const std::uint64_t end = row + std::min(kRowsPerStep, end_row - row);
    const ReadView view(shard);
    // What is damaged has no place in a segment; searches by vector and verify report it.
    scan_documents(view, row, end, context, [&](std::uint64_t r, const storage::Document& document) {
      if (ids) ids->add(r, head_of(document));
      if (texts) texts->add(r, texts_of(view, document, texts->fields()));
    });
    row = end;
  }
}

void check_texts(const segment::Segment& segment, const Context& context) {
  if (segment.texts()) segment.texts()->terms().verify(context);
}

}  // namespace vecstore::shard
