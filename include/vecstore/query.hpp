// Queries and what comes back.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "vecstore/filter.hpp"
#include "vecstore/models.hpp"
#include "vecstore/record.hpp"
#include "vecstore/text.hpp"

namespace vecstore {

/// How much each part of a hybrid query counts, >= 0. Parts that a query does not have are ignored.
struct PartWeights {
  float vector = 1;
  float sparse = 1;
  float text = 1;

  bool operator==(const PartWeights&) const = default;
};

/// How the ranked lists of a hybrid query become one. Each list has a weight w (1 unless PartWeights or an
/// alpha are given). Where scores are joined, those of each list are scaled first, since cosines and BM25
/// have nothing in common; "absent" is what a record has in a list that did not find it.
///
/// | | scaled score x of a list | absent | joined |
/// |---|---|---|---|
/// | rrf | 1 / (k + rank), rank from 1 | 0 | sum of w x |
/// | relative_score, weighted | (s - least) / (largest - least); all equal: 1 | 0 | sum of w x |
/// | z_score | (s - mean) / deviation; all equal: 0 | the list's least x; all equal: -1 | sum of w x |
/// | distribution | (s - mean) / (6 deviations) + 1/2, cut at 0 and 1; all equal: 1/2 | 0 | sum of w x |
/// | max, min | as relative_score | 0 | largest, least w x |
/// | harmonic, geometric | as relative_score | 0 | weighted mean of that kind: 0 where one x is 0 |
///
/// Means and deviations are those of the list (the deviation of n values divides by n). Lists of weight 0
/// count for nothing in min, harmonic and geometric. rrf: Cormack, Clarke, Buettcher, SIGIR 2009.
class Fusion {
 public:
  enum class Kind : std::uint8_t {
    kReciprocalRank,
    kRelativeScore,
    kZScore,
    kDistribution,
    kMax,
    kMin,
    kHarmonic,
    kGeometric
  };

  static Fusion rrf(float k = 60.0f) { return Fusion(Kind::kReciprocalRank, k); }
  static Fusion relative_score() { return Fusion(Kind::kRelativeScore); }
  /// relative_score with the weight alpha, 0 to 1, for the vector part (the sparse one where the query has no
  /// dense vector); the others share 1 - alpha equally.
  static Fusion weighted(float alpha) { return relative_score().alpha(alpha); }
  static Fusion z_score() { return Fusion(Kind::kZScore); }
  static Fusion distribution() { return Fusion(Kind::kDistribution); }
  static Fusion max() { return Fusion(Kind::kMax); }
  static Fusion min() { return Fusion(Kind::kMin); }
  static Fusion harmonic() { return Fusion(Kind::kHarmonic); }
  static Fusion geometric() { return Fusion(Kind::kGeometric); }

  /// "rrf", "relative_score", "z_score", "distribution", "max", "min", "harmonic", "geometric"; throws
  /// kInvalidArgument for anything else.
  static Fusion named(std::string_view name);

  /// The same with weights from alpha, as `weighted` has them.
  Fusion alpha(float value) const {
    Fusion out = *this;
    out.alpha_ = value;
    return out;
  }

  Kind kind() const noexcept { return kind_; }
  std::string_view name() const noexcept;
  float rank_constant() const noexcept { return rank_constant_; }  ///< k of rrf.
  std::optional<float> alpha() const noexcept { return alpha_; }

