#include "index/inverted/query_plan.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/error.hpp"

namespace vecstore::inverted {

namespace {

constexpr std::size_t kMostDepth = 100;
constexpr std::size_t kMostLeaves = 1 << 16;

void check_leaf(const TermNode& node) {
  if (!(node.boost > 0) || !std::isfinite(node.boost))
    invalid("weight of a query term is ", node.boost, "; it must be > 0");
  if (node.kind == TermNode::Kind::kBool) return;
  if (node.words.empty() || (node.kind != TermNode::Kind::kPhrase && node.words.size() != 1))
    invalid("a term of a query has ", node.words.size(), " words");
  if (node.kind == TermNode::Kind::kPhrase && !node.offsets.empty() &&
      node.offsets.size() != node.words.size())
    invalid("a phrase has ", node.words.size(), " words and ", node.offsets.size(), " offsets");
  if (node.kind == TermNode::Kind::kFuzzy && node.distance > kMostDistance)
    invalid("distance of a fuzzy term is ", node.distance, ", the limit is ", kMostDistance);
}

bool is_union(const TermNode& node) {
  return node.kind == TermNode::Kind::kPrefix || node.kind == TermNode::Kind::kFuzzy;
}

}  // namespace

QueryPlan::QueryPlan(std::span<const TermPartView> parts, const TermNode& query, Context& context)
    : parts_(parts) {
  for (const TermPartView& p : parts_) {
    stats_.documents += p.source->counted();
    stats_.total_length += p.source->total_length();
    vectors_ = vectors_ || p.source->fields() == 0;
  }
  root_ = compile(query, 1.0f, false, 0);
  for (std::size_t l = 0; l < leaves_.size(); ++l) {
    leaves_[l].first_stat = stats_.doc_freq.size();
    unions_.emplace_back();
    const TermNode& node = *leaves_[l].node;
    if (is_union(node)) {
      std::uint64_t df = 0;
      for (const TermPartView& p : parts_) {
        Union u;
        unite(*p.source, node, context, u.docs, u.values);
        df += u.docs.size();
        unions_.back().push_back(std::move(u));
      }
      stats_.doc_freq.push_back(df);
      continue;
    }
    leaves_[l].lists.resize(parts_.size());
    for (const std::string& word : node.words) {
      std::uint64_t df = 0;
      for (std::size_t p = 0; p < parts_.size() && !vectors_; ++p) {
        auto known = parts_[p].source->known_list(word);
        df += known ? known->size() : parts_[p].source->doc_freq(word);
        if (node.kind == TermNode::Kind::kTerm && node.field == kAnyField)
          leaves_[l].lists[p] = std::move(known);
      }
      stats_.doc_freq.push_back(df);
    }
  }
  if (flat()) join_equal_leaves();
}

PlanNode QueryPlan::compile(const TermNode& node, float boost, bool negative, std::size_t depth) {
  check_leaf(node);
  if (depth > kMostDepth) invalid("a query is nested deeper than ", kMostDepth, " levels");
  if (leaves_.size() > kMostLeaves) invalid("a query has more than ", kMostLeaves, " terms");
  PlanNode out;
  out.occur = node.occur;
  boost *= node.boost;
  if (node.kind != TermNode::Kind::kBool) {
    out.leaf = static_cast<std::uint32_t>(leaves_.size());
    PlanLeaf leaf;
    leaf.node = &node;
    leaf.boost = boost;
    leaf.negative = negative;
    leaves_.push_back(std::move(leaf));
    return out;
  }
  for (const TermNode& child : node.children) {
    PlanNode c = compile(child, boost, negative || child.occur == Occur::kMustNot, depth + 1);
    // Of a node that is a choice itself, a choice among choices is one choice.
    const auto is_should = [](const auto& n) { return n.occur == Occur::kShould; };
    const bool choice = c.leaf == PlanNode::kNoLeaf && c.occur == Occur::kShould &&
                        std::all_of(c.children.begin(), c.children.end(), is_should);
    if (choice)
      std::move(c.children.begin(), c.children.end(), std::back_inserter(out.children));
    else
      out.children.push_back(std::move(c));
  }
  return out;
}

bool QueryPlan::flat() const {
  if (root_.leaf != PlanNode::kNoLeaf) return true;
  return std::all_of(root_.children.begin(), root_.children.end(), [](const PlanNode& n) {
    return n.leaf != PlanNode::kNoLeaf && n.occur == Occur::kShould;
  });
}

/// A word that is written twice counts twice, and is added up once.
void QueryPlan::join_equal_leaves() {
  std::unordered_map<std::string_view, std::vector<std::uint32_t>> first;
  std::vector<PlanLeaf> kept;
  std::vector<std::vector<Union>> unions;
  for (std::size_t l = 0; l < leaves_.size(); ++l) {
    PlanLeaf& leaf = leaves_[l];
    if (leaf.node->kind == TermNode::Kind::kTerm) {
      auto& same_word = first[leaf.node->words[0]];
      const auto same = std::find_if(same_word.begin(), same_word.end(), [&](std::uint32_t i) {
        return kept[i].node->field == leaf.node->field;
      });
      if (same != same_word.end()) {
        kept[*same].more_boost += leaf.boost;
        continue;
      }
      same_word.push_back(static_cast<std::uint32_t>(kept.size()));
    }
    kept.push_back(std::move(leaf));
    unions.push_back(std::move(unions_[l]));
  }
  leaves_ = std::move(kept);
  unions_ = std::move(unions);
  root_ = PlanNode{};
  for (std::uint32_t l = 0; l < leaves_.size(); ++l) root_.children.push_back({l, Occur::kShould, {}});
}

void QueryPlan::prepare(const Bm25& bm25, const CorpusStats& stats, Context& context) {
  if (!(bm25.k1 >= 0) || !std::isfinite(bm25.k1)) invalid("bm25.k1 is ", bm25.k1, "; it must be at least 0");
  if (!(bm25.b >= 0 && bm25.b <= 1)) invalid("bm25.b is ", bm25.b, "; it must be between 0 and 1");
  if (stats.doc_freq.size() != stats_.doc_freq.size()) {
    invalid("corpus statistics have ", stats.doc_freq.size(), " document frequencies for ",
            stats_.doc_freq.size(), " terms");
  }
  norm_ = make_norm(bm25, stats.average_length());
  for (std::size_t l = 0; l < leaves_.size(); ++l) {
    PlanLeaf& leaf = leaves_[l];
    double sum = 0;
    const std::size_t words = is_union(*leaf.node) ? 1 : leaf.node->words.size();
    for (std::size_t i = 0; i < words; ++i) sum += idf(stats.documents, stats.doc_freq[leaf.first_stat + i]);
    const float rarity = vectors_ ? 1.0f : static_cast<float>(sum);
    leaf.weight = leaf.boost * rarity + leaf.more_boost * rarity;
    leaf.lists.resize(parts_.size());
    if (lone_phrase()) continue;
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      context.check();
      const TermSource& source = *parts_[p].source;
      const TermNode& node = *leaf.node;
      std::vector<std::uint32_t> docs;
      std::vector<float> values;
      if (is_union(node)) {
        docs = std::move(unions_[l][p].docs);
        values = std::move(unions_[l][p].values);
      } else if (node.kind == TermNode::Kind::kPhrase && node.words.size() > 1) {
        match_phrase(source, node, norm_, context, docs, values);
      } else {
        if (!leaf.lists[p] || !near(leaf.lists[p]->norm(), norm_))
          leaf.lists[p] = source.list(node.words[0], node.field, norm_);
        continue;
      }
      if (docs.empty()) continue;
      auto list =
          std::make_shared<DecodedList>(DecodedList::of_values(docs, std::move(values), source.documents()));
      list->encode(norm_, source.lengths());
      leaf.lists[p] = std::move(list);
    }
  }
}

}  // namespace vecstore::inverted
