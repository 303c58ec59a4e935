#include <algorithm>
#include <map>
#include <optional>

#include "base/error.hpp"
#include "text/synonyms.hpp"
#include "text/term_tree.hpp"

namespace vecstore::text {
namespace {

using Kind = TermTree::Kind;
using SurfaceKind = TextQuery::Kind;
using Found = std::optional<TermTree>;  // nothing: no term is left

/// Fields that see all words alike.
struct FieldGroup {
  Analyzer* analyzer = nullptr;
  std::vector<std::uint32_t> fields;
};

/// One of several; a kBool is opened only where it means the same.
Found any_of(std::vector<TermTree> trees) {
  if (trees.empty()) return {};
  if (trees.size() == 1) return std::move(trees[0]);
  TermTree out;
  out.clauses = std::move(trees);
  return out;
}

/// Adds a tree, or its fields to an equal one.
void add_alternative(std::vector<TermTree>& trees, TermTree tree) {
  for (TermTree& known : trees) {
    if (!known.is_leaf()) continue;
    TermTree here = tree;
    here.fields = known.fields;
    if (here != known) continue;
    for (const std::uint32_t field : tree.fields) {
      const auto at = std::lower_bound(known.fields.begin(), known.fields.end(), field);
      if (at == known.fields.end() || *at != field) known.fields.insert(at, field);
    }
    return;
  }
  trees.push_back(std::move(tree));
}

/// What one group of fields makes of words. Results are leaves, or a kBool of alternatives.
class GroupAnalysis {
 public:
  explicit GroupAnalysis(const FieldGroup& group) : group_(group), analyzer_(*group.analyzer) {}

  Found word(std::string_view text) {
    read(text, Purpose::kQuery);
    return word_of_tokens();
  }

  Found phrase(std::string_view text, std::uint32_t slop) {
    read(text, Purpose::kQuery);
    Found out = phrase_of(tokens_);
    if (out && out->kind == Kind::kPhrase) out->slop = slop;
    return out;
  }

  /// The last word is the beginning, those before it are whole.
  Found prefix(std::string_view text) {
    if (has_grams()) return word(text);  // each word is a beginning already
    read(text, Purpose::kPrefix);
    if (tokens_.empty()) return {};
    const Token last = tokens_.back();
    // Pairs of characters are found inside of longer runs anyway.
    if (tokens_.size() > 1 && tokens_[tokens_.size() - 2].end_byte > last.start_byte &&
        !tokens_[tokens_.size() - 2].whole) {
      return word(text);
    }
    std::optional<Token> whole;
    for (const Token& token : tokens_) {
      if (token.whole && token.end_byte == last.end_byte) whole = token;
    }
    std::vector<TermTree> parts;
    if (auto before = word(text.substr(0, whole ? whole->start_byte : last.start_byte))) {
      before->occur = Occur::kMust;
      parts.push_back(std::move(*before));
    }
    TermTree beginning = leaf(Kind::kPrefix, last.term);
    if (whole) {
      // getUserNa*: the whole begins so; or it has the parts before the last and one that begins like it.
      std::vector<TermTree> both{leaf(Kind::kPrefix, whole->term)};
      std::vector<TermTree> all;
      if (auto start = phrase(text.substr(whole->start_byte, last.start_byte - whole->start_byte), 0)) {
        start->occur = Occur::kMust;
        all.push_back(std::move(*start));
      }
      beginning.occur = Occur::kMust;
      all.push_back(std::move(beginning));
      both.push_back(*any_of(std::move(all)));
      both.back().occur = Occur::kShould;
      beginning = *any_of(std::move(both));
    }
    beginning.occur = Occur::kMust;
    parts.push_back(std::move(beginning));
    return any_of(std::move(parts));
  }

  Found fuzzy(std::string_view text, std::uint32_t distance) {
    read(text, Purpose::kFuzzy);
    std::vector<TermTree> parts;
    for (const Token& token : tokens_) {
      if (token.whole && tokens_.size() > 1) continue;
      parts.push_back(leaf(Kind::kFuzzy, token.term));
      parts.back().distance = distance;
      parts.back().occur = Occur::kMust;
    }
    return any_of(std::move(parts));
  }

  /// The leaves of plain text, of which any is enough: sink(leaf, is a synonym) until it returns false.
  template <class Sink>
  void text(std::string_view text, Sink&& sink) {
    Analyzer::Stream stream = analyzer_.stream(text, Purpose::kQuery);
    const Synonyms* synonyms = analyzer_.spec().synonyms.get();
    const bool grams = has_grams();
    tokens_.clear();
    for (Token token; stream.next(token);) {
      if (grams) {
        // The grams of one word overlap or, of a short one, stand alone.
        if (!tokens_.empty() && token.start_byte >= tokens_.back().end_byte && !flush_grams(sink)) return;
        tokens_.push_back(token);
      } else if (synonyms != nullptr) {
        tokens_.push_back(token);
      } else if (!sink(leaf(token.prefix ? Kind::kPrefix : Kind::kTerm, token.term), false)) {
        return;
      }
    }
    if (grams && !tokens_.empty()) flush_grams(sink);
    if (synonyms != nullptr) widen(*synonyms, sink);
  }

