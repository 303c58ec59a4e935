// Hybrid queries beside their parts, how soon a fresh process answers the first one, and queries that a word
// filters. Through the Collection API; prints one JSON line per figure.
//
//     bench_hybrid MODE --base B.npy --queries Q.npy --texts T.jsonl[.gz] --query-texts Q.jsonl (bench_hybrid
//     help)
//
// The parts alone are asked for places 91 to 100: that makes the 100 candidates which the hybrid query joins,
// and reads ten records as it does.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "vecstore/vecstore.hpp"

namespace {

namespace fs = std::filesystem;
using namespace vecstore;

constexpr const char* kHelp =
    "bench_hybrid parts|open|match [options]\n"
    "  --base B.npy --texts T.jsonl[.gz]          vectors (float32) and texts of the records, in the same "
    "order\n"
    "  --queries Q.npy --query-texts Q.jsonl      the same of the queries\n"
    "  --dir D          keeps the database between runs (default: a temporary folder, removed at the end)\n"
    "  --rows N         records (all)    --words W  of each query (12)\n"
    "parts: --count Q (300) --rounds R (7)        a hybrid top-10, its parts alone, on one thread and on "
    "two\n"
    "open:  --runs R (11)                         process start to first answer: text, vector, hybrid\n"
    "match: --count Q (100) --rounds R (2)        vector, text and count with MATCH of a rare word, a "
    "frequent one, two\n";

constexpr std::int64_t kK = 10, kCandidates = 100;
constexpr std::size_t kBatch = 5'000;

double seconds_of(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}
double now() { return seconds_of(CLOCK_MONOTONIC); }

struct Options {
  std::map<std::string, std::string> given;
  std::string text(const std::string& name) const {
    const auto at = given.find(name);
    if (at == given.end()) throw std::runtime_error("--" + name + " is missing");
    return at->second;
  }
  std::size_t number(const std::string& name, std::size_t otherwise) const {
    const auto at = given.find(name);
    return at == given.end() ? otherwise : std::stoull(at->second);
  }
};

// ---- data ----

/// The rows of a .npy file of float32, one after the other.
class Vectors {
 public:
  explicit Vectors(const std::string& path) : in_(path, std::ios::binary) {
    char head[10];
    if (!in_.read(head, sizeof head)) throw std::runtime_error(path + " is no .npy file");
    std::uint16_t length;
    std::memcpy(&length, head + 8, 2);
    std::string header(length, ' ');
    in_.read(header.data(), length);
    const auto shape = header.find('(', header.find("shape"));
    if (header.find("<f4") == std::string::npos || shape == std::string::npos ||
        std::sscanf(header.c_str() + shape, "(%zu, %zu)", &rows_, &dimension_) != 2)
      throw std::runtime_error(path + " has no rows of float32");
  }
  std::optional<std::vector<float>> next() {
    std::vector<float> out(dimension_);
    if (!in_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(4 * dimension_)))
      return {};
    return out;
  }

 private:
  std::ifstream in_;
  std::size_t rows_ = 0, dimension_ = 0;
};

/// The key text of JSON lines.
class Texts {
 public:
  explicit Texts(const std::string& path)
      : in_(path.ends_with(".gz") ? popen(("gzip -dc '" + path + "'").c_str(), "r")
                                  : std::fopen(path.c_str(), "r"),
            path.ends_with(".gz") ? pclose : std::fclose) {
    if (!in_) throw std::runtime_error("cannot read " + path);
  }
  std::optional<std::string> next() {
    char* line = nullptr;
    std::size_t room = 0;
    const ssize_t size = getline(&line, &room, in_.get());
    const std::unique_ptr<char, decltype(&std::free)> owner(line, std::free);
    if (size <= 0) return {};
    return Metadata::parse(std::string_view(line, static_cast<std::size_t>(size)))["text"].as_string();
  }

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> in_;
};

std::string first_words(const std::string& text, std::size_t words) {
  std::istringstream in(text);
  std::string out;
  for (std::string w; words > 0 && in >> w; --words) out += (out.empty() ? "" : " ") + w;
  return out;
}

struct Asked {
  std::vector<float> vector;
  std::string text;
};

std::vector<Asked> read_queries(const Options& options, std::size_t most) {
  Vectors vectors(options.text("queries"));
  Texts texts(options.text("query-texts"));
  std::vector<Asked> out;
  while (out.size() < most) {
    auto v = vectors.next();
    auto t = texts.next();
    if (!v || !t) break;
    out.push_back({std::move(*v), first_words(*t, options.number("words", 12))});
  }
  if (out.empty()) throw std::runtime_error("there are no queries");
  return out;
}

