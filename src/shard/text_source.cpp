#include "shard/text_source.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/metadata_codec.hpp"
#include "shard/read_view.hpp"

namespace vecstore::shard {
namespace {

constexpr std::uint64_t kRowsPerView = 4'096;
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

void walk_documents(const ReadView& view, RowWalk& walk, std::uint64_t end_row, const Context& context,
                    const DocumentSink& fn) {
  DocumentReader documents(view);
  end_row = std::min(end_row, view.state().next_row);
  if (walk.next_row >= end_row) return;
  for (std::uint64_t steps = 0;; ++steps) {
    // Each live row has a document.
    walk.next_row = view.retired().next_live(walk.next_row);
    if (walk.next_row >= end_row) break;
    if (steps % kRowsPerCheck == 0) context.check();
    bool more = true;
    try {
      more = fn(walk.next_row, documents.read(walk.next_row));
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      walk.unreadable.push_back(walk.next_row);
    }
    ++walk.next_row;
    if (!more) return;
  }
  walk.next_row = end_row;
}

// The first bytes of a document tell whether it can have any, which is much for collections of vectors alone.
bool read_texts(const ReadView& view, const storage::Document& document, const std::vector<TextField>& fields,
                std::vector<segment::FieldTexts>& out) {
  out.resize(fields.size());
  bool any = false;
  for (std::size_t f = 0; f < fields.size(); ++f) {
    if (may_have(document, fields[f]))
      out[f] = field_texts(view, document, fields[f]);
    else
      out[f].clear();
    any = any || !out[f].empty();
  }
  return any;
}

void walk_texts(const ReadView& view, RowWalk& walk, std::uint64_t end_row,
                const std::vector<TextField>& fields, const Context& context, const TextSink& fn) {
  std::vector<segment::FieldTexts> texts;
  walk_documents(view, walk, end_row, context, [&](std::uint64_t row, const storage::Document& document) {
    return !read_texts(view, document, fields, texts) || fn(row, texts);
  });
}

segment::RecordHead head_of(const storage::Document& document) {
  return {document.id, document.source, document.start, document.end, document.part};
}

std::vector<std::uint64_t> for_each_document(
    Shard& shard, std::uint64_t first_row, std::uint64_t end_row, const Context& context,
    const std::function<void(std::uint64_t, const storage::Document&)>& fn) {
  RowWalk walk;
  walk.next_row = first_row;
  while (walk.next_row < end_row) {
    const ReadView view(shard);
    walk_documents(view, walk, walk.next_row + std::min(kRowsPerView, end_row - walk.next_row), context,
                   [&](std::uint64_t row, const storage::Document& document) {
                     fn(row, document);
                     return true;
                   });
  }
  return std::move(walk.unreadable);
}

}  // namespace vecstore::shard
