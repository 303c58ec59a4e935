#pragma once
#include <atomic>
#include <thread>
#include <vector>
#include <cstddef>
namespace vecstore::models {
template <class F> void parallel_for(std::size_t count, std::size_t threads, F&& fn) {
  std::atomic<std::size_t> next{0};
  auto work = [&] { for (std::size_t i; (i = next.fetch_add(1)) < count;) fn(i); };
  std::vector<std::jthread> pool;
  for (std::size_t t = 1; t < threads && t < count; ++t) pool.emplace_back(work);
  work();
}
}
