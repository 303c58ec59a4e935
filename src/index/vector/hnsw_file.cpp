// How an HnswIndex lies in an IndexFile. Frozen: an older number never changes its meaning.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "index/vector/hnsw_index.hpp"
#include "index/vector/hnsw_parts.hpp"

namespace vecstore {

namespace {

constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kBytesPerCheck = std::size_t{4} << 20;

// Sections, counted from the first.
enum Section : std::uint32_t {
  kHeader = 0,         // Header
  kParameters = 1,     // of the coder: lower bounds, steps, centre (float per component each), spread (float)
  kLinks = 2,          // std::uint32_t, degree per node; its own number where there is no neighbour
  kCodes = 3,          // code_bytes per node
  kScales = 4,         // float per node; not under the cosine without a centre
  kTerms = 5,          // float per node; under the Euclidean distance or with a centre
  kResidualSteps = 6,  // float per node; with a rescoring copy
  kResiduals = 7,      // residual_bytes per node; with a rescoring copy
  kEntryNodes = 8,     // std::uint32_t: pivots, then their buckets
  kEntryCodes = 9,     // code_bytes per entry
  kBucketBegins = 10,  // std::uint32_t, pivots + 1
};

struct Header {
  std::uint32_t version;
  std::uint32_t metric;
  std::uint32_t dimension;
  std::uint32_t nodes;
  std::uint32_t degree;
  std::uint32_t root;
  std::uint32_t entries;
  std::uint32_t pivots;
  std::uint32_t has_residuals;  // 0 or 1
  float gap_unit;
  float error_unit;
};

template <class T>
std::span<const std::byte> bytes_of(const T* values, std::size_t count) {
  return std::as_bytes(std::span(values, count));
}

class Reader {
 public:
  Reader(const io::IndexFile& file, std::uint32_t first) : file_(file), first_(first) {}

  [[noreturn]] void damaged(const char* what) const {
    fail(ErrorCode::kCorruption, file_.path(), ": ", what);
  }
  template <class T>
  std::span<const T> array(Section section, std::uint64_t count) const {
    const auto all = file_.array<T>(first_ + section);
    if (all.size() != count) damaged("a section of the vector index has the wrong size");
    return all;
  }
  std::span<const float> finite(Section section, std::uint64_t count) const {
    const auto all = array<float>(section, count);
    if (!std::all_of(all.begin(), all.end(), [](float v) { return std::isfinite(v); }))
      damaged("a number of the vector index is not finite");
    return all;
  }
  /// Not checked yet.
  const std::byte* raw(Section section, std::uint64_t count, std::uint64_t item) const {
    if (file_.section_size(first_ + section) != count * item)
      damaged("a section of the vector index has the wrong size");
    return file_.unchecked(first_ + section).data();
  }
  Header header() const {
    Header h;
    std::memcpy(&h, array<std::byte>(kHeader, sizeof h).data(), sizeof h);
    if (h.version != kVersion)
      fail(ErrorCode::kUnsupportedFormat, file_.path(), ": the vector index has version ", h.version);
    const bool metric = h.metric == static_cast<std::uint32_t>(Metric::kCosine) ||
                        h.metric == static_cast<std::uint32_t>(Metric::kDot) ||
                        h.metric == static_cast<std::uint32_t>(Metric::kEuclidean);
    if (!metric || h.dimension < 1 || h.dimension > 65536 || h.nodes < 1 || h.nodes > hnsw::kMaxNodes ||
        h.degree < 4 || h.degree > simd::kMaxDegree || h.degree % 4 || h.root >= h.nodes || h.entries < 1 ||
        h.entries > h.nodes || h.pivots < 1 || h.pivots > h.entries || h.has_residuals > 1 ||
        !(h.gap_unit >= 0) || !(h.error_unit >= 0) || !std::isfinite(h.gap_unit) ||
        !std::isfinite(h.error_unit))
      damaged("the header of the vector index is damaged");
    return h;
  }

