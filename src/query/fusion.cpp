#include <algorithm>
#include <unordered_map>

#include "query/request.hpp"

namespace vecstore::query {
namespace {

// The share of a list in a weighted sum: scores scaled to 0..1 by the list's own range. A list whose scores
// are all equal gives each of its rows 1.
float scaled(const std::vector<RowScore>& list, float score) {
  const auto [least, largest] = std::minmax_element(
      list.begin(), list.end(), [](const auto& a, const auto& b) { return a.score < b.score; });
  const float range = largest->score - least->score;
  return range > 0 ? (score - least->score) / range : 1.0f;
}

}  // namespace

std::vector<FusedRow> fuse(const Fusion& fusion, const std::vector<std::vector<RowScore>>& lists) {
  std::vector<FusedRow> out;
  std::unordered_map<std::uint64_t, std::size_t> places;
  for (std::size_t l = 0; l < lists.size(); ++l) {
    for (std::size_t i = 0; i < lists[l].size(); ++i) {
      const auto [it, added] = places.emplace(lists[l][i].row, out.size());
      if (added) {
        out.push_back(
            {lists[l][i].row, 0, std::vector<std::size_t>(lists.size()), std::vector<float>(lists.size())});
      }
      out[it->second].ranks[l] = i + 1;
      out[it->second].scores[l] = lists[l][i].score;
    }
  }
  for (FusedRow& row : out) {
    // In double and in the order of the lists, so that equal ranks give equal scores.
    double sum = 0;
    for (std::size_t l = 0; l < lists.size(); ++l) {
      if (row.ranks[l] == 0) continue;
      if (fusion.kind() == Fusion::Kind::kReciprocalRank) {
        sum += 1.0 / (static_cast<double>(fusion.parameter()) + static_cast<double>(row.ranks[l]));
      } else {
        const double weight = l == 0 ? fusion.parameter() : 1.0 - static_cast<double>(fusion.parameter());
        sum += weight * static_cast<double>(scaled(lists[l], row.scores[l]));
      }
    }
    row.score = static_cast<float>(sum);
  }
  return out;
}

}  // namespace vecstore::query
