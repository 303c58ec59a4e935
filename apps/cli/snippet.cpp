// The line of a hit's text that is shown under its citation.
#include <algorithm>
#include <array>

#include "cli/terminal.hpp"

namespace vecstore::cli {
namespace {

struct Word {
  std::size_t begin = 0;
  std::size_t end = 0;
  int match = -1;  ///< Index of the query's word that it is a form of.
};

bool is_word_byte(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x80 || (u >= '0' && u <= '9') || (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || u == '_';
}

std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_word_byte(text[i])) {
      ++i;
      continue;
    }
    const std::size_t begin = i;
    while (i < text.size() && is_word_byte(text[i])) ++i;
    words.push_back({begin, i});
  }
  return words;
}

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::vector<std::string> query_words(std::string_view query) {
  constexpr std::array<std::string_view, 27> kCommon = {
      "the",  "and",  "for",  "are", "how",  "what", "when",  "where", "why",
      "who",  "does", "did",  "can", "from", "with", "that",  "this",  "has",
      "have", "was",  "were", "you", "your", "not",  "which", "into",  "its"};
  std::vector<std::string> words;
  for (const Word& word : words_of(query)) {
    std::string form = lower(query.substr(word.begin, word.end - word.begin));
    if (form.size() < 3 || std::find(kCommon.begin(), kCommon.end(), form) != kCommon.end()) continue;
    if (std::find(words.begin(), words.end(), form) == words.end()) words.push_back(std::move(form));
  }
  return words;
}

/// Equal, or one begins with the other but for an ending ("commit", "commits", "committed").
bool same_word(std::string_view a, std::string_view b) {
  if (a == b) return true;
  const std::size_t common = static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())),
                    b.begin())
          .first -
      a.begin());
  return common >= 4 && common + 1 >= std::min(a.size(), b.size()) &&
         std::max(a.size(), b.size()) - common <= 4;
}

/// The first word of the window of `width` bytes that holds most of the query's words.
std::size_t best_window(const std::vector<Word>& words, std::size_t forms, std::size_t width) {
  std::size_t best = 0, best_score = 0, end = 0, distinct = 0, total = 0;
  std::vector<std::size_t> counts(forms, 0);
  for (std::size_t begin = 0; begin < words.size(); ++begin) {
    for (; end < words.size() && words[end].end - words[begin].begin <= width; ++end) {
      if (words[end].match >= 0)
        ++total, distinct += counts[static_cast<std::size_t>(words[end].match)]++ == 0;
    }
    const std::size_t score = distinct * 1000 + total;
    if (score > best_score) best_score = score, best = begin;
    if (end == begin) {
      ++end;  // one word that is wider than the window
    } else if (words[begin].match >= 0) {
      --total, distinct -= --counts[static_cast<std::size_t>(words[begin].match)] == 0;
    }
  }
  return best;
}

}  // namespace

std::string snippet(std::string_view text, std::string_view query, std::size_t width, std::string_view on,
                    std::string_view off) {
  const std::vector<std::string> forms = query_words(query);
  std::vector<Word> words = words_of(text);
  for (Word& word : words) {
    const std::string form = lower(text.substr(word.begin, std::min<std::size_t>(word.end - word.begin, 64)));
    for (std::size_t i = 0; i < forms.size() && word.match < 0; ++i)
      if (same_word(form, forms[i])) word.match = static_cast<int>(i);
  }
  if (words.empty()) return {};
  // Some words before the first match tell what it is about.
  std::size_t first = best_window(words, forms.size(), width);
  for (int back = 0; back < 4 && first > 0 && words[first].match >= 0; ++back) --first;
  std::size_t begin = first == 0 ? 0 : words[first].begin;
  std::size_t end = std::min(text.size(), begin + width);
  while (end < text.size() && end > begin && is_word_byte(text[end]) && is_word_byte(text[end - 1])) --end;
  if (end == begin) {  // a single long word
    end = std::min(text.size(), begin + width);
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  }

  std::string out = begin > 0 ? "... " : "";
  const auto append = [&out](std::string_view piece) {
    for (const char c : printable(piece)) {
      const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
      if (!space)
        out += c;
      else if (!out.empty() && out.back() != ' ')
        out += ' ';
    }
  };
  std::size_t at = begin;
  for (const Word& word : words) {
    if (word.begin < begin || word.end > end || word.match < 0) continue;
    append(text.substr(at, word.begin - at));
    out += on;
    append(text.substr(word.begin, word.end - word.begin));
    out += off;
    at = word.end;
  }
  append(text.substr(at, end - at));
  while (!out.empty() && out.back() == ' ') out.pop_back();
  if (end < text.size()) out += " ...";
  return out;
}

}  // namespace vecstore::cli
