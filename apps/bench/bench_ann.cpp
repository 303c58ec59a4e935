// vecstore-bench ann: recall and speed of nearest-neighbour search through the public API.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "bench.hpp"
#include "cli/vector_file.hpp"
#include "measure.hpp"
#include "seeded.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore::bench {
namespace {
namespace fs = std::filesystem;

constexpr const char* kUsage =
    "usage: vecstore-bench ann [--base B.npy --queries Q.npy] [--metric cosine|dot|euclidean] [--threads N]\n"
    "                          [--profile balanced|fast|small] [--index '{\"m\": 32, ...}']\n"
    "                          [--n ROWS] [--dim D] [--exact-scores yes|no|both] [--passes 3] [--ef EF]\n"
    "                          [--folder DIR] [--turns yes] [--db DIR] [--truth FILE] [--build-threads N]\n"
    "  Without --base: 100000 seeded rows of 384 dimensions. Builds, then prints one line per effort: "
    "recall@10\n"
    "  against the exact neighbours, queries per second (median of the passes over all queries).\n"
    "  --db DIR (with --base): keeps the database there, and takes it when it is there already. --truth "
    "FILE: "
    "the same\n"
    "  with the exact neighbours, one line of ids per query.\n"
    "  --turns yes: builds, prints {\"ready\": true, ...}, and for each line read from standard input makes "
    "one "
    "pass "
    "over\n"
    "  all efforts and prints {\"pass\": N}: so that a driver can measure others in turns with it.\n";
constexpr std::size_t kNeighbours = 10;
constexpr std::size_t kMostQueries = 2'000;
constexpr std::size_t kBatch = 2'000;
constexpr std::size_t kWarmUp = 200;
constexpr std::int64_t kEfforts[] = {10, 12, 14,  16,  20,  24,  28,  32,  40,  48, 64,
                                     80, 96, 128, 160, 200, 256, 320, 400, 512, 800};

struct Options {
  std::string base;
  std::string queries;
  std::string folder;
  std::string db;
  std::string truth;
  Metric metric = Metric::kCosine;
  IndexOptions index;
  std::uint64_t threads = 1;
  std::uint64_t build_threads = 0;  // 0: one per core
  std::uint64_t n = 100'000;
  std::uint64_t dim = 384;
  std::uint64_t passes = 3;
  std::uint64_t ef = 0;  // 0: all of them
  std::vector<bool> exact_scores = {true};
  bool turns = false;
};

bool parse(std::span<const std::string> args, Options& o) {
  for (std::size_t i = 0; i + 1 < args.size(); i += 2) {
    const std::string& name = args[i];
    const std::string& value = args[i + 1];
    const auto number = [&](std::uint64_t& target) {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), target);
      return error == std::errc() && end == value.data() + value.size() && target > 0;
    };
    if (name == "--base") {
      o.base = value;
    } else if (name == "--queries") {
      o.queries = value;
    } else if (name == "--folder") {
      o.folder = value;
    } else if (name == "--db") {
      o.db = value;
    } else if (name == "--truth") {
      o.truth = value;
    } else if (name == "--metric") {
      o.metric = parse_metric(value);
    } else if (name == "--profile") {
      o.index.profile = parse_profile(value);
    } else if (name == "--index") {
      o.index = parse_index_options(value);
    } else if (name == "--exact-scores") {
      if (value != "yes" && value != "no" && value != "both") return false;
      if (value == "both") o.exact_scores = {true, false};
      if (value == "no") o.exact_scores = {false};
    } else if (name == "--turns") {
      if (value != "yes") return false;
      o.turns = true;
    } else if (!(name == "--threads" && number(o.threads)) && !(name == "--n" && number(o.n)) &&
               !(name == "--passes" && number(o.passes)) && !(name == "--ef" && number(o.ef)) &&
               !(name == "--dim" && number(o.dim)) &&
               !(name == "--build-threads" && number(o.build_threads))) {
      return false;
    }
  }
  if (!o.db.empty() && o.base.empty()) return false;
  return args.size() % 2 == 0 && o.base.empty() == o.queries.empty();
}

using Matrix = std::vector<std::vector<float>>;

Matrix read(const std::string& path, std::size_t most) {
  cli::VectorFile file(path);
  Matrix out;
  for (std::vector<float> row; out.size() < most && file.next(row);) out.push_back(row);
  return out;
}