void build(const Options& options, const std::string& place) {
  const double begin = now();
  auto db = VecDatabase::open(place);
  auto c = db.create_collection("c");
  Vectors vectors(options.text("base"));
  Texts texts(options.text("texts"));
  const std::size_t most = options.number("rows", ~std::size_t{0});
  std::vector<Record> batch;
  std::size_t rows = 0;
  for (bool more = true; more;) {
    auto v = rows < most ? vectors.next() : std::nullopt;
    auto t = v ? texts.next() : std::nullopt;
    more = v && t;
    if (more)
      batch.push_back({.id = std::to_string(rows++), .vector = Vector(std::move(*v)), .text = std::move(*t)});
    if (batch.size() == kBatch || (!more && !batch.empty())) c.batch_upsert(batch), batch.clear();
  }
  c.optimize();
  const CollectionStats stats = c.stats();
  std::printf(
      "{\"figure\": \"built\", \"rows\": %zu, \"seconds\": %.1f, \"segments\": %llu, \"segment_bytes\": "
      "%llu}\n",
      rows, now() - begin, static_cast<unsigned long long>(stats.segments),
      static_cast<unsigned long long>(stats.segment_bytes));
  std::fflush(stdout);
}

// ---- queries ----

Hits ask_vector(const Collection& c, const Asked& q, bool alone) {
  return c.query(Query(Vector(q.vector))
                     .offset(alone ? kCandidates - kK : 0)
                     .k(kK)
                     .threads(1)
                     .with_text(false)
                     .with_metadata(false));
}

Hits ask_text(const Collection& c, const Asked& q, bool alone) {
  return c.query_text(q.text, {.k = kK,
                               .offset = alone ? kCandidates - kK : 0,
                               .mode = Mode::kText,
                               .with_text = false,
                               .with_metadata = false,
                               .threads = 1});
}

Hits ask_both(const Collection& c, const Asked& q, unsigned threads) {
  return c.hybrid_query(
      HybridQuery(Vector(q.vector), q.text).k(kK).threads(threads).with_text(false).with_metadata(false));
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// ---- parts ----

struct Way {
  const char* name;
  std::function<Hits(const Asked&)> ask;
  std::vector<std::vector<double>> wall, cpu;  // by query and round, in microseconds
};

/// The median of all rounds for each query.
std::vector<double> by_query(const std::vector<std::vector<double>>& times) {
  std::vector<double> out;
  for (const auto& t : times) out.push_back(median(t));
  return out;
}

int run_parts(const Options& options, const std::string& place) {
  auto db = VecDatabase::open(place, {.background_threads = 1});
  const auto c = db.get_collection("c");
  const std::vector<Asked> queries = read_queries(options, options.number("count", 300));
  std::vector<Way> ways;
  ways.push_back({"vector", [&](const Asked& q) { return ask_vector(c, q, true); }, {}, {}});
  ways.push_back({"text", [&](const Asked& q) { return ask_text(c, q, true); }, {}, {}});
  ways.push_back({"hybrid, one thread", [&](const Asked& q) { return ask_both(c, q, 1); }, {}, {}});
  ways.push_back({"hybrid, two threads", [&](const Asked& q) { return ask_both(c, q, 2); }, {}, {}});
  for (Way& way : ways) way.wall.resize(queries.size()), way.cpu.resize(queries.size());
  const std::size_t rounds = options.number("rounds", 7);
  // Each way asks all queries before the next one does: none finds the last one's data in the processor's
  // caches.
  for (std::size_t round = 0; round <= rounds; ++round) {
    for (std::size_t w = 0; w < ways.size(); ++w) {
      Way& way = ways[(w + round) % ways.size()];
      for (std::size_t q = 0; q < queries.size(); ++q) {
        const double wall = now(), cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID);
        const Hits hits = way.ask(queries[q]);
        const double wall_taken = now() - wall, cpu_taken = seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu;
        if (round == 0) continue;  // warms up
        way.wall[q].push_back(1e6 * wall_taken);
        way.cpu[q].push_back(1e6 * cpu_taken);
      }
    }
  }
  std::array<std::vector<double>, 4> wall, cpu;
  for (std::size_t w = 0; w < ways.size(); ++w) {
    wall[w] = by_query(ways[w].wall);
    cpu[w] = by_query(ways[w].cpu);
    std::printf("{\"figure\": \"%s\", \"queries\": %zu, \"p50_us\": %.0f, \"cpu_p50_us\": %.0f}\n",
                ways[w].name, queries.size(), median(wall[w]), median(cpu[w]));
  }
  std::vector<double> sum, cpu_sum, slower;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    sum.push_back(wall[0][q] + wall[1][q]);
    cpu_sum.push_back(cpu[0][q] + cpu[1][q]);
    slower.push_back(std::max(wall[0][q], wall[1][q]));
  }
  const double one = median(wall[2]) / median(sum), cpu_one = median(cpu[2]) / median(cpu_sum);
  const double two = (median(wall[3]) - 30) / median(slower);
  std::printf(
      "{\"figure\": \"parts\", \"sum_p50_us\": %.0f, \"slower_p50_us\": %.0f, \"one_thread_ratio\": %.3f, "
      "\"one_thread_cpu_ratio\": %.3f, \"two_threads_ratio_without_30_us\": %.3f}\n",
      median(sum), median(slower), one, cpu_one, two);
  return one <= 1.2 && two <= 1.2 ? 0 : 1;
}

