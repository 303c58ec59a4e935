#include "index/vector/hnsw_index.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "index/vector/exact_scorer.hpp"
#include "index/vector/hnsw_parts.hpp"

namespace vecstore {

namespace {

constexpr std::size_t kMaxDimension = 65536;

void check(const HnswOptions& options, std::uint32_t rows) {
  if (options.dimension < 1 || options.dimension > kMaxDimension)
    invalid("the dimension is ", options.dimension, "; it must lie between 1 and ", kMaxDimension);
  if (rows < 1 || rows > hnsw::kMaxNodes)
    invalid("an index of ", rows, " rows; it must have between 1 and ", hnsw::kMaxNodes);
}

ByteCodes byte_codes(const HnswOptions& options, std::span<const float> centre, std::uint32_t rows,
                     const RowVectors& vectors, Context& context) {
  ByteCodes codes(options.metric, options.dimension, rows, centre);
  in_row_parts(options.build, rows, context, [&](std::uint32_t begin, std::uint32_t end) {
    for (std::uint32_t i = begin; i < end; ++i) codes.set(i, vectors(i));
  });
  codes.finish();
  return codes;
}

// The value below which this share of them lies.
double quantile(std::vector<double>& values, double share) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size()));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

float robust_mean(std::vector<double>& values) {
  constexpr double kMost = 4, kLargest = std::numeric_limits<float>::max();
  const double most = std::min(kMost * quantile(values, 0.5), kLargest);
  double sum = 0;
  for (double v : values) sum += std::min(v, most);
  return static_cast<float>(sum / static_cast<double>(values.size()));
}

// The standard deviation, where what lies far outside counts as if it lay at the rim of the rest.
double robust_deviation(std::vector<double>& values) {
  constexpr double kRim = 6;  // times the half width of the middle two thirds
  const double low = quantile(values, 0.16), high = quantile(values, 0.84), rim = kRim * (high - low) / 2;
  double sum = 0, squares = 0;
  for (double v : values) {
    const double x = std::clamp(v, low - rim, high + rim) - low;
    sum += x;
    squares += x * x;
  }
  const double mean = sum / static_cast<double>(values.size());
  return std::sqrt(std::max(0.0, squares / static_cast<double>(values.size()) - mean * mean));
}

}  // namespace

void in_row_parts(const hnsw::BuildOptions& options, std::uint32_t rows, Context& context,
                  const std::function<void(std::uint32_t begin, std::uint32_t end)>& fn) {
  constexpr std::uint32_t kPart = 512;
  const std::uint32_t parts = (rows - 1) / kPart + 1;
  const auto part = [&](std::size_t i) {
    const auto begin = static_cast<std::uint32_t>(i * kPart);
    fn(begin, std::min(rows - begin, kPart) + begin);
  };
  if (!options.parallel || options.threads < 2) {
    for (std::uint32_t i = 0; i < parts; ++i) {
      context.check();
      part(i);
    }
    return;
  }
  std::atomic<std::uint32_t> next{0};
  (*options.parallel)(options.threads, [&](std::size_t) {
    const Context child = context.child();
    for (std::uint32_t i; (i = next.fetch_add(1)) < parts;) {
      child.check();
      part(i);
    }
  });
}

HnswIndex::HnswIndex(NibbleCoder coder, std::uint32_t nodes, std::uint32_t degree)
    : coder_(std::move(coder)),
      nodes_(nodes),
      degree_(degree),
      code_bytes_(NibbleCoder::code_bytes(coder_.dimension())) {}

HnswIndex::~HnswIndex() = default;

std::shared_ptr<const HnswIndex> HnswIndex::build(const HnswOptions& options, std::uint32_t rows,
                                                  const RowVectors& vectors, Context& context,
                                                  const Progress& progress) {
  check(options, rows);
  NibbleCoder coder = NibbleCoder::fit(options.metric, options.dimension, rows, vectors, context);
  ByteCodes codes = byte_codes(options, coder.centre(), rows, vectors, context);
  hnsw::Graph graph = hnsw::build_graph(codes, options.build, context, progress);
  return make(options, std::move(graph), std::move(codes), std::move(coder), vectors, context);
}

std::shared_ptr<const HnswIndex> HnswIndex::merge(const HnswIndex& base,
                                                  const std::vector<std::uint32_t>& removed,
                                                  std::uint32_t rows, const RowVectors& vectors,
                                                  const HnswOptions& options, Context& context,
                                                  const Progress& progress) {
  check(options, rows);
  if (options.metric != base.metric() || options.dimension != base.dimension())
    invalid("indexes of different metric or dimension cannot be merged");
  NibbleCoder coder = NibbleCoder::fit(options.metric, options.dimension, rows, vectors, context);
  ByteCodes codes = byte_codes(options, coder.centre(), rows, vectors, context);
  hnsw::Graph graph = hnsw::extend_graph(base.graph(), removed, codes, options.build, context, progress);
  return make(options, std::move(graph), std::move(codes), std::move(coder), vectors, context);
}

