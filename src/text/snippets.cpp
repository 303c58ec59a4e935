// Snippets: which pieces of a text to show.
#include <algorithm>
#include <unordered_map>

#include "base/error.hpp"
#include "base/utf8.hpp"
#include "text/characters.hpp"
#include "text/highlighter.hpp"
#include "text/segmenter.hpp"
#include "text/utf8.hpp"

namespace vecstore::text {
namespace {

constexpr std::size_t kMinChars = 16;
constexpr std::size_t kMaxChars = 10'000;
constexpr std::size_t kMaxSnippets = 100;
constexpr float kRepeatWeight = 0.01f;  // a further occurrence of a word decides between equals only

struct Piece {
  TextRange range;
  bool fragment = false;  ///< A character of a word that is too long for a snippet.
};

/// The words that touch the bytes [from, to), in order; those of more than `longest` code points in
/// fragments.
std::vector<Piece> words_between(std::string_view text, bool valid, std::size_t from, std::size_t to,
                                 std::size_t longest) {
  std::vector<Piece> out;
  Segmenter segments(text);
  std::size_t byte = 0;
  std::size_t chars = 0;
  const auto put = [&](std::size_t start, std::size_t end, bool fragment) {
    chars += count_characters(text.substr(byte, start - byte), valid);
    const std::size_t length = count_characters(text.substr(start, end - start), valid);
    out.push_back({{start, end, chars, chars + length}, fragment});
    byte = end;
    chars += length;
  };
  for (Segment s; segments.next(s) && s.start < to;) {
    if (s.end <= from) continue;
    if (count_characters(text.substr(s.start, s.end - s.start), valid) <= longest) {
      put(s.start, s.end, false);
      continue;
    }
    for (std::size_t pos = s.start; pos < s.end;) {
      const std::size_t end = std::min(character_end(text, pos), s.end);
      put(pos, end, true);
      pos = end;
    }
  }
  return out;
}

/// The first characters of a text without words.
TextRange beginning(std::string_view text, std::size_t max_chars) {
  TextRange out;
  while (out.end_byte < text.size()) {
    const std::size_t end = character_end(text, out.end_byte);
    const std::size_t chars = count_characters(text.substr(out.end_byte, end - out.end_byte), false);
    if (out.end_char + chars > max_chars) break;
    out.end_byte = end;
    out.end_char += chars;
  }
  return out;
}

/// The part of a text between two snippets.
struct Gap {
  std::size_t low = 0;
  std::size_t high = 0;
};

/// A highlight's words.
struct Core {
  TextRange range;
  std::size_t leaf = 0;
};

struct Window {
  TextRange range;
  double score = 0;
};

/// The stretch of at most max_chars of cores inside of the gap that shows most different leaves.
Window best_window(const std::vector<Core>& all, const std::vector<float>& boosts, const Gap& gap,
                   std::size_t max_chars) {
  const auto from = std::lower_bound(all.begin(), all.end(), gap.low, [](const Core& c, std::size_t byte) {
    return c.range.start_byte < byte;
  });
  std::unordered_map<std::size_t, std::size_t> shown;  // leaf -> how often in [first, end)
  double score = 0;
  double best_score = 0;
  auto best = from;
  auto best_end = from;
  auto end = from;
  const auto weight = [&](std::size_t leaf, bool only) { return boosts[leaf] * (only ? 1 : kRepeatWeight); };
  const auto fits = [&](const Core& first, const Core& c) {
    return c.range.end_byte <= gap.high && c.range.end_char - first.range.start_char <= max_chars;
  };
  for (auto first = from; first != all.end() && first->range.start_byte < gap.high; ++first) {
    for (; end != all.end() && fits(*first, *end); ++end) score += weight(end->leaf, ++shown[end->leaf] == 1);
    if (score > best_score * (1 + 1e-9)) {
      best_score = score;
      best = first;
      best_end = end;
    }
    if (end == first) {
      ++end;  // reaches out of the gap
    } else {
      score -= weight(first->leaf, --shown[first->leaf] == 0);
    }
  }
  Window out{{}, best_score};
  if (best == best_end) return out;
  out.range = best->range;
  for (auto c = best; c != best_end; ++c) {
    if (c->range.end_byte <= out.range.end_byte) continue;
    out.range.end_byte = c->range.end_byte;
    out.range.end_char = c->range.end_char;
  }
  return out;
}

/// Widens `core` to whole words inside of [low, high) while it has room: half of it in front, the rest
/// behind, what then is left in front again.
TextRange widened(const std::vector<Piece>& words, const TextRange& core, std::size_t max_chars,
                  const Gap& gap) {
  TextRange out = core;
  const auto first =
      std::upper_bound(words.begin(), words.end(), core.start_byte,
                       [](std::size_t byte, const Piece& w) { return byte < w.range.end_byte; });
  auto next = std::lower_bound(first, words.end(), core.end_byte,
                               [](const Piece& w, std::size_t byte) { return w.range.end_byte <= byte; });
  auto start = first;
  const bool fragments = first != words.end() && first->fragment;  // no word would fit
  const auto before = [&](std::size_t room) {
    for (const std::size_t end_char = out.start_char; start != words.begin(); --start) {
      const Piece& w = *(start - 1);
      if (w.fragment != fragments || w.range.start_byte < gap.low || end_char - w.range.start_char > room)
        break;
      out.start_byte = w.range.start_byte;
      out.start_char = w.range.start_char;
    }
  };
  const auto behind = [&](std::size_t room) {
    for (const std::size_t start_char = out.end_char; next != words.end(); ++next) {
      const TextRange& w = next->range;
      if (next->fragment != fragments || w.end_byte > gap.high || w.end_char - start_char > room) break;
      out.end_byte = w.end_byte;
      out.end_char = w.end_char;
    }
  };
  const auto room = [&] { return max_chars - (out.end_char - out.start_char); };
  before(room() / 2);
  behind(room());
  before(room());
  return out;
}

}  // namespace

void check_snippet_options(const SnippetOptions& options) {
  if (options.max_chars < kMinChars || options.max_chars > kMaxChars)
    invalid("snippets: max_chars is ", options.max_chars, "; ", kMinChars, " to ", kMaxChars, " are allowed");
  if (options.max_snippets < 1 || options.max_snippets > kMaxSnippets)
    invalid("snippets: max_snippets is ", options.max_snippets, "; 1 to ", kMaxSnippets, " are allowed");
}

std::vector<Snippet> Highlighter::snippets(std::string_view text, const SnippetOptions& options,
                                           Context& context) {
  check_snippet_options(options);
  std::vector<Snippet> out;
  if (text.empty()) return out;
  const bool valid = valid_utf8(text);
  const std::vector<Mark> all = marks(text, context);

  // A snippet shows whole words, also where what matched is a part of one.
  std::vector<Core> cores;
  if (!all.empty()) {
    const std::vector<Piece> words =
        words_between(text, valid, all.front().range.start_byte, text.size(), options.max_chars);
    for (const Mark& m : all) {
      const auto first =
          std::upper_bound(words.begin(), words.end(), m.range.start_byte,
                           [](std::size_t byte, const Piece& w) { return byte < w.range.end_byte; });
      const auto last =
          std::lower_bound(first, words.end(), m.range.end_byte,
                           [](const Piece& w, std::size_t byte) { return w.range.end_byte < byte; });
      if (last == words.end()) continue;
      const TextRange& a = first->range;
      const TextRange& b = last->range;
      if (b.end_char - a.start_char > options.max_chars) continue;
      cores.push_back({{a.start_byte, b.end_byte, a.start_char, b.end_char}, m.leaf});
    }
    std::sort(cores.begin(), cores.end(),
              [](const Core& a, const Core& b) { return a.range.start_byte < b.range.start_byte; });
  }

  // Words around a window: a code point has at most 4 bytes.
  const std::size_t reach = 4 * options.max_chars + kMaxSegmentBytes;
  const auto widen = [&](const TextRange& core, const Gap& gap) {
    const std::size_t from = core.start_byte > reach ? core.start_byte - reach : 0;
    const auto words = words_between(text, valid, from, core.end_byte + reach, options.max_chars);
    return widened(words, core, options.max_chars, gap);
  };
  std::vector<Gap> gaps{{0, text.size()}};
  while (out.size() < options.max_snippets) {
    context.check();
    Window best;
    std::size_t place = 0;
    for (std::size_t i = 0; i < gaps.size(); ++i) {
      const Window window = best_window(cores, boosts_, gaps[i], options.max_chars);
      if (window.score <= best.score) continue;
      best = window;
      place = i;
    }
    if (best.score == 0) break;
    Snippet snippet{widen(best.range, gaps[place]), {}, static_cast<float>(best.score)};
    const Gap before{gaps[place].low, snippet.range.start_byte};
    gaps[place].low = snippet.range.end_byte;
    gaps.insert(gaps.begin() + static_cast<std::ptrdiff_t>(place), before);
    for (const Mark& m : all) {
      const bool inside =
          m.range.start_byte >= snippet.range.start_byte && m.range.end_byte <= snippet.range.end_byte;
      if (inside) join(snippet.highlights, m.range);
    }
    out.push_back(std::move(snippet));
  }
  if (!out.empty()) return out;
  const auto words = words_between(text, valid, 0, reach, options.max_chars);
  out.push_back(
      {words.empty() ? beginning(text, options.max_chars) : widen(words.front().range, {0, text.size()}),
       {},
       0});
  return out;
}

}  // namespace vecstore::text
