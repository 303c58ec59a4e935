#include "text/separator.hpp"

namespace vecstore::text {

Separator::Match Separator::find(std::string_view text, std::size_t from) const {
  for (std::size_t start = text.find(prefix, from); start != std::string_view::npos;
       start = text.find(prefix, start + 1)) {
    std::size_t end = start + prefix.size();
    if (repeated == 0) return {start, end};
    std::size_t run = 0;
    while (run < max && end < text.size() && text[end] == repeated) {
      ++run;
      ++end;
    }
    // Nothing is gained by giving characters of the run back: no suffix begins with the repeated character.
    if (run >= min && text.substr(end).starts_with(suffix)) return {start, end + suffix.size()};
  }
  return {};
}

}  // namespace vecstore::text
