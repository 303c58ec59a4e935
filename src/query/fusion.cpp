#include <algorithm>
#include <unordered_map>

#include "query/request.hpp"

namespace vecstore::query {
namespace {

// Scales a list's scores to 0..1 by its own range. A list whose scores are all equal gives each of its
// rows 1.
struct Scale {
  explicit Scale(const std::vector<RowScore>& list) {
    if (list.empty()) return;
    const auto [a, b] = std::minmax_element(list.begin(), list.end(),
                                            [](const auto& x, const auto& y) { return x.score < y.score; });
    least = a->score;
    range = b->score - a->score;
  }
  float operator()(float score) const { return range > 0 ? (score - least) / range : 1.0f; }

  float least = 0;
  float range = 0;
};

}  // namespace

std::vector<FusedRow> fuse(const Fusion& fusion, const std::vector<std::vector<RowScore>>& lists) {
  std::vector<FusedRow> out;
  std::unordered_map<std::uint64_t, std::size_t> places;
  for (std::size_t l = 0; l < lists.size(); ++l) {
    for (std::size_t i = 0; i < lists[l].size(); ++i) {
      const auto [it, added] = places.emplace(lists[l][i].row, out.size());
      if (added) out.push_back({.row = lists[l][i].row});
      out[it->second].ranks[l] = static_cast<std::uint32_t>(i + 1);
      out[it->second].scores[l] = lists[l][i].score;
    }
  }
  const std::vector<Scale> scales(lists.begin(), lists.end());
  for (FusedRow& row : out) {
    // In double and in the order of the lists, so that equal ranks give equal scores.
    double sum = 0;
    for (std::size_t l = 0; l < lists.size(); ++l) {
      if (row.ranks[l] == 0) continue;
      if (fusion.kind() == Fusion::Kind::kReciprocalRank) {
        sum += 1.0 / (static_cast<double>(fusion.parameter()) + static_cast<double>(row.ranks[l]));
      } else {
        const double weight = l == 0 ? fusion.parameter() : 1.0 - static_cast<double>(fusion.parameter());
        sum += weight * static_cast<double>(scales[l](row.scores[l]));
      }
    }
    row.score = static_cast<float>(sum);
  }
  return out;
}

}  // namespace vecstore::query