// ---- open ----

/// What the fresh process is asked: a line of text, then the vector.
void write_question(const std::string& path, const Asked& q) {
  std::ofstream out(path, std::ios::binary);
  out << q.text << '\n';
  out.write(reinterpret_cast<const char*>(q.vector.data()),
            static_cast<std::streamsize>(q.vector.size() * sizeof(float)));
}

int run_open_child(const Options& options) {
  const double started = now(), begin = std::stod(options.text("begin"));
  std::ifstream in(options.text("question"), std::ios::binary);
  Asked q;
  std::getline(in, q.text);
  const std::string rest((std::istreambuf_iterator<char>(in)), {});
  q.vector.resize(rest.size() / sizeof(float));
  std::memcpy(q.vector.data(), rest.data(), q.vector.size() * sizeof(float));
  auto db = VecDatabase::open(options.text("database"));
  const auto c = db.get_collection("c");
  const double opened = now();
  const std::string what = options.text("what");
  const Hits hits = what == "text"     ? ask_text(c, q, false)
                    : what == "vector" ? ask_vector(c, q, false)
                                       : ask_both(c, q, 1);
  std::printf("%.3f %.3f %.3f %zu\n", 1e3 * (started - begin), 1e3 * (opened - begin), 1e3 * (now() - begin),
              hits.size());
  return 0;
}

int run_open(const Options& options, const std::string& place) {
  const std::size_t runs = options.number("runs", 11);
  const std::vector<Asked> queries = read_queries(options, runs + 1);
  char exe[4096] = {};
  if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0) throw std::runtime_error("no /proc/self/exe");
  const std::string question = place + ".question";
  bool ok = true;
  for (const std::string what : {"text", "vector", "hybrid"}) {
    std::vector<double> start, open, answer;
    for (std::size_t run = 0; run <= runs; ++run) {
      write_question(question, queries[run % queries.size()]);
      char begin[64];
      std::snprintf(begin, sizeof begin, "%.9f", now());
      const std::string command = "'" + std::string(exe) + "' open-child --database '" + place +
                                  "' --question '" + question + "' --what " + what + " --begin " + begin;
      std::FILE* pipe = popen(command.c_str(), "r");
      double s = 0, o = 0, a = 0;
      std::size_t hits = 0;
      if (!pipe || std::fscanf(pipe, "%lf %lf %lf %zu", &s, &o, &a, &hits) != 4 || hits == 0)
        throw std::runtime_error("the child answered nothing");
      pclose(pipe);
      if (run == 0) continue;  // warms the page cache
      start.push_back(s), open.push_back(o), answer.push_back(a);
    }
    std::printf(
        "{\"figure\": \"open, %s\", \"runs\": %zu, \"process_ms\": %.1f, \"open_ms\": %.1f, "
        "\"first_answer_ms\": "
        "%.1f, \"longest_ms\": %.1f}\n",
        what.c_str(), runs, median(start), median(open), median(answer),
        *std::max_element(answer.begin(), answer.end()));
    ok = ok && (what != "text" || median(answer) <= 20);
  }
  fs::remove(question);
  return ok ? 0 : 1;
}

// ---- match ----

/// In how many texts each word stands: ASCII letters alone, so that analyzers see one word, too.
std::map<std::string, std::size_t> word_counts(const Options& options) {
  std::map<std::string, std::size_t> out;
  Texts texts(options.text("texts"));
  for (auto text = texts.next(); text; text = texts.next()) {
    std::set<std::string> words;
    std::string word;
    for (const char c : *text + " ") {
      const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      if (lower >= 'a' && lower <= 'z') {
        word += lower;
        continue;
      }
      if (word.size() >= 4) words.insert(word);
      word.clear();
    }
    for (const std::string& w : words) ++out[w];
  }
  return out;
}