std::string two_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

class Run {
 public:
  Run(const Options& options, Matrix queries, const Collection& collection,
      std::optional<double> build_seconds, double build_cpu_seconds, double bytes)
      : o_(options),
        queries_(std::move(queries)),
        collection_(collection),
        build_seconds_(build_seconds ? two_digits(*build_seconds) : "null"),
        build_cpu_seconds_(build_seconds ? two_digits(build_cpu_seconds) : "null"),
        bytes_(bytes) {
    const IndexSettings s = collection_.stats().indexes.at("").settings;
    profile_ = to_string(s.profile);
    settings_ = "\"codes\": \"" + std::string(to_string(s.codes)) + "\", ";
    if (!s.has_graph()) return;
    char text[96];
    std::snprintf(text, sizeof text, "\"m\": %u, \"ef_construction\": %u, \"oversampling\": %g, ", s.m,
                  s.ef_construction, static_cast<double>(s.oversampling));
    settings_ += text;
  }

  void all() {
    if (!read_exact()) find_exact();
    if (!o_.turns) return efforts(o_.passes);
    std::printf("{\"ready\": true, \"cached\": %s, \"build_s\": %s, \"build_cpu_s\": %s}\n",
                build_seconds_ == "null" ? "true" : "false", build_seconds_.c_str(),
                build_cpu_seconds_.c_str());
    std::fflush(stdout);
    std::uint64_t pass = 0;
    for (std::string line; std::getline(std::cin, line);) {
      // What ran since the last pass has the caches; the peers' passes begin in the same way.
      for (std::size_t i = 0; i < std::min<std::size_t>(kWarmUp, queries_.size()); ++i)
        ask(i, kEfforts[0], o_.exact_scores[0]);
      efforts(1);
      std::printf("{\"pass\": %llu}\n", static_cast<unsigned long long>(++pass));
      std::fflush(stdout);
    }
  }

 private:
  bool read_exact() {
    if (o_.truth.empty() || !fs::exists(o_.truth)) return false;
    std::ifstream in(o_.truth);
    for (std::string line, id; std::getline(in, line);) {
      std::istringstream words(line);
      for (exact_.emplace_back(); words >> id;) exact_.back().push_back(id);
    }
    if (exact_.size() != queries_.size()) throw std::runtime_error(o_.truth + " is of other queries");
    return true;
  }

  void find_exact() {
    exact_.resize(queries_.size());
    for (std::size_t i = 0; i < queries_.size(); ++i) exact_[i] = ask(i, 0, true);
    if (o_.truth.empty()) return;
    std::ofstream out(o_.truth);
    for (const auto& ids : exact_) {
      for (const std::string& id : ids) out << id << ' ';
      out << '\n';
    }
    out.close();
    if (!out) throw std::runtime_error("cannot write " + o_.truth);
  }

  void efforts(std::uint64_t passes) const {
    for (const bool exact_scores : o_.exact_scores) {
      for (const std::int64_t ef : kEfforts) {
        if (o_.ef != 0 && static_cast<std::int64_t>(o_.ef) != ef) continue;
        if (point(ef, exact_scores, passes) > 0.998) break;
      }
    }
  }

  // Effort 0: the exact neighbours.
  std::vector<std::string> ask(std::size_t i, std::int64_t ef, bool exact_scores) const {
    Query q(Vector(std::span<const float>(queries_[i])));
    q.k(kNeighbours).threads(1).with_text(false).with_metadata(false).exact_scores(exact_scores);
    ef == 0 ? q.exact() : q.ef(ef);
    const Hits hits = collection_.query(q);
    std::vector<std::string> ids;
    for (const Hit& h : hits) ids.push_back(h.id);
    return ids;
  }

