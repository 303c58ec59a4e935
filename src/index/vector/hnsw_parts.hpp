// What the files of HnswIndex share.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "base/os_memory.hpp"
#include "index/vector/hnsw_index.hpp"

namespace vecstore {

/// fn(begin, end) over parts of 0 .. rows - 1, on the threads of the options.
void in_row_parts(const hnsw::BuildOptions& options, std::uint32_t rows, Context& context,
                  const std::function<void(std::uint32_t begin, std::uint32_t end)>& fn);

struct HnswIndex::Owned {
  os::AlignedBytes links;  // of std::uint32_t
  os::AlignedBytes codes;
  os::AlignedBytes residuals;
  os::AlignedBytes entry_codes;
  std::vector<float> scales, terms, residual_steps;
  std::vector<std::uint32_t> entries, bucket_begins;
  std::vector<float> entry_scales, entry_terms;
  simd::WalkGraph walk{};

  /// Copies the entries' numbers that stand with the nodes, so that they lie together.
  void gather_entry_sides();
};

/// Checks bytes of an opened file as a walk comes to them.
struct HnswIndex::Checks {
  static void links(const void* index, std::uint32_t node);
  static void codes(const void* index, const std::uint32_t* nodes, std::size_t count);
  /// All nodes from the root; the links have been checked.
  static void reachable(const HnswIndex& index, const simd::WalkGraph& graph, Context& context);
};

}  // namespace vecstore
