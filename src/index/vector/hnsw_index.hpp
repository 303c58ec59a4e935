// HnswIndex: nearest neighbours by a walk over a graph of small codes.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/context.hpp"
#include "base/os_memory.hpp"
#include "index/vector/hnsw_costs.hpp"
#include "index/vector/hnsw_graph.hpp"
#include "io/index_file.hpp"
#include "quant/nibble_codes.hpp"
#include "vecstore/metric.hpp"

namespace vecstore {

struct HnswOptions {
  Metric metric = Metric::kCosine;
  std::size_t dimension = 0;
  /// Whether 8 more bits per component are kept for rescoring. Without them a hit's score has 4 bits per
  /// component, and more hits have to be rescored with full vectors for the same recall.
  bool rescoring_copy = true;
  hnsw::BuildOptions build;
};

/// How a search with admitted nodes goes.
enum class HnswWay : std::uint8_t {
  kChosen,   ///< By what each way is expected to cost; another one takes over where that was wrong.
  kScan,     ///< All of them are looked at.
  kResults,  ///< A walk over them alone, which also follows the links of the others.
  kWalk,     ///< A walk over all nodes.
};

/// One search. What is pointed to is borrowed for the call.
struct HnswQuery {
  std::span<const float> vector;            ///< Finite, as many components as the index.
  std::uint32_t k = 10;                     ///< At least 1. What the walk is meant to find.
  std::uint32_t ef = 64;                    ///< More finds more and takes longer; see docs/design/0004.
  std::uint32_t hits = 0;                   ///< How many to return at most; 0: 2 k, at least 20.
  std::optional<float> score_threshold;     ///< Rows below it need not be found; hits may lie below it.
  const std::uint64_t* admitted = nullptr;  ///< Bit per node, (size() + 63) / 64 words: may be returned.
  const std::uint64_t* retired = nullptr;   ///< Bit per node: may not.
  HnswWay way = HnswWay::kChosen;
  /// The k-th best score that other indexes have found for this query. What lies clearly below is not looked
  /// for and not returned: there may be no hit at all.
  std::optional<float> known_score;
};

struct HnswHit {
  float score = 0;  ///< Near the exact score: from 12 bits per component, or 4 without rescoring copy.
  std::uint32_t node = 0;
  bool operator==(const HnswHit&) const = default;
};

/// The arrays of a search, kept from one to the next. One thread at a time; any index.
class HnswScratch {
 public:
  HnswScratch();
  ~HnswScratch();
  HnswScratch(const HnswScratch&) = delete;
  HnswScratch& operator=(const HnswScratch&) = delete;

 private:
  friend class HnswIndex;
  struct Arrays;
  std::unique_ptr<Arrays> arrays_;
};

/// Immutable; const calls are thread-safe. Nodes are numbered 0 .. size() - 1 in the order of the rows that
/// it was built from.
class HnswIndex {
 public:
  using Progress = std::function<void(std::uint64_t rows_done)>;

  /// Rows 0 .. rows - 1; rows is at least 1. Needs about dimension + 800 bytes per row besides the result.
  /// Throws kInvalidArgument (options, rows), kCancelled, kDeadline, what `vectors` throws.
  static std::shared_ptr<const HnswIndex> build(const HnswOptions& options, std::uint32_t rows,
                                                const RowVectors& vectors, Context& context,
                                                const Progress& progress = {});
  /// An index over `base`'s nodes without `removed` (ascending), renumbered from 0 in their order, and behind
  /// them further rows up to `rows`. `vectors` gives all of them in the new numbers. The kept part of the
  /// graph is copied, so it takes time for the further rows mainly; codes are made anew.
  static std::shared_ptr<const HnswIndex> merge(const HnswIndex& base,
                                                const std::vector<std::uint32_t>& removed, std::uint32_t rows,
                                                const RowVectors& vectors, const HnswOptions& options,
                                                Context& context, const Progress& progress = {});

  /// Adds sections first_section .. first_section + kSections - 1. Throws kCancelled, kDeadline, kCorruption.
  void write(io::IndexFileWriter& writer, std::uint32_t first_section, const Context& context) const;
  /// Reads what is small; the rest is checked when it is first touched, until warm_up. Throws kCorruption,
  /// kUnsupportedFormat.
  static std::shared_ptr<const HnswIndex> open(std::shared_ptr<const io::IndexFile> file,
                                               std::uint32_t first_section);
  static constexpr std::uint32_t kSections = 16;
  ~HnswIndex();

  /// Checks links and codes of an opened index and copies them into memory on huge pages (`copy`), which
  /// makes searches about a quarter faster, or leaves them mapped. For a thread in the background; searches
  /// go on meanwhile. Throws kCorruption, kCancelled, std::bad_alloc; the index is then as before. The second
  /// call does nothing.
  void warm_up(Context& context, bool copy = true) const;
  bool warm() const { return walk_.load(std::memory_order_acquire) != nullptr; }
  /// The bytes that warm_up(copy) takes.
  std::uint64_t warm_bytes() const;

  Metric metric() const { return coder_.metric(); }
  std::size_t dimension() const { return coder_.dimension(); }
  std::uint32_t size() const { return nodes_; }
  /// Bytes that searches read: links, codes, rescoring copy.
  std::uint64_t search_bytes() const;

