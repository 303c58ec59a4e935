#include "text/synonyms.hpp"

#include <algorithm>

#include "base/analyzer_options.hpp"
#include "base/error.hpp"
#include "text/analyzer.hpp"

namespace vecstore::text {
namespace {

constexpr std::string_view kArrow = "=>";

/// The parts between commas, analysed.
std::vector<TermSequence> read_side(std::string_view side, Analyzer& analyzer, std::string_view place) {
  std::vector<TermSequence> out;
  for (bool more = true; more;) {
    const std::size_t comma = side.find(',');
    more = comma != std::string_view::npos;
    const std::string_view phrase = side.substr(0, comma);
    if (more) side.remove_prefix(comma + 1);
    TermSequence terms;
    Analyzer::Stream stream = analyzer.stream(phrase, Purpose::kQuery);
    for (Token token; stream.next(token);) {
      if (!token.whole) terms.emplace_back(token.term);
    }
    if (terms.empty())
      invalid(place, ": '", phrase.substr(0, 80), "' holds no word that analyzer '", analyzer.name(),
              "' would look for");
    out.push_back(std::move(terms));
    if (out.size() > kMaxSynonymWords) invalid(place, " has more than ", kMaxSynonymWords, " words");
  }
  return out;
}

}  // namespace

Synonyms::Synonyms(std::span<const std::string> rules, Analyzer& analyzer, std::string_view what) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const std::string place = concat(what, "[", i, "]");
    const std::string_view rule = rules[i];
    const std::size_t arrow = rule.find(kArrow);
    if (arrow == std::string_view::npos) {
      const auto equal = read_side(rule, analyzer, place);
      if (equal.size() < 2) invalid(place, " is '", rule.substr(0, 80), "'; two words or more are wanted");
      for (const TermSequence& from : equal) {
        for (const TermSequence& to : equal) add(from, to);
      }
      continue;
    }
    const std::string_view right = rule.substr(arrow + kArrow.size());
    if (right.find(kArrow) != std::string_view::npos) invalid(place, " has more than one ", kArrow);
    const auto to_side = read_side(right, analyzer, place);
    for (const TermSequence& from : read_side(rule.substr(0, arrow), analyzer, place)) {
      for (const TermSequence& to : to_side) add(from, to);
    }
  }
}

void Synonyms::add(const TermSequence& from, const TermSequence& to) {
  if (from == to) return;
  std::string key;
  for (const std::string& term : from) (key += term) += '\0';
  std::vector<TermSequence>& others = rules_[key];
  if (std::find(others.begin(), others.end(), to) == others.end()) others.push_back(to);
  longest_ = std::max(longest_, from.size());
}

Synonyms::Match Synonyms::find(std::span<const std::string_view> terms) const {
  std::string key;
  Match best;
  for (std::size_t n = 0; n < std::min(longest_, terms.size()); ++n) {
    (key += terms[n]) += '\0';
    const auto rule = rules_.find(key);
    if (rule != rules_.end()) best = {n + 1, &rule->second};
  }
  return best;
}

}  // namespace vecstore::text
