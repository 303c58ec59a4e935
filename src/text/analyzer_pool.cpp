#include "text/analyzer_pool.hpp"

namespace vecstore::text {
namespace {

constexpr std::size_t kMostIdle = 16;
constexpr std::size_t kMostBytes = std::size_t{1} << 20;  // of remembered forms, for each analyzer

}  // namespace

AnalyzerPool::Lease AnalyzerPool::take(std::span<const TextField> fields) {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Set set = std::move(idle_.back());
      idle_.pop_back();
      return {*this, std::move(set)};
    }
  }
  Set set;
  for (const TextField& f : fields)
    set.push_back(std::make_unique<Analyzer>(make_analyzer_spec(f.analyzer, f.analysis)));
  return {*this, std::move(set)};
}

std::size_t AnalyzerPool::idle() const {
  const std::lock_guard lock(mutex_);
  return idle_.size();
}

void AnalyzerPool::give_back(Set set) noexcept {
  try {
    for (auto& analyzer : set) analyzer->trim(kMostBytes);
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kMostIdle) idle_.push_back(std::move(set));
  } catch (...) {
    // Out of memory: the next query makes its own.
  }
}

}  // namespace vecstore::text