std::shared_ptr<const HnswIndex> HnswIndex::make(const HnswOptions& options, hnsw::Graph graph,
                                                 ByteCodes codes, NibbleCoder coder,
                                                 const RowVectors& vectors, Context& context) {
  std::vector<std::uint32_t> all(graph.nodes);
  std::iota(all.begin(), all.end(), 0u);
  hnsw::Entries entries = hnsw::make_entries(codes, all, context);
  codes = ByteCodes(options.metric, options.dimension, 0);  // its memory is not needed any more
  auto index = std::shared_ptr<HnswIndex>(new HnswIndex(std::move(coder), graph.nodes, graph.degree));
  index->root_ = graph.root;
  if (options.rescoring_copy) index->residual_bytes_ = NibbleCoder::residual_bytes(options.dimension);
  auto own = std::make_unique<Owned>();
  own->links = os::allocate_bytes(graph.links.size() * sizeof(std::uint32_t));
  std::memcpy(own->links.get(), graph.links.data(), graph.links.size() * sizeof(std::uint32_t));
  index->encode_all(options, vectors, std::move(entries), context, *own);
  index->use(*own);
  index->measure_units(vectors, context);
  index->owned_ = std::move(own);
  index->walk_ = &index->owned_->walk;
  return index;
}

void HnswIndex::encode_all(const HnswOptions& options, const RowVectors& vectors, hnsw::Entries entries,
                           Context& context, Owned& own) {
  own.codes = os::allocate_bytes(nodes_ * code_bytes_);
  if (residual_bytes_) own.residuals = os::allocate_bytes(nodes_ * residual_bytes_);
  if (residual_bytes_) own.residual_steps.resize(nodes_);
  if (coder_.has_scales()) own.scales.resize(nodes_);
  if (coder_.has_terms()) own.terms.resize(nodes_);
  in_row_parts(options.build, nodes_, context, [&](std::uint32_t begin, std::uint32_t end) {
    for (std::uint32_t i = begin; i < end; ++i) {
      std::uint8_t* residual = residual_bytes_ ? own.residuals.get() + i * residual_bytes_ : nullptr;
      const NibbleSide side = coder_.encode(vectors(i), own.codes.get() + i * code_bytes_, residual);
      if (residual) own.residual_steps[i] = side.residual_step;
      if (!own.scales.empty()) own.scales[i] = side.scale;
      if (!own.terms.empty()) own.terms[i] = side.term;
    }
  });
  own.entry_codes = os::allocate_bytes(entries.nodes.size() * code_bytes_);
  for (std::size_t i = 0; i < entries.nodes.size(); ++i)
    std::memcpy(own.entry_codes.get() + i * code_bytes_, own.codes.get() + entries.nodes[i] * code_bytes_,
                code_bytes_);
  own.bucket_begins = std::move(entries.begins);
  own.entries = std::move(entries.nodes);
  simd::WalkGraph& w = own.walk;
  w.nodes = nodes_;
  w.degree = degree_;
  w.links = reinterpret_cast<const std::uint32_t*>(own.links.get());
  w.codes = own.codes.get();
  w.code_bytes = code_bytes_;
  w.scales = own.scales.empty() ? nullptr : own.scales.data();
  w.terms = own.terms.empty() ? nullptr : own.terms.data();
  w.pivots = static_cast<std::uint32_t>(own.bucket_begins.size()) - 1;
  w.bucket_begins = own.bucket_begins.data();
  w.entries = own.entries.data();
  w.entry_codes = own.entry_codes.get();
  own.gather_entry_sides();
}

void HnswIndex::Owned::gather_entry_sides() {
  const std::uint32_t count = walk.bucket_begins[walk.pivots];
  for (std::uint32_t i = 0; i < count; ++i) {
    if (walk.scales) entry_scales.push_back(walk.scales[walk.entries[i]]);
    if (walk.terms) entry_terms.push_back(walk.terms[walk.entries[i]]);
  }
  walk.entry_scales = walk.scales ? entry_scales.data() : nullptr;
  walk.entry_terms = walk.terms ? entry_terms.data() : nullptr;
}

void HnswIndex::use(const Owned& own) {
  cold_ = own.walk;
  residuals_ = own.residuals.get();
  residual_steps_ = own.residual_steps.data();
}

