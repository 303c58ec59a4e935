// QueryPlan: a query with the lists of its leaves in each part.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/context.hpp"
#include "index/corpus_stats.hpp"
#include "index/inverted/term_source.hpp"
#include "index/term_query.hpp"

namespace vecstore::inverted {

/// A part as one search sees it. Borrowed.
struct TermPartView {
  const TermSource* source = nullptr;
  /// One bit per document, in whole windows (kWindow); set: may be found. nullptr: all may.
  const std::uint64_t* live = nullptr;
};

/// A leaf of the query, or equal ones that count together.
struct PlanLeaf {
  const TermNode* node = nullptr;
  float boost = 1;
  float more_boost = 0;        ///< Of equal leaves that were joined with this one.
  std::size_t first_stat = 0;  ///< In CorpusStats::doc_freq.
  float weight = 0;            ///< Boosts times idf; of vectors the query's weight.
  bool negative = false;       ///< Below a must-not clause: adds nothing to scores.
  std::vector<std::shared_ptr<const DecodedList>> lists;  ///< By part; nullptr: no document.
};

struct PlanNode {
  static constexpr std::uint32_t kNoLeaf = ~std::uint32_t{0};
  std::uint32_t leaf = kNoLeaf;
  Occur occur = Occur::kShould;
  std::vector<PlanNode> children;
};

class QueryPlan {
 public:
  QueryPlan(std::span<const TermPartView> parts, const TermNode& query, Context& context);

  const CorpusStats& stats() const { return stats_; }
  /// Weights of the leaves and their lists in all parts.
  void prepare(const Bm25& bm25, const CorpusStats& stats, Context& context);

  std::span<const TermPartView> parts() const { return parts_; }
  std::vector<PlanLeaf>& leaves() { return leaves_; }
  const PlanNode& root() const { return root_; }
  /// Any leaf is enough, and each adds what it has: the plain list of words.
  bool flat() const;
  /// The only leaf is a phrase: it has no lists then.
  bool lone_phrase() const {
    return leaves_.size() == 1 && flat() && leaves_[0].node->kind == TermNode::Kind::kPhrase &&
           leaves_[0].node->words.size() > 1;
  }
  bool vectors() const { return vectors_; }
  const Norm& norm() const { return norm_; }

 private:
  PlanNode compile(const TermNode& node, float boost, bool negative, std::size_t depth);
  void join_equal_leaves();

  std::span<const TermPartView> parts_;
  bool vectors_ = false;
  PlanNode root_;
  std::vector<PlanLeaf> leaves_;
  CorpusStats stats_;
  Norm norm_;
  /// Documents of prefixes and fuzzy words, by leaf and part, until prepare() makes lists of them.
  struct Union {
    std::vector<std::uint32_t> docs;
    std::vector<float> values;
  };
  std::vector<std::vector<Union>> unions_;
};

/// Documents with one of the terms that a prefix or fuzzy leaf stands for.
void unite(const TermSource& source, const TermNode& leaf, Context& context, std::vector<std::uint32_t>& docs,
           std::vector<float>& values);
/// Documents with the phrase, and how often.
void match_phrase(const TermSource& source, const TermNode& leaf, const Norm& norm, Context& context,
                  std::vector<std::uint32_t>& docs, std::vector<float>& values);

}  // namespace vecstore::inverted
