#include "text/edit_distance.hpp"

#include <algorithm>
#include <vector>

namespace vecstore::text {

bool within_edits(std::u32string_view a, std::u32string_view b, std::size_t most) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > most) return false;
  // rows[i % 3][j]: edits from the first i of a to the first j of b; only |i - j| <= most can be small
  // enough.
  const std::size_t far = most + 1;
  std::vector<std::size_t> rows[3];
  for (auto& row : rows) row.assign(b.size() + 1, far);
  for (std::size_t i = 0; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i + 2) % 3];
    const auto& second = rows[(i + 1) % 3];
    std::fill(row.begin(), row.end(), far);
    std::size_t best = far;
    for (std::size_t j = i > most ? i - most : 0; j <= std::min(b.size(), i + most); ++j) {
      std::size_t edits = i == 0 ? j : far;
      if (i > 0) edits = std::min(edits, above[j] + 1);
      if (j > 0) edits = std::min(edits, row[j - 1] + 1);
      if (i > 0 && j > 0) edits = std::min(edits, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        edits = std::min(edits, second[j - 2] + 1);
      row[j] = std::min(edits, far);
      best = std::min(best, row[j]);
    }
    if (best == far && i > 1) return false;
  }
  return rows[a.size() % 3][b.size()] <= most;
}

}  // namespace vecstore::text
