// RecordFilter: a filter bound to one read view, evaluated on stored documents.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "index/vector_index.hpp"
#include "query/filter_eval.hpp"
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

/// Live rows of a view, and of these the ones whose records match a filter. Asked by several threads of one
/// search.
class ViewRows final : public RowFilter {
 public:
  /// `bad_rows`: ascending, never admitted. `filter` may be empty.
  ViewRows(const shard::ReadView& view, const Filter* filter, const std::vector<std::uint64_t>* bad_rows);
  bool contains(std::uint64_t row) const override;
  std::optional<std::uint64_t> count() const override;
  std::uint64_t next(std::uint64_t row) const override;
  std::uint64_t evaluated() const { return evaluated_.load(); }
  std::uint64_t matched() const { return matched_.load(); }
  std::uint64_t degraded() const { return degraded_.load(); }
  std::vector<std::string> warnings() const;

 private:
  /// Documents and filter of one thread.
  struct Evaluator;
  std::unique_ptr<Evaluator> borrow() const;
  void give_back(std::unique_ptr<Evaluator> evaluator) const;

  const shard::ReadView& view_;
  const Filter* filter_;
  const std::vector<std::uint64_t>* bad_rows_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Evaluator>> idle_;  // guarded by mutex_
  mutable std::atomic<std::uint64_t> evaluated_{0};
  mutable std::atomic<std::uint64_t> matched_{0};
  mutable std::atomic<std::uint64_t> degraded_{0};

 public:
  ~ViewRows() override;
};

}  // namespace vecstore::query
