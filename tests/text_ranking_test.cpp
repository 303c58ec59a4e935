// The ranking of texts through the public API against a slow twin: every live text is scored by Lucene's BM25
// in double, while records come, change and go, in several segments, in the newest rows and behind filters.
//
//   VECSTORE_TEST_EFFORT=100  asks 100,000 queries instead of 1,000
//   VECSTORE_TEST_SEED=n           other worlds (printed)
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>

#include "scratch.hpp"
#include "seed.hpp"
#include "text/analyzer.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

constexpr double kTolerance = 1e-5;
constexpr std::size_t kQueriesPerWorld = 250, kQueriesPerBurst = 25;
// Large worlds have parts in which whole windows are skipped.
constexpr std::size_t kSmallWorldsPerLarge = 19, kLarge = 27'000, kQueriesOfLarge = 50;

/// A term, by its number, and its place.
struct Word {
  std::size_t term = 0;
  std::int64_t position = 0;
};
using Words = std::vector<Word>;

struct Doc {
  std::string text, title;
  std::int64_t bucket = 0;
  std::vector<Words> fields;
  double length = 0;  // each word counts its field's weight
};

struct Node {
  enum Kind { kTerm, kPrefix, kFuzzy, kPhrase, kBool } kind = kBool;
  enum Occur { kShould, kMust, kMustNot } occur = kShould;
  std::vector<std::string> terms;
  std::optional<std::size_t> field;
  std::int64_t slop = 0, distance = 0;
  double boost = 1;
  std::vector<Node> clauses;
  std::string written;
  std::vector<double> df;            // filled from the answer's plan: one per term, or one for all
  std::vector<double> share;         // by term: what an occurrence counts, in phrases unused
  std::vector<std::size_t> numbers;  // of the terms
};

