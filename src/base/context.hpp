// Context: what limits and observes one call on its way down through query, shard, segment and index.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>

#include "base/error.hpp"

namespace vecstore {

/// What a search did. Every layer adds to it; explain prints it.
struct Counters {
  std::uint64_t rows_expected = 0;     ///< How many a graph's search was expected to score in its first pass.
  std::uint64_t rows_scanned = 0;      ///< Rows whose code or vector was scored in a first pass.
  std::uint64_t rows_rescored = 0;     ///< Rows scored again with the full vector.
  std::uint64_t rows_filtered = 0;     ///< Rows that a filter was evaluated on.
  std::uint64_t rows_matched = 0;      ///< Of these, the rows that passed.
  std::uint64_t postings_scored = 0;   ///< (term, row) pairs added up.
  std::uint64_t records_read = 0;      ///< Documents read from the truth.
  std::uint64_t bytes_read = 0;        ///< Bytes of vectors and codes that were read.
  std::uint64_t records_degraded = 0;  ///< Damaged records that the search had to leave out.
  std::uint64_t graph_walks = 0;       ///< Walks over all nodes of a graph, ...
  std::uint64_t result_walks = 0;      ///< ... over those that match a filter, ...
  std::uint64_t graph_scans = 0;       ///< ... and looks at the codes of all that match.

  Counters& operator+=(const Counters& o) {
    rows_expected += o.rows_expected;
    rows_scanned += o.rows_scanned;
    rows_rescored += o.rows_rescored;
    rows_filtered += o.rows_filtered;
    rows_matched += o.rows_matched;
    postings_scored += o.postings_scored;
    records_read += o.records_read;
    bytes_read += o.bytes_read;
    records_degraded += o.records_degraded;
    graph_walks += o.graph_walks;
    result_walks += o.result_walks;
    graph_scans += o.graph_scans;
    return *this;
  }
};

/// Passed by reference through every search and build. Loops call `check()` at least every 1,024 steps.
/// One thread owns a Context; parallel parts take a `child()` each and add its counters back.
struct Context {
  std::optional<std::chrono::steady_clock::time_point> deadline;
  std::stop_token stop;
  Counters counters;

  /// Throws kDeadline or kCancelled when the call has to end.
  void check() const {
    if (stop.stop_requested()) fail(ErrorCode::kCancelled, "the call was cancelled");
    if (deadline && std::chrono::steady_clock::now() >= *deadline)
      fail(ErrorCode::kDeadline, "the deadline has passed");
  }

  Context child() const { return Context{deadline, stop, {}}; }
};

}  // namespace vecstore
