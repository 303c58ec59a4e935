// From the text of a query to the tree of terms that the text index evaluates.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index/corpus_stats.hpp"
#include "index/term_query.hpp"
#include "query/request.hpp"
#include "text/analyzer_pool.hpp"
#include "text/highlighter.hpp"
#include "text/term_tree.hpp"
#include "vecstore/options.hpp"

namespace vecstore::query {

/// The text of a query as a collection's fields see it. Lives for one query, in one thread; several may read
/// it.
class TextTerms {
 public:
  /// Throws kInvalidArgument for a text that is not of the query language, and where one of its limits is
  /// passed. `analyzers`, which are of these fields, must outlive it.
  TextTerms(std::span<const TextField> fields, text::AnalyzerPool& analyzers, std::string_view text,
            TextSyntax syntax);

  /// What the text index evaluates.
  const TermNode& node() const { return node_; }
  /// What the caller should know: parts of the text that were left out.
  const std::vector<std::string>& warnings() const { return warnings_; }
  /// For the records' own texts; nothing where these are no text field. Uses the analyzers of this object.
  std::optional<text::Highlighter> highlighter() const;

 private:
  text::AnalyzerPool::Lease analyzers_;
  text::TermTree tree_;
  TermNode node_;
  std::vector<std::string> warnings_;
  std::optional<std::uint32_t> own_text_;  // the field that is the records' own text
};

/// The query's words with how many documents have them: "run:12 fox:3", phrases in quotes.
std::string describe_terms(const TermNode& query, const CorpusStats& stats);

}  // namespace vecstore::query