 private:
  bool has_grams() const {
    return analyzer_.spec().shape == Shape::kNgrams || analyzer_.spec().shape == Shape::kEdgeNgrams;
  }

  TermTree leaf(Kind kind, std::string_view term) const {
    TermTree out;
    out.kind = kind;
    out.term = term;
    out.fields = group_.fields;
    return out;
  }

  void read(std::string_view text, Purpose purpose) {
    tokens_.clear();
    Analyzer::Stream stream = analyzer_.stream(text, purpose);
    for (Token token; stream.next(token);) tokens_.push_back(token);
  }

  Found phrase_of(std::span<const Token> tokens) const {
    TermTree out = leaf(Kind::kPhrase, {});
    std::uint32_t first = 0;
    const Token* only = nullptr;
    for (const Token& token : tokens) {
      if (token.whole) continue;
      if (only == nullptr) first = token.position;
      only = &token;
      out.phrase.push_back({std::string(token.term), token.position - first});
      if (out.phrase.size() > kMaxPhraseTerms)
        invalid("text query: a phrase of more than ", kMaxPhraseTerms, " terms");
    }
    if (out.phrase.size() > 1) return out;
    if (only == nullptr) return {};
    return leaf(only->prefix ? Kind::kPrefix : Kind::kTerm, only->term);
  }

  Found word_of_tokens() const {
    std::vector<TermTree> forms;
    if (!tokens_.empty() && tokens_.front().whole && tokens_.front().end_byte == tokens_.back().end_byte)
      forms.push_back(leaf(Kind::kTerm, tokens_.front().term));
    if (Found parts = phrase_of(tokens_)) add_alternative(forms, std::move(*parts));
    if (analyzer_.spec().synonyms && !forms.empty()) {
      const auto terms = plain_terms();
      const auto match = analyzer_.spec().synonyms->find(terms);
      if (match.length == terms.size()) add_others(*match.others, forms);
    }
    return any_of(std::move(forms));
  }

  std::vector<std::string_view> plain_terms() const {
    std::vector<std::string_view> out;
    for (const Token& token : tokens_) {
      if (!token.whole) out.push_back(token.term);
    }
    return out;
  }

  void add_others(const std::vector<TermSequence>& others, std::vector<TermTree>& forms) const {
    for (const TermSequence& other : others) add_alternative(forms, tree_of(other));
  }

  TermTree tree_of(const TermSequence& terms) const {
    if (terms.size() == 1) return leaf(Kind::kTerm, terms[0]);
    TermTree out = leaf(Kind::kPhrase, {});
    for (const std::string& term : terms)
      out.phrase.push_back({term, static_cast<std::uint32_t>(out.phrase.size())});
    return out;
  }

  template <class Sink>
  bool flush_grams(Sink& sink) {
    Found out = phrase_of(tokens_);
    tokens_.clear();
    return !out || sink(std::move(*out), false);
  }

  template <class Sink>
  void widen(const Synonyms& synonyms, Sink& sink) {
    for (const Token& token : tokens_) {
      if (!sink(leaf(token.prefix ? Kind::kPrefix : Kind::kTerm, token.term), false)) return;
    }
    const auto terms = plain_terms();
    for (std::size_t i = 0; i < terms.size();) {
      const auto match = synonyms.find(std::span(terms).subspan(i));
      if (match.length > 0) {
        for (const TermSequence& other : *match.others) {
          if (!sink(tree_of(other), true)) return;
        }
      }
      i += std::max<std::size_t>(match.length, 1);
    }
  }

  const FieldGroup& group_;
  Analyzer& analyzer_;
  std::vector<Token> tokens_;
};

class Analysis {
 public:
  explicit Analysis(std::span<const QueryField> fields) : fields_(fields) {}

  AnalyzedQuery run(const TextQuery& query) {
    AnalyzedQuery out;
    if (Found tree = any(query, query.boost)) out.tree = std::move(*tree);
    if (only_forbids(out.tree)) out.tree.clauses.clear();  // nothing is left to be found
    if (out.tree.is_leaf()) {
      TermTree root;
      root.clauses.push_back(std::move(out.tree));
      out.tree = std::move(root);
    }
    for (TermTree& clause : out.tree.clauses) count_leaves(clause);
    out.truncated = truncated_;
    return out;
  }

 private:
  Found any(const TextQuery& query, float boost) {
    if (query.kind == SurfaceKind::kBool) return all_clauses(query, boost);
    const std::vector<FieldGroup>& groups = groups_of(query.field);
    if (query.kind == SurfaceKind::kText) return text(query.text, groups, boost);
    std::vector<TermTree> forms;
    for (const FieldGroup& group : groups) {
      if (Found form = word(GroupAnalysis(group), query)) {
        form->occur = Occur::kShould;
        add_alternative(forms, std::move(*form));
      }
    }
    Found out = any_of(std::move(forms));
    if (out) set_boost(*out, boost);
    return out;
  }

