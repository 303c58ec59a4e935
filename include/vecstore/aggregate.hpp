// Counts and sums over records: SELECT value, count(*), sum(x) ... WHERE ... GROUP BY value.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "vecstore/filter.hpp"
#include "vecstore/metadata.hpp"
#include "vecstore/record.hpp"

namespace vecstore {

/// What is counted. Paths are those of filters, without [*]: "year", "author.name", "_source".
struct AggregateOptions {
  Filter where;          ///< Of which records; all unless given.
  std::string group_by;  ///< One group per value there; empty = no groups.
  /// Fields whose numbers are summed up. Values that are no numbers count for nothing; so do arrays.
  std::vector<std::string> fields;
  std::size_t limit = 100;  ///< So many groups, the largest first; 1 to 10,000.
  std::optional<std::chrono::milliseconds> deadline;
  std::stop_token stop;
};

/// The numbers of one field.
struct NumberSummary {
  std::uint64_t count = 0;
  double sum = 0;  ///< Of integers exact until it is rounded; of doubles, with the error compensated.
  double average = 0;
  Metadata min = nullptr;  ///< Null when there is no number.
  Metadata max = nullptr;

  bool operator==(const NumberSummary&) const = default;
};

/// Records with one value.
struct AggregateGroup {
  Metadata value = nullptr;  ///< Bool, number or string.
  std::uint64_t count = 0;
  std::map<std::string, NumberSummary> fields;  ///< By the paths that were asked for.

  bool operator==(const AggregateGroup&) const = default;
};

/// A record whose value is an array is in the group of each of its elements, once: a group has as many
/// records as `where AND path = value` finds. Numbers that are equal are one value. Groups of one size are
/// ordered by their values: false, true, numbers, strings.
struct Aggregates {
  AggregateGroup all;  ///< Every record that matches; its value is null.
  std::vector<AggregateGroup> groups;
  std::uint64_t total_groups = 0;     ///< Also those beyond the limit.
  std::uint64_t missing = 0;          ///< Records that are in no group.
  std::vector<std::string> warnings;  ///< For example a field in the filter that no record has.
  SequenceNumber sequence = 0;        ///< The commit that the answer reflects.
};

}  // namespace vecstore
