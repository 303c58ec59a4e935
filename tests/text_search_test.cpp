// What text search promises, through the public API: characters of languages without spaces, and fused lists.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <random>
#include <set>

#include "scratch.hpp"
#include "seed.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

class TextSearch : public ::testing::Test {
 protected:
  TextSearch() { std::printf("seed %u\n", seed_); }
  std::size_t below(std::size_t n) { return rng_() % n; }
  static std::set<std::string> ids(const Hits& hits) {
    std::set<std::string> out;
    for (const Hit& h : hits) out.insert(h.id);
    return out;
  }

  unsigned seed_ = test::seed();
  std::mt19937 rng_{seed_};
  test::Scratch scratch_;
  VecDatabase db_ = VecDatabase::open(
      scratch_ / "db", {.durability = Durability::kRelaxed, .threads = 1, .checkpoint_rows = 100});
};

// Exactly the texts that contain the characters side by side are found, be it as a word or as a phrase of the
// query language; plain text finds them first.
TEST_F(TextSearch, PairsOfCharactersFindSubstrings) {
  constexpr const char* kCharacters[] = {"検", "索", "引", "擎", "エ", "ン", "ジ",
                                         "の", "は", "数", "据", "库", "전", "자"};
  Collection c = db_.create_collection("c", {.text_fields = {TextField{.analyzer = "cjk"}}});
  std::map<std::string, std::vector<std::string>> runs;  // by id
  std::vector<Record> batch;
  for (int i = 0; i < 400; ++i) {
    std::string text;
    auto& own = runs[std::to_string(i)];
    for (std::size_t n = 1 + below(4); n > 0; --n) {
      std::string run;
      for (std::size_t k = 1 + below(12); k > 0; --k) run += kCharacters[below(std::size(kCharacters))];
      own.push_back(run);
      constexpr const char* kBetween[] = {"。", " ", "、", " wing ", "\n"};
      text += (text.empty() ? "" : kBetween[below(std::size(kBetween))]) + run;
    }
    batch.push_back({.id = std::to_string(i), .text = text});
    if (i != 299 && i != 399) continue;
    c.batch_upsert(batch);
    batch.clear();
    if (i == 299) c.optimize();
  }
  std::size_t found = 0;
  for (int round = 0; round < 600; ++round) {
    std::string part;
    const std::size_t length = 2 + below(4);
    if (below(3)) {  // from a text, else random: most of these are in none
      const auto& own = runs.at(std::to_string(below(400)));
      const std::string& run = own[below(own.size())];
      const std::size_t characters = run.size() / 3;
      if (characters < length) continue;
      part = run.substr(3 * below(characters - length + 1), 3 * length);
    } else {
      for (std::size_t k = 0; k < length; ++k) part += kCharacters[below(std::size(kCharacters))];
    }
    std::set<std::string> expected;
    for (const auto& [id, own] : runs) {
      for (const std::string& run : own)
        if (run.find(part) != std::string::npos) expected.insert(id);
    }
    TextQueryOptions o{.k = 1'000, .mode = Mode::kText, .syntax = TextSyntax::kQuery};
    EXPECT_EQ(ids(c.query_text(part, o)), expected) << part;
    EXPECT_EQ(ids(c.query_text('"' + part + '"', o)), expected) << part;
    o.syntax = TextSyntax::kMatch;
    const std::set<std::string> plain = ids(c.query_text(part, o));
    EXPECT_TRUE(std::includes(plain.begin(), plain.end(), expected.begin(), expected.end())) << part;
    found += expected.size();
  }
  EXPECT_GT(found, 600u);
}

using List = std::vector<std::pair<std::string, double>>;  // id and score, best first

/// The table of <vecstore/query.hpp>, read slowly.
std::map<std::string, double> fused(const std::string& name, const std::vector<double>& w,
                                    const std::vector<List>& lists) {
  std::map<std::string, std::vector<double>> x;  // by id: scaled scores
  for (const List& list : lists)
    for (const auto& [id, score] : list) x[id];
  for (const List& list : lists) {
    double least = 1e300, most = -1e300, mean = 0, squares = 0;
    for (const auto& [id, s] : list) least = std::min(least, s), most = std::max(most, s), mean += s;
    const auto n = static_cast<double>(list.size());
    mean /= n;
    for (const auto& [id, s] : list) squares += (s - mean) * (s - mean);
    const double deviation = std::sqrt(squares / n);
    const bool equal = most == least;
    for (auto& [id, own] : x) {
      double value = name == "z_score" && !list.empty() ? (equal ? -1 : (least - mean) / deviation) : 0;
      for (std::size_t rank = 0; rank < list.size(); ++rank) {
        if (list[rank].first != id) continue;
        const double s = list[rank].second;
        if (name == "rrf")
          value = 1.0 / (61.0 + static_cast<double>(rank));
        else if (name == "z_score")
          value = equal ? 0 : (s - mean) / deviation;
        else if (name == "distribution")
          value = equal ? 0.5 : std::clamp((s - mean) / (6 * deviation) + 0.5, 0.0, 1.0);
        else
          value = equal ? 1 : (s - least) / (most - least);
      }
      own.push_back(value);
    }
  }
  std::map<std::string, double> out;
  for (const auto& [id, own] : x) {
    double sum = 0, most = 0, least = 1e300, weights = 0, logs = 0, inverses = 0;
    for (std::size_t l = 0; l < own.size(); ++l) {
      sum += w[l] * own[l];
      if (w[l] == 0) continue;
      most = std::max(most, w[l] * own[l]), least = std::min(least, w[l] * own[l]), weights += w[l];
      logs += w[l] * std::log(own[l]), inverses += w[l] / own[l];
    }
    out[id] = name == "max"         ? most
              : name == "min"       ? least
              : name == "harmonic"  ? weights / inverses
              : name == "geometric" ? std::exp(logs / weights)
                                    : sum;
  }
  return out;
}

TEST_F(TextSearch, EveryFusionJoinsThePartsAsTheReferenceDoes) {
  Collection c = db_.create_collection("c");
  constexpr const char* kWords[] = {"wing", "tail", "flutter", "layer", "heat", "swept"};
  std::vector<Record> batch;
  for (int i = 0; i < 600; ++i) {
    Record r{.id = std::to_string(i)};
    for (std::size_t n = below(12); n > 0; --n) r.text += std::string(kWords[below(std::size(kWords))]) + ' ';
    const auto number = [&] { return static_cast<float>(below(2'000)) / 1'000 - 1; };
    r.vector =
        Vector::hybrid({number(), number(), 1},
                       {static_cast<std::uint32_t>(below(4)), 4 + static_cast<std::uint32_t>(below(4))},
                       {number() + 2, number() + 2});
    batch.push_back(std::move(r));
    if (i != 399 && i != 599) continue;
    c.batch_upsert(batch);
    batch.clear();
    if (i == 399) c.optimize();
  }
  constexpr const char* kFusions[] = {"rrf", "relative_score", "z_score",  "distribution", "max",
                                      "min", "harmonic",       "geometric"};
  std::size_t compared = 0;
  for (int round = 0; round < 40; ++round) {
    const std::string text = std::string(kWords[below(6)]) + ' ' + kWords[below(6)];
    const Vector dense{static_cast<float>(below(100)) / 50 - 1, 0.3f, 0.5f};
    const Vector sparse = Vector::sparse({static_cast<std::uint32_t>(below(4)), 5}, {1, 2});
    const bool three = round % 2;
    std::vector<List> lists;
    const auto add = [&](const Hits& hits) {
      auto& list = lists.emplace_back();
      for (const Hit& h : hits) list.emplace_back(h.id, static_cast<double>(h.score));
    };
    add(c.query(Query(dense).k(100).exact()));
    if (three) add(c.query(Query(sparse).k(100)));
    add(c.query_text(text, {.k = 100, .mode = Mode::kText}));
    const Vector both =
        three ? Vector::hybrid(dense.dense(), sparse.sparse()->indices, sparse.sparse()->values) : dense;
    for (const char* name : kFusions) {
      HybridQuery q(both, text);
      q.k(100).exact().fusion(Fusion::named(name));
      std::vector<double> w(lists.size(), 1.0);
      if (const std::size_t form = below(3); form == 1) {
        const PartWeights given{static_cast<float>(below(4)) / 2, 0.5f, 1.5f};
        q.weights(given);
        w = three ? std::vector<double>{double{given.vector}, 0.5, 1.5}
                  : std::vector<double>{double{given.vector}, 1.5};
      } else if (form == 2) {
        q.fusion(Fusion::named(name).alpha(0.3f));
        w = three ? std::vector<double>{0.3, 0.35, 0.35} : std::vector<double>{0.3, 0.7};
      }
      const auto expected = fused(name, w, lists);
      const Hits hits = c.hybrid_query(q);
      SCOPED_TRACE(std::string(name) + ", round " + std::to_string(round));
      ASSERT_EQ(hits.size(), std::min<std::size_t>(100, expected.size()));
      std::vector<double> best;
      for (const auto& [id, e] : expected) best.push_back(e);
      std::sort(best.rbegin(), best.rend());
      for (std::size_t h = 0; h < hits.size(); ++h) {
        const double e = expected.at(hits[h].id);
        const double room = 3e-6 * std::max(1.0, std::abs(e));
        ASSERT_NEAR(hits[h].score, e, room) << hits[h].id;
        ASSERT_NEAR(best[h], e, room) << hits[h].id;
        if (h == 0) continue;
        const Hit& before = hits[h - 1];
        ASSERT_TRUE(before.score > hits[h].score ||
                    (before.score == hits[h].score && before.id < hits[h].id));
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 20'000u);
}

// What docs/text.md shows and says, in its order.
TEST_F(TextSearch, TheExamplesOfTheDocumentHold) {
  TextField title{.path = "title", .analyzer = "german", .weight = 2};
  title.analysis.synonyms = {"kfz => auto, wagen"};
  auto notes = db_.create_collection("notes", {.text_fields = {TextField{.analyzer = "german"}, title}});
  notes.upsert({.id = "a", .text = "Blau", .metadata = {{"title", "Der Wagen"}}});
  EXPECT_EQ(notes.query_text("KFZ", {.mode = Mode::kText}).size(), 1u);
  EXPECT_TRUE(notes.query_text("der", {.mode = Mode::kText}).empty());
  try {
    db_.create_collection("bad",
                          {.text_fields = {TextField{}, TextField{.path = "title", .analyzer = "klingon"}}});
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("text_fields[1].analyzer 'klingon' is unknown; known are arabic, "),
              std::string::npos)
        << e.what();
  }

  int made = 0;
  // The ids of the texts (1, 2, ...) that a query finds; `analyzer` is the field's.
  const auto found = [&](const char* analyzer, const std::vector<std::string>& texts, std::string_view query,
                         TextSyntax syntax = TextSyntax::kQuery) {
    Collection c = db_.create_collection("c" + std::to_string(made++),
                                         {.text_fields = {TextField{.analyzer = analyzer}}});
    for (std::size_t i = 0; i < texts.size(); ++i) c.upsert({.id = std::to_string(i + 1), .text = texts[i]});
    std::string out;
    for (const std::string& id : ids(c.query_text(query, {.mode = Mode::kText, .syntax = syntax}))) out += id;
    return out;
  };
  constexpr auto kMatch = TextSyntax::kMatch;
  // Analyzers
  EXPECT_EQ(found("code", {"getUserName()", "get_user_name", "username"}, "user"), "12");
  EXPECT_EQ(found("edge_ngram", {"searching", "research"}, "sear"), "1");
  EXPECT_EQ(found("ngram", {"searching", "research", "other"}, "arch"), "12");
  EXPECT_EQ(found("neutral", {"don't", "3.14", "a_b"}, "don't"), "1");
  EXPECT_EQ(found("neutral", {"don't", "3.14", "a_b"}, "3.14"), "2");
  EXPECT_EQ(found("neutral", {"don't", "3.14", "a_b"}, "b"), "3");
  EXPECT_EQ(found("neutral", {"\uFB01sh", "\u2163", "CAF\u00C9"}, "fish iv cafe", kMatch), "123");
  EXPECT_EQ(found("turkish", {"IŞIK"}, "ışık"), "1");
  EXPECT_EQ(found("swedish", {"öl"}, "ol"), "");
  EXPECT_EQ(found("french", {"l'avion", "les événements"}, "avion"), "1");
  EXPECT_EQ(found("french", {"l'avion", "les événements"}, "evenement"), "2");
  EXPECT_EQ(found("english", {"state of the art", "state art"}, "\"state of the art\""), "1");
  EXPECT_EQ(found("cjk", {"検索エンジン", "検索"}, "エンジ"), "1");
  EXPECT_EQ(found("cjk", {"検索エンジン", "検索"}, "索"), "12");

  // Queries
  const std::vector<std::string> texts = {
      "wing tail",       "a wing alone",    "the tail alone", "swept back wing",
      "back swept wing", "aerodynamic run", "reynolds",       "x-ray"};
  const auto query = [&](std::string_view q, TextSyntax syntax = TextSyntax::kQuery) {
    return found("english", texts, q, syntax);
  };
  EXPECT_EQ(query("wing flutter", kMatch), "1245");
  EXPECT_EQ(query("+wing -tail \"swept back\"~1"), "245");
  EXPECT_EQ(query("+wing -tail"), "245");
  EXPECT_EQ(query("+wing -tail", kMatch), "12345") << "signs have no meaning there";
  EXPECT_EQ(query("wing tail"), "12345");
  EXPECT_EQ(query("wing AND tail"), "1");
  EXPECT_EQ(query("swept OR wing AND tail"), "145") << "AND binds closer than OR";
  EXPECT_EQ(query("+run swept OR wing AND tail"), "6") << "OR binds closer than a space";
  EXPECT_EQ(query("wing and tail"), "12345") << "capitals only";
  EXPECT_EQ(query("\"swept back\""), "4");
  EXPECT_EQ(query("\"swept back\"~2"), "45");
  EXPECT_EQ(query("aero*"), "6");
  EXPECT_EQ(query("running*"), "");
  EXPECT_EQ(query("reynlds~1"), "7");
  EXPECT_EQ(query("reynlds~"), "7");
  EXPECT_EQ(query("ryenlds~2"), "7");
  EXPECT_EQ(query("text:wing"), "1245");
  EXPECT_EQ(query("text:(wing tail)"), "12345");
  EXPECT_EQ(query("(wing AND tail)^2.5 \"swept back\"^3"), "14");
  EXPECT_EQ(query("\\AND \"AND\""), "") << "a word, here a stop word";
  EXPECT_EQ(query("x-ray"), "8");
  EXPECT_EQ(query("x"), "8");
  EXPECT_EQ(query("+the wing"), "1245");
  EXPECT_EQ(query("the"), "");
  EXPECT_EQ(query("-the wing"), "1245");
  EXPECT_THROW(query("-wing"), Error);
  EXPECT_EQ(query("wing OR NOT tail"), "1245");
  EXPECT_EQ(query("+wing +(-tail)"), "245");
  EXPECT_THROW(query("\"wing\"~1001"), Error);
  EXPECT_THROW(query("wing~3"), Error);
  EXPECT_THROW(query("wing^0.0000001"), Error);
  EXPECT_THROW(query(std::string(65'537, 'a')), Error);
  EXPECT_THROW(query(std::string(33, '(') + "wing" + std::string(33, ')')), Error);
  EXPECT_EQ(query(std::string(32, '(') + "wing" + std::string(32, ')')), "1245");

  // Sparse vectors
  notes.upsert("s1", Vector::sparse({17, 4711}, {0.8f, 1.5f}));
  auto near = notes.query(Query(Vector::sparse({4711}, {1.0f})));
  ASSERT_EQ(near.size(), 1u);
  EXPECT_EQ(near[0].id, "s1");
  EXPECT_EQ(near[0].score, 1.5f);
  EXPECT_EQ(notes.stats().indexes.size(), 1u);
  EXPECT_EQ(notes.stats().rows_outside, 2u);

  // Highlights
  Collection c = db_.get_collection("c" + std::to_string(made - 1));
  auto hits =
      c.query_text("wing flutter", {.mode = Mode::kText, .highlight = SnippetOptions{.max_chars = 160}});
  const Snippet& best = hits[0].snippets[0];
  ASSERT_EQ(best.highlights.size(), 1u);
  const TextRange& h = best.highlights[0];
  EXPECT_EQ(hits[0].text.substr(h.start_byte, h.end_byte - h.start_byte), "wing");
}

}  // namespace
}  // namespace vecstore