  double point(std::int64_t ef, bool exact_scores, std::uint64_t passes) const {
    std::vector<std::vector<std::string>> found(queries_.size());
    std::vector<double> rates, cpu_rates;
    for (std::uint64_t pass = 0; pass < passes; ++pass) {
      const std::clock_t cpu_start = std::clock();
      const auto start = Clock::now();
      const auto work = [&](std::uint64_t t) {
        for (std::size_t i = t; i < queries_.size(); i += o_.threads) found[i] = ask(i, ef, exact_scores);
      };
      std::vector<std::thread> threads;
      for (std::uint64_t t = 1; t < o_.threads; ++t) threads.emplace_back(work, t);
      work(0);
      for (auto& t : threads) t.join();
      rates.push_back(static_cast<double>(queries_.size()) / seconds_since(start));
      // Per second of processor time, of all threads together: what a busy machine leaves comparable.
      cpu_rates.push_back(static_cast<double>(queries_.size()) * CLOCKS_PER_SEC /
                          static_cast<double>(std::max<std::clock_t>(1, std::clock() - cpu_start)));
    }
    std::sort(rates.begin(), rates.end());
    std::sort(cpu_rates.begin(), cpu_rates.end());
    std::size_t right = 0, wanted = 0;
    for (std::size_t i = 0; i < queries_.size(); ++i) {
      const std::set<std::string> want(exact_[i].begin(), exact_[i].end());
      wanted += want.size();
      for (const std::string& id : found[i]) right += want.count(id);
    }
    const double recall = static_cast<double>(right) / static_cast<double>(wanted);
    std::printf(
        "{\"index\": \"%s\", \"params\": {\"ef\": %lld, %s\"threads\": %llu, \"exact_scores\": %s}, "
        "\"recall_at_10\": %.4f, \"qps\": %.1f, \"cpu_qps\": %.1f, \"build_s\": %s, \"bytes_per_vector\": "
        "%.1f}\n",
        profile_.c_str(), static_cast<long long>(ef), settings_.c_str(),
        static_cast<unsigned long long>(o_.threads), exact_scores ? "true" : "false", recall,
        rates[rates.size() / 2], cpu_rates[cpu_rates.size() / 2], build_seconds_.c_str(), bytes_);
    std::fflush(stdout);
    return recall;
  }

  const Options& o_;
  const Matrix queries_;
  const Collection collection_;
  std::string profile_;
  std::string settings_;             // of the index, as members of an object
  const std::string build_seconds_;  // as JSON: null when the database was there already
  const std::string build_cpu_seconds_;
  const double bytes_;
  std::vector<std::vector<std::string>> exact_;
};

}  // namespace

int run_ann(std::span<const std::string> args) {
  Options o;
  if (args.size() == 1 && args[0] == "--help") return std::fputs(kUsage, stdout), 0;
  if (!parse(args, o)) return std::fputs(kUsage, stderr), 2;
  const Folder folder(o.folder);
  Matrix queries;
  const bool kept = !o.db.empty() && fs::exists(o.db);
  auto db = VecDatabase::open(o.db.empty() ? (folder.path / "db").string() : o.db,
                              {.background_threads = static_cast<unsigned>(o.build_threads)});
  db.pause_background();
  Collection collection = kept ? db.get_collection("bench")
                               : db.create_collection("bench", {.metric = o.metric, .index = o.index});
  const auto load = [&](std::uint64_t rows, auto&& next) {
    std::vector<Record> batch;
    for (std::uint64_t i = 0; i < rows; ++i) {
      std::optional<std::vector<float>> row = next();
      if (!row) break;
      batch.push_back({.id = std::to_string(i), .vector = Vector(std::move(*row))});
      if (batch.size() == kBatch) collection.batch_upsert(batch), batch.clear();
    }
    if (!batch.empty()) collection.batch_upsert(batch);
  };
  if (o.base.empty()) {
    Seeded seeded(o.dim);
    for (std::size_t i = 0; i < kMostQueries / 2; ++i) queries.push_back(seeded.next());
    load(o.n, [&] { return std::optional(seeded.next()); });
  } else {
    queries = read(o.queries, kMostQueries);
    cli::VectorFile file(o.base);
    load(kept ? 0 : file.rows(), [&]() -> std::optional<std::vector<float>> {
      std::vector<float> row;
      return file.next(row) ? std::optional(std::move(row)) : std::nullopt;
    });
  }
  const auto start = Clock::now();
  const std::clock_t cpu_start = std::clock();
  collection.optimize();  // of a kept database it reads the graph into memory
  std::optional<double> build_seconds;
  if (!kept) build_seconds = seconds_since(start);
  const double build_cpu_seconds = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  const CollectionStats stats = collection.stats();
  Run(o, std::move(queries), collection, build_seconds, build_cpu_seconds,
      static_cast<double>(stats.segment_bytes) / static_cast<double>(std::max<std::uint64_t>(stats.count, 1)))
      .all();
  db.close();
  return 0;
}

}  // namespace vecstore::bench
