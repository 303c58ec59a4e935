#include <algorithm>
#include <cmath>
#include <limits>

#include "index/vector/hnsw_graph.hpp"

namespace vecstore::hnsw {

namespace {

constexpr std::size_t kFewest = 1024, kMost = 16384;
constexpr std::size_t kTries = 4;  // pivots that a row may go to

}  // namespace

Entries make_entries(const ByteCodes& codes, const std::vector<std::uint32_t>& rows) {
  const std::size_t count = std::min(rows.size(), std::clamp(rows.size() / 4, kFewest, kMost));
  const std::size_t pivots = static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(count))));
  const auto sample = [&](std::size_t i, std::size_t of) { return rows[i * rows.size() / of]; };
  Entries out;
  for (std::size_t i = 0; i < pivots; ++i) out.nodes.push_back(sample(i, pivots));
  std::vector<std::uint32_t> pivot_rows = out.nodes;
  std::sort(pivot_rows.begin(), pivot_rows.end());
  std::vector<std::vector<std::uint32_t>> buckets(pivots);
  const std::size_t room = 2 * count / pivots;
  std::vector<float> distances(pivots);
  std::vector<std::uint32_t> order(pivots);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t node = sample(i, count);
    if (std::binary_search(pivot_rows.begin(), pivot_rows.end(), node)) continue;
    codes.distances(node, out.nodes.data(), pivots, distances.data());
    for (std::size_t t = 0; t < kTries; ++t) {
      const auto nearest = std::min_element(distances.begin(), distances.end());
      auto& bucket = buckets[static_cast<std::size_t>(nearest - distances.begin())];
      if (bucket.size() < room) {
        bucket.push_back(node);
        break;
      }
      *nearest = std::numeric_limits<float>::infinity();
    }
  }
  for (const auto& bucket : buckets) {
    out.begins.push_back(static_cast<std::uint32_t>(out.nodes.size()));
    out.nodes.insert(out.nodes.end(), bucket.begin(), bucket.end());
  }
  out.begins.push_back(static_cast<std::uint32_t>(out.nodes.size()));
  return out;
}

}  // namespace vecstore::hnsw
