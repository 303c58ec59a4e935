#include "segment/text_segment.hpp"

#include <algorithm>

namespace vecstore::segment {

TextSegment::TextSegment(std::vector<TextField> fields)
    : fields_(std::move(fields)), index_(make_memory_term_index()) {
  for (const TextField& f : fields_) analyzers_.push_back(std::make_unique<text::Analyzer>(f.analyzer));
}

void TextSegment::add(std::uint64_t row, std::span<const FieldTexts> texts) {
  terms_.clear();
  bool has_text = false;
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    for (const std::string& text : texts[i]) {
      has_text = true;
      analyzers_[i]->analyze(
          text, [&](const text::Token& token) { terms_.push_back({token.term, fields_[i].weight}); });
    }
  }
  if (has_text) index_->add(row, terms_);
  for (auto& analyzer : analyzers_) analyzer->trim();
}

std::vector<QueryTerm> TextSegment::query_terms(std::span<const TextField> fields, std::string_view text) {
  std::vector<QueryTerm> out;
  std::vector<std::string_view> done;
  for (const TextField& field : fields) {
    if (std::find(done.begin(), done.end(), field.analyzer) != done.end()) continue;
    done.push_back(field.analyzer);
    const auto before = static_cast<std::ptrdiff_t>(out.size());
    for (std::string& term : text::Analyzer(field.analyzer).terms(text)) {
      const auto same = [&](const QueryTerm& t) { return t.term == term; };
      if (std::none_of(out.begin(), out.begin() + before, same)) out.push_back({std::move(term)});
    }
  }
  return out;
}

}  // namespace vecstore::segment