  /// Sets `out` to the best nodes found, best first, equal scores by node. Nothing is allocated when scratch
  /// and `out` have served such a search before. Throws kInvalidArgument, kCancelled, kDeadline, kCorruption.
  void search(const HnswQuery& query, HnswScratch& scratch, Context& context,
              std::vector<HnswHit>& out) const;
  /// What walks find for some of the rows as queries.
  struct Sampled {
    /// The share of the ten nearest other rows that walks with a large ef return; 1 for a single row. Codes
    /// keep about 12 bits of a component, so it is low where rows that are near each other differ by less
    /// (tight groups far apart): below kLeastRecall rows are better scanned.
    double recall = 1;
    /// The share of walks with a small ef that return hardly any of them: they end in other groups. Above
    /// kMostAstray a graph built by walks is better (BuildOptions::by_walks).
    double astray = 0;
    static constexpr double kLeastRecall = 0.8;
    static constexpr double kMostAstray = 0.05;
  };
  /// `vectors` and `options` as it was built. Every row is compared with 48 others, on the threads of
  /// `options`: about a fiftieth of a build. Throws kCancelled, kDeadline.
  Sampled sample(const RowVectors& vectors, const HnswOptions& options, Context& context) const;
  /// The score of one node, as search would give it. `query` was assigned with coder().
  float score(const NibbleQuery& query, std::uint32_t node) const;
  const NibbleCoder& coder() const { return coder_; }
  /// The vector that a node's codes stand for: near the row's, of length 1 under the cosine.
  void decode(std::uint32_t node, float* out) const;
  /// A copy of the links.
  hnsw::Graph graph() const;

  /// What ef stands for, and for measurements, anything else.
  struct Limits {
    float gap = 0;           ///< in units of the deviation of random rows' estimates
    std::uint32_t kept = 0;  ///< at least k
    std::uint32_t most_expanded = 0;
    float margin = 3;  ///< in units of the estimates' error: how far beyond the k-th best is rescored
    std::uint32_t most_rescored = 256;
    std::uint32_t probes = 3;  ///< pivots whose buckets are looked at, and entries; 1 to simd::kMaxProbes
  };
  static Limits limits_of(std::uint32_t ef, std::uint32_t k);
  void search(const HnswQuery& query, const Limits& limits, HnswScratch& scratch, Context& context,
              std::vector<HnswHit>& out) const;

 private:
  struct Owned;  // arrays of an index in memory, or the warm copies of an opened one
  struct Checks;

  HnswIndex(NibbleCoder coder, std::uint32_t nodes, std::uint32_t degree);
  static std::shared_ptr<const HnswIndex> make(const HnswOptions& options, hnsw::Graph graph, ByteCodes codes,
                                               NibbleCoder coder, const RowVectors& vectors,
                                               Context& context);
  void encode_all(const HnswOptions& options, const RowVectors& vectors, hnsw::Entries entries,
                  Context& context, Owned& own);
  void use(const Owned& own);
  void measure_units(const RowVectors& vectors, Context& context);
  NibbleSide side(std::uint32_t node) const;
  void count_work(const simd::WalkState& s, Context& context) const;
  const simd::WalkGraph& graph_now() const;
  /// False: it was given up, since it looked at more than `most_codes`.
  bool walk(const HnswQuery& query, const Limits& limits, std::uint32_t wanted_neighbours, double most_codes,
            HnswScratch::Arrays& arrays, Context& context) const;
  std::uint64_t admitted_nodes(const HnswQuery& query) const;
  struct Choice;
  Choice choose(const HnswQuery& query, const Limits& limits, std::uint64_t matches,
                HnswScratch::Arrays& arrays, Context& context) const;
  void measure_walk(const HnswQuery& query, const Limits& limits, HnswScratch::Arrays& arrays,
                    Context& context) const;
  void measure_costs(const HnswQuery& query, const Limits& limits, HnswScratch::Arrays& arrays,
                     Context& context) const;
  void scan_admitted(const HnswQuery& query, const Limits& limits, HnswScratch::Arrays& arrays,
                     Context& context) const;
  void take_walked(HnswScratch::Arrays& arrays, const HnswQuery& query) const;
  void collect(HnswScratch::Arrays& arrays, const HnswQuery& query, const Limits& limits, Context& context,
               std::vector<HnswHit>& out) const;
  void rescore(HnswScratch::Arrays& arrays, Context& context, std::vector<HnswHit>& out) const;

  NibbleCoder coder_;
  std::uint32_t nodes_;
  std::uint32_t degree_;
  std::uint32_t root_ = 0;
  float gap_unit_ = 0;    // how much estimates of random rows deviate: the scale of all gaps
  float error_unit_ = 0;  // how far an estimate is off
  std::size_t code_bytes_;
  std::size_t residual_bytes_ = 0;             // 0: none
  std::shared_ptr<const io::IndexFile> file_;  // nullptr: in memory
  std::unique_ptr<Owned> opened_;              // what open() gathers
  simd::WalkGraph cold_{};                     // of the file: checked as it is read
  const std::uint8_t* residuals_ = nullptr;
  const float* residual_steps_ = nullptr;
  // Set once: what walks without checks read.
  mutable std::mutex warm_mutex_;
  mutable std::unique_ptr<Owned> owned_;
  mutable std::atomic<const simd::WalkGraph*> walk_{nullptr};
  mutable hnsw::SearchCosts costs_;
};

}  // namespace vecstore
