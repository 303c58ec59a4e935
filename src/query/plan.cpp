#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "query/request.hpp"
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

void check_fusion(const Fusion& fusion) {
  const float p = fusion.parameter();
  switch (fusion.kind()) {
    case Fusion::Kind::kReciprocalRank:
      if (!std::isfinite(p) || p < 0)
        invalid("fusion: k of reciprocal rank is ", p, "; it must be finite and not negative");
      break;
    case Fusion::Kind::kWeighted:
      if (!(p >= 0 && p <= 1)) invalid("alpha is ", p, "; 0 to 1 are allowed");
      break;
  }
}

Plan make_plan(const Request& request, std::uint64_t live_rows) {
  Plan plan;
  plan.offset = request.offset;
  plan.k = request.k;
  const std::size_t wanted = request.offset + request.k;
  const bool fused = request.vector && request.text;
  if (fused) plan.fusion = request.fusion.value_or(Fusion::rrf());
  const std::size_t candidates = fused ? std::max(kFusionCandidates, wanted) : wanted;
  const auto threshold = fused ? std::nullopt : request.score_threshold;
  if (request.vector) plan.leaves.push_back({Leaf::Kind::kVector, candidates, threshold, live_rows});
  if (request.text) plan.leaves.push_back({Leaf::Kind::kTerms, candidates, threshold, live_rows});
  return plan;
}

}  // namespace vecstore::query
