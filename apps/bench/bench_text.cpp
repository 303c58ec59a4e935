// vecstore-bench text: full-text search through the public API, on one thread.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <optional>
#include <stdexcept>

#include "bench.hpp"
#include "measure.hpp"
#include "text_corpus.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore::bench {
namespace {
namespace fs = std::filesystem;

constexpr const char* kUsage =
    "usage: vecstore-bench text [--corpus F.jsonl[.gz] --queries F.jsonl] [--n TEXTS] [--count 1000]\n"
    "                           [--stop-words kept|removed|both] [--op or|and|phrase|or_filtered] [--passes "
    "3]\n"
    "                           [--check QUERIES] [--folder DIR] [--dump DIR] [--turns yes]\n"
    "  Without --corpus: 100000 seeded texts. Builds a collection with all words and one without stop words\n"
    "  (--stop-words), compares answers with scores of all texts (--check 20; 0: not), then prints a line "
    "per\n"
    "  measurement: the first 2, 4 or 12 words of each query, 10 or 100 hits with ids and scores, with "
    "filters\n"
    "  that let 10% or 1% through. Each query is timed once per pass; its time is the median of the passes.\n"
    "  index_s: committing the texts and optimize(), less what committing them takes without an index.\n"
    "  --dump DIR writes terms for peers. --turns yes: prints {\"ready\": true}, and for each line read "
    "from\n"
    "  standard input makes one pass and prints {\"pass\": N}.\n";
constexpr std::size_t kBatch = 2'000;
constexpr double kMostSeconds = 60;

struct Options {
  std::string corpus, queries, folder, dump, op;
  std::uint64_t n = 0;      // 0: all of the corpus, or 100,000 seeded ones
  std::uint64_t count = 0;  // 0: 1,000, of made ones 200
  std::uint64_t passes = 3;
  std::uint64_t check = 20;
  std::vector<bool> stop_words = {true, false};
  bool turns = false;
};

bool parse(std::span<const std::string> args, Options& o) {
  const std::pair<const char*, std::string*> texts[] = {{"--corpus", &o.corpus},
                                                        {"--queries", &o.queries},
                                                        {"--folder", &o.folder},
                                                        {"--dump", &o.dump},
                                                        {"--op", &o.op}};
  const std::pair<const char*, std::uint64_t*> numbers[] = {
      {"--n", &o.n}, {"--count", &o.count}, {"--passes", &o.passes}, {"--check", &o.check}};
  for (std::size_t i = 0; i + 1 < args.size(); i += 2) {
    const std::string& name = args[i];
    const std::string& value = args[i + 1];
    const auto text =
        std::find_if(std::begin(texts), std::end(texts), [&](const auto& t) { return name == t.first; });
    const auto number =
        std::find_if(std::begin(numbers), std::end(numbers), [&](const auto& t) { return name == t.first; });
    if (text != std::end(texts)) {
      *text->second = value;
    } else if (number != std::end(numbers)) {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), *number->second);
      if (error != std::errc() || end != value.data() + value.size()) return false;
    } else if (name == "--stop-words" && (value == "kept" || value == "removed")) {
      o.stop_words = {value == "kept"};
    } else if (name == "--turns" && value == "yes") {
      o.turns = true;
    } else if (name != "--stop-words" || value != "both") {
      return false;
    }
  }
  return args.size() % 2 == 0 && o.corpus.empty() == o.queries.empty() && o.passes > 0;
}

/// Of this thread: what a busy machine leaves comparable.
double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

/// Seconds, of the clock and of the processor (all threads).
struct Spent {
  double wall = 0;
  double cpu = 0;
  static Spent until_now() {
    return {std::chrono::duration<double>(Clock::now().time_since_epoch()).count(),
            static_cast<double>(std::clock()) / CLOCKS_PER_SEC};
  }
  Spent operator-(const Spent& other) const { return {wall - other.wall, cpu - other.cpu}; }
};

void load(Collection& collection, const TextCorpus& corpus) {
  std::vector<Record> batch;
  for (std::size_t i = 0; i < corpus.texts.size(); ++i) {
    batch.push_back({.id = std::to_string(i), .text = corpus.texts[i], .metadata = {{"share", share_of(i)}}});
    if (batch.size() == kBatch || i + 1 == corpus.texts.size()) collection.batch_upsert(batch), batch.clear();
  }
}

/// What it takes to commit the texts where nothing indexes them.
Spent store_only(VecDatabase& db, const TextCorpus& corpus) {
  Collection plain = db.create_collection("plain", {.text_fields = {}});
  const Spent start = Spent::until_now();
  load(plain, corpus);
  const Spent out = Spent::until_now() - start;
  db.delete_collection("plain");
  return out;
}

