#include "query/record_filter.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "query/filter_check.hpp"
#include "text/analyzer.hpp"
#include "text/analyzer_pool.hpp"

namespace vecstore::query {
namespace {

/// A document's own fields, as filters see them.
class DocumentFields final : public RecordFields {
 public:
  explicit DocumentFields(const storage::Document& document) : document_(document) {}

  EncodedValue get(std::string_view name) const override {
    if (name == "_id") return text(document_.id);
    if (name == "_source") return document_.source.empty() ? EncodedValue{} : text(document_.source);
    if (name == "_start") return number(document_.start);
    if (name == "_end") return number(document_.end);
    if (name == "_part") return number(document_.part);
    if (name == "_text" && !document_.text.empty()) {
      if (!document_.text_compressed) return text(document_.text);
      if (text_.empty()) text_ = storage::document_text(document_);
      return text(text_);
    }
    return {};
  }

 private:
  static EncodedValue text(std::string_view bytes) {
    EncodedValue v;
    v.type = Metadata::Type::kString;
    v.bytes = bytes;
    return v;
  }
  static EncodedValue number(std::uint64_t n) {
    EncodedValue v;
    v.type = Metadata::Type::kInt;
    v.integer = static_cast<std::int64_t>(n);
    return v;
  }

  const storage::Document& document_;
  mutable std::string text_;
};

/// MATCH sees a field as its analyzer does; fields that are not indexed as text are split and folded only.
/// One thread at a time.
class FieldAnalyzers {
 public:
  /// Borrows the text fields' analyzers when they are first needed.
  explicit FieldAnalyzers(const shard::ReadView& view)
      : pool_(view.shard().query_analyzers()), fields_(view.schema().text_fields) {}

  auto terms(std::string_view path, std::string_view value) {
    const auto field = std::find_if(fields_.begin(), fields_.end(), [&](const TextField& f) {
      return f.path == path || (f.path == "text" && path == "_text");
    });
    if (field == fields_.end()) {
      if (!neutral_) neutral_.emplace(text::find_analyzer("neutral"));
      return neutral_->terms(value);
    }
    if (!lease_) lease_.emplace(pool_.take(fields_));
    return (*lease_)[static_cast<std::size_t>(field - fields_.begin())].terms(value);
  }

 private:
  text::AnalyzerPool& pool_;
  const std::vector<TextField> fields_;
  std::optional<text::AnalyzerPool::Lease> lease_;
  std::optional<text::Analyzer> neutral_;
};

AnalyzeFn analyze_as(const shard::ReadView& view) {
  return [analyzers = std::make_shared<FieldAnalyzers>(view)](std::string_view path, std::string_view value) {
    return analyzers->terms(path, value);
  };
}

}  // namespace

RecordFilter::RecordFilter(const shard::ReadView& view, const Filter& filter)
    : program_(filter, view.field_names(), analyze_as(view)),
      warnings_(unknown_field_warnings(filter, view.field_names())) {
  check_filter_types(filter,
                     [](std::string_view) { return std::nullopt; });  // a record's own fields have types
}

bool RecordFilter::matches(const storage::Document& document) const {
  const DocumentFields fields(document);
  return program_.matches_encoded(document.metadata, &fields);
}

struct ViewRows::Evaluator {
  Evaluator(const shard::ReadView& view, const Filter& condition)
      : documents(view), filter(view, condition) {}
  shard::DocumentReader documents;
  RecordFilter filter;
};

ViewRows::ViewRows(const shard::ReadView& view, const Filter* filter,
                   const std::vector<std::uint64_t>* bad_rows)
    : view_(view),
      filter_(filter && !filter->empty() ? filter : nullptr),
      bad_rows_(bad_rows && !bad_rows->empty() ? bad_rows : nullptr) {
  if (filter_) idle_.push_back(std::make_unique<Evaluator>(view, *filter_));
}

ViewRows::~ViewRows() = default;

std::unique_ptr<ViewRows::Evaluator> ViewRows::borrow() const {
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<Evaluator>(view_, *filter_);
  auto evaluator = std::move(idle_.back());
  idle_.pop_back();
  return evaluator;
}

void ViewRows::give_back(std::unique_ptr<Evaluator> evaluator) const {
  std::lock_guard lock(mutex_);
  idle_.push_back(std::move(evaluator));
}

bool ViewRows::contains(std::uint64_t row) const {
  if (!view_.is_live(row)) return false;
  if (bad_rows_ && std::binary_search(bad_rows_->begin(), bad_rows_->end(), row)) return false;
  if (!filter_) return true;
  auto evaluator = borrow();
  bool ok = false;
  try {
    ok = evaluator->filter.matches(evaluator->documents.read(row));
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    ++degraded_;
  }
  give_back(std::move(evaluator));
  ++evaluated_;
  matched_ += ok;
  return ok;
}

std::optional<std::uint64_t> ViewRows::count() const {
  if (filter_) return std::nullopt;
  return view_.state().live;
}

std::uint64_t ViewRows::next(std::uint64_t row) const {
  const std::uint64_t live = view_.retired().next_live(row);
  return live < view_.state().next_row ? live : kNoRow;
}

std::vector<std::string> ViewRows::warnings() const {
  std::lock_guard lock(mutex_);
  return idle_.empty() ? std::vector<std::string>{} : idle_.front()->filter.warnings();
}

}  // namespace vecstore::query