/// The word that stands in about so many texts. Stop words are passed over, which filters do not find, and
/// rare words that share their stem with frequent ones.
std::string word_in(const Collection& c, const std::map<std::string, std::size_t>& counts,
                    std::size_t texts) {
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const auto& [word, n] : counts) near.emplace_back(n > texts ? n - texts : texts - n, word);
  std::sort(near.begin(), near.end());
  const std::size_t most = std::min<std::size_t>(10'000, 2 * texts);
  for (const auto& [distance, word] : near) {
    const Hits hits = c.query_text(word, {.k = static_cast<std::int64_t>(most),
                                          .mode = Mode::kText,
                                          .with_text = false,
                                          .with_metadata = false});
    if (!hits.empty() && (most == 10'000 || hits.size() < most)) return word;
  }
  throw std::runtime_error("no word is in the collection");
}

int run_match(const Options& options, const std::string& place) {
  auto db = VecDatabase::open(place, {.background_threads = 1});
  const auto c = db.get_collection("c");
  const std::vector<Asked> queries = read_queries(options, options.number("count", 100));
  const std::size_t rounds = options.number("rounds", 2);
  const auto counts = word_counts(options);
  const std::size_t all = c.count();
  const std::string frequent = word_in(c, counts, all / 8), second = word_in(c, counts, all / 30);
  const std::string words[] = {word_in(c, counts, 30), frequent, frequent + " " + second};
  for (const std::string& word : words) {
    const Filter filter = Filter::parse("MATCH(_text, ?)", {word});
    std::uint64_t matches = 0;
    const std::pair<const char*, std::function<void(const Asked&)>> ways[] = {
        {"count", [&](const Asked&) { matches = c.count(filter); }},
        {"vector",
         [&](const Asked& q) {
           c.query(
               Query(Vector(q.vector)).k(kK).where(filter).threads(1).with_text(false).with_metadata(false));
         }},
        {"text",
         [&](const Asked& q) {
           c.query_text(q.text, {.k = kK,

                                 .mode = Mode::kText,
                                 .where = filter,
                                 .with_text = false,
                                 .with_metadata = false,
                                 .threads = 1});
         }},
    };
    for (const auto& [name, ask] : ways) {
      double first = 0;
      std::vector<double> wall, cpu;
      for (std::size_t round = 0; round < rounds; ++round) {
        if (round == 1) wall.clear(), cpu.clear();  // the first one warms up
        for (const Asked& q : queries) {
          const double begin = now(), cpu_begin = seconds_of(CLOCK_THREAD_CPUTIME_ID);
          ask(q);
          cpu.push_back(1e6 * (seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu_begin));
          wall.push_back(1e6 * (now() - begin));
        }
        if (round == 0) first = wall[0];
      }
      std::printf(
          "{\"figure\": \"%s\", \"match\": \"%s\", \"matches\": %llu, \"first_us\": %.0f, \"p50_us\": %.0f, "
          "\"cpu_p50_us\": %.0f}\n",
          name, word.c_str(), static_cast<unsigned long long>(matches), first, median(wall), median(cpu));
      std::fflush(stdout);
    }
  }
  return 0;
}

int run(const std::string& mode, const Options& options) {
  if (mode == "open-child") return run_open_child(options);
  const auto modes = std::map<std::string, int (*)(const Options&, const std::string&)>{
      {"parts", run_parts}, {"open", run_open}, {"match", run_match}};
  const auto found = modes.find(mode);
  if (found == modes.end()) return std::fputs(kHelp, stderr), 2;
  const bool own = !options.given.contains("dir");
  const fs::path dir = own ? fs::temp_directory_path() / ("bench_hybrid-" + std::to_string(getpid()))
                           : fs::path(options.text("dir"));
  fs::create_directories(dir);
  const std::string place = (dir / "hybrid.vdb").string();
  int result = 1;
  try {
    if (!fs::exists(place)) build(options, place);
    result = found->second(options, place);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
  }
  if (own) fs::remove_all(dir);
  return result;
}

}  // namespace

int main(int argc, char** argv) try {
  Options options;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (std::strncmp(argv[i], "--", 2) != 0) throw std::runtime_error(std::string(argv[i]) + " is no option");
    options.given[argv[i] + 2] = argv[i + 1];
  }
  return run(argc > 1 ? argv[1] : "help", options);
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
