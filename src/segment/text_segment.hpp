// TextSegment: the texts of rows, analysed and indexed, in memory.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index/term_index.hpp"
#include "index/top_k.hpp"
#include "text/analyzer.hpp"
#include "vecstore/options.hpp"

namespace vecstore::segment {

/// The texts that a record has for one text field: one, or several of an array.
using FieldTexts = std::vector<std::string>;

/// One writer at a time; searches run beside it (index/term_index.hpp).
class TextSegment {
 public:
  explicit TextSegment(std::vector<TextField> fields);

  const std::vector<TextField>& fields() const { return fields_; }
  /// `texts` is parallel to the fields. A row without any text is left out; one whose texts hold no term
  /// counts as a document all the same.
  void add(std::uint64_t row, std::span<const FieldTexts> texts);
  void retire(std::uint64_t row) { index_->retire(row); }
  void search(const TermQuery& query, Context& ctx, TopK& out) const { index_->search(query, ctx, out); }

  /// The terms of a query text as these fields' analyzers see it. Where analyzers differ, the forms of all
  /// are searched.
  static std::vector<QueryTerm> query_terms(std::span<const TextField> fields, std::string_view text);

 private:
  std::vector<TextField> fields_;
  std::unique_ptr<TermIndex> index_;
  std::vector<std::unique_ptr<text::Analyzer>> analyzers_;  // of each field; the writer's
  std::vector<TermOccurrence> terms_;
};

}  // namespace vecstore::segment
