#include "query/match_terms.hpp"

#include <algorithm>

#include "query/filter_ast.hpp"
#include "shard/text_source.hpp"
#include "text/analyzer.hpp"

namespace vecstore::query {
namespace {

/// The field whose analyzer a MATCH at this path uses.
std::optional<std::uint32_t> field_of(std::string_view path, const std::vector<TextField>& fields) {
  const auto field = std::find_if(fields.begin(), fields.end(), [&](const TextField& f) {
    return f.path == path || (f.path == shard::kTextPath && path == "_text");
  });
  if (field == fields.end()) return std::nullopt;
  return static_cast<std::uint32_t>(field - fields.begin());
}

class FieldAnalyzers {
 public:
  explicit FieldAnalyzers(const shard::ReadView& view)
      : pool_(view.shard().query_analyzers()), fields_(view.schema().text_fields) {}

  std::vector<std::string> terms(std::string_view path, std::string_view value) {
    const auto field = field_of(path, fields_);
    if (!field) {
      if (!neutral_) neutral_.emplace(text::find_analyzer("neutral"));
      return neutral_->terms(value);
    }
    if (!lease_) lease_.emplace(pool_.take(fields_));
    return (*lease_)[*field].terms(value);
  }

 private:
  text::AnalyzerPool& pool_;
  const std::vector<TextField> fields_;
  std::optional<text::AnalyzerPool::Lease> lease_;
  std::optional<text::Analyzer> neutral_;
};

/// The field whose texts are the ones that a MATCH looks at.
std::optional<std::uint32_t> indexed_field(const FilterNode& match, const std::vector<TextField>& fields) {
  std::string path;
  for (const FilterStep& step : match.path) {
    // A dot in a name is none between two of them; elements of elements are not indexed.
    if (step.each > 0 || step.name.find('.') != std::string::npos) return std::nullopt;
    path += (path.empty() ? "" : ".") + step.name;
  }
  const auto field = field_of(path, fields);
  if (!field) return std::nullopt;
  // "text" is the record's own text as a text field, and a name like any other in filters.
  const bool own = match.path.size() == 1 && path == "_text";
  if (own != (fields[*field].path == shard::kTextPath)) return std::nullopt;
  return own || !is_record_field(match.path.front().name) ? field : std::nullopt;
}

// Inside of ANY paths begin at the element, but for the record's own.
bool asks(const FilterNode& node, const std::vector<TextField>& fields, bool in_any = false) {
  if (node.op == FilterOp::kMatch)
    return (!in_any || is_record_field(node.path.front().name)) && indexed_field(node, fields);
  return std::any_of(node.children.begin(), node.children.end(), [&](const FilterNodePtr& child) {
    return asks(*child, fields, in_any || node.op == FilterOp::kAny);
  });
}

}  // namespace

AnalyzeFn analyze_as(const shard::ReadView& view) {
  return [analyzers = std::make_shared<FieldAnalyzers>(view)](std::string_view path, std::string_view value) {
    return analyzers->terms(path, value);
  };
}

bool asks_for_texts(const Filter& filter, const shard::ReadView& view) {
  return !filter.empty() && asks(*filter.node(), view.schema().text_fields);
}

FindMatched match_by_terms(const shard::ReadView& view, const shard::TermsRead& texts) {
  return [&view, &texts, analyzers = std::make_shared<FieldAnalyzers>(view)](
             const FilterNode& match) -> std::optional<MatchedRows> {
    const auto field = indexed_field(match, view.schema().text_fields);
    if (!field) return std::nullopt;
    const std::string& path = view.schema().text_fields[*field].path;
    std::vector<std::string> words =
        analyzers->terms(path == shard::kTextPath ? "_text" : path, std::get<std::string>(match.values[0]));
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    MatchedRows out;
    out.spread = words.size() > 1 && path != shard::kTextPath;
    const auto shared = std::make_shared<const std::vector<std::string>>(std::move(words));
    out.rows.find = [&view, &texts, field = *field, shared](const Context& ctx) {
      return shard::TextFollower::rows_with(view, texts, field, *shared, ctx);
    };
    out.rows.estimate = [&view, &texts, field = *field, shared] {
      return shard::TextFollower::estimated_rows_with(view, texts, field, *shared);
    };
    return out;
  };
}

}  // namespace vecstore::query
