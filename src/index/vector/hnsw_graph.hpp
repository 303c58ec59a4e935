// The neighbour graph of a vector index, and how it is built.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/context.hpp"
#include "index/vector_index.hpp"
#include "quant/byte_codes.hpp"

namespace vecstore::hnsw {

/// The largest number of nodes; node numbers are 32-bit.
inline constexpr std::uint32_t kMaxNodes = 0x7fffffff;

struct BuildOptions {
  std::uint32_t m = 16;  ///< A node has at most 2 m links. vecstore::kMinM to kMaxM.
  /// How much is done to find a node's near rows: the pool of a walk for one that is added, a tenth of it
  /// rounds of comparing when all are. At least 1.
  std::uint32_t ef_construction = 100;
  float alpha = 1.15f;      ///< Of squared distances: above 1 keeps more of the longer links.
  std::size_t threads = 1;  ///< Above 1 needs `parallel`. See below for what it changes.
  const ParallelFor* parallel = nullptr;
  /// Rows are added one by one even when all are there: three times as long, and more links between groups.
  bool by_walks = false;
};

/// Directed links over the nodes 0 .. nodes - 1. Every node has `degree` slots, those without a neighbour
/// hold the node's own number and stand last. From `root` every node can be reached.
struct Graph {
  std::uint32_t nodes = 0;
  std::uint32_t degree = 0;
  std::uint32_t root = 0;
  std::vector<std::uint32_t> links;  ///< nodes * degree

  const std::uint32_t* of(std::uint32_t node) const { return links.data() + std::size_t{node} * degree; }
  std::uint32_t* of(std::uint32_t node) { return links.data() + std::size_t{node} * degree; }
};

/// Where walks begin: the nearest of a sample, found by way of its pivots. Upper layers of a graph would cost
/// more, and one small sample misses clusters.
struct Entries {
  std::vector<std::uint32_t> nodes;   ///< Pivots first, then the others, pivot by pivot.
  std::vector<std::uint32_t> begins;  ///< pivots + 1 places in `nodes`: where the bucket of a pivot begins.

  std::uint32_t pivots() const { return static_cast<std::uint32_t>(begins.size()) - 1; }
};

/// A sample of `rows` (at least one), each of its rows in the bucket of a near pivot. The few rows that lie
/// far outside of all others, where hardly a link leads to, are pivots themselves. Throws kCancelled,
/// kDeadline.
Entries make_entries(const ByteCodes& codes, const std::vector<std::uint32_t>& rows, const Context& context);

/// A graph over all rows of `codes`, which is finished: the same one with any number of threads, unless
/// by_walks. Takes about 32 m + 50 bytes per row besides the result and 70 to 90 microseconds per row of 384
/// dimensions. `progress`, when set, hears of the share that is done, as a number of rows that grows up to
/// all; from one thread at a time. Throws kCancelled, kDeadline, std::bad_alloc.
Graph build_graph(const ByteCodes& codes, const BuildOptions& options, Context& context,
                  const std::function<void(std::uint64_t)>& progress = {});

/// Adds the rows of `codes` behind graph.nodes to a copy of `graph`, whose nodes are its first rows.
/// The nodes of `removed` (ascending, below graph.nodes) are not kept: `codes` must not have them, so the
/// remaining ones move up in order. Where more than a third of the rows are new, a graph is built as a whole.
/// Else rows are added by walks: with one thread the same graph every time.
Graph extend_graph(const Graph& graph, const std::vector<std::uint32_t>& removed, const ByteCodes& codes,
                   const BuildOptions& options, Context& context,
                   const std::function<void(std::uint64_t)>& progress = {});

/// Nodes that cannot be reached from graph.root, ascending.
std::vector<std::uint32_t> unreachable_nodes(const Graph& graph);

}  // namespace vecstore::hnsw
