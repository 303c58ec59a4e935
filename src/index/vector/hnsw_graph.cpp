#include "index/vector/hnsw_graph.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include "base/error.hpp"
#include "index/vector/hnsw_builder.hpp"
#include "index/vector/hnsw_leaves.hpp"
#include "vecstore/index_options.hpp"

namespace vecstore::hnsw {

namespace {

void check_options(const BuildOptions& options) {
  if (options.m < kMinM || options.m > kMaxM)
    invalid("m is ", options.m, "; it must lie between ", kMinM, " and ", kMaxM);
  if (options.ef_construction < 1) invalid("ef_construction is 0; it must be at least 1");
  if (!(options.alpha >= 1) || options.alpha > 2)
    invalid("alpha is ", options.alpha, "; it must lie in [1, 2]");
}

// In an order that has nothing to do with the rows' own, which often come sorted by topic.
std::vector<std::uint32_t> shuffled(std::uint32_t first, std::uint32_t end) {
  std::vector<std::uint32_t> rows(end - first);
  std::iota(rows.begin(), rows.end(), first);
  std::minstd_rand random(12345);
  for (std::size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[random() % i]);
  return rows;
}

// A walk over everything that can be reached, with the tree of how it was reached.
class Reach {
 public:
  explicit Reach(const Graph& graph) : graph_(graph), parent_(graph.nodes, kNone) {
    if (graph.nodes) add(graph.root, graph.root);
  }

  void add(std::uint32_t node, std::uint32_t parent) {
    parent_[node] = parent;
    queue_.push_back(node);
    while (!queue_.empty()) {
      const std::uint32_t at = queue_.back();
      queue_.pop_back();
      reached_.push_back(at);
      for (std::uint32_t i = 0; i < graph_.degree; ++i) {
        const std::uint32_t next = graph_.of(at)[i];
        if (parent_[next] != kNone) continue;
        parent_[next] = at;
        queue_.push_back(next);
      }
    }
  }

  bool has(std::uint32_t node) const { return parent_[node] != kNone; }
  const std::vector<std::uint32_t>& reached() const { return reached_; }

  /// A slot of `node` that the tree does not need, the last such; kNone when there is none.
  std::uint32_t spare_slot(std::uint32_t node) const {
    const std::uint32_t* links = graph_.of(node);
    for (std::uint32_t i = graph_.degree; i-- > 0;) {
      if (links[i] == node || parent_[links[i]] != node) return i;
    }
    return kNone;
  }

 private:
  const Graph& graph_;
  std::vector<std::uint32_t> parent_;
  std::vector<std::uint32_t> queue_;
  std::vector<std::uint32_t> reached_;
};

// Makes `node` reachable from one of `hosts`; false when none of them has a slot to spare.
bool hang_on(Graph& graph, Reach& reach, std::uint32_t node, const std::uint32_t* hosts, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (!reach.has(hosts[i])) continue;
    std::uint32_t slot = reach.spare_slot(hosts[i]);
    if (slot == kNone) continue;
    std::uint32_t* links = graph.of(hosts[i]);
    while (slot > 0 && links[slot - 1] == hosts[i]) --slot;  // empty slots stay behind the others
    links[slot] = node;
    reach.add(node, hosts[i]);
    return true;
  }
  return false;
}

// The reached node nearest to `node` of some that have a slot to spare.
std::uint32_t near_host(const Reach& reach, const ByteCodes& codes, std::uint32_t node) {
  constexpr std::size_t kMost = 256;
  std::vector<std::uint32_t> hosts;
  const auto& reached = reach.reached();
  const std::size_t step = std::max<std::size_t>(1, reached.size() / kMost);
  for (std::size_t i = 0; i < reached.size(); i += step) {
    if (reach.spare_slot(reached[i]) != kNone) hosts.push_back(reached[i]);
  }
  for (std::size_t i = 0; hosts.empty(); ++i) {
    if (reach.spare_slot(reached[i]) != kNone) hosts.push_back(reached[i]);
  }
  std::vector<float> distances(hosts.size());
  codes.distances(node, hosts.data(), hosts.size(), distances.data());
  return hosts[static_cast<std::size_t>(std::min_element(distances.begin(), distances.end()) -
                                        distances.begin())];
}

}  // namespace

void link_unreachable(Graph& graph, const ByteCodes& codes, Context& context) {
  Reach reach(graph);
  std::vector<std::uint32_t> lost;
  for (std::uint32_t node = 0; node < graph.nodes; ++node) {
    if (!reach.has(node)) lost.push_back(node);
  }
  // First where a node's own links lead back to what is reached, which may reach others; then anywhere near.
  const auto by_links = [&](std::uint32_t node) {
    return reach.has(node) || hang_on(graph, reach, node, graph.of(node), graph.degree);
  };
  std::erase_if(lost, by_links);
  for (std::size_t i = 0; i < lost.size(); ++i) {
    if (i % 256 == 0) context.check();
    if (by_links(lost[i])) continue;
    const std::uint32_t host = near_host(reach, codes, lost[i]);
    hang_on(graph, reach, lost[i], &host, 1);
  }
}

Graph build_graph(const ByteCodes& codes, const BuildOptions& options, Context& context,
                  const std::function<void(std::uint64_t)>& progress) {
  check_options(options);
  if (codes.rows() > kMaxNodes) invalid("a graph of ", codes.rows(), " rows; it can have ", kMaxNodes);
  if (codes.rows() == 0) return {};
  if (options.by_walks) return extend_graph({}, {}, codes, options, context, progress);
  return LeafBuilder(codes, options, context, progress).build();
}

Graph extend_graph(const Graph& graph, const std::vector<std::uint32_t>& removed, const ByteCodes& codes,
                   const BuildOptions& options, Context& context,
                   const std::function<void(std::uint64_t)>& progress) {
  check_options(options);
  std::vector<std::uint32_t> number(graph.nodes);
  std::uint32_t kept = 0;
  for (std::uint32_t node = 0, at = 0; node < graph.nodes; ++node) {
    const bool gone = at < removed.size() && removed[at] == node;
    at += gone;
    number[node] = gone ? kNone : kept++;
  }
  if (codes.rows() > kMaxNodes || kept > codes.rows())
    invalid("a graph of ", kept, " kept nodes does not fit ", codes.rows(), " rows");
  // To insert a row takes three times as long as its share of a graph that is built as a whole.
  if (!options.by_walks && codes.rows() - kept > kept / 2)
    return build_graph(codes, options, context, progress);
  GraphBuilder builder(codes, options, context, progress);
  builder.take_over(graph, number);
  std::vector<std::uint32_t> present = shuffled(0, kept);
  const std::uint32_t root = kept == 0 || number[graph.root] == kNone ? 0 : number[graph.root];
  builder.insert_all(std::move(present), shuffled(kept, codes.rows()));
  return builder.finish(root);
}

std::vector<std::uint32_t> unreachable_nodes(const Graph& graph) {
  const Reach reach(graph);
  std::vector<std::uint32_t> out;
  for (std::uint32_t node = 0; node < graph.nodes; ++node) {
    if (!reach.has(node)) out.push_back(node);
  }
  return out;
}

}  // namespace vecstore::hnsw
