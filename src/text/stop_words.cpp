#include "text/stop_words.hpp"

namespace vecstore::text {

std::span<const std::string_view> english_stop_words() {
  static constexpr std::string_view kWords[] = {
      "a",   "an",    "and",  "are",   "as",    "at",   "be",   "but", "by",  "for",  "if",
      "in",  "into",  "is",   "it",    "no",    "not",  "of",   "on",  "or",  "such", "that",
      "the", "their", "then", "there", "these", "they", "this", "to",  "was", "will", "with",
  };
  return kWords;
}

}  // namespace vecstore::text
