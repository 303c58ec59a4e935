// RecordFilter: a filter bound to one read view, evaluated on stored documents.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "index/field_query.hpp"
#include "index/vector_index.hpp"
#include "query/filter_eval.hpp"
#include "shard/field_follower.hpp"
#include "shard/read_view.hpp"
#include "vecstore/filter.hpp"

namespace vecstore::query {

/// One thread at a time.
class RecordFilter {
 public:
  RecordFilter(const shard::ReadView& view, const Filter& filter);
  bool matches(const storage::Document& document) const;
  /// Fields that no record of the collection ever had.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  FilterProgram program_;
  std::vector<std::string> warnings_;
};

/// Which rows of a view match a filter: by field indexes, and by the documents where these do not know. Asked
/// by several threads of one query.
class MatchingRows {
 public:
  /// `fields` and `texts` are of the view's state; without `texts`, which a filter may not ask for, MATCH is
  /// left to the documents. Looks at documents now where few are to be looked at. TermsDamaged.
  MatchingRows(const shard::ReadView& view, const Filter& filter, const shard::FieldsRead& fields,
               const Context& ctx, const shard::TermsRead* texts = nullptr);
  ~MatchingRows();

  /// Of a live row.
  bool contains(std::uint64_t row) const;
  /// Bit per row number, when all rows are known; retired ones are not set. Else empty.
  std::span<const std::uint64_t> bits() const;
  /// How many rows match, when all are known.
  std::optional<std::uint64_t> count() const { return count_; }
  /// The first row that matches from `row` on; kNoRow when there is none.
  std::uint64_t next(std::uint64_t row) const;
  std::uint64_t count_all() const;
  /// kCorruption when some document could not be read, for callers whose answer must be whole.
  void require_complete() const;
  const RowBits& candidates() const { return rows_.maybe; }
  /// Documents that were looked at, how many of them match, and how many could not be read.
  std::uint64_t evaluated() const { return evaluated_.load(); }
  std::uint64_t matched() const { return matched_.load(); }
  std::uint64_t degraded() const { return degraded_.load(); }
  std::vector<std::string> warnings() const;

 private:
  /// Documents and filter of one thread.
  struct Evaluator;
  bool look_at(std::uint64_t row) const;
  std::unique_ptr<Evaluator> borrow() const;
  void give_back(std::unique_ptr<Evaluator> evaluator) const;

  const shard::ReadView& view_;
  const Filter& filter_;
  RowSet rows_;
  std::optional<std::uint64_t> count_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Evaluator>> idle_;  // guarded by mutex_
  mutable std::atomic<std::uint64_t> evaluated_{0};
  mutable std::atomic<std::uint64_t> matched_{0};
  mutable std::atomic<std::uint64_t> degraded_{0};
};

/// Brings what indexes know to the state of the view, which may be renewed, and asks them. kDeadline,
/// kCancelled.
std::unique_ptr<MatchingRows> find_matching_rows(shard::ReadView& view, const Filter& filter, Context& ctx);

/// How many rows may match, without looking for them. The arguments are those of MatchingRows.
Cardinality estimated_rows(const shard::ReadView& view, const Filter& filter, const shard::FieldsRead& fields,
                           const shard::TermsRead* texts);

/// Live rows of a view, and of these the ones whose records match.
class ViewRows final : public RowFilter {
 public:
  /// `matching`: nullptr admits every live row. `bad_rows`: ascending, never admitted; may be nullptr.
  ViewRows(const shard::ReadView& view, const MatchingRows* matching,
           const std::vector<std::uint64_t>* bad_rows);
  ViewRows(const ViewRows&) = delete;
  ViewRows& operator=(const ViewRows&) = delete;
  bool contains(std::uint64_t row) const override;
  std::optional<std::uint64_t> count() const override;
  std::uint64_t next(std::uint64_t row) const override;
  std::span<const std::uint64_t> bits() const override { return bits_; }

 private:
  const shard::ReadView& view_;
  const MatchingRows* matching_;
  const std::vector<std::uint64_t>* bad_rows_;
  std::span<const std::uint64_t> bits_;
  std::vector<std::uint64_t> good_;  // bits_, where there are bad rows
};

}  // namespace vecstore::query
