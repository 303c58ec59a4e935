#include "shard/term_follower.hpp"

#include <algorithm>
#include <mutex>

#include "base/error.hpp"
#include "base/metadata_codec.hpp"
#include "shard/read_view.hpp"
#include "storage/change_log.hpp"

namespace vecstore::shard {
namespace {

// The record's text, or the strings at a path of its metadata.
segment::FieldTexts texts_of(const ReadView& view, const storage::Document& document,
                             const TextField& field) {
  if (field.path == "text") {
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

bool TermFollower::is_at(const ReadView& view) const { return index_ && sequence_ == view.state().sequence; }

void TermFollower::bring_up(ReadView& view, Context& ctx) {
  // Never renewed under the lock: that may wait for all transactions to end, also for those that wait here.
  for (;; view.renew()) {
    {
      std::shared_lock lock(mutex_);
      if (is_at(view)) return;
    }
    std::unique_lock lock(mutex_);
    if (is_at(view)) return;
    if (index_ && sequence_ > view.state().sequence) continue;
    if (!index_ || !replay(view, ctx)) rebuild(view, ctx);
    sequence_ = view.state().sequence;
    store_sequence_ = storage::read_store_state(view.txn()).sequence;
    return;
  }
}

void TermFollower::add(const ReadView& view, const storage::Document& document, std::uint64_t row) {
  std::vector<segment::FieldTexts> texts;
  for (const TextField& field : index_->fields()) texts.push_back(texts_of(view, document, field));
  index_->add(row, texts);
}

void TermFollower::rebuild(const ReadView& view, Context& ctx) {
  index_ = std::make_unique<segment::TextSegment>(view.schema().text_fields);
  damaged_ = 0;
  try {
    DocumentReader documents(view);
    for (auto row = documents.next_row(0); row; row = documents.next_row(*row + 1)) {
      if (*row % 1024 == 0) ctx.check();
      try {
        add(view, documents.read(*row), *row);
      } catch (const Error& e) {
        if (e.code() != ErrorCode::kCorruption) throw;
        ++damaged_;
      }
    }
    damaged_ += documents.damaged();
  } catch (...) {
    index_.reset();  // half an index must not be used
    throw;
  }
}

// Applies what the log says happened since; false when the log was cut or is damaged.
bool TermFollower::replay(const ReadView& view, Context& ctx) {
  DocumentReader documents(view);
  std::uint64_t steps = 0;
  try {
    return storage::read_changes(view.txn(), store_sequence_,
                                 [&](std::uint64_t, const storage::ChangeEntry& c) {
                                   if (++steps % 1024 == 0) ctx.check();
                                   if (c.collection != view.shard().collection()) return true;
                                   if (c.retired_row) index_->retire(*c.retired_row);
                                   if (c.kind == storage::ChangeKind::kUpsert && view.is_live(c.row))
                                     add(view, documents.read(c.row), c.row);
                                   return true;
                                 });
  } catch (const Error& e) {
    index_.reset();
    if (e.code() != ErrorCode::kCorruption) throw;
    return false;
  } catch (...) {
    index_.reset();
    throw;
  }
}

}  // namespace vecstore::shard
