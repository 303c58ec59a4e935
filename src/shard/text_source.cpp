#include "shard/text_source.hpp"

#include "base/error.hpp"
#include "base/metadata_codec.hpp"
#include "shard/read_view.hpp"

namespace vecstore::shard {
namespace {

constexpr std::uint64_t kRowsPerStep = 4'096;

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

void add_texts(Shard& shard, std::uint64_t first_row, std::uint64_t end_row, segment::TextPartBuilder& out,
               Context& context) {
  std::uint64_t steps = 0;
  for (std::uint64_t begin = first_row; begin < end_row;) {
    const std::uint64_t end = begin + std::min(kRowsPerStep, end_row - begin);
    const ReadView view(shard);
    DocumentReader documents(view);
    for (auto row = documents.next_row(begin); row && *row < end; row = documents.next_row(*row + 1)) {
      if (steps++ % 256 == 0) context.check();
      try {
        out.add(*row, texts_of(view, documents.read(*row), out.fields()));
      } catch (const Error& e) {
        // What is damaged has no place in a segment; searches by vector and verify report it.
        if (e.code() != ErrorCode::kCorruption) throw;
      }
    }
    begin = end;
  }
}

void check_texts(const segment::Segment& segment, const Context& context) {
  if (segment.texts()) segment.texts()->terms().verify(context);
}

}  // namespace vecstore::shard
