// Request: what every kind of query becomes. Plan: the stages that answer it. One path for all of them.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/context.hpp"
#include "index/top_k.hpp"
#include "vecstore/query.hpp"

namespace vecstore::query {

inline constexpr std::int64_t kMaxHits = 10'000;
/// So many times k of what codes of sparse vectors find are scored with their full vectors.
inline constexpr float kSparseOversampling = 1.5f;
inline constexpr std::size_t kFusionCandidates = 100;  ///< Of each part, or offset + k where that is more.

/// Checked and complete: nothing here is invalid for the collection.
struct Request {
  const Vector* vector = nullptr;  ///< Search by vector (borrowed; its dense part is meant) ...
  std::optional<Sparse> sparse;    ///< ... by sparse vector (in order) ...
  std::string vector_name;
  std::optional<std::string> text;  ///< ... by text, or by several of them.
  TextSyntax syntax = TextSyntax::kMatch;
  std::optional<Fusion> fusion;  ///< With several.
  PartWeights weights;           ///< Likewise.
  std::size_t k = 10;
  std::size_t offset = 0;
  std::optional<float> score_threshold;
  std::size_t autocut = 0;
  bool exact = false;
  bool exact_scores = true;
  std::size_t ef = 0;      ///< 0: the collection's.
  float oversampling = 0;  ///< Likewise.
  std::optional<Filter> where;
  bool with_vectors = false;
  bool with_text = true;
  bool with_metadata = true;
  bool explain = false;
  std::optional<SnippetOptions> highlight;  ///< With text.
  std::size_t threads = 1;
  std::vector<std::string> warnings;  ///< What admission has to say; passed on to the answer.
};

/// One search of an index; scores of different records do not depend on each other.
struct Leaf {
  enum class Kind : std::uint8_t { kVector, kSparse, kTerms };
  Kind kind = Kind::kVector;
  std::size_t k = 0;
  float weight = 1;
  std::optional<float> score_threshold;  ///< Only where the leaf's score is the answer's.
  std::uint64_t expected_rows = 0;       ///< How many rows it is expected to look at.

  /// In answers and weights: "vector", "sparse", "text".
  const char* part_name() const;
};

/// Leaves, then what looks at all of them together.
struct Plan {
  std::vector<Leaf> leaves;
  std::optional<Fusion> fusion;
  std::size_t offset = 0;
  std::size_t k = 0;
};

/// Throws kInvalidArgument for numbers out of range: k, offset, score_threshold, alpha.
void check_limits(std::int64_t k, std::int64_t offset, const std::optional<float>& score_threshold);
/// What is below offset + k is raised to it later.
void check_effort(std::int64_t ef, float oversampling);
void check_fusion(const Fusion& fusion, const std::optional<PartWeights>& weights);
std::size_t check_autocut(std::int64_t jumps);
void check_highlight(const std::optional<SnippetOptions>& highlight);

Plan make_plan(const Request& request, std::uint64_t live_rows);

inline constexpr std::size_t kMostLeaves = 3;

/// A fused row with its rank and score in each leaf.
struct FusedRow {
  std::uint64_t row = 0;
  float score = 0;
  std::array<std::uint32_t, kMostLeaves> ranks{};  ///< From 1; 0 = not found there.
  std::array<float, kMostLeaves> scores{};
};

/// Joins ranked lists by Fusion's rules; `weights` is parallel to them. The rows come back in no particular
/// order.
std::vector<FusedRow> fuse(const Fusion& fusion, std::span<const float> weights,
                           const std::vector<std::vector<RowScore>>& lists);

/// How many of these scores, which fall, are before the jump-th jump (QueryBase::autocut).
std::size_t hits_before_jump(std::span<const float> scores, std::size_t jump);

}  // namespace vecstore::query
