// GraphBuilder: inserts rows into a graph, on many threads.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "index/vector/hnsw_graph.hpp"

namespace vecstore::hnsw {

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

  /// Sets the list of a node that is not inserted. Before any insert.
  /// `choose`: there may be more than 2 m, and the best of them are to be chosen.
  void set_links(std::uint32_t node, const std::vector<std::uint32_t>& links, bool choose);
  /// Inserts `rows`; the rows in `present` are there already.
  void insert_all(std::vector<std::uint32_t> present, const std::vector<std::uint32_t>& rows);
  /// Prunes what is left over, links what cannot be reached.
  Graph finish(std::uint32_t root);

 private:
  class Lock;
  struct Scratch;

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
