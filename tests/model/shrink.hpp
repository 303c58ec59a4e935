// Shrinking: from a list that fails to a short one that still fails.
#pragma once
#include <chrono>
#include <functional>
#include <vector>

namespace vecstore::model {

/// Delta debugging (Zeller, Hildebrandt 2002): leaves out ever smaller parts while `fails` says that the rest
/// still fails. Stops at the deadline with the shortest list so far.
template <class T>
std::vector<T> shrink(std::vector<T> list, const std::function<bool(const std::vector<T>&)>& fails,
                      std::chrono::steady_clock::time_point deadline) {
  for (std::size_t part = std::max<std::size_t>(list.size() / 2, 1);;
       part = std::max<std::size_t>(part / 2, 1)) {
    bool shorter = false;
    for (std::size_t from = 0; from < list.size();) {
      if (std::chrono::steady_clock::now() > deadline) return list;
      std::vector<T> rest(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(from));
      rest.insert(rest.end(), list.begin() + static_cast<std::ptrdiff_t>(std::min(from + part, list.size())),
                  list.end());
      if (!rest.empty() && fails(rest)) {
        list = std::move(rest);
        shorter = true;
      } else {
        from += part;
      }
    }
    if (part == 1 && !shorter) return list;
  }
}

}  // namespace vecstore::model