 private:
  explicit Fusion(Kind kind, float rank_constant = 0) : kind_(kind), rank_constant_(rank_constant) {}
  Kind kind_;
  float rank_constant_;
  std::optional<float> alpha_;
};

/// What every kind of query has. `Self` is the fluent class.
template <class Self>
class QueryBase {
 public:
  /// How many hits, 0 to 10,000; 10 unless given.
  Self& k(std::int64_t value) { return k_ = value, self(); }
  /// Skip this many of the best; offset + k is at most 10,000. Page deeper with scroll.
  Self& offset(std::int64_t value) { return offset_ = value, self(); }
  /// Only records that match: the filter language (docs/filter.md), or a Filter built in code.
  Self& where(std::string_view filter) { return where_ = Filter::parse(filter), self(); }
  Self& where(Filter filter) { return where_ = std::move(filter), self(); }
  /// Leave out hits that score less.
  Self& score_threshold(float value) { return score_threshold_ = value, self(); }
  /// Keep only the hits before the n-th jump of the scores, among the k best; 0 = all. A jump: from the first
  /// hit to the last, scaled to a square, the fall of the scores runs ahead of a straight line by more than
  /// at its neighbours.
  Self& autocut(std::int64_t jumps) { return autocut_ = jumps, self(); }
  /// Which named vector to search, in its dense and sparse parts; empty = the one without a name.
  Self& using_vector(std::string name) { return vector_name_ = std::move(name), self(); }
  /// The true best, whatever it costs, instead of nearly all of them from a graph or from sparse codes.
  Self& exact(bool value = true) { return exact_ = value, self(); }
  /// How far a graph is searched: larger finds more of the true best, slower. 0 = the collection's
  /// (IndexOptions::ef_search); what is below offset + k is raised to it. At most 65,536.
  Self& ef(std::int64_t value) { return ef_ = value, self(); }
  /// At least so many times k of what a graph finds are scored with their full vectors, 1 to 100: more of the
  /// true best where codes are coarse. 0 = the collection's (IndexOptions::oversampling); 1.5 for sparse
  /// codes.
  Self& oversampling(float value) { return oversampling_ = value, self(); }
  /// false: scores may be estimates from the index's own codes (see Codes), which saves reading the full
  /// vectors; there is no oversampling then.
  Self& exact_scores(bool value = true) { return exact_scores_ = value, self(); }
  Self& with_vectors(bool value = true) { return with_vectors_ = value, self(); }
  Self& with_text(bool value = true) { return with_text_ = value, self(); }
  Self& with_metadata(bool value = true) { return with_metadata_ = value, self(); }
  /// Fill Hits::plan and each hit's parts.
  Self& explain(bool value = true) { return explain_ = value, self(); }
  /// Give up with kDeadline after this long.
  Self& deadline(std::chrono::milliseconds value) { return deadline_ = value, self(); }
  /// Give up with kCancelled when stop is requested.
  Self& stop(std::stop_token value) { return stop_ = std::move(value), self(); }
  /// Threads that this query may use; 0 = the database's setting.
  Self& threads(unsigned value) { return threads_ = value, self(); }

  std::int64_t k_ = 10;
  std::int64_t offset_ = 0;
  std::optional<Filter> where_;
  std::optional<float> score_threshold_;
  std::int64_t autocut_ = 0;
  std::string vector_name_;
  bool exact_ = false;
  std::int64_t ef_ = 0;
  float oversampling_ = 0;
  bool exact_scores_ = true;
  bool with_vectors_ = false;
  bool with_text_ = true;
  bool with_metadata_ = true;
  bool explain_ = false;
  std::optional<std::chrono::milliseconds> deadline_;
  std::stop_token stop_;
  unsigned threads_ = 0;

 private:
  Self& self() { return static_cast<Self&>(*this); }
};

/// The nearest records to a vector.
///
/// Of a sparse vector (Vector::sparse): the records with the largest dot product, summed in float by
/// ascending index. Exact, but for fields with IndexOptions::sparse_codes kInt8: there 1.5 k candidates by
/// their codes are scored with their full vectors; `exact` reads those of all that may be among the best;
/// exact_scores(false) reads none: ranks and scores are the codes' (Codes says how far they may be off).
/// Records without a common index are no hits. Values may be negative or zero:
/// vectors with a value below 2^-50 or above 2^50 are kept apart from the inverted index and read from the
/// disk one by one, and a query with such a value reads all vectors of the field (about 1 microsecond each;
/// `explain` tells). Of a hybrid vector both parts are searched and fused, as HybridQuery does by default.
/// `using_vector` names the vector whose dense and sparse parts are meant. Unsorted indices are sorted;
/// duplicates, values that are not finite and more than 65,536 entries are kInvalidArgument.
class Query : public QueryBase<Query> {
 public:
  explicit Query(Vector vector) : vector_(std::move(vector)) {}
  Vector vector_;
};

/// The best records by two or three of dense vector, sparse vector and text together. At most max(100, offset
/// + k) candidates of each part are fused, by reciprocal rank unless `alpha` or `fusion` is given.
class HybridQuery : public QueryBase<HybridQuery> {
 public:
  /// `vector`: dense, sparse, or both (Vector::hybrid), which makes three parts.
  HybridQuery(Vector vector, std::string text) : vector_(std::move(vector)), text_(std::move(text)) {}
  /// A sparse part that `dense` has itself is not used.
  HybridQuery(const Vector& dense, Sparse sparse)
      : vector_(Vector::hybrid(dense.dense(), std::move(sparse.indices), std::move(sparse.values))) {}

  HybridQuery& fusion(Fusion value) { return fusion_ = value, *this; }
  /// Weighted fusion with this share for the vector part, 0 to 1.
  HybridQuery& alpha(float value) { return fusion_ = Fusion::weighted(value), *this; }
  HybridQuery& syntax(TextSyntax value) { return syntax_ = value, *this; }
  /// How much each part counts; not together with an alpha.
  HybridQuery& weights(PartWeights value) { return weights_ = value, *this; }
  /// Fill Hit::snippets.
  HybridQuery& highlight(SnippetOptions value = {}) { return highlight_ = value, *this; }

