#include <algorithm>
#include <cmath>
#include <limits>

#include "index/vector/hnsw_graph.hpp"

namespace vecstore::hnsw {

namespace {

constexpr std::size_t kFewest = 1024, kMost = 16384;
constexpr std::size_t kTries = 4;  // pivots that a row may go to
constexpr std::size_t kMostFar = 16;
constexpr float kFar = 16;  // times the median distance from the middle

// The farthest of the rows, when they are far outside.
std::vector<std::uint32_t> far_rows(const ByteCodes& codes, const std::vector<std::uint32_t>& rows,
                                    const Context& context) {
  const std::size_t count = std::min(rows.size(), kFewest);
  std::vector<float> squares(count);
  for (std::size_t i = 0; i < count; ++i) squares[i] = codes.square(rows[i * rows.size() / count]);
  const auto half = squares.begin() + static_cast<std::ptrdiff_t>(count / 2);
  std::nth_element(squares.begin(), half, squares.end());
  const float far = kFar * kFar * *half;
  std::vector<std::uint32_t> out;
  const auto farther = [&](std::uint32_t a, std::uint32_t b) {
    return codes.square(a) != codes.square(b) ? codes.square(a) > codes.square(b) : a < b;
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i % 1024 == 0) context.check();
    if (!(codes.square(rows[i]) > far)) continue;
    out.insert(std::lower_bound(out.begin(), out.end(), rows[i], farther), rows[i]);
    if (out.size() > kMostFar) out.pop_back();
  }
  return out;
}

}  // namespace

Entries make_entries(const ByteCodes& codes, const std::vector<std::uint32_t>& rows, const Context& context) {
  const std::size_t count = std::min(rows.size(), std::clamp(rows.size() / 4, kFewest, kMost));
  const std::size_t even = static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(count))));
  const auto sample = [&](std::size_t i, std::size_t of) { return rows[i * rows.size() / of]; };
  Entries out;
  for (std::size_t i = 0; i < even; ++i) out.nodes.push_back(sample(i, even));
  std::vector<std::uint32_t> pivot_rows = out.nodes;
  std::sort(pivot_rows.begin(), pivot_rows.end());
  for (std::uint32_t row : far_rows(codes, rows, context)) {
    if (std::binary_search(pivot_rows.begin(), pivot_rows.begin() + static_cast<std::ptrdiff_t>(even), row))
      continue;
    out.nodes.push_back(row);
    pivot_rows.push_back(row);
  }
  std::sort(pivot_rows.begin(), pivot_rows.end());
  const std::size_t pivots = out.nodes.size();
  std::vector<std::vector<std::uint32_t>> buckets(pivots);
  const std::size_t room = 2 * count / pivots;
  std::vector<float> distances(pivots);
  for (std::size_t i = 0; i < count; ++i) {
    if (i % 256 == 0) context.check();
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