/// A kind of question and its figures so far.
struct Setting {
  std::string op;
  std::size_t words = 0;
  std::size_t k = 0;
  double filter = 0;  // 0: none
  std::vector<Asked> asked;
  std::vector<std::vector<double>> times;  // milliseconds, by query and pass
  std::vector<double> cpu_rates;
  std::size_t hits = 0;
};

/// A collection and what is measured of it.
class Measured {
 public:
  Measured(VecDatabase& db, const TextCorpus& corpus, const Options& o, bool stop_words_kept,
           const Spent& storing)
      : corpus_(corpus),
        stop_words_(stop_words_kept ? "kept" : "removed"),
        field_(measured_field(stop_words_kept)) {
    collection_ = db.create_collection(stop_words_, {.text_fields = {field_}});
    const Spent start = Spent::until_now();
    load(*collection_, corpus);
    collection_->optimize();
    built_ = Spent::until_now() - start - storing;
    bytes_ = collection_->stats().segment_bytes;
    make_settings(o);
  }

  /// Whether the best by the index are the best by scoring everything.
  bool check(std::size_t queries) const {
    for (const Setting& s : settings_) {
      if (s.op != "or" || s.k != 10) continue;
      const std::vector<Asked> sample(
          s.asked.begin(), s.asked.begin() + static_cast<std::ptrdiff_t>(std::min(queries, s.asked.size())));
      const auto scores = score_all(corpus_, field_, sample);
      for (std::size_t q = 0; q < sample.size(); ++q) {
        for (const std::size_t k : {10u, 100u})
          if (!agrees(ask(s, sample[q], k), scores[q], k, sample[q].text)) return false;
      }
    }
    return true;
  }

  void pass() {
    for (Setting& s : settings_) {
      s.hits = 0;
      const double cpu = cpu_seconds();
      for (std::size_t q = 0; q < s.asked.size(); ++q) {
        const auto start = Clock::now();
        const Hits hits = ask(s, s.asked[q], s.k);
        s.times[q].push_back(1e3 * seconds_since(start));
        s.hits += hits.size();
      }
      s.cpu_rates.push_back(static_cast<double>(s.asked.size()) / (cpu_seconds() - cpu));
    }
  }

  /// Prints the figures and forgets them.
  void print() {
    for (Setting& s : settings_) {
      if (s.asked.empty()) continue;
      std::vector<double> times;
      double sum = 0;
      for (auto& of_query : s.times) {
        sum += times.emplace_back(median(of_query));
        of_query.clear();
      }
      std::sort(times.begin(), times.end());
      const auto n = static_cast<double>(times.size());
      char filter[16] = "null";
      if (s.filter > 0) std::snprintf(filter, sizeof filter, "%g", s.filter);
      std::printf(
          "{\"op\": \"%s\", \"words\": %zu, \"k\": %zu, \"stop_words\": \"%s\", \"filter\": %s, \"qps\": "
          "%.1f, \"p50_ms\": "
          "%.4f, \"p99_ms\": %.4f, \"index_s\": %.3f, \"bytes\": %llu, \"cpu_qps\": %.1f, \"queries\": %zu, "
          "\"hits\": "
          "%.2f}\n",
          s.op.c_str(), s.words, s.k, stop_words_.c_str(), filter, 1e3 * n / sum, times[times.size() / 2],
          times[times.size() * 99 / 100], built_.wall, static_cast<unsigned long long>(bytes_),
          median(s.cpu_rates), times.size(), static_cast<double>(s.hits) / n);
      s.cpu_rates.clear();
    }
    std::fflush(stdout);
  }

  void print_built() const {
    std::printf("{\"built\": \"%s\", \"index_s\": %.3f, \"index_cpu_s\": %.3f, \"bytes\": %llu}\n",
                stop_words_.c_str(), built_.wall, built_.cpu, static_cast<unsigned long long>(bytes_));
  }

 private:
  void make_settings(const Options& o) {
    text::Analyzer analyzer(text::make_analyzer_spec(field_.analyzer, field_.analysis));
    for (const auto& [op, filter] :
         {std::pair{"or", 0.0}, {"and", 0.0}, {"phrase", 0.0}, {"or_filtered", 0.1}, {"or_filtered", 0.01}}) {
      if (!o.op.empty() && o.op != op) continue;
      for (const std::size_t words : {2u, 4u, 12u}) {
        std::vector<Asked> asked;
        for (const std::string& query : corpus_.queries) {
          asked.push_back(ask_for(analyzer, query, filter > 0 ? "or" : op, words));
          if (asked.back().terms.empty()) asked.pop_back();
        }
        const std::vector<std::vector<double>> times(asked.size());
        for (const std::size_t k : {10u, 100u})
          settings_.push_back({op, words, k, filter, asked, times, {}, 0});
      }
    }
  }