// How much estimates of random rows differ, and how far they are off: taken from some rows as queries. Equal
// rows count once, and medians keep what a few far rows do out of it. Where few rows are far off (large
// components, which bounds cut), their error counts: under a normal law 1 in 1000 is off by 3.3 deviations.
void HnswIndex::measure_units(const RowVectors& vectors, Context& context) {
  constexpr std::uint32_t kQueries = 64, kOthers = 256;
  constexpr float kLargestTail = 2.5f;  // what one far row among the others may do
  NibbleQuery query;
  std::vector<float> x(dimension());
  std::vector<std::uint32_t> queried;
  std::vector<double> deviations, errors, estimates, wrong, distances;
  const std::uint32_t queries = std::min(nodes_, kQueries), others = std::min(nodes_, kOthers);
  for (std::uint32_t i = 0; i < queries; ++i) {
    context.check();
    const auto own = static_cast<std::uint32_t>((2 * std::uint64_t{i} + 1) * nodes_ / (2 * queries));
    std::copy_n(vectors(own), dimension(), x.data());
    const bool seen = std::any_of(queried.begin(), queried.end(), [&](std::uint32_t row) {
      return std::equal(x.begin(), x.end(), vectors(row));
    });
    if (seen) continue;
    queried.push_back(own);
    query.assign(coder_, x);
    const ExactScorer scorer(metric(), x);
    estimates.clear();
    wrong.clear();
    for (std::uint32_t j = 0; j < others; ++j) {
      const auto node = static_cast<std::uint32_t>(std::uint64_t{j} * nodes_ / others);
      if (node == own) continue;
      const std::uint8_t* code = cold_.codes + node * code_bytes_;
      const double estimate = query.estimate_of(query.score(code, nullptr, side(node)));
      const double exact = query.estimate_of(scorer.score_one(vectors(node)));
      if (std::find(estimates.begin(), estimates.end(), estimate) != estimates.end()) continue;
      estimates.push_back(estimate);
      wrong.push_back(estimate - exact);
    }
    if (estimates.size() < 2) continue;
    deviations.push_back(robust_deviation(estimates) / query.gap_scale());
    errors.push_back(robust_deviation(wrong) / query.gap_scale());
    for (const double w : wrong) distances.push_back(std::abs(w) / query.gap_scale());
  }
  if (deviations.empty()) return;
  gap_unit_ = robust_mean(deviations);
  const auto rare = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() * 999 / 1000);
  std::nth_element(distances.begin(), rare, distances.end());
  const auto usual = robust_mean(errors);
  error_unit_ = std::clamp(static_cast<float>(*rare / 3.29), usual, kLargestTail * usual);
}

std::uint64_t HnswIndex::warm_bytes() const {
  return nodes_ * (std::uint64_t{degree_} * sizeof(std::uint32_t) + code_bytes_);
}

std::uint64_t HnswIndex::search_bytes() const {
  const std::uint64_t sides = (cold_.scales ? 4 : 0) + (cold_.terms ? 4 : 0) + (residual_bytes_ ? 4 : 0);
  const std::uint64_t entries = cold_.bucket_begins[cold_.pivots] * (code_bytes_ + 2 * sizeof(std::uint32_t));
  return warm_bytes() + nodes_ * (residual_bytes_ + sides) + entries;
}

NibbleSide HnswIndex::side(std::uint32_t node) const {
  NibbleSide side;
  if (cold_.scales) side.scale = cold_.scales[node];
  if (cold_.terms) side.term = cold_.terms[node];
  if (residual_bytes_) side.residual_step = residual_steps_[node];
  return side;
}

float HnswIndex::score(const NibbleQuery& query, std::uint32_t node) const {
  const std::uint8_t* residual = residual_bytes_ ? residuals_ + node * residual_bytes_ : nullptr;
  const simd::WalkGraph* walk = walk_.load(std::memory_order_acquire);
  if (!walk) Checks::codes(this, &node, 1);
  if (file_ && residual) file_->admit({reinterpret_cast<const std::byte*>(residual), residual_bytes_});
  return query.score((walk ? walk : &cold_)->codes + node * code_bytes_, residual, side(node));
}

void HnswIndex::decode(std::uint32_t node, float* out) const {
  const std::uint8_t* residual = residual_bytes_ ? residuals_ + node * residual_bytes_ : nullptr;
  const simd::WalkGraph* walk = walk_.load(std::memory_order_acquire);
  if (!walk) Checks::codes(this, &node, 1);
  if (file_ && residual) file_->admit({reinterpret_cast<const std::byte*>(residual), residual_bytes_});
  coder_.decode((walk ? walk : &cold_)->codes + node * code_bytes_, residual, side(node), out);
}

hnsw::Graph HnswIndex::graph() const {
  if (!warm()) {
    for (std::uint32_t node = 0; node < nodes_; ++node) Checks::links(this, node);
  }
  hnsw::Graph graph;
  graph.nodes = nodes_;
  graph.degree = degree_;
  graph.root = root_;
  const simd::WalkGraph* walk = walk_.load(std::memory_order_acquire);
  const std::uint32_t* links = (walk ? walk : &cold_)->links;
  graph.links.assign(links, links + std::size_t{nodes_} * degree_);
  return graph;
}

}  // namespace vecstore
