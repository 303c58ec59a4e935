#include "index/inverted/term_search.hpp"

#include <algorithm>
#include <numeric>

#include "index/inverted/search_parts.hpp"
#include "simd/term_kernels.hpp"

namespace vecstore::inverted {

namespace {

// Fewer postings of all leaves are scored one by one: that is quicker than walking the windows, the more of
// them there are.
constexpr std::uint32_t kFewShare = 128;
constexpr std::uint64_t kFewPostings = 64, kMostFewPostings = 512;
// With so many documents to intersect, windows that skip what is not promising are quicker.
constexpr std::uint32_t kManyShare = 32;

std::uint64_t postings_of(QueryPlan& plan, std::size_t part) {
  std::uint64_t sum = 0;
  for (const PlanLeaf& leaf : plan.leaves()) {
    if (leaf.lists[part]) sum += leaf.lists[part]->size();
  }
  return sum;
}

/// Ranks say how many documents have a term, whoever may be found; so no filter, and all documents live.
void raise_by_ranks(QueryPlan& plan, const Quantizer& quantizer, std::size_t part, std::size_t k,
                    Candidates& candidates) {
  if (plan.parts()[part].live != nullptr) return;
  const auto rank =
      static_cast<std::size_t>(std::lower_bound(kRanks.begin(), kRanks.end(), k) - kRanks.begin());
  if (rank == kRanks.size()) return;
  for (std::size_t l = 0; l < plan.leaves().size(); ++l) {
    const auto& list = plan.leaves()[l].lists[part];
    if (!list || list->rank_code(rank) == 0) continue;
    candidates.raise_by_rank(simd::term_contribution(list->rank_code(rank), quantizer.weight(l, part)));
  }
}

}  // namespace

void TermSearch::run(const Bm25& bm25, const CorpusStats& stats, const RowFilter* filter, Context& context,
                     TopK& out) {
  plan_.prepare(bm25, stats, context);
  if (out.k() == 0) return;
  SearchState state{plan_, filter, context, out};
  const Quantizer quantizer(plan_);
  Candidates candidates(out.k(), quantizer.band());
  std::vector<std::size_t> order(plan_.parts().size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return plan_.parts()[a].source->documents() > plan_.parts()[b].source->documents();
  });
  const bool flat = plan_.flat();
  if (flat && quantizer.useful() && filter == nullptr) {
    for (const std::size_t part : order) raise_by_ranks(plan_, quantizer, part, out.k(), candidates);
  }
  bool deferred = false;
  const auto collect = [&](std::size_t part, const std::uint64_t* allowed) {
    candidates.raise(quantizer.least_sum(out.bound()));
    (plan_.vectors() ? collect_candidates : collect_from_blocks)(state, quantizer, part, allowed, candidates);
    deferred = true;
  };
  for (const std::size_t part : order) {
    context.check();
    if (plan_.lone_phrase()) {
      search_phrase(state, part);
      continue;
    }
    const std::uint32_t documents = plan_.parts()[part].source->documents();
    const std::uint64_t postings = postings_of(plan_, part);
    if (postings == 0) continue;
    context.counters.postings_scored += postings;
    if (flat) {
      if (postings <= std::clamp<std::uint64_t>(documents / kFewShare, kFewPostings, kMostFewPostings))
        search_union(state, part);
      else if (!quantizer.useful())
        search_exhaustively(state, part);
      else
        collect(part, plan_.parts()[part].live);
      continue;
    }
    bool impossible = false;
    const std::uint32_t fewest = fewest_required(plan_, part, impossible);
    if (impossible) continue;
    if (fewest != kNoPosting && (!quantizer.useful() || fewest <= std::max(1024u, documents / kManyShare)))
      search_required(state, part);
    else if (quantizer.useful() && single_level(plan_.root()))
      collect(part, admitted(plan_, part).data());
    else
      search_windows(state, quantizer, part);
  }
  if (!deferred) return;
  // The k best bounds first: what they score leaves out most of the others.
  const auto score = [&](std::span<const Candidate> some) {
    std::vector<std::uint32_t> docs;
    for (std::size_t i = 0; i < some.size();) {
      const std::uint32_t part = some[i].part;
      docs.clear();
      for (; i < some.size() && some[i].part == part; ++i) docs.push_back(some[i].doc);
      state.score_all(part, docs, true);
    }
  };
  score(candidates.best());
  candidates.raise(quantizer.least_sum(out.bound()));
  score(candidates.others());
}

}  // namespace vecstore::inverted
