// LeafBuilder: a graph over all rows at once, from the near rows within leaves of random partitions.
#pragma once
#include <atomic>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "index/vector/hnsw_graph.hpp"

namespace vecstore::hnsw {

/// Rows are cut into leaves of some hundred near ones several times, each time around other pivots; within a
/// leaf all are compared with all. A row's nearest of all its leaves are its candidates, most of which are
/// its nearest of all rows. The graph does not depend on the number of threads.
///
/// Takes 8 bytes for each of 4 m candidates of a row, and about 50 more.
class LeafBuilder {
 public:
  LeafBuilder(const ByteCodes& codes, const BuildOptions& options, Context& context,
              const std::function<void(std::uint64_t)>& progress);
  ~LeafBuilder();

  /// Once. There is at least one row.
  Graph build();

 private:
  struct Scratch;
  using Rows = std::vector<std::uint32_t>;
  /// Rows that are equal, more than a list should hold of them, in order. The first few are compared with
  /// others; the rest are linked to what those are linked to.
  using Equals = std::vector<Rows>;

  void parallel(std::size_t count, const std::function<void(std::size_t, Scratch&, Context&)>& fn);
  void report(std::uint64_t work);
  void set_equals_apart();
  void find_near();
  std::vector<Rows> partition(std::uint32_t round);
  std::vector<Rows> split(const Rows& rows, std::uint64_t seed, std::size_t fan_out);
  void link_pivots(const Rows& pivots, const ByteCodes::Block& block);
  void nearest_pivots(const std::uint32_t* rows, std::size_t count, const ByteCodes::Block& pivots,
                      std::size_t fan_out, Scratch& scratch, std::uint32_t* out) const;
  void compare(const Rows& leaf, Scratch& scratch, const Context& context);
  void offer_leaf(const Rows& leaf, std::uint32_t row, const float* distances, Scratch& scratch);
  void merge(std::uint32_t row, Scratch& scratch);

  std::uint64_t* keys(std::uint32_t row) { return keys_.data() + std::size_t{row} * kept_; }
  void each_row(const std::function<void(std::uint32_t, Scratch&)>& fn);
  void select(std::uint32_t row, std::size_t most, Scratch& scratch);
  void link_back(std::uint32_t row);
  void offer_back(std::uint32_t to, std::uint64_t key);
  void join_back(std::uint32_t row, Scratch& scratch);
  std::size_t far_links_of(std::uint32_t row, Scratch& scratch) const;
  void link_equals(Graph& graph) const;

  const ByteCodes& codes_;
  const BuildOptions options_;
  const std::uint32_t degree_;
  const std::uint32_t kept_;
  const std::size_t most_equal_;
  const std::size_t rounds_;
  Context& context_;
  const std::function<void(std::uint64_t)>& progress_;
  std::mutex mutex_;
  std::uint64_t work_ = 0, reported_ = 0;  // of rounds_ + 2 times the rows
  Rows rows_;                              // all but the rest of equal ones
  Equals equals_;
  std::unique_ptr<std::atomic_flag[]> locks_;
  /// From pivots to the nearest of the other pivots, sorted before they are used: where rows lie in tight
  /// groups, all near rows of a row are of its group, and nothing else would lead out of it.
  struct FarLink {
    std::uint32_t row;
    std::uint64_t key;
    auto operator<=>(const FarLink&) const = default;
  };
  std::vector<FarLink> far_links_;
  /// kept_ per row. A key is the distance of another row and its number, so that keys sort by distance; the
  /// first counts_ ones ascend. While links back are collected, those follow, in a heap.
  std::vector<std::uint64_t> keys_;
  std::vector<std::uint16_t> counts_, back_counts_;
  std::vector<std::unique_ptr<Scratch>> scratch_;
};

}  // namespace vecstore::hnsw