 private:
  const io::IndexFile& file_;
  const std::uint32_t first_;
};

}  // namespace

void HnswIndex::write(io::IndexFileWriter& writer, std::uint32_t first_section,
                      const Context& context) const {
  if (file_ && !warm()) {
    // Whatever goes into a new file has been checked.
    for (std::uint32_t node = 0; node < nodes_; ++node) {
      if ((node & 1023) == 0) context.check();
      Checks::links(this, node);
      Checks::codes(this, &node, 1);
    }
  }
  if (file_ && residual_bytes_)
    file_->admit({reinterpret_cast<const std::byte*>(residuals_), nodes_ * residual_bytes_});
  const simd::WalkGraph* walk = walk_.load(std::memory_order_acquire);
  const simd::WalkGraph& g = walk ? *walk : cold_;
  const Header header{kVersion,
                      static_cast<std::uint32_t>(metric()),
                      static_cast<std::uint32_t>(dimension()),
                      nodes_,
                      degree_,
                      root_,
                      g.bucket_begins[g.pivots],
                      g.pivots,
                      residual_bytes_ ? 1u : 0u,
                      gap_unit_,
                      error_unit_};
  const auto add = [&](Section section, std::span<const std::byte> bytes) {
    writer.begin(first_section + section);
    for (std::size_t at = 0; at < bytes.size(); at += kBytesPerCheck) {
      context.check();
      writer.append(bytes.subspan(at, std::min(kBytesPerCheck, bytes.size() - at)));
    }
  };
  add(kHeader, bytes_of(&header, 1));
  add(kParameters, bytes_of(coder_.parameters().data(), coder_.parameters().size()));
  add(kBucketBegins, bytes_of(g.bucket_begins, g.pivots + 1));
  add(kEntryNodes, bytes_of(g.entries, header.entries));
  add(kEntryCodes, bytes_of(g.entry_codes, header.entries * code_bytes_));
  if (g.scales) add(kScales, bytes_of(g.scales, nodes_));
  if (g.terms) add(kTerms, bytes_of(g.terms, nodes_));
  if (residual_bytes_) add(kResidualSteps, bytes_of(residual_steps_, nodes_));
  add(kLinks, bytes_of(g.links, std::size_t{nodes_} * degree_));
  add(kCodes, bytes_of(g.codes, nodes_ * code_bytes_));
  if (residual_bytes_) add(kResiduals, bytes_of(residuals_, nodes_ * residual_bytes_));
}

std::shared_ptr<const HnswIndex> HnswIndex::open(std::shared_ptr<const io::IndexFile> file,
                                                 std::uint32_t first_section) {
  const Reader reader(*file, first_section);
  const Header h = reader.header();
  const Metric metric = static_cast<Metric>(h.metric);
  const auto parameters = reader.finite(kParameters, NibbleCoder::parameter_count(h.dimension));
  auto index = std::shared_ptr<HnswIndex>(
      new HnswIndex(NibbleCoder(metric, h.dimension, parameters), h.nodes, h.degree));
  index->root_ = h.root;
  index->gap_unit_ = h.gap_unit;
  index->error_unit_ = h.error_unit;
  if (h.has_residuals) index->residual_bytes_ = NibbleCoder::residual_bytes(h.dimension);
  simd::WalkGraph& g = index->cold_;
  g.nodes = h.nodes;
  g.degree = h.degree;
  g.links = reinterpret_cast<const std::uint32_t*>(reader.raw(kLinks, std::uint64_t{h.nodes} * h.degree, 4));
  g.code_bytes = index->code_bytes_;
  g.codes = reinterpret_cast<const std::uint8_t*>(reader.raw(kCodes, h.nodes, g.code_bytes));
  if (index->coder_.has_scales()) g.scales = reader.finite(kScales, h.nodes).data();
  if (index->coder_.has_terms()) g.terms = reader.finite(kTerms, h.nodes).data();
  const auto entries = reader.array<std::uint32_t>(kEntryNodes, h.entries);
  for (std::uint32_t node : entries) {
    if (node >= h.nodes) reader.damaged("an entry of the vector index is damaged");
  }
  g.entries = entries.data();
  const auto begins = reader.array<std::uint32_t>(kBucketBegins, h.pivots + 1);
  if (!std::is_sorted(begins.begin(), begins.end()) || begins.back() != h.entries)
    reader.damaged("the buckets of the vector index are damaged");
  g.pivots = h.pivots;
  g.bucket_begins = begins.data();
  g.entry_codes = reader.array<std::uint8_t>(kEntryCodes, h.entries * g.code_bytes).data();
  g.admit_links = Checks::links;
  g.admit_codes = Checks::codes;
  g.admit_context = index.get();
  if (h.has_residuals) {
    index->residual_steps_ = reader.finite(kResidualSteps, h.nodes).data();
    index->residuals_ =
        reinterpret_cast<const std::uint8_t*>(reader.raw(kResiduals, h.nodes, index->residual_bytes_));
  }
  index->opened_ = std::make_unique<Owned>();
  index->opened_->walk = g;
  index->opened_->gather_entry_sides();
  g = index->opened_->walk;
  index->file_ = std::move(file);
  return index;
}

void HnswIndex::Checks::links(const void* context, std::uint32_t node) {
  const auto& index = *static_cast<const HnswIndex*>(context);
  const std::uint32_t* links = index.cold_.links + std::size_t{node} * index.degree_;
  index.file_->admit(bytes_of(links, index.degree_));
  std::uint32_t largest = 0;
  for (std::uint32_t i = 0; i < index.degree_; ++i) largest = std::max(largest, links[i]);
  if (largest >= index.nodes_) fail(ErrorCode::kCorruption, index.file_->path(), ": a link is damaged");
}

void HnswIndex::Checks::codes(const void* context, const std::uint32_t* nodes, std::size_t count) {
  const auto& index = *static_cast<const HnswIndex*>(context);
  for (std::size_t i = 0; i < count; ++i)
    index.file_->admit(bytes_of(index.cold_.codes + nodes[i] * index.code_bytes_, index.code_bytes_));
}

// Rows that no walk comes to would be missing in every answer, and nothing else would tell.
void HnswIndex::Checks::reachable(const HnswIndex& index, const simd::WalkGraph& graph, Context& context) {
  std::vector<bool> seen(graph.nodes);
  std::vector<std::uint32_t> queue{index.root_};
  queue.reserve(graph.nodes);
  seen[index.root_] = true;
  for (std::size_t at = 0; at < queue.size(); ++at) {
    if ((at & 1023) == 0) context.check();
    const std::uint32_t* links = graph.links + std::size_t{queue[at]} * graph.degree;
    for (std::uint32_t i = 0; i < graph.degree; ++i) {
      if (seen[links[i]]) continue;
      seen[links[i]] = true;
      queue.push_back(links[i]);
    }
  }
  if (queue.size() == graph.nodes) return;
  fail(ErrorCode::kCorruption, index.file_->path(), ": ", graph.nodes - queue.size(),
       " nodes cannot be reached");
}

void HnswIndex::warm_up(Context& context, bool copy) const {
  const std::lock_guard lock(warm_mutex_);
  if (warm()) return;
  auto own = std::make_unique<Owned>();
  own->walk = cold_;
  own->walk.admit_links = nullptr;
  own->walk.admit_codes = nullptr;
  const std::size_t link_bytes = degree_ * sizeof(std::uint32_t);
  if (copy) {
    own->links = os::allocate_bytes(nodes_ * link_bytes);
    own->codes = os::allocate_bytes(nodes_ * code_bytes_);
    own->walk.links = reinterpret_cast<const std::uint32_t*>(own->links.get());
    own->walk.codes = own->codes.get();
  }
  for (std::uint32_t node = 0; node < nodes_; ++node) {
    if ((node & 1023) == 0) context.check();
    Checks::links(this, node);
    Checks::codes(this, &node, 1);
    if (!copy) continue;
    std::memcpy(own->links.get() + node * link_bytes, cold_.links + std::size_t{node} * degree_, link_bytes);
    std::memcpy(own->codes.get() + node * code_bytes_, cold_.codes + node * code_bytes_, code_bytes_);
  }
  Checks::reachable(*this, own->walk, context);
  owned_ = std::move(own);
  walk_.store(&owned_->walk, std::memory_order_release);
}

}  // namespace vecstore