  Hits ask(const Setting& s, const Asked& asked, std::size_t k) const {
    TextQueryOptions options;
    options.k = static_cast<std::int64_t>(k);
    options.mode = Mode::kText;
    options.syntax = s.op.starts_with("or") ? TextSyntax::kMatch : TextSyntax::kQuery;
    if (s.filter > 0) options.where = s.filter > 0.05 ? tenth_ : hundredth_;
    options.with_text = false;
    options.with_metadata = false;
    options.threads = 1;
    return collection_->query_text(asked.text, options);
  }

  static bool agrees(const Hits& hits, const std::vector<double>& scores, std::size_t k,
                     const std::string& query) {
    std::vector<double> best;
    for (const double s : scores)
      if (s > 0) best.push_back(s);
    std::sort(best.rbegin(), best.rend());
    best.resize(std::min(best.size(), k));
    bool ok = hits.size() == best.size();
    const auto close = [](double a, double b) {
      return std::abs(a - b) <= 1e-5 * std::max(1.0, std::abs(b));
    };
    for (std::size_t i = 0; ok && i < best.size(); ++i) {
      const auto score = static_cast<double>(hits[i].score);
      ok = close(score, best[i]) && close(score, scores[std::stoul(hits[i].id)]);
    }
    if (!ok) std::fprintf(stderr, "vecstore-bench: '%s': not the best %zu of all\n", query.c_str(), k);
    return ok;
  }

  const TextCorpus& corpus_;
  const std::string stop_words_;
  const TextField field_;
  const Filter tenth_ = Filter::parse("share < 10");
  const Filter hundredth_ = Filter::parse("share < 1");
  std::optional<Collection> collection_;
  std::vector<Setting> settings_;
  Spent built_;
  std::uint64_t bytes_ = 0;
};

TextCorpus corpus_from(const Options& o) {
  if (o.corpus.empty()) return make_corpus(o.n != 0 ? o.n : 100'000, o.count != 0 ? o.count : 200);
  return {read_texts(o.corpus, o.n != 0 ? o.n : ~std::uint64_t{0}),
          read_texts(o.queries, o.count != 0 ? o.count : 1'000)};
}

void take_turns(std::vector<Measured>& measured) {
  for (const Measured& m : measured) m.print_built();
  std::puts("{\"ready\": true}");
  std::fflush(stdout);
  std::uint64_t pass = 0;
  for (std::string line; std::getline(std::cin, line);) {
    for (Measured& m : measured) m.pass(), m.print();
    std::printf("{\"pass\": %llu}\n", static_cast<unsigned long long>(++pass));
    std::fflush(stdout);
  }
}

}  // namespace

int run_text(std::span<const std::string> args) {
  Options o;
  if (args.size() == 1 && args[0] == "--help") return std::fputs(kUsage, stdout), 0;
  if (!parse(args, o)) return std::fputs(kUsage, stderr), 2;
  const auto begin = Clock::now();
  const TextCorpus corpus = corpus_from(o);
  if (!o.dump.empty()) {
    for (const bool kept : o.stop_words)
      dump_terms(fs::path(o.dump) / (kept ? "kept" : "removed"), corpus, kept);
  }
  const Folder folder(o.folder);
  auto db = VecDatabase::open((folder.path / "db").string(), {.background_threads = 1});
  db.pause_background();
  std::vector<Measured> measured;
  measured.reserve(o.stop_words.size());
  const Spent storing = store_only(db, corpus);
  for (const bool kept : o.stop_words) measured.emplace_back(db, corpus, o, kept, storing);
  bool right = true;
  for (const Measured& m : measured) right = right && (o.check == 0 || m.check(o.check));
  if (right && o.turns) take_turns(measured);
  for (std::size_t m = 0; right && !o.turns && m < measured.size(); ++m) {
    // A slow machine makes fewer passes over what it made itself.
    const double end = kMostSeconds * static_cast<double>(m + 1) / static_cast<double>(measured.size());
    double longest = 0;
    for (std::uint64_t i = 0; i < o.passes; ++i) {
      const double before = seconds_since(begin);
      if (i > 0 && o.corpus.empty() && before + longest > end) break;
      measured[m].pass();
      longest = std::max(longest, seconds_since(begin) - before);
    }
    measured[m].print();
  }
  measured.clear();
  db.close();
  return right ? 0 : 1;
}

}  // namespace vecstore::bench
