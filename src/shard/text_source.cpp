#include "shard/text_source.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/metadata_codec.hpp"
#include "shard/read_view.hpp"

namespace vecstore::shard {
namespace {

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

bool may_have(const storage::Document& document, const TextField& field) {
  return field.path == kTextPath ? !document.text.empty() : !document.metadata.empty();
}

}  // namespace

void walk_texts(const ReadView& view, RowWalk& walk, std::uint64_t end_row,
                const std::vector<TextField>& fields, const Context& context, const TextSink& fn) {
  DocumentReader documents(view);
  std::vector<segment::FieldTexts> texts(fields.size());
  // False when it has none. The first bytes of a document tell whether it can have any, which is much for
  // collections of vectors alone.
  const auto read = [&](std::uint64_t row) {
    const storage::Document document = documents.read(row);
    bool any = false;
    for (std::size_t f = 0; f < fields.size(); ++f) {
      if (!may_have(document, fields[f])) {
        texts[f].clear();
        continue;
      }
      texts[f] = field_texts(view, document, fields[f]);
      any = any || !texts[f].empty();
    }
    return any;
  };
  end_row = std::min(end_row, view.state().next_row);
  if (walk.next_row >= end_row) return;
  for (std::uint64_t steps = 0;; ++steps) {
    // Each live row has a document.
    walk.next_row = view.retired().next_live(walk.next_row);
    if (walk.next_row >= end_row) break;
    if (steps % kRowsPerCheck == 0) context.check();
    bool more = true;
    try {
      if (read(walk.next_row)) more = fn(walk.next_row, texts);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      walk.unreadable.push_back(walk.next_row);
    }
    ++walk.next_row;
    if (!more) return;
  }
  walk.next_row = end_row;
}

}  // namespace vecstore::shard
