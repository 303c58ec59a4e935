#include "query/text_terms.hpp"

#include <utility>

#include "base/error.hpp"
#include "shard/text_source.hpp"

namespace vecstore::query {
namespace {

Occur to_occur(text::Occur occur) {
  switch (occur) {
    case text::Occur::kMust:
      return Occur::kMust;
    case text::Occur::kMustNot:
      return Occur::kMustNot;
    default:
      return Occur::kShould;
  }
}

TermNode to_leaf(const text::TermTree& tree) {
  TermNode out;
  switch (tree.kind) {
    case text::TermTree::Kind::kPrefix:
      return TermNode::prefix(tree.term);
    case text::TermTree::Kind::kFuzzy:
      return TermNode::fuzzy(tree.term, tree.distance);
    case text::TermTree::Kind::kPhrase:
      out = TermNode::phrase({}, tree.slop);
      for (const text::PhraseTerm& t : tree.phrase) {
        out.words.push_back(t.term);
        out.offsets.push_back(t.position);
      }
      return out;
    default:
      return TermNode::term(tree.term);
  }
}

// A leaf of all fields is one leaf; of some, a choice between them.
TermNode to_node(const text::TermTree& tree, std::size_t fields) {
  TermNode out;
  if (!tree.is_leaf()) {
    for (const text::TermTree& clause : tree.clauses) out.children.push_back(to_node(clause, fields));
  } else if (tree.fields.size() == fields) {
    out = to_leaf(tree);
    out.boost = tree.boost;
  } else {
    for (const std::uint32_t field : tree.fields) {
      TermNode leaf = to_leaf(tree);
      leaf.boost = tree.boost;
      leaf.field = field;
      out.children.push_back(std::move(leaf));
    }
    if (out.children.size() == 1) out = TermNode(std::move(out.children[0]));
  }
  out.occur = to_occur(tree.occur);
  return out;
}

void describe(const TermNode& node, const CorpusStats& stats, std::size_t& at, std::string& out) {
  for (const TermNode& child : node.children) describe(child, stats, at, out);
  if (node.kind == TermNode::Kind::kBool) return;
  const bool expands = node.kind == TermNode::Kind::kPrefix || node.kind == TermNode::Kind::kFuzzy;
  std::string words;
  for (const std::string& word : node.words) {
    words += concat(words.empty() ? "" : " ", word, ":", stats.doc_freq[at]);
    if (!expands) ++at;
  }
  if (expands) words += node.kind == TermNode::Kind::kPrefix ? "*" : "~";
  at += expands;
  if (node.words.size() > 1) words = concat('"', words, '"');
  out += concat(out.empty() ? "" : " ", words);
}

}  // namespace

TextTerms::TextTerms(std::span<const TextField> fields, text::AnalyzerPool& analyzers, std::string_view text,
                     TextSyntax syntax)
    : analyzers_(analyzers.take(fields)) {
  std::vector<text::QueryField> query_fields;
  std::vector<std::string> names;
  for (std::size_t f = 0; f < fields.size(); ++f) {
    query_fields.push_back({fields[f].path, &analyzers_[f]});
    names.push_back(fields[f].path);
    if (fields[f].path == shard::kTextPath) own_text_ = static_cast<std::uint32_t>(f);
  }
  const text::TextQuery query =
      syntax == TextSyntax::kQuery ? text::parse_text_query(text, names) : text::match_text_query(text);
  text::AnalyzedQuery analyzed = text::analyze_query(query, query_fields);
  if (analyzed.truncated) {
    warnings_.push_back(concat("the text has more than ", text::kMaxTermTreeLeaves,
                               " different words: the rest is not searched for"));
  }
  tree_ = std::move(analyzed.tree);
  node_ = to_node(tree_, fields.size());
}

std::optional<text::Highlighter> TextTerms::highlighter() const {
  if (own_text_) return text::Highlighter(analyzers_[*own_text_], tree_, *own_text_);
  return std::nullopt;
}

std::string describe_terms(const TermNode& query, const CorpusStats& stats) {
  std::string out;
  std::size_t at = 0;
  describe(query, stats, at, out);
  return out;
}

}  // namespace vecstore::query
