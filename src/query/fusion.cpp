#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "base/error.hpp"
#include "query/request.hpp"

namespace vecstore {
namespace {

constexpr std::pair<Fusion::Kind, std::string_view> kNames[] = {
    {Fusion::Kind::kReciprocalRank, "rrf"},
    {Fusion::Kind::kRelativeScore, "relative_score"},
    {Fusion::Kind::kZScore, "z_score"},
    {Fusion::Kind::kDistribution, "distribution"},
    {Fusion::Kind::kMax, "max"},
    {Fusion::Kind::kMin, "min"},
    {Fusion::Kind::kHarmonic, "harmonic"},
    {Fusion::Kind::kGeometric, "geometric"}};

}  // namespace

Fusion Fusion::named(std::string_view name) {
  if (name == kNames[0].second) return rrf();
  std::string all;
  for (const auto& [kind, known] : kNames) {
    if (name == known) return Fusion(kind);
    all += concat(all.empty() ? "" : ", ", known);
  }
  invalid("fusion '", name, "' is unknown; there are ", all);
}

std::string_view Fusion::name() const noexcept {
  for (const auto& [kind, known] : kNames) {
    if (kind == kind_) return known;
  }
  return "?";
}

}  // namespace vecstore

namespace vecstore::query {
namespace {

using Kind = Fusion::Kind;

// x = clamp((score - from) / unit + bias), as the table in <vecstore/query.hpp> has it.
class Scale {
 public:
  Scale(Kind kind, const std::vector<RowScore>& list) {
    if (list.empty()) return;
    double least = kInfinite, largest = -kInfinite, sum = 0;
    for (const RowScore& r : list) {
      const double score = r.score;
      least = std::min(least, score);
      largest = std::max(largest, score);
      sum += score;
    }
    const bool equal = !(largest > least);
    const bool by_range = kind != Kind::kZScore && kind != Kind::kDistribution;
    from_ = by_range ? least : sum / static_cast<double>(list.size());
    if (by_range) {
      unit_ = largest - least;
      bias_ = equal ? 1 : 0;
    } else {
      double squares = 0;
      for (const RowScore& r : list) squares += (r.score - from_) * (r.score - from_);
      unit_ = std::sqrt(squares / static_cast<double>(list.size()));
    }
    if (kind == Kind::kDistribution) {
      unit_ *= 6;
      bias_ = 0.5;
    }
    if (equal) unit_ = kInfinite;
    if (kind == Kind::kZScore)
      absent_ = equal ? -1 : (least - from_) / unit_;
    else
      low_ = 0, high_ = 1;
  }
  double operator()(double score) const { return std::clamp((score - from_) / unit_ + bias_, low_, high_); }
  double absent() const { return absent_; }

 private:
  static constexpr double kInfinite = std::numeric_limits<double>::infinity();
  double from_ = 0;
  double unit_ = 1;
  double bias_ = 0;
  double low_ = -kInfinite;
  double high_ = kInfinite;
  double absent_ = 0;
};

double join(Kind kind, std::span<const double> x, std::span<const float> w) {
  double sum = 0, weights = 0, product = 0, reciprocals = 0;
  double most = 0, least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double weight = w[i];
    sum += weight * x[i];
    if (weight == 0) continue;
    most = std::max(most, weight * x[i]);
    least = std::min(least, weight * x[i]);
    weights += weight;
    product += weight * std::log(x[i]);  // minus infinity for 0: the mean is 0
    reciprocals += weight / x[i];        // infinity for 0: likewise
  }
  switch (kind) {
    case Kind::kMax:
      return most;
    case Kind::kMin:
      return least;
    case Kind::kHarmonic:
      return weights / reciprocals;
    case Kind::kGeometric:
      return std::exp(product / weights);
    default:
      return sum;
  }
}

}  // namespace

std::vector<FusedRow> fuse(const Fusion& fusion, std::span<const float> weights,
                           const std::vector<std::vector<RowScore>>& lists) {
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
  std::vector<Scale> scales;
  for (const auto& list : lists) scales.emplace_back(fusion.kind(), list);
  std::array<double, kMostLeaves> x{};
  for (FusedRow& row : out) {
    // In double and in the order of the lists, so that equal ranks give equal scores.
    for (std::size_t l = 0; l < lists.size(); ++l) {
      if (row.ranks[l] == 0)
        x[l] = scales[l].absent();
      else if (fusion.kind() == Kind::kReciprocalRank)
        x[l] = 1.0 / (double{fusion.rank_constant()} + static_cast<double>(row.ranks[l]));
      else
        x[l] = scales[l](row.scores[l]);
    }
    row.score = static_cast<float>(join(fusion.kind(), std::span(x).first(lists.size()), weights));
  }
  return out;
}

std::size_t hits_before_jump(std::span<const float> scores, std::size_t jump) {
  const std::size_t n = scores.size();
  if (jump == 0 || n < 2 || !(scores.front() > scores.back())) return n;
  const double range = double{scores.front()} - double{scores.back()};
  const auto ahead = [&](std::size_t i) {
    return (double{scores.front()} - double{scores[i]}) / range -
           static_cast<double>(i) / static_cast<double>(n - 1);
  };
  for (std::size_t i = 1; i < n; ++i) {
    // Behind the last hit the line ends: a jump to the last one counts as well.
    const bool jumps = ahead(i) > ahead(i - 1) && (i + 1 == n || ahead(i) > ahead(i + 1));
    if (jumps && --jump == 0) return i;
  }
  return n;
}

}  // namespace vecstore::query
