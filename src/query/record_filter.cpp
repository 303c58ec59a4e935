#include "query/record_filter.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "query/field_condition.hpp"
#include "query/filter_check.hpp"
#include "query/match_terms.hpp"

namespace vecstore::query {
namespace {

// So many documents are looked at before a search begins; of more only those of promising rows are.
constexpr std::size_t kMostDecided = 4'096;
constexpr std::size_t kMostIdBytes = 512;

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

FieldNode condition_of(const shard::ReadView& view, const Filter& filter, const shard::TermsRead* texts) {
  return field_condition(filter.node(), view.field_names(),
                         texts ? match_by_terms(view, *texts) : FindMatched());
}

/// The ids that a record has to have one of; nothing when the filter does not say.
std::optional<std::vector<std::string>> wanted_ids(const FilterNode& node) {
  if (node.op == FilterOp::kAnd) {
    for (const FilterNodePtr& child : node.children) {
      if (auto ids = wanted_ids(*child)) return ids;
    }
    return std::nullopt;
  }
  if ((node.op != FilterOp::kEqual && node.op != FilterOp::kIn) || node.path.size() != 1 ||
      node.path[0].name != "_id" || node.path[0].each != 0)
    return std::nullopt;
  std::vector<std::string> ids;
  for (const FilterLiteral& value : node.values) {
    if (std::holds_alternative<FilterDate>(value)) return std::nullopt;  // ids of the same instant
    if (const auto* id = std::get_if<std::string>(&value)) ids.push_back(*id);
  }
  return ids;
}

/// No row that is not one of these ids'. Where the ids cannot be looked up nothing changes.
void keep_ids(const shard::ReadView& view, const std::vector<std::string>& ids, const Context& ctx,
              RowSet& rows) {
  RowBits found(rows.maybe.size());
  try {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i % 256 == 0) ctx.check();
      if (ids[i].empty() || ids[i].size() > kMostIdBytes) continue;
      const auto entry = shard::find_id(view, ids[i]);
      if (entry && entry->row < found.size()) found.set(entry->row);
    }
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    return;
  }
  rows.sure &= found;
  rows.maybe &= found;
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

struct MatchingRows::Evaluator {
  Evaluator(const shard::ReadView& view, const Filter& condition)
      : documents(view), filter(view, condition) {}
  shard::DocumentReader documents;
  RecordFilter filter;
};

MatchingRows::MatchingRows(const shard::ReadView& view, const Filter& filter, const shard::FieldsRead& fields,
                           const Context& ctx, const shard::TermsRead* texts)
    : view_(view), filter_(filter) {
  const FieldNode condition = condition_of(view, filter, texts);
  idle_.push_back(std::make_unique<Evaluator>(view, filter));
  rows_ = shard::matching_rows(fields, condition, view, ctx);
  if (const auto ids = wanted_ids(*filter.node())) keep_ids(view, *ids, ctx, rows_);
  RowBits open = rows_.maybe;
  open -= rows_.sure;
  const std::size_t count = open.count();
  if (count > kMostDecided) return;
  std::size_t steps = 0;
  open.for_each([&](std::size_t row) {
    if (++steps % 256 == 0) ctx.check();
    if (look_at(row)) rows_.sure.set(row);
  });
  rows_.maybe = rows_.sure;
  count_ = rows_.sure.count();
}

MatchingRows::~MatchingRows() = default;

std::uint64_t MatchingRows::next(std::uint64_t row) const {
  const RowBits& rows = rows_.maybe;
  std::size_t at = rows.next(row);
  while (at < rows.size() && !rows_.sure.test(at) && !look_at(at)) at = rows.next(at + 1);
  return at < rows.size() ? at : kNoRow;
}

std::uint64_t MatchingRows::count_all() const {
  if (count_) return *count_;
  std::uint64_t rows = 0;
  for (std::uint64_t row = next(0); row != kNoRow; row = next(row + 1)) ++rows;
  return rows;
}

void MatchingRows::require_complete() const {
  if (degraded_ == 0) return;
  fail(ErrorCode::kCorruption, "collection '", view_.shard().name(), "': ", degraded_.load(),
       " documents cannot be read; verify names them");
}

std::unique_ptr<MatchingRows::Evaluator> MatchingRows::borrow() const {
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<Evaluator>(view_, filter_);
  auto evaluator = std::move(idle_.back());
  idle_.pop_back();
  return evaluator;
}

void MatchingRows::give_back(std::unique_ptr<Evaluator> evaluator) const {
  std::lock_guard lock(mutex_);
  idle_.push_back(std::move(evaluator));
}

bool MatchingRows::look_at(std::uint64_t row) const {
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

bool MatchingRows::contains(std::uint64_t row) const {
  if (row >= rows_.maybe.size() || !rows_.maybe.test(row)) return false;
  return rows_.sure.test(row) || look_at(row);
}

std::span<const std::uint64_t> MatchingRows::bits() const {
  return count_ ? std::as_const(rows_).sure.words() : std::span<const std::uint64_t>();
}

std::vector<std::string> MatchingRows::warnings() const {
  std::lock_guard lock(mutex_);
  return idle_.empty() ? std::vector<std::string>{} : idle_.front()->filter.warnings();
}

std::unique_ptr<MatchingRows> find_matching_rows(shard::ReadView& view, const Filter& filter, Context& ctx) {
  for (;;) {
    std::vector<shard::TermFollower*> followers;
    const bool by_words = asks_for_texts(filter, view);
    if (by_words) followers.push_back(&view.shard().texts());
    const auto fields = view.shard().fields().read(view, ctx);
    std::unique_ptr<MatchingRows> out;
    shard::search_terms(view, followers, ctx, [&](std::span<const shard::TermsReadPtr> reads) {
      out.reset();
      if (fields->sequence != view.state().sequence) return;  // the view has moved on
      const shard::TermsRead* texts = by_words ? reads.front().get() : nullptr;
      out = std::make_unique<MatchingRows>(view, filter, *fields, ctx, texts);
    });
    if (out) return out;
  }
}

Cardinality estimated_rows(const shard::ReadView& view, const Filter& filter, const shard::FieldsRead& fields,
                           const shard::TermsRead* texts) {
  return shard::estimated_rows(fields, condition_of(view, filter, texts), view);
}

bool ViewRows::contains(std::uint64_t row) const {
  if (!view_.is_live(row)) return false;
  if (bad_rows_ && std::binary_search(bad_rows_->begin(), bad_rows_->end(), row)) return false;
  return !matching_ || matching_->contains(row);
}

std::optional<std::uint64_t> ViewRows::count() const {
  return matching_ ? matching_->count() : view_.state().live;
}

std::uint64_t ViewRows::next(std::uint64_t row) const {
  if (matching_) {
    const std::size_t found = matching_->candidates().next(row);
    return found < matching_->candidates().size() ? found : kNoRow;
  }
  const std::uint64_t live = view_.retired().next_live(row);
  return live < view_.state().next_row ? live : kNoRow;
}

ViewRows::ViewRows(const shard::ReadView& view, const MatchingRows* matching,
                   const std::vector<std::uint64_t>* bad_rows)
    : view_(view), matching_(matching), bad_rows_(bad_rows && !bad_rows->empty() ? bad_rows : nullptr) {
  if (!matching_) return;
  bits_ = matching_->bits();
  if (!bad_rows_ || bits_.empty()) return;
  good_.assign(bits_.begin(), bits_.end());
  for (const std::uint64_t row : *bad_rows_) {
    if (row / 64 < good_.size()) good_[row / 64] &= ~(std::uint64_t{1} << (row % 64));
  }
  bits_ = good_;
}

}  // namespace vecstore::query