  Vector vector_;
  std::optional<std::string> text_;
  Fusion fusion_ = Fusion::rrf();
  std::optional<PartWeights> weights_;
  TextSyntax syntax_ = TextSyntax::kMatch;
  std::optional<SnippetOptions> highlight_;
};

/// Which parts of a record a text query looks at.
enum class Mode : std::uint8_t { kDense, kText, kHybrid };

/// For query_text: the text is embedded by the collection's model and matched against its text fields.
struct TextQueryOptions {
  std::int64_t k = 10;
  std::int64_t offset = 0;
  Mode mode = Mode::kHybrid;
  TextSyntax syntax = TextSyntax::kMatch;  ///< Of the text that is searched for; it is embedded as it is.
  std::optional<Filter> where;
  std::optional<float> alpha;    ///< Share of the vectors: Fusion::weighted, unless `fusion` is given too.
  std::optional<Fusion> fusion;  ///< Reciprocal rank unless this or alpha is given.
  std::optional<PartWeights> weights;  ///< Not together with an alpha.
  std::optional<float> score_threshold;
  std::int64_t autocut = 0;  ///< See QueryBase::autocut.
  bool exact = false;        ///< See Query::exact.
  std::int64_t ef = 0;       ///< See Query::ef.
  float oversampling = 0;    ///< See Query::oversampling.
  bool explain = false;
  /// Fill Hit::snippets; not with Mode::kDense, which looks for no words.
  std::optional<SnippetOptions> highlight;
  bool with_text = true;
  bool with_metadata = true;
  std::optional<std::chrono::milliseconds> deadline;
  std::stop_token stop;
  unsigned threads = 0;  ///< See QueryBase::threads.
  Embedder embedder;     ///< Instead of the collection's own; the fingerprints have to agree.
};

/// Rank (from 1) and score of a hit in one part of a hybrid query; rank 0 = the part did not find it.
struct HitPart {
  std::string name;  ///< "vector", "sparse" or "text".
  std::size_t rank = 0;
  float score = 0;
};

struct Hit {
  std::string id;
  float score = 0;                ///< Larger is better.
  std::optional<float> distance;  ///< Of a pure vector query, in the metric's own sense (docs of Metric).
  Metadata metadata;
  std::string text;
  std::string source;
  std::uint64_t start = 0;  ///< text == bytes [start, end) of source.
  std::uint64_t end = 0;
  std::uint32_t part = 0;
  Vector vector;               ///< Filled on request.
  std::vector<HitPart> parts;  ///< Filled by explain.
  /// Filled by highlight: pieces of the record's text, the best first, with places in it (also when the text
  /// itself was not asked for). Empty where "text" is no text field of the collection, or the text is empty.
  std::vector<Snippet> snippets;
};

/// How many rows a step was expected to hand on: never fewer than `least`, never more than `most`.
struct RowEstimate {
  std::uint64_t least = 0;
  double expected = 0;
  std::uint64_t most = 0;
};

/// One step of an executed query, with what was expected and what happened.
struct PlanNode {
  std::string name;  ///< "filter", "vector scan", "sparse terms", "terms", "fuse", ...
  /// Settings: metric, k, filter, ... "plan" of a vector search with graphs: "walk", "scan" (of the codes of
  /// all rows that match), "results" (a walk over rows that match); several where one took over or there are
  /// several graphs.
  std::vector<std::pair<std::string, std::string>> properties;
  std::vector<std::pair<std::string, std::uint64_t>> counters;  ///< Real numbers: rows scanned, rescored, ...
  std::optional<RowEstimate> expected;                          ///< Where something is known beforehand.
  std::optional<std::uint64_t> rows;                            ///< What it handed on.
  double milliseconds = 0;
  std::vector<PlanNode> children;

  /// The value of a property of this step or, first met, of one below; empty: there is none.
  std::string property(std::string_view key) const;
  /// The tree, one line per node.
  std::string to_string() const;
};

/// The hits, best first; equal scores are ordered by id.
struct Hits {
  std::vector<Hit> hits;
  std::vector<std::string> warnings;  ///< For example a field in the filter that no record has.
  std::uint64_t degraded = 0;         ///< Damaged records that could not be considered; `verify` lists them.
  SequenceNumber sequence = 0;        ///< The commit that the answer reflects.
  std::optional<PlanNode> plan;       ///< With explain.

  auto begin() const noexcept { return hits.begin(); }
  auto end() const noexcept { return hits.end(); }
  std::size_t size() const noexcept { return hits.size(); }
  bool empty() const noexcept { return hits.empty(); }
  const Hit& operator[](std::size_t i) const { return hits[i]; }
  const Hit& front() const { return hits.front(); }
};

}  // namespace vecstore
