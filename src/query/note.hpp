// Note: what explain tells of one step.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "vecstore/query.hpp"

namespace vecstore::query {

/// One node of the plan while it is executed. Costs nothing unless the query asks for the plan.
class Note {
 public:
  explicit Note(bool wanted) {
    if (wanted) node_.emplace();
    if (wanted) begin_ = std::chrono::steady_clock::now();
  }
  void name(const char* name) {
    if (node_) node_->name = name;
  }
  template <class T>
  void property(const char* name, const T& value) {
    if (node_) node_->properties.emplace_back(name, concat(value));
  }
  void counter(const char* name, std::uint64_t value) {
    if (node_) node_->counters.emplace_back(name, value);
  }
  void rows(std::uint64_t handed_on) {
    if (node_) node_->rows = handed_on;
  }
  void expect(RowEstimate expected) {
    if (node_) node_->expected = expected;
  }
  std::size_t properties() const { return node_ ? node_->properties.size() : 0; }
  void forget_from(std::size_t property) {
    if (node_) node_->properties.resize(property);
  }
  void child(Note&& child) {
    if (node_) node_->children.push_back(std::move(*child.node_));
  }
  /// Ends the time it took.
  void done() {
    if (!node_) return;
    const auto taken = std::chrono::steady_clock::now() - begin_;
    node_->milliseconds = std::chrono::duration<double, std::milli>(taken).count();
  }
  std::optional<PlanNode> take() { return std::move(node_); }

 private:
  std::optional<PlanNode> node_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace vecstore::query
