// GraphBuilder: inserts rows into a graph, on many threads.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "index/vector/hnsw_graph.hpp"

namespace vecstore::hnsw {

inline constexpr std::uint32_t kNone = 0xffffffff;

struct Near {
  float distance;
  std::uint32_t node;
};

/// Lists with slack: 2 m links are wanted and twice as many are held, so that pruning is rare. A list is read
/// and written under its node's lock.
class GraphBuilder {
 public:
  GraphBuilder(const ByteCodes& codes, const BuildOptions& options, Context& context,
               const std::function<void(std::uint64_t)>& progress);
  ~GraphBuilder();

  /// Before any insert: sets the lists of the nodes of `graph` that are kept. `number` has their new numbers,
  /// kNone for the others; where a neighbour is not kept, neighbours of it take its place.
  void take_over(const Graph& graph, const std::vector<std::uint32_t>& number);
  /// Inserts `rows`; the rows in `present` are there already.
  void insert_all(std::vector<std::uint32_t> present, const std::vector<std::uint32_t>& rows);
  /// Prunes what is left over, links what cannot be reached.
  Graph finish(std::uint32_t root);

 private:
  class Lock;
  struct Scratch;

  void take_over_node(const Graph& graph, const std::vector<std::uint32_t>& number, std::uint32_t node,
                      Scratch& scratch);
  void measure(std::uint32_t node, const std::vector<std::uint32_t>& links, Scratch& scratch) const;
  bool none_nearer(const Near& candidate, Scratch& scratch) const;
  void insert_range(const std::uint32_t* rows, std::size_t count);
  void insert(std::uint32_t row, Scratch& scratch);
  void walk(Scratch& scratch);
  void enter(Scratch& scratch);
  std::size_t offer(std::vector<Near>& pool, const Near& near) const;
  void offer_entries(Scratch& scratch, std::uint32_t begin, std::uint32_t end, std::size_t keep);
  std::size_t copy_links(std::uint32_t node, std::uint32_t* out);
  void select(std::vector<Near>& candidates, Scratch& scratch) const;
  void link_back(std::uint32_t node, Near to, Scratch& scratch);
  void store(std::uint32_t node, const std::vector<Near>& list);
  void prune_all();
  void parallel(std::size_t count, const std::function<void(std::size_t, Scratch&, Context&)>& fn);
  void report(std::uint64_t done);

  const ByteCodes& codes_;
  const BuildOptions options_;
  const std::uint32_t degree_;
  const std::uint32_t capacity_;
  Context& context_;
  const std::function<void(std::uint64_t)>& progress_;
  std::mutex mutex_;  // progress and counters
  std::atomic<std::uint64_t> done_{0};
  Entries entries_;  // of the rows that were there when the round began
  std::unique_ptr<std::atomic_flag[]> locks_;
  std::vector<std::uint32_t> counts_;
  std::vector<std::uint32_t> ids_;  // capacity_ per node
  std::vector<float> distances_;    // of ids_
  std::vector<std::unique_ptr<Scratch>> scratch_;
};

/// Links every node that cannot be reached from the root; needs some node with a link to spare, which there
/// is wherever lists have more than one slot.
void link_unreachable(Graph& graph, const ByteCodes& codes, Context& context);

}  // namespace vecstore::hnsw
