// Which places GEO_RADIUS and GEO_BOX let through.
#pragma once
#include <algorithm>
#include <cmath>
#include <numbers>

#include "query/filter_ast.hpp"

namespace vecstore {

inline constexpr double kEarthRadius = 6'371'008.8;  // metres, mean

/// Metres on a sphere of the Earth's mean radius (haversine; the error against the ellipsoid is below 0.6%).
inline double metres_between(double lat1, double lon1, double lat2, double lon2) {
  constexpr double kRadians = std::numbers::pi / 180;
  const double dlat = std::sin((lat2 - lat1) * kRadians / 2);
  const double dlon = std::sin((lon2 - lon1) * kRadians / 2);
  const double h = dlat * dlat + std::cos(lat1 * kRadians) * std::cos(lat2 * kRadians) * dlon * dlon;
  return 2 * kEarthRadius * std::asin(std::min(1.0, std::sqrt(h)));
}

inline bool place_fits(const FilterNode& node, double lat, double lon) {
  if (!(lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180)) return false;
  const auto& n = node.numbers;
  if (node.op == FilterOp::kGeoRadius) return metres_between(n[0], n[1], lat, lon) <= n[2];
  const bool between = n[1] <= n[3] ? lon >= n[1] && lon <= n[3] : lon >= n[1] || lon <= n[3];
  return lat >= n[0] && lat <= n[2] && between;
}

}  // namespace vecstore
