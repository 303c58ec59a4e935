#include "base/instant.hpp"

namespace vecstore {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

/// Eats the text from the left; `ok` turns false at the first thing that does not fit.
struct Reader {
  std::string_view rest;
  bool ok = true;

  int number(std::size_t digits) {
    int value = 0;
    if (rest.size() < digits) ok = false;
    for (std::size_t i = 0; ok && i < digits; ++i) {
      if (!digit(rest[i])) ok = false;
      value = value * 10 + (rest[i] - '0');
    }
    if (ok) rest.remove_prefix(digits);
    return value;
  }
  bool take(char c) {
    if (!ok || rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  void need(char c) { ok = take(c) && ok; }
};

int days_in_month(int year, int month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return kDays[month - 1] + (month == 2 && leap);
}

/// Days from 1970-01-01. Years begin in March here, so that the leap day comes last.
std::int64_t days_from_epoch(int year, int month, int day) {
  const std::int64_t y = month > 2 ? year : year - 1;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t year_of_era = y - era * 400;
  const std::int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
  const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  constexpr std::int64_t kDaysPerEra = 146'097;
  constexpr std::int64_t kEpoch = 719'468;
  return era * kDaysPerEra + day_of_era - kEpoch;
}

std::int32_t fraction(Reader& in) {
  std::int32_t nanoseconds = 0;
  int digits = 0;
  for (; !in.rest.empty() && digit(in.rest.front()) && digits < 9; ++digits)
    nanoseconds = nanoseconds * 10 + in.number(1);
  if (digits == 0) in.ok = false;
  for (; digits < 9; ++digits) nanoseconds *= 10;
  return nanoseconds;
}

int zone_seconds(Reader& in) {
  if (in.rest.empty() || in.take('Z') || in.take('z')) return 0;
  const bool minus = in.take('-');
  if (!minus) in.need('+');
  const int hours = in.number(2);
  int minutes = 0;
  if (!in.rest.empty()) {
    in.take(':');
    minutes = in.number(2);
  }
  if (hours > 23 || minutes > 59) in.ok = false;
  return (minus ? -1 : 1) * (hours * 3600 + minutes * 60);
}

}  // namespace

std::optional<Instant> parse_instant(std::string_view text) noexcept {
  Reader in{text};
  const int year = in.number(4);
  in.need('-');
  const int month = in.number(2);
  in.need('-');
  const int day = in.number(2);
  if (!in.ok || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return std::nullopt;
  Instant instant{days_from_epoch(year, month, day) * 86'400, 0};
  if (in.rest.empty()) return instant;
  if (!in.take('T') && !in.take('t')) in.need(' ');
  const int hour = in.number(2);
  in.need(':');
  const int minute = in.number(2);
  int second = 0;
  if (in.take(':')) {
    second = in.number(2);
    if (in.take('.')) instant.nanoseconds = fraction(in);
  }
  const int zone = zone_seconds(in);
  if (!in.ok || !in.rest.empty() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  instant.seconds += hour * 3600 + minute * 60 + second - zone;
  return instant;
}

}  // namespace vecstore
