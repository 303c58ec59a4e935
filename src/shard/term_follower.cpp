#include "shard/term_follower.hpp"

#include <algorithm>
#include <mutex>

#include "base/error.hpp"
#include "base/metadata_codec.hpp"
#include "shard/read_view.hpp"
#include "storage/change_log.hpp"

namespace vecstore::shard {
namespace {

// Texts of a field: the record's text, or strings at a path of its metadata.
template <class Sink>
void for_each_text(const ReadView& view, const storage::Document& document, const TextField& field, Sink&& sink) {
  if (field.path == "text") {
    if (!document.text.empty()) sink(document.text_compressed ? storage::document_text(document) : std::string(document.text));
    return;
  }
  const Metadata metadata = decode_metadata(document.metadata, view.field_names());
  const Metadata& value = metadata.get(field.path);
  if (value.is_string()) sink(value.as_string());
  if (value.is_array()) {
    for (const Metadata& element : value.as_array()) {
      if (element.is_string()) sink(element.as_string());
    }
  }
}

}  // namespace

bool TermFollower::is_at(const ReadView& view) const { return index_ && sequence_ == view.state().sequence; }

void TermFollower::bring_up(ReadView& view, Context& ctx) {
  {
    std::shared_lock lock(mutex_);
    if (is_at(view)) return;
  }
  std::unique_lock lock(mutex_);
  while (index_ && sequence_ > view.state().sequence) view.renew();
  if (is_at(view)) return;
  if (!index_ || !replay(view, ctx)) rebuild(view, ctx);
  sequence_ = view.state().sequence;
  store_sequence_ = storage::read_store_state(view.txn()).sequence;
}

void TermFollower::add(const ReadView& view, const storage::Document& document, std::uint64_t row) {
  const auto& fields = view.schema().text_fields;
  if (analyzers_.size() != fields.size()) {
    analyzers_.clear();
    for (const TextField& f : fields) analyzers_.push_back(std::make_unique<text::Analyzer>(f.analyzer));
  }
  terms_.clear();
  bool has_text = false;  // a text without a single term counts as a document; a record without text does not
  for (std::size_t i = 0; i < fields.size(); ++i) {
    for_each_text(view, document, fields[i], [&](const std::string& text) {
      has_text = true;
      analyzers_[i]->analyze(text, [&](const text::Token& token) { terms_.push_back({token.term, fields[i].weight}); });
    });
  }
  if (has_text) index_->add(row, terms_);
  for (auto& a : analyzers_) a->trim();
}

void TermFollower::rebuild(const ReadView& view, Context& ctx) {
  index_.reset();
  auto fresh = make_memory_term_index();
  index_ = std::move(fresh);
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
    return storage::read_changes(view.txn(), store_sequence_, [&](std::uint64_t, const storage::ChangeEntry& c) {
      if (++steps % 1024 == 0) ctx.check();
      if (c.collection != view.shard().collection()) return true;
      if (c.retired_row) index_->retire(*c.retired_row);
      if (c.kind == storage::ChangeKind::kUpsert && view.is_live(c.row)) add(view, documents.read(c.row), c.row);
      return true;
    });
  } catch (const Error& e) {
    index_.reset();
    if (e.code() != ErrorCode::kCorruption) throw;
    return false;
  }
}

std::vector<QueryTerm> TermFollower::query_terms(const ReadView& view, std::string_view text) {
  std::vector<QueryTerm> out;
  std::vector<std::string> done;
  for (const TextField& field : view.schema().text_fields) {
    if (std::find(done.begin(), done.end(), field.analyzer) != done.end()) continue;
    std::vector<std::string> terms = text::Analyzer(field.analyzer).terms(text);
    const std::size_t before = out.size();
    for (std::string& term : terms) {
      // Another analyzer's form of the same word adds to the query only where it differs.
      const auto same = [&](const QueryTerm& t) { return t.term == term; };
      if (std::none_of(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(before), same)) out.push_back({std::move(term)});
    }
    done.push_back(field.analyzer);
  }
  return out;
}

}  // namespace vecstore::shard
