// Separator: what a splitter looks for.
#pragma once
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

namespace vecstore::text {

/// `prefix`, then, if `repeated` is set, that character `min` to `max` times, then `suffix`.
struct Separator {
  std::string prefix;
  char repeated = 0;
  std::size_t min = 0;
  std::size_t max = std::numeric_limits<std::size_t>::max();
  std::string suffix{};

  bool empty() const { return prefix.empty(); }

  struct Match {
    std::size_t start = std::string_view::npos;
    std::size_t end = std::string_view::npos;
    explicit operator bool() const { return start != std::string_view::npos; }
  };
  /// The first match that begins at `from` or later.
  Match find(std::string_view text, std::size_t from) const;
};

}  // namespace vecstore::text
