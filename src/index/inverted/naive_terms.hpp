// For tests: documents and queries over terms, evaluated the slow and obvious way.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "index/corpus_stats.hpp"
#include "index/term_query.hpp"

namespace vecstore::inverted::test {

struct NaiveToken {
  std::string term;
  std::uint32_t position = 0, field = 0;
};

/// Edits between two words, code points being bytes.
inline std::uint32_t edits(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::uint32_t>> d(a.size() + 1, std::vector<std::uint32_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = static_cast<std::uint32_t>(i + j);
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

class NaiveTerms {
 public:
  explicit NaiveTerms(std::vector<float> weights) : weights_(std::move(weights)) {}
  std::map<std::uint64_t, std::vector<NaiveToken>> documents;

  double length(std::uint64_t row) const {
    double sum = 0;
    for (const auto& t : documents.at(row)) sum += weights_[t.field];
    return sum;
  }
  CorpusStats base_stats() const {
    CorpusStats s{documents.size(), 0, {}};
    for (const auto& [row, d] : documents) s.total_length += length(row);
    return s;
  }

  /// The term's share of a leaf's frequency: 0 when it is none of the leaf's terms.
  double share(const TermNode& leaf, const std::string& term) const {
    const std::string& word = leaf.words[0];
    if (leaf.kind == TermNode::Kind::kPrefix) return term.starts_with(word) ? 1 : 0;
    if (leaf.kind == TermNode::Kind::kFuzzy) {
      const std::uint32_t e = edits(word, term);
      return e <= leaf.distance && term.starts_with(word.substr(0, leaf.exact)) ? 1.0 / (1 + e) : 0;
    }
    return term == word ? 1 : 0;
  }
  double frequency(const TermNode& leaf, std::uint64_t row) const {
    if (leaf.kind == TermNode::Kind::kPhrase && leaf.words.size() > 1) return phrase(leaf, row);
    double sum = 0;
    for (const auto& t : documents.at(row)) {
      if (leaf.field == kAnyField || leaf.field == t.field) sum += weights_[t.field] * share(leaf, t.term);
    }
    return sum;
  }
  /// Exact phrases: every beginning is tried. With slop: the sweep that TermNode describes, on maps.
  double phrase(const TermNode& leaf, std::uint64_t row) const {
    double sum = 0;
    for (std::uint32_t f = 0; f < weights_.size(); ++f) {
      if (leaf.field != kAnyField && leaf.field != f) continue;
      std::vector<std::set<std::int64_t>> begins(leaf.words.size());
      for (std::size_t w = 0; w < leaf.words.size(); ++w) {
        std::set<std::int64_t> places;
        const std::int64_t offset = leaf.offsets.empty() ? static_cast<std::int64_t>(w) : leaf.offsets[w];
        for (const auto& t : documents.at(row)) {
          if (t.field == f && t.term == leaf.words[w]) places.insert(std::int64_t{t.position} - offset);
        }
        begins[w].insert(places.begin(), places.end());
      }
      if (leaf.slop == 0) {
        for (const std::int64_t b : begins[0]) {
          if (std::all_of(begins.begin(), begins.end(), [&](const auto& s) { return s.contains(b); }))
            sum += weights_[f];
        }
        continue;
      }
      for (;;) {
        bool complete = true;
        for (const auto& places : begins) complete = complete && !places.empty();
        if (!complete) break;
        std::int64_t least = *begins[0].begin(), most = least;
        for (const auto& places : begins) {
          least = std::min(least, *places.begin());
          most = std::max(most, *places.begin());
        }
        if (most - least <= leaf.slop) sum += weights_[f] / static_cast<double>(1 + most - least);
        for (auto& places : begins) places.erase(least);
      }
    }
    return sum;
  }
  void leaf_stats(const TermNode& node, CorpusStats& s) const {
    for (const TermNode& c : node.children) leaf_stats(c, s);
    if (node.kind == TermNode::Kind::kBool) return;
    const bool expands = node.kind == TermNode::Kind::kPrefix || node.kind == TermNode::Kind::kFuzzy;
    for (const std::string& word : node.words) {
      TermNode one = node;
      one.words = {word};
      if (!expands) one = TermNode::term(word);
      std::uint64_t df = 0;
      for (const auto& [row, d] : documents) df += frequency(one, row) > 0;
      s.doc_freq.push_back(df);
    }
  }
  CorpusStats stats(const TermNode& root) const {
    CorpusStats s = base_stats();
    leaf_stats(root, s);
    return s;
  }

  /// Whether the node matches; adds its score. `stat` walks through the leaves' statistics.
  bool evaluate(const TermNode& node, std::uint64_t row, const Bm25& p, const CorpusStats& s, double boost,
                std::size_t& stat, double& score) const {
    boost *= node.boost;
    if (node.kind != TermNode::Kind::kBool) {
      const double n = static_cast<double>(s.documents);
      double idf = 0;
      const bool expands = node.kind == TermNode::Kind::kPrefix || node.kind == TermNode::Kind::kFuzzy;
      for (std::size_t i = 0; i < (expands ? 1 : node.words.size()); ++i) {
        const double df = static_cast<double>(s.doc_freq[stat++]);
        idf += std::log(1 + (n - df + 0.5) / (df + 0.5));
      }
      const double tf = frequency(node, row);
      if (tf == 0) return false;
      score += boost * idf * tf / (tf + p.k1 * (1 - p.b + p.b * length(row) / s.average_length()));
      return true;
    }
    double own = 0, unused = 0;
    bool any = false, all = true;
    for (const TermNode& c : node.children) {
      const bool negative = c.occur == Occur::kMustNot;
      const bool matches = evaluate(c, row, p, s, boost, stat, negative ? unused : own);
      if (negative ? matches : (c.occur == Occur::kMust && !matches)) all = false;
      any = any || (matches && !negative);
    }
    if (!all || !any) return false;
    score += own;
    return true;
  }
  std::map<std::uint64_t, double> scores(const TermNode& root, const Bm25& p, const CorpusStats& s) const {
    std::map<std::uint64_t, double> out;
    for (const auto& [row, d] : documents) {
      std::size_t stat = 0;
      double score = 0;
      if (evaluate(root, row, p, s, 1, stat, score)) out[row] = score;
    }
    return out;
  }

 private:
  std::vector<float> weights_;
};

}  // namespace vecstore::inverted::test
