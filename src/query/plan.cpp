#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "query/request.hpp"
#include "text/highlighter.hpp"
#include "vecstore/index_options.hpp"

namespace vecstore::query {

void check_limits(std::int64_t k, std::int64_t offset, const std::optional<float>& score_threshold) {
  if (k < 0 || k > kMaxHits) invalid("k is ", k, "; 0 to ", kMaxHits, " are allowed");
  if (offset < 0 || offset > kMaxHits - k) {
    invalid("offset is ", offset, " with k ", k, "; together they may reach ", kMaxHits,
            ", use cursor paging (scroll) beyond");
  }
  if (score_threshold && std::isnan(*score_threshold)) invalid("score_threshold is NaN");
}

void check_effort(std::int64_t ef, float oversampling) {
  if (ef < 0 || ef > std::int64_t{kMaxEf}) invalid("ef is ", ef, "; 0 to ", kMaxEf, " are allowed");
  if (oversampling != 0 && !(oversampling >= 1 && oversampling <= kMaxOversampling))
    invalid("oversampling is ", oversampling, "; 1 to ", kMaxOversampling, " are allowed, or 0");
}

void check_fusion(const Fusion& fusion, const std::optional<PartWeights>& weights) {
  if (const float k = fusion.rank_constant(); !std::isfinite(k) || k < 0)
    invalid("fusion: k of reciprocal rank is ", k, "; it must be finite and not negative");
  if (fusion.alpha()) {
    if (!(*fusion.alpha() >= 0 && *fusion.alpha() <= 1))
      invalid("alpha is ", *fusion.alpha(), "; 0 to 1 are allowed");
    if (weights) invalid("alpha and weights of parts are given; one of them is allowed");
  }
  if (!weights) return;
  for (const auto& [name, weight] : {std::pair<const char*, float>{"vector", weights->vector},
                                     {"sparse", weights->sparse},
                                     {"text", weights->text}}) {
    if (!std::isfinite(weight) || weight < 0)
      invalid("weight of part '", name, "' is ", weight, "; it must be finite and not negative");
  }
}

std::size_t check_autocut(std::int64_t jumps) {
  if (jumps < 0 || jumps > kMaxHits) invalid("autocut is ", jumps, "; 0 to ", kMaxHits, " are allowed");
  return static_cast<std::size_t>(jumps);
}

const char* Leaf::part_name() const {
  switch (kind) {
    case Kind::kVector:
      return "vector";
    case Kind::kSparse:
      return "sparse";
    case Kind::kTerms:
      break;
  }
  return "text";
}

void check_highlight(const std::optional<SnippetOptions>& highlight) {
  if (highlight) text::check_snippet_options(*highlight);
}

namespace {

float weight_of(Leaf::Kind kind, const PartWeights& weights) {
  switch (kind) {
    case Leaf::Kind::kVector:
      return weights.vector;
    case Leaf::Kind::kSparse:
      return weights.sparse;
    case Leaf::Kind::kTerms:
      break;
  }
  return weights.text;
}

// Alpha is the share of the first part: the vector's, or the sparse one's where there is no vector.
void weigh(Plan& plan, const PartWeights& weights) {
  const std::optional<float> alpha = plan.fusion->alpha();
  float sum = 0;
  for (std::size_t l = 0; l < plan.leaves.size(); ++l) {
    Leaf& leaf = plan.leaves[l];
    if (alpha)
      leaf.weight = l == 0 ? *alpha : (1 - *alpha) / static_cast<float>(plan.leaves.size() - 1);
    else
      leaf.weight = weight_of(leaf.kind, weights);
    sum += leaf.weight;
  }
  if (sum == 0) invalid("the weights of all parts of the query are 0");
}

}  // namespace

Plan make_plan(const Request& request, std::uint64_t live_rows) {
  Plan plan;
  plan.offset = request.offset;
  plan.k = request.k;
  const std::size_t wanted = request.offset + request.k;
  const bool fused =
      int{request.vector != nullptr} + int{request.sparse.has_value()} + int{request.text.has_value()} > 1;
  if (fused) plan.fusion = request.fusion.value_or(Fusion::rrf());
  const std::size_t candidates = fused ? std::max(kFusionCandidates, wanted) : wanted;
  const auto threshold = fused ? std::nullopt : request.score_threshold;
  if (request.vector) plan.leaves.push_back({Leaf::Kind::kVector, candidates, 1, threshold, live_rows});
  if (request.sparse) plan.leaves.push_back({Leaf::Kind::kSparse, candidates, 1, threshold, live_rows});
  if (request.text) plan.leaves.push_back({Leaf::Kind::kTerms, candidates, 1, threshold, live_rows});
  if (fused) weigh(plan, request.weights);
  return plan;
}

}  // namespace vecstore::query
