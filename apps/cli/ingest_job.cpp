#include "cli/ingest_job.hpp"

#include <cstdio>
#include <thread>

namespace vecstore::cli {

void IngestReport::add(const Totals& more) {
  const std::lock_guard lock(mutex_);
  totals_.files += more.files;
  totals_.records += more.records;
  totals_.unchanged += more.unchanged;
  totals_.bytes += more.bytes;
  bar_.update(totals_.bytes, totals_.records + totals_.unchanged);
}

void IngestReport::skip(const std::string& message) {
  constexpr std::uint64_t kMostShown = 10;
  const std::lock_guard lock(mutex_);
  ++totals_.skipped;
  if (totals_.skipped > kMostShown + 1) return;
  bar_.clear();
  const std::string line = totals_.skipped <= kMostShown
                               ? "vecstore: skipped " + printable(message) + "\n"
                               : "vecstore: more is skipped; the summary tells how much\n";
  std::fputs(line.c_str(), stderr);
}

IngestReport::Totals IngestReport::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

void IngestReport::finish() {
  const std::lock_guard lock(mutex_);
  bar_.clear();
}

void parallel_for(std::size_t n, unsigned jobs, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex mutex;
  const auto loop = [&] {
    try {
      for (std::size_t i = next++; i < n; i = next++) work(i);
    } catch (...) {
      next = n;
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned t = 1; t < jobs && t < n; ++t) threads.emplace_back(loop);
    loop();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace vecstore::cli
