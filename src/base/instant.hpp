// ISO 8601 dates as instants.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace vecstore {

/// Seconds since 1970-01-01T00:00:00Z, proleptic Gregorian calendar, no leap seconds.
struct Instant {
  std::int64_t seconds = 0;
  std::int32_t nanoseconds = 0;
  friend auto operator<=>(const Instant&, const Instant&) = default;
};

/// Reads YYYY-MM-DD, or that followed by T, t or a space, hh:mm, optionally :ss, optionally a fraction of 1
/// to 9 digits, optionally Z, z, +hh:mm, +hhmm or +hh (or -). Without a zone it is UTC. Nothing for any other
/// text and for days and times that do not exist.
std::optional<Instant> parse_instant(std::string_view text) noexcept;

}  // namespace vecstore
