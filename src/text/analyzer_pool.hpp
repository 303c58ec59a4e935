// AnalyzerPool: the analyzers of a collection's text fields, kept between queries.
#pragma once
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "text/analyzer.hpp"
#include "vecstore/options.hpp"

namespace vecstore::text {

/// Thread-safe. A new analyzer costs microseconds, one with options of its own up to a millisecond, and one
/// that was used before knows the terms of frequent words. All calls must be for the same fields.
class AnalyzerPool {
 public:
  using Set = std::vector<std::unique_ptr<Analyzer>>;  ///< Parallel to the fields.

  /// A set that is one query's until the end of the lease.
  class Lease {
   public:
    Lease(AnalyzerPool& pool, Set set) : pool_(&pool), set_(std::move(set)) {}
    Lease(Lease&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), set_(std::move(other.set_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_) pool_->give_back(std::move(set_));
    }
    Analyzer& operator[](std::size_t field) const { return *set_[field]; }

   private:
    AnalyzerPool* pool_;
    Set set_;
  };

  Lease take(std::span<const TextField> fields);
  /// Sets that wait for a query.
  std::size_t idle() const;

 private:
  void give_back(Set set) noexcept;

  mutable std::mutex mutex_;  // guards what follows
  std::vector<Set> idle_;     // the last one is the warmest
};

}  // namespace vecstore::text
