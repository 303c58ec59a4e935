// How one part is searched: the ways that TermSearch chooses from.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "index/inverted/candidates.hpp"
#include "index/inverted/query_plan.hpp"
#include "index/top_k.hpp"
#include "index/vector_index.hpp"

namespace vecstore::inverted {

/// What the ways share: the plan, who may be found, and where it goes.
struct SearchState {
  QueryPlan& plan;
  const RowFilter* filter;
  Context& context;
  TopK& out;

  bool admits(std::uint64_t row);
  /// Whether a document is live in its part.
  bool is_live(std::size_t part, std::uint32_t doc) const {
    const std::uint64_t* live = plan.parts()[part].live;
    return live == nullptr || (live[doc / 64] >> (doc % 64) & 1) != 0;
  }
  /// Adds the scores of the leaves to `out` for these documents (ascending): term by term, in the order of
  /// the leaves. `filtered`: the filter has been asked.
  void score_all(std::size_t part, std::span<const std::uint32_t> docs, bool filtered);
  /// Whether the tree matches a document; adds its score.
  bool evaluate(const PlanNode& node, std::size_t part, std::uint32_t doc, float& score);
};

/// Contributions of the leaves as whole numbers: sums of 16 bits that bound scores.
class Quantizer {
 public:
  explicit Quantizer(QueryPlan& plan);
  /// False: too many terms, or too much between bound and score, for this to pay.
  bool useful() const { return useful_; }
  std::uint16_t weight(std::size_t leaf, std::size_t part) const;
  /// How much the error of a sum may vary, at most: more where it is above the score, less where below.
  std::uint32_t band() const { return band_; }
  /// A sum below this belongs to a score below `score`.
  std::uint32_t least_sum(float score) const;

 private:
  QueryPlan& plan_;
  double scale_ = 0;
  std::uint32_t band_ = 0;
  std::uint32_t lack_ = 0;  // what a sum may be below the score, at most
  bool useful_ = false;
};

/// Windows of sums; candidates wait for their exact scores. `allowed`: see TermPartView::live.
void collect_candidates(SearchState& state, const Quantizer& quantizer, std::size_t part,
                        const std::uint64_t* allowed, Candidates& candidates);
/// The same, for texts: blocks of documents whose lists promise too little are left out.
void collect_from_blocks(SearchState& state, const Quantizer& quantizer, std::size_t part,
                         const std::uint64_t* allowed, Candidates& candidates);
/// Windows of sums; each promising document is evaluated at once: for any tree.
void search_windows(SearchState& state, const Quantizer& quantizer, std::size_t part);
/// Windows of exact scores, for flat queries with very many terms.
void search_exhaustively(SearchState& state, std::size_t part);
/// Documents of the clauses that have to match, intersected.
void search_required(SearchState& state, std::size_t part);
/// The documents of all leaves, where these are few.
void search_union(SearchState& state, std::size_t part);
/// A phrase alone: promising documents first.
void search_phrase(SearchState& state, std::size_t part);

/// All clauses are leaves: whether a document matches is a matter of sets, and leaves add up.
bool single_level(const PlanNode& root);
/// The fewest documents that a clause leaves which has to match, kNoPosting when none has to. `impossible`:
/// such a clause matches nothing in this part.
std::uint32_t fewest_required(QueryPlan& plan, std::size_t part, bool& impossible);
/// The live documents that the required and forbidden clauses of a single level admit.
std::vector<std::uint64_t> admitted(QueryPlan& plan, std::size_t part);

}  // namespace vecstore::inverted