/// Edits between two words of ASCII: insert, delete, replace, swap two neighbours.
std::int64_t edits(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::int64_t>> d(a.size() + 1, std::vector<std::int64_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      d[i][j] = static_cast<std::int64_t>(std::max(i, j));
      if (i == 0 || j == 0) continue;
      d[i][j] =
          std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

/// How often the phrase stands there; what is out of place by n moves in sum counts 1 / (1 + n).
double phrase_frequency(const Node& node, const Words& words) {
  std::vector<std::set<std::int64_t>> begins;  // by word: where the phrase would begin
  for (std::size_t w = 0; w < node.terms.size(); ++w) {
    auto& own = begins.emplace_back();
    for (const Word& word : words) {
      if (word.term == node.numbers[w]) own.insert(word.position - static_cast<std::int64_t>(w));
    }
    if (own.empty()) return 0;
  }
  double found = 0;
  for (;;) {
    std::int64_t least = *begins[0].begin(), most = least;
    for (const auto& b : begins) least = std::min(least, *b.begin()), most = std::max(most, *b.begin());
    if (most - least <= node.slop) found += 1.0 / static_cast<double>(1 + most - least);
    for (auto& b : begins) {
      b.erase(least);
      if (b.empty()) return found;
    }
  }
}

double frequency(const Node& node, const Doc& doc, const std::vector<double>& weights) {
  double sum = 0;
  for (std::size_t f = 0; f < doc.fields.size(); ++f) {
    if (node.field && *node.field != f) continue;
    if (node.kind == Node::kPhrase) {
      sum += weights[f] * phrase_frequency(node, doc.fields[f]);
      continue;
    }
    for (const Word& word : doc.fields[f]) {
      if (word.term < node.share.size()) sum += weights[f] * node.share[word.term];
    }
  }
  return sum;
}

struct Statistics {
  double documents = 0, length = 0;
  std::vector<std::pair<std::string, double>> df;  // in the order of the query's words
};

/// What the answer says that it was scored with.
std::optional<Statistics> statistics_of(const PlanNode& node) {
  Statistics out;
  bool found = false;
  for (const auto& [name, value] : node.properties) {
    if (name == "documents") out.documents = std::stod(value), found = true;
    if (name == "length of all") out.length = std::stod(value);
    if (name != "words") continue;
    std::istringstream words(value);
    for (std::string word; words >> word;) {
      std::erase(word, '"');
      const std::size_t colon = word.rfind(':');
      out.df.emplace_back(word.substr(0, colon), std::stod(word.substr(colon + 1)));
    }
  }
  if (found) return out;
  for (const PlanNode& child : node.children) {
    if (auto below = statistics_of(child)) return below;
  }
  return std::nullopt;
}

void each_leaf(Node& node, const std::function<void(Node&)>& f) {
  for (Node& c : node.clauses) each_leaf(c, f);
  if (node.kind != Node::kBool) f(node);
}

/// One database and what it must answer.
class World {
 public:
  World(unsigned seed, const std::string& directory, bool large)
      : rng_(seed),
        large_(large),
        analyzer_name_(seed % 2 ? "english" : "neutral"),
        analyzer_(analyzer_name_),
        directory_(directory) {
    options_ = {.durability = Durability::kRelaxed,
                .threads = 1,
                .checkpoint_rows = large ? 20'000 : 15 + rng_() % 150};
    make_words();
    std::vector<TextField> fields{TextField{.analyzer = analyzer_name_}};
    weights_ = {1};
    if (rng_() % 3 == 0) {
      fields.push_back({.path = "title", .analyzer = analyzer_name_, .weight = 2.5f});
      weights_.push_back(2.5);
    }
    db_.emplace(VecDatabase::open(directory_, options_));
    collection_.emplace(db_->create_collection("c", {.text_fields = fields}));
    reader_.emplace(VecDatabase::open(directory_, {.read_only = true, .threads = 1}));
    follower_.emplace(reader_->get_collection("c"));
  }

  void change() {
    if (rng_() % 7 == 0) {
      follower_.reset(), reader_.reset(), collection_.reset(), db_.reset();
      db_.emplace(VecDatabase::open(directory_, options_));
      collection_.emplace(db_->get_collection("c"));
      reader_.emplace(VecDatabase::open(directory_, {.read_only = true, .threads = 1}));
      follower_.emplace(reader_->get_collection("c"));
    }
    while (large_ && next_ < kLarge) put(9'000);
    for (unsigned batches = 1 + rng_() % 3; batches > 0; --batches) put(1 + rng_() % 60);
    for (unsigned n = rng_() % 15; n > 0; --n) {
      const auto at = docs_.find(random_id());
      if (at == docs_.end()) continue;
      if (rng_() % 4 == 0) {
        collection_->update_metadata(at->first, metadata(at->second.title, at->second.bucket = rng_() % 100));
        retired_.push_back(at->second);
      } else {
        collection_->erase(at->first);
        retired_.push_back(at->second);
        docs_.erase(at);
      }
    }
    if (rng_() % (large_ ? 2 : 6) == 0) {
      collection_->optimize();
      retired_.clear();
    }
    const CollectionStats stats = collection_->stats();
    segments = stats.segments;
    rows_outside = stats.rows_outside;
  }

  void ask() {
    const bool language = rng_() % 2 == 0;
    Node query = language ? boolean(2) : plain();
    TextQueryOptions o;
    o.mode = Mode::kText;
    o.syntax = language ? TextSyntax::kQuery : TextSyntax::kMatch;
    o.k = 1 + static_cast<std::int64_t>(rng_() % (rng_() % 5 == 0 ? 1'000 : 20));
    if (rng_() % 8 == 0) o.offset = static_cast<std::int64_t>(rng_() % 20);
    o.explain = true;
    std::int64_t below = 100;
    if (rng_() % 3 == 0) {
      below = static_cast<std::int64_t>(rng_() % 2 ? rng_() % 10 : rng_() % 100);
      o.where = Filter::parse("bucket < " + std::to_string(below));
    }
    SCOPED_TRACE("query " + query.written + ", k " + std::to_string(o.k) + ", bucket < " +
                 std::to_string(below));
    const Hits hits = (rng_() % 4 == 0 ? *follower_ : *collection_).query_text(query.written, o);
    compare(query, hits, static_cast<std::size_t>(o.k), static_cast<std::size_t>(o.offset), below);
  }

  std::uint64_t segments = 0, rows_outside = 0, hits_seen = 0, with_retired = 0;

 private:
  void make_words() {
    constexpr const char* kSyllables[] = {"ba", "ra", "no", "ti", "ka", "lo", "mi", "stu"};
    constexpr const char* kEnds[] = {"", "", "s", "ing", "ed"};
    std::set<std::string> known;
    while (words_.size() < 220) {
      std::string word;
      for (unsigned n = 2 + rng_() % 2; n > 0; --n) word += kSyllables[rng_() % std::size(kSyllables)];
      word += kEnds[rng_() % std::size(kEnds)];
      const std::vector<std::string> terms = analyzer_.terms(word);
      if (terms.size() != 1 || !known.insert(word).second) continue;
      words_.push_back(word);
      vocabulary_.insert(terms[0]);
    }
    for (const std::string& term : analyzer_.terms("the")) vocabulary_.insert(term);
  }
  /// A few words are frequent, most are rare; some are written with a capital.
  std::string word() {
    const double r = std::uniform_real_distribution<>(0, 1)(rng_);
    std::string out = words_[static_cast<std::size_t>(r * r * r * static_cast<double>(words_.size()))];
    if (rng_() % 10 == 0) out[0] = static_cast<char>(std::toupper(out[0]));
    return out;
  }
  std::string text(std::size_t most) {
    std::string out;
    for (std::size_t n = 1 + rng_() % most; n > 0; --n) {
      out += (out.empty() ? "" : rng_() % 9 == 0 ? ", " : " ") + word();
      if (rng_() % 12 == 0) out += " the";  // a stop word in English: its place stays empty
    }
    return out;
  }
  std::string term_of(const std::string& written) { return analyzer_.terms(written).at(0); }

  static Metadata metadata(const std::string& title, std::int64_t bucket) {
    return {{"title", title}, {"bucket", bucket}};
  }
  std::size_t number_of(const std::string& term) {
    return numbers_.try_emplace(term, numbers_.size()).first->second;
  }
  Words words_of(const std::string& s) {
    Words out;
    analyzer_.analyze(
        s, [&](const text::Token& t) { out.push_back({number_of(std::string(t.term)), t.position}); });
    return out;
  }
  void count(Node& leaf, const std::string& term, double share) {
    const std::size_t number = number_of(term);
    if (number >= leaf.share.size()) leaf.share.resize(number + 1);
    leaf.share[number] = share;
  }
  Node term_leaf(const std::string& term) {
    Node out{.kind = Node::kTerm, .terms = {term}};
    count(out, term, 1);
    return out;
  }
  std::string random_id() { return "r" + std::to_string(rng_() % (next_ + 1)); }
  void put(std::size_t n) {
    std::vector<Record> batch;
    std::set<std::string> ids;
    for (; n > 0; --n) {
      Doc doc{.text = text(rng_() % 20 == 0 ? 200 : large_ ? 8 : 25), .title = text(4)};
      if (rng_() % 6 == 0) {  // equal texts stand by their ids
        const auto other = docs_.find(random_id());
        if (other != docs_.end()) doc.text = other->second.text, doc.title = other->second.title;
      }
      doc.bucket = static_cast<std::int64_t>(rng_() % 100);
      doc.fields.push_back(words_of(doc.text));
      if (weights_.size() > 1) doc.fields.push_back(words_of(doc.title));
      for (std::size_t f = 0; f < doc.fields.size(); ++f)
        doc.length += weights_[f] * static_cast<double>(doc.fields[f].size());
      const std::string id = next_ > 0 && rng_() % 4 == 0 ? random_id() : "r" + std::to_string(next_++);
      if (!ids.insert(id).second) continue;
      batch.push_back({.id = id, .text = doc.text, .metadata = metadata(doc.title, doc.bucket)});
      if (const auto old = docs_.find(id); old != docs_.end()) retired_.push_back(old->second);
      docs_[id] = std::move(doc);
    }
    collection_->batch_upsert(batch);
  }

  // ---- queries ----

  Node plain() {
    Node out;
    out.written = text(rng_() % 4 == 0 ? 12 : 4);
    for (const std::string& term : analyzer_.terms(out.written)) {
      const auto known = std::find_if(out.clauses.begin(), out.clauses.end(),
                                      [&](const Node& n) { return n.terms[0] == term; });
      if (known != out.clauses.end())
        known->boost += 1;  // a word that is written twice counts twice
      else
        out.clauses.push_back(term_leaf(term));
    }
    return out;
  }

  Node leaf() {
    Node n;
    std::string written = word();
    n.terms = {term_of(written)};
    switch (rng_() % 8) {
      case 0:
        n.kind = Node::kPrefix;
        written.resize(2 + rng_() % 3);
        n.terms = {written};
        n.terms[0][0] = static_cast<char>(std::tolower(n.terms[0][0]));
        for (const std::string& t : vocabulary_)
          if (t.starts_with(n.terms[0])) count(n, t, 1);
        written += '*';
        break;
      case 1:
        n.kind = Node::kFuzzy;
        n.distance = 1 + static_cast<std::int64_t>(rng_() % 2);
        written[rng_() % written.size()] = static_cast<char>('a' + rng_() % 26);
        if (analyzer_.terms(written).size() != 1) return leaf();
        n.terms = {term_of(written)};
        for (const std::string& t : vocabulary_) {
          const std::int64_t e = edits(n.terms[0], t);
          if (e <= n.distance) count(n, t, 1.0 / static_cast<double>(1 + e));
        }
        written += '~' + std::to_string(n.distance);
        break;
      case 2: {
        n.kind = Node::kPhrase;
        for (unsigned more = 1 + rng_() % 2; more > 0; --more) {
          const std::string w = word();
          written += ' ' + w;
          n.terms.push_back(term_of(w));
        }
        written = '"' + written + '"';
        if (rng_() % 2)
          n.slop = static_cast<std::int64_t>(rng_() % 5), written += '~' + std::to_string(n.slop);
        break;
      }
      default:
        n = term_leaf(n.terms[0]);
    }
    for (const std::string& term : n.terms) n.numbers.push_back(number_of(term));
    if (weights_.size() > 1 && rng_() % 4 == 0) {
      n.field = rng_() % 2;
      written = (*n.field == 0 ? "text:" : "title:") + written;
    }
    n.written = written;
    return n;
  }

  Node boolean(int depth) {
    Node out;
    const unsigned form = rng_() % 4;  // words with and without signs; AND; OR
    for (unsigned n = 1 + rng_() % 4; n > 0; --n) {
      Node c = depth > 0 && rng_() % 4 == 0 ? boolean(depth - 1) : leaf();
      if (c.kind == Node::kBool) c.written = '(' + c.written + ')';
      if (rng_() % 5 == 0) {
        c.boost = 0.25 * static_cast<double>(1 + rng_() % 12);
        std::ostringstream boost;
        boost << '^' << c.boost;
        c.written += boost.str();
      }
      // What is only forbidden finds nothing: the first clause never is.
      const unsigned sign = rng_() % 5;
      if (form == 2 || (form < 2 && sign == 0)) c.occur = Node::kMust;
      if (form < 2 && sign == 1 && !out.clauses.empty()) c.occur = Node::kMustNot;
      if (form < 2)
        c.written = (c.occur == Node::kMust ? "+" : c.occur == Node::kMustNot ? "-" : "") + c.written;
      if (!out.written.empty()) out.written += form == 2 ? " AND " : form == 3 ? " OR " : " ";
      out.written += c.written;
      out.clauses.push_back(std::move(c));
    }
    return out;
  }

  // ---- what is right ----

  /// The answer's own numbers: those of the live texts, and of no more than what was retired since the last
  /// merge of everything.
  void check_statistics(Node& query, const Statistics& s) {
    double length = 0, retired_length = 0;
    for (const auto& [id, doc] : docs_) length += doc.length;
    for (const Doc& doc : retired_) retired_length += doc.length;
    const auto live = static_cast<double>(docs_.size());
    EXPECT_GE(s.documents, live);
    EXPECT_LE(s.documents, live + static_cast<double>(retired_.size()));
    EXPECT_GE(s.length, length * (1 - 1e-6));
    EXPECT_LE(s.length, (length + retired_length) * (1 + 1e-6));
    with_retired += s.documents > live;
    std::size_t at = 0;
    each_leaf(query, [&](Node& leaf) {
      leaf.df.clear();
      for (const std::string& term : leaf.terms) {
        ASSERT_LT(at, s.df.size());
        ASSERT_EQ(s.df[at].first, term);
        Node one = leaf;
        if (leaf.kind == Node::kTerm || leaf.kind == Node::kPhrase) one = term_leaf(term);  // in any field
        double df = 0, retired = 0;
        for (const auto& [id, doc] : docs_) df += frequency(one, doc, weights_) > 0;
        for (const Doc& doc : retired_) retired += frequency(one, doc, weights_) > 0;
        EXPECT_GE(s.df[at].second, df) << term;
        EXPECT_LE(s.df[at].second, df + retired) << term;
        leaf.df.push_back(s.df[at++].second);
      }
    });
    EXPECT_EQ(at, s.df.size());
  }

  std::optional<double> score(const Node& node, const Doc& doc, const Statistics& s, double boost = 1) const {
    boost *= node.boost;
    if (node.kind == Node::kBool) {
      bool any = false;
      double sum = 0;
      for (const Node& c : node.clauses) {
        const auto own = score(c, doc, s, boost);
        if (c.occur == Node::kMustNot ? own.has_value() : (c.occur == Node::kMust && !own))
          return std::nullopt;
        if (!own || c.occur == Node::kMustNot) continue;
        any = true;
        sum += *own;
      }
      return any ? std::optional(sum) : std::nullopt;
    }
    const double tf = frequency(node, doc, weights_);
    if (tf == 0) return std::nullopt;
    double idf = 0;
    for (const double df : node.df) idf += std::log(1 + (s.documents - df + 0.5) / (df + 0.5));
    const double average = s.length / s.documents;
    return boost * idf * tf / (tf + 1.2 * (1 - 0.75 + 0.75 * doc.length / average));
  }

  void compare(Node& query, const Hits& hits, std::size_t k, std::size_t offset, std::int64_t below) {
    std::map<std::string, double> expected;
    if (query.clauses.empty()) {
      EXPECT_TRUE(hits.empty());
      return;
    }
    ASSERT_TRUE(hits.plan);
    const auto statistics = statistics_of(*hits.plan);
    ASSERT_TRUE(statistics) << hits.plan->to_string();
    ASSERT_NO_FATAL_FAILURE(check_statistics(query, *statistics));
    for (const auto& [id, doc] : docs_) {
      if (doc.bucket >= below) continue;
      if (const auto s = score(query, doc, *statistics)) expected[id] = *s;
    }
    ASSERT_EQ(hits.size(), std::min(k, expected.size() - std::min(offset, expected.size())));
    std::vector<double> best;
    for (const auto& [id, s] : expected) best.push_back(s);
    std::sort(best.rbegin(), best.rend());
    std::set<std::string> seen;
    for (std::size_t h = 0; h < hits.size(); ++h) {
      const Hit& hit = hits[h];
      const auto at = expected.find(hit.id);
      ASSERT_NE(at, expected.end()) << hit.id << " must not be found";
      ASSERT_TRUE(seen.insert(hit.id).second);
      const double room = kTolerance * std::max(1.0, at->second);
      ASSERT_NEAR(hit.score, at->second, room) << hit.id;
      ASSERT_NEAR(best[offset + h], at->second, room) << hit.id << " at rank " << offset + h;
      if (h == 0) continue;
      const Hit& before = hits[h - 1];
      ASSERT_TRUE(before.score > hit.score || (before.score == hit.score && before.id < hit.id)) << hit.id;
    }
    check_equals(hits, expected, offset);
    hits_seen += hits.size();
  }

  /// Equal texts have equal scores to the last bit, so that ids order them; none with a smaller id is left
  /// out.
  void check_equals(const Hits& hits, const std::map<std::string, double>& expected,
                    std::size_t offset) const {
    std::map<std::string, std::vector<const Hit*>> by_text;
    for (const Hit& hit : hits)
      by_text[docs_.at(hit.id).text + '\n' + docs_.at(hit.id).title].push_back(&hit);
    for (const auto& [text, equals] : by_text) {
      for (const Hit* hit : equals)
        EXPECT_EQ(hit->score, equals[0]->score) << hit->id << ", " << equals[0]->id;
    }
    if (offset > 0) return;
    for (const auto& [id, s] : expected) {
      const auto same = by_text.find(docs_.at(id).text + '\n' + docs_.at(id).title);
      if (same == by_text.end()) continue;
      const bool found =
          std::any_of(same->second.begin(), same->second.end(), [&](const Hit* h) { return h->id == id; });
      if (!found) {
        EXPECT_GT(id, same->second.back()->id);
      }
    }
  }

  std::mt19937 rng_;
  bool large_;
  std::string analyzer_name_;
  text::Analyzer analyzer_;
  std::string directory_;
  OpenOptions options_;
  std::vector<double> weights_;
  std::vector<std::string> words_;
  std::set<std::string> vocabulary_;
  std::map<std::string, std::size_t> numbers_;  // of terms
  std::optional<VecDatabase> db_, reader_;
  std::optional<Collection> collection_, follower_;
  std::map<std::string, Doc> docs_;
  std::vector<Doc> retired_;  // since everything was merged
  std::size_t next_ = 0;
};

TEST(TextRanking, EqualsExhaustiveScoring) {
  const char* more = std::getenv("VECSTORE_TEST_EFFORT");
  const std::size_t wanted = 1'000 * (more ? static_cast<std::size_t>(std::atoi(more)) : 1);
  const unsigned seed = test::seed();
  std::map<std::uint64_t, std::size_t> by_segments;
  std::size_t outside = 0, queries = 0;
  std::uint64_t hits = 0, retired = 0;
  for (std::size_t w = 0; queries < wanted; ++w) {
    SCOPED_TRACE("world " + std::to_string(w));
    const test::Scratch scratch;
    const bool large = w % (1 + kSmallWorldsPerLarge) == 1;
    World world(seed + static_cast<unsigned>(w), scratch / "db", large);
    for (std::size_t asked = 0; asked < (large ? kQueriesOfLarge : kQueriesPerWorld); ++asked) {
      if (asked % kQueriesPerBurst == 0) world.change();
      world.ask();
      if (HasFailure()) return;
      ++by_segments[std::min<std::uint64_t>(world.segments, 8)];
      outside += world.rows_outside > 0;
      ++queries;
    }
    hits += world.hits_seen;
    retired += world.with_retired;
  }
  std::printf(
      "%zu queries, %llu hits, %zu with rows outside of segments, %llu with retired texts; by segments:",
      queries, static_cast<unsigned long long>(hits), outside, static_cast<unsigned long long>(retired));
  std::size_t several = 0;
  for (const auto& [n, count] : by_segments) {
    std::printf(" %llu: %zu", static_cast<unsigned long long>(n), count);
    several += n > 1 ? count : 0;
  }
  std::puts("");
  EXPECT_GT(several, queries / 50);  // a slow background makes fewer
  EXPECT_GT(outside, queries / 10);
  EXPECT_GT(retired, queries / 10);
  EXPECT_GT(hits, 3 * queries);
}

}  // namespace
}  // namespace vecstore
