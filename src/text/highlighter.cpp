#include "text/highlighter.hpp"

#include <algorithm>
#include <tuple>

#include "base/utf8.hpp"
#include "text/edit_distance.hpp"
#include "text/utf8.hpp"

namespace vecstore::text {
namespace {

using Kind = TermTree::Kind;

std::u32string code_points(std::string_view s) {
  std::u32string out;
  for (std::size_t pos = 0; pos < s.size();) {
    const Decoded d = decode(s, pos);
    out += d.code_point;
    pos += d.length;
  }
  return out;
}

}  // namespace

Highlighter::Highlighter(Analyzer& analyzer, const TermTree& tree, std::uint32_t field)
    : analyzer_(analyzer) {
  add(tree, field);
}

void Highlighter::add(const TermTree& tree, std::uint32_t field) {
  if (tree.occur == Occur::kMustNot) return;
  for (const TermTree& clause : tree.clauses) add(clause, field);
  if (!tree.is_leaf() || !std::binary_search(tree.fields.begin(), tree.fields.end(), field)) return;
  const std::size_t leaf = boosts_.size();
  boosts_.push_back(tree.boost);
  switch (tree.kind) {
    case Kind::kTerm:
      words_[tree.term].leaves.push_back(leaf);
      break;
    case Kind::kPrefix:
      prefixes_.emplace_back(tree.term, leaf);
      break;
    case Kind::kFuzzy:
      fuzzies_.push_back({code_points(tree.term), tree.distance, leaf});
      break;
    case Kind::kPhrase: {
      Phrase phrase{leaf, tree.phrase.size(), tree.slop, false};
      for (const PhraseTerm& part : tree.phrase) {
        Word& word = words_[part.term];
        phrase.repeats =
            phrase.repeats || (!word.phrases.empty() && word.phrases.back().phrase == phrases_.size());
        word.phrases.push_back({phrases_.size(), part.position});
      }
      phrases_.push_back(phrase);
      break;
    }
    case Kind::kBool:
      break;
  }
}

/// The prefixes and fuzzy words that the term fits.
std::vector<std::size_t> Highlighter::open_leaves(std::string_view term) const {
  std::vector<std::size_t> out;
  for (const auto& [prefix, leaf] : prefixes_) {
    if (term.starts_with(prefix)) out.push_back(leaf);
  }
  if (fuzzies_.empty()) return out;
  const std::u32string characters = code_points(term);
  for (const Fuzzy& fuzzy : fuzzies_) {
    if (within_edits(characters, fuzzy.term, fuzzy.distance)) out.push_back(fuzzy.leaf);
  }
  return out;
}

std::vector<Highlighter::Mark> Highlighter::marks(std::string_view text, Context& context) {
  std::vector<Mark> out;
  if (boosts_.empty()) return out;
  std::vector<std::vector<Occurrence>> occurrences(phrases_.size());
  std::unordered_map<const char*, std::vector<std::size_t>> open;
  std::size_t steps = 0;
  const auto mark = [&](const Token& t, std::size_t leaf) {
    out.push_back({{t.start_byte, t.end_byte}, leaf});
  };
  analyzer_.analyze(text, [&](const Token& t) {
    const auto word = words_.find(t.term);
    if (word != words_.end()) {
      for (const std::size_t leaf : word->second.leaves) mark(t, leaf);
      if (!t.whole) {
        for (const PhrasePart& part : word->second.phrases) {
          occurrences[part.phrase].push_back({static_cast<std::int64_t>(t.position) - part.offset,
                                              part.offset, t.position, t.start_byte, t.end_byte});
        }
      }
    }
    // What a term fits is found out once; the analyzer keeps each where it is.
    constexpr std::size_t kStepsPerCheck = 1024;
    std::size_t cost = 1;
    if (!prefixes_.empty() || !fuzzies_.empty()) {
      const auto [known, is_new] = open.try_emplace(t.term.data());
      if (is_new) {
        known->second = open_leaves(t.term);
        cost += prefixes_.size() + fuzzies_.size();
      }
      for (const std::size_t leaf : known->second) mark(t, leaf);
    }
    steps += cost;
    if (steps < kStepsPerCheck) return;
    steps = 0;
    context.check();
  });
  for (std::size_t i = 0; i < phrases_.size(); ++i) mark_phrase(phrases_[i], occurrences[i], out);
  std::sort(out.begin(), out.end(), [](const Mark& a, const Mark& b) {
    return std::tie(a.range.start_byte, a.range.end_byte, a.leaf) <
           std::tie(b.range.start_byte, b.range.end_byte, b.leaf);
  });
  const bool valid = valid_utf8(text);
  std::size_t byte = 0;
  std::size_t chars = 0;
  for (Mark& m : out) {
    chars += count_characters(text.substr(byte, m.range.start_byte - byte), valid);
    byte = m.range.start_byte;
    m.range.start_char = chars;
    m.range.end_char = chars + count_characters(text.substr(byte, m.range.end_byte - byte), valid);
  }
  return out;
}

/// Occurrences whose beginnings lie within `slop`, with each term of the phrase among them, are a match.
void Highlighter::mark_phrase(const Phrase& phrase, std::vector<Occurrence>& all,
                              std::vector<Mark>& out) const {
  std::sort(all.begin(), all.end(), [](const Occurrence& a, const Occurrence& b) {
    return std::tie(a.begin, a.position) < std::tie(b.begin, b.position);
  });
  std::unordered_map<std::uint32_t, std::size_t> offsets;  // how often each is in the window [first, last]
  std::unordered_map<std::uint32_t, std::size_t> positions;
  const auto drop = [](auto& counts, std::uint32_t key) {
    if (--counts[key] == 0) counts.erase(key);
  };
  std::size_t first = 0;
  std::size_t marked = 0;  // all before are dealt with
  for (std::size_t last = 0; last < all.size(); ++last) {
    ++offsets[all[last].offset];
    if (phrase.repeats) ++positions[all[last].position];
    for (; all[last].begin - all[first].begin > phrase.slop; ++first) {
      drop(offsets, all[first].offset);
      if (phrase.repeats) drop(positions, all[first].position);
    }
    if (offsets.size() < phrase.terms || (phrase.repeats && positions.size() < phrase.terms)) continue;
    for (marked = std::max(marked, first); marked <= last; ++marked)
      out.push_back({{all[marked].start_byte, all[marked].end_byte}, phrase.leaf});
  }
}

void Highlighter::join(std::vector<TextRange>& ranges, const TextRange& range) {
  if (ranges.empty() || range.start_byte >= ranges.back().end_byte) {
    ranges.push_back(range);
  } else if (range.end_byte > ranges.back().end_byte) {
    ranges.back().end_byte = range.end_byte;
    ranges.back().end_char = range.end_char;
  }
}

std::vector<TextRange> Highlighter::highlights(std::string_view text, Context& context) {
  std::vector<TextRange> out;
  for (const Mark& m : marks(text, context)) join(out, m.range);
  return out;
}

}  // namespace vecstore::text
