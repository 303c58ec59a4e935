// Reading: runs a reading operation against a database, in whatever process, and writes down the answer bit
// by bit.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "model/spec.hpp"

namespace vecstore::model {

struct Answer {
  std::optional<ErrorCode> error;
  std::string message;
  std::vector<Hits> hits;       ///< query_batch: one per query.
  std::vector<Record> records;  ///< get, and all pages of a scroll.
  std::vector<std::size_t> pages;
  std::vector<Change> changes;
  std::uint64_t count = 0;
  std::vector<std::string> names;

  /// Equal for equal answers, down to the bits of scores.
  std::string text() const;
};

Answer read(VecDatabase& db, Kind kind, const Spec& spec);

/// The queries of a spec, as the API takes them.
Query dense_query(const Spec& spec);
HybridQuery hybrid_query(const Spec& spec);
Query sparse_query(const Spec& spec);
/// Of dense and sparse vector.
HybridQuery sparse_hybrid_query(const Spec& spec);
TextQueryOptions text_options(const Spec& spec, Mode mode);

/// A second process that has the directory open read-only and answers the same operations.
class Reader {
 public:
  explicit Reader(const std::string& directory);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  std::string ask(const Op& op);

  /// What the second process does: main() calls it for `--reader DIRECTORY`.
  static int serve(const char* directory);

 private:
  int pid_ = -1;
  int to_ = -1;
  int from_ = -1;
};

}  // namespace vecstore::model