  static Found word(GroupAnalysis group, const TextQuery& query) {
    switch (query.kind) {
      case SurfaceKind::kWord:
        return group.word(query.text);
      case SurfaceKind::kPrefix:
        return group.prefix(query.text);
      case SurfaceKind::kFuzzy:
        return group.fuzzy(query.text, query.distance);
      case SurfaceKind::kPhrase:
        return group.phrase(query.text, query.slop);
      case SurfaceKind::kText:
      case SurfaceKind::kBool:
        break;
    }
    return {};
  }

  /// The result may have kMustNot clauses only, which is for the caller to place.
  Found all_clauses(const TextQuery& query, float boost) {
    TermTree out;
    for (const TextQuery& clause : query.clauses) {
      Found found = any(clause, boost * clause.boost);
      if (!found) continue;
      if (only_forbids(*found)) {
        // +(-a) forbids a here; in other places it neither finds nor forbids anything.
        if (clause.occur != Occur::kMust) continue;
        for (TermTree& forbidden : found->clauses) out.clauses.push_back(std::move(forbidden));
        continue;
      }
      found->occur = clause.occur;
      out.clauses.push_back(std::move(*found));
    }
    if (out.clauses.empty()) return {};
    return out;
  }

  static bool only_forbids(const TermTree& tree) {
    const auto negative = [](const TermTree& t) { return t.occur == Occur::kMustNot; };
    return !tree.is_leaf() && std::all_of(tree.clauses.begin(), tree.clauses.end(), negative);
  }

  Found text(std::string_view text, const std::vector<FieldGroup>& groups, float boost) {
    // Key: the leaf without its fields. A word counts as often as it stands in the text; a further group of
    // fields adds its fields, and the forms that no group before it had.
    TermTree out;
    std::map<std::string, std::size_t> places;
    for (const FieldGroup& group : groups) {
      const std::size_t before = out.clauses.size();
      GroupAnalysis(group).text(text, [&](TermTree leaf, bool synonym) {
        const auto [place, is_new] = places.emplace(key_of(leaf), out.clauses.size());
        if (is_new) {
          if (out.clauses.size() == kMaxTermTreeLeaves) {
            places.erase(place);
            truncated_ = true;
            return false;
          }
          leaf.boost = boost;
          out.clauses.push_back(std::move(leaf));
          return true;
        }
        TermTree& known = out.clauses[place->second];
        if (place->second >= before) {
          if (!synonym) known.boost += boost;
        } else if (!std::includes(known.fields.begin(), known.fields.end(), leaf.fields.begin(),
                                  leaf.fields.end())) {
          known.fields.insert(known.fields.end(), leaf.fields.begin(), leaf.fields.end());
          std::sort(known.fields.begin(), known.fields.end());
        }
        return true;
      });
    }
    if (out.clauses.empty()) return {};
    return out;
  }

  static std::string key_of(const TermTree& leaf) {
    std::string key(1, static_cast<char>(leaf.kind));
    key += leaf.term;
    for (const PhraseTerm& part : leaf.phrase) key += concat('\0', part.position, '\0', part.term);
    return key;
  }

  const std::vector<FieldGroup>& groups_of(const std::string& name) {
    const auto known = groups_.find(name);
    if (known != groups_.end()) return known->second;
    std::vector<FieldGroup> groups;
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      if (!name.empty() && fields_[i].name != name) continue;
      const AnalyzerSpec& spec = fields_[i].analyzer->spec();
      const auto same = std::find_if(groups.begin(), groups.end(), [&](const FieldGroup& group) {
        const AnalyzerSpec& other = group.analyzer->spec();
        return spec.fingerprint == other.fingerprint && spec.synonyms == other.synonyms;
      });
      FieldGroup& group =
          same != groups.end() ? *same : groups.emplace_back(FieldGroup{fields_[i].analyzer, {}});
      group.fields.push_back(static_cast<std::uint32_t>(i));
    }
    if (groups.empty() && !name.empty()) invalid("text query: '", name.substr(0, 80), "' is no text field");
    return groups_.emplace(name, std::move(groups)).first->second;
  }

  static void set_boost(TermTree& tree, float boost) {
    tree.boost = tree.is_leaf() ? boost : 1;
    for (TermTree& clause : tree.clauses) set_boost(clause, boost);
  }

  void count_leaves(const TermTree& tree) {
    if (tree.is_leaf() && ++leaves_ > kMaxTermTreeLeaves)
      invalid("text query: more than ", kMaxTermTreeLeaves, " terms and phrases, with other forms of words");
    for (const TermTree& clause : tree.clauses) count_leaves(clause);
  }

  std::span<const QueryField> fields_;
  std::map<std::string, std::vector<FieldGroup>> groups_;
  std::size_t leaves_ = 0;
  bool truncated_ = false;
};

}  // namespace

AnalyzedQuery analyze_query(const TextQuery& query, std::span<const QueryField> fields) {
  return Analysis(fields).run(query);
}

}  // namespace vecstore::text
