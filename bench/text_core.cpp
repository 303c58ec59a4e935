// Speed and size of the bare inverted index on one thread: bench_text_core --help.
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "index/inverted/part_builder.hpp"
#include "index/inverted/term_part.hpp"
#include "index/inverted/term_search.hpp"
#include "io/index_file.hpp"
#include "simd/kernels.hpp"
#include "text/analyzer.hpp"

using namespace vecstore;
using namespace vecstore::inverted;

namespace {

constexpr const char* kHelp =
    "bench_text_core --corpus C.jsonl[.gz] --queries Q.jsonl [--stop-words kept|removed] [--segments N]\n"
    "  [--limit N] [--count 1000] [--passes 5] [--dir D] [--dump D] [--only or|and|phrase] [--words 2|4|12] "
    "[--k 10|100]\n"
    "bench_text_core --sparse [--rows 300000] [--count 200] [--coded] [--dump D]\n"
    "One JSON line per measurement; milliseconds are processor time of the thread, the best of the passes.\n"
    "--dump writes what peers get: terms and queries, or sparse vectors, as tantivy_peer.py and "
    "sparse_peer.py\n"
    "read them.\n";

double cpu() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}
double wall() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Options {
  std::string corpus, queries, dir = "/dev/shm", dump;
  bool stop_words = true, sparse = false, coded = false;
  std::size_t segments = 1, limit = ~std::size_t{0}, count = 0, rows = 300'000;
  int passes = 5;
  std::string only;              // an operation
  std::size_t words = 0, k = 0;  // 0: all
};

std::vector<std::string> read_texts(const std::string& path, std::size_t limit) {
  // Programs for measuring may lean on the system's gzip; the library has no use for it.
  std::unique_ptr<FILE, int (*)(FILE*)> in(
      path.ends_with(".gz") ? popen(("gzip -dc '" + path + "'").c_str(), "r") : std::fopen(path.c_str(), "r"),
      path.ends_with(".gz") ? pclose : std::fclose);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::vector<std::string> texts;
  char* line = nullptr;
  std::size_t room = 0;
  for (ssize_t n; texts.size() < limit && (n = getline(&line, &room, in.get())) > 0;) {
    const Metadata record = parse_json({line, static_cast<std::size_t>(n)});
    if (const Metadata* text = record.find("text")) texts.push_back(text->as_string());
  }
  std::free(line);
  return texts;
}

/// Parts in one file each.
struct Index {
  std::vector<std::string> paths;
  std::vector<std::shared_ptr<const TermPart>> parts;
  std::vector<TermPartView> views;
  std::uint64_t bytes = 0;

  void add(const std::string& path) {
    paths.push_back(path);
    parts.push_back(TermPart::open(io::IndexFile::open(path), 1));
    bytes += parts.back()->bytes();
    views.push_back({parts.back().get(), nullptr});
  }
  ~Index() {
    for (const std::string& p : paths) std::filesystem::remove(p);
  }
};

struct Builder {
  explicit Builder(const std::shared_ptr<const text::AnalyzerSpec>& spec) : analyzer(spec), builder({1.0f}) {}
  text::Analyzer analyzer;
  TermPartBuilder builder;
  std::vector<TermToken> tokens;
  // Terms come from the analyzer's cache: the same address is the same term.
  struct Known {
    const char* data = nullptr;
    std::uint32_t term = 0;
  };
  std::vector<Known> known = std::vector<Known>(1 << 19);

  void add(std::uint64_t row, const std::string& text) {
    tokens.clear();
    analyzer.analyze(text, [&](const text::Token& t) {
      Known& k = known[mix64(reinterpret_cast<std::uintptr_t>(t.term.data())) & (known.size() - 1)];
      if (k.data != t.term.data()) k = {t.term.data(), builder.term(t.term)};
      tokens.push_back({k.term, t.position, 0});
    });
    builder.add(row, tokens);
  }
};

void build(Index& index, const std::vector<std::string>& texts,
           const std::shared_ptr<const text::AnalyzerSpec>& spec, const Options& o) {
  const double start = cpu(), start_wall = wall();
  double analysed = 0;
  std::size_t tokens = 0;
  for (std::size_t s = 0; s < o.segments; ++s) {
    const std::size_t begin = texts.size() * s / o.segments, end = texts.size() * (s + 1) / o.segments;
    const double before = cpu();
    Builder b(spec);
    for (std::size_t i = begin; i < end; ++i) b.add(i, texts[i]), tokens += b.tokens.size();
    analysed += cpu() - before;
    const std::string name = "bench-terms-" + std::to_string(getpid()) + "-" + std::to_string(s);
    io::IndexFileWriter file(o.dir, name, {});
    b.builder.write(file, 1, {});
    file.finish();
    index.add(o.dir + "/" + name);
  }
  const double seconds = cpu() - start;
  std::printf(
      "{\"op\": \"build\", \"passages\": %zu, \"tokens\": %zu, \"segments\": %zu, \"cpu_s\": %.3f, "
      "\"wall_s\": %.3f, \"analysis_s\": %.3f, \"passages_per_s\": %.0f, \"bytes\": %llu}\n",
      texts.size(), tokens, o.segments, seconds, wall() - start_wall, analysed,
      static_cast<double>(texts.size()) / seconds, static_cast<unsigned long long>(index.bytes));
}

struct Measured {
  double ms = 0, p50 = 0, p99 = 0, hits = 0, check = 0, rescored = 0;
};

template <class MakeQuery>
Measured measure(const Index& index, std::size_t count, std::size_t k, int passes, MakeQuery&& query,
                 const RowFilter* filter = nullptr) {
  Measured best;
  best.ms = 1e9;
  for (int pass = 0; pass < passes; ++pass) {
    std::vector<double> times;
    Measured m;
    for (std::size_t q = 0; q < count; ++q) {
      const TermNode& node = query(q);
      const double start = cpu();
      Context context;
      TopK out(k);
      TermSearch search(index.views, node, context);
      search.run({}, CorpusStats(search.stats()), filter, context, out);
      const auto hits = out.take();
      times.push_back(1e3 * (cpu() - start));
      m.hits += static_cast<double>(hits.size());
      for (const RowScore& h : hits) m.check += h.score;
      m.rescored += static_cast<double>(context.counters.rows_rescored);
    }
    for (const double t : times) m.ms += t;
    m.ms /= static_cast<double>(count);
    std::sort(times.begin(), times.end());
    m.p50 = times[times.size() / 2];
    m.p99 = times[times.size() * 99 / 100];
    if (m.ms < best.ms) best = m;
  }
  best.hits /= static_cast<double>(count);
  best.rescored /= static_cast<double>(count);
  return best;
}

void print(const char* op, std::size_t words, std::size_t k, double filter, const Measured& m) {
  std::printf(
      "{\"op\": \"%s\", \"words\": %zu, \"k\": %zu, \"filter\": %g, \"ms\": %.4f, \"p50_ms\": %.4f, "
      "\"p99_ms\": %.4f, \"hits\": %.2f, \"rescored\": %.1f, \"check\": %.3f}\n",
      op, words, k, filter, m.ms, m.p50, m.p99, m.hits, m.rescored, m.check);
  std::fflush(stdout);
}

struct ShareFilter final : RowFilter {
  explicit ShareFilter(std::uint64_t n) : share(n) {}
  bool contains(std::uint64_t row) const override { return mix64(row) % share == 0; }
  std::uint64_t share;
};

TermNode combine(const std::vector<std::string>& words, const std::string& op) {
  if (op == "phrase") return TermNode::phrase(words);
  std::vector<TermNode> nodes;
  for (const auto& w : words) nodes.push_back(TermNode::term(w));
  return op == "and" ? TermNode::all(std::move(nodes)) : TermNode::any(std::move(nodes));
}

int measure_text(const Options& o) {
  AnalyzerOptions analysis;
  if (o.stop_words) analysis.stop_words.emplace();  // none are left out
  const auto spec = text::make_analyzer_spec("english", analysis);
  const auto texts = read_texts(o.corpus, o.limit);
  const auto queries = read_texts(o.queries, o.count ? o.count : 1000);
  std::printf("{\"isa\": \"%s\", \"stop_words\": \"%s\"}\n", simd::to_string(simd::active_isa()),
              o.stop_words ? "kept" : "removed");
  Index index;
  build(index, texts, spec, o);
  {
    const double start = cpu();
    const auto again = TermPart::open(io::IndexFile::open(index.paths[0]), 1);
    const double opened = cpu();
    text::Analyzer a(spec);
    auto words = a.terms(queries[0]);
    const TermPartView view{again.get(), nullptr};
    const TermNode node = combine(words, "or");
    Context context;
    TopK out(10);
    TermSearch search({&view, 1}, node, context);
    search.run({}, CorpusStats(search.stats()), nullptr, context, out);
    std::printf("{\"op\": \"open\", \"open_ms\": %.3f, \"first_answer_ms\": %.3f}\n", 1e3 * (opened - start),
                1e3 * (cpu() - start));
  }
  text::Analyzer analyzer(spec);
  std::vector<std::vector<std::string>> terms;
  for (const auto& q : queries) terms.push_back(analyzer.terms(q));
  if (!o.dump.empty()) {
    std::ofstream docs(o.dump + "/terms.txt"), asks(o.dump + "/queries.txt"), raw(o.dump + "/texts.txt");
    for (const auto& t : texts) {
      for (const auto& w : analyzer.terms(t)) docs << w << ' ';
      docs << '\n';
      for (const char c : t) raw << (c == '\n' || c == '\r' ? ' ' : c);
      raw << '\n';
    }
    for (const auto& q : terms) {
      for (const auto& w : q) asks << w << ' ';
      asks << '\n';
    }
  }
  for (const char* op : {"or", "and", "phrase"}) {
    if (!o.only.empty() && o.only != op) continue;
    for (const std::size_t words : {2u, 4u, 12u}) {
      if (o.words != 0 && o.words != words) continue;
      std::vector<TermNode> nodes;
      for (const auto& t : terms) {
        if (t.size() < words && words <= 4) continue;
        std::vector<std::string> first(t.begin(),
                                       t.begin() + static_cast<std::ptrdiff_t>(std::min(words, t.size())));
        nodes.push_back(combine(first, op));
      }
      for (const std::size_t k : {10u, 100u}) {
        if (o.k != 0 && o.k != k) continue;
        print(op, words, k, 1,
              measure(index, nodes.size(), k, o.passes,
                      [&](std::size_t q) -> const TermNode& { return nodes[q]; }));
      }
      if (std::string(op) != "or" || words != 4 || o.k == 100) continue;
      for (const std::uint64_t share : {10u, 100u}) {
        const ShareFilter filter(share);
        print("or_filtered", words, 10, 1.0 / static_cast<double>(share),
              measure(
                  index, nodes.size(), 10, o.passes,
                  [&](std::size_t q) -> const TermNode& { return nodes[q]; }, &filter));
      }
    }
  }
  std::size_t cache = 0;
  for (const auto& p : index.parts) cache += p->memory_bytes();
  std::printf("{\"op\": \"memory\", \"bytes\": %zu}\n", cache);
  return 0;
}

struct SparseVector {
  std::vector<std::uint32_t> dimensions;
  std::vector<float> weights;
};

/// Zipf(1.0) over 30,000 dimensions, without replacement, weights log-normal(0, 0.7).
class SparseMaker {
 public:
  SparseMaker() {
    double sum = 0;
    for (int i = 1; i <= 30'000; ++i) shares_.push_back(sum += 1.0 / i);
  }
  SparseVector make(std::size_t count) {
    std::vector<std::uint32_t> chosen;
    while (chosen.size() < count) {
      const double u = std::uniform_real_distribution<>(0, shares_.back())(random_);
      const auto d =
          static_cast<std::uint32_t>(std::lower_bound(shares_.begin(), shares_.end(), u) - shares_.begin());
      if (d >= 30'000 || seen_[d]) continue;
      seen_[d] = true;
      chosen.push_back(d);
    }
    std::sort(chosen.begin(), chosen.end());
    SparseVector v;
    for (const std::uint32_t d : chosen) {
      seen_[d] = false;
      v.dimensions.push_back(d);
      v.weights.push_back(std::lognormal_distribution<float>(0.0f, 0.7f)(random_));
    }
    return v;
  }

 private:
  std::vector<double> shares_;
  std::vector<bool> seen_ = std::vector<bool>(30'000);
  std::mt19937_64 random_{7};
};

int measure_sparse(const Options& o) {
  SparseMaker maker;
  std::vector<SparseVector> records, queries;
  for (std::size_t i = 0; i < o.rows; ++i) records.push_back(maker.make(200));
  for (std::size_t i = 0; i < (o.count ? o.count : 200); ++i) queries.push_back(maker.make(40));
  const auto dump = [&](const std::string& name, const std::vector<SparseVector>& all) {
    std::ofstream out(o.dump + "/" + name, std::ios::binary);
    for (const auto& v : all) {
      out.write(reinterpret_cast<const char*>(v.dimensions.data()),
                static_cast<std::streamsize>(v.dimensions.size() * 4));
      out.write(reinterpret_cast<const char*>(v.weights.data()),
                static_cast<std::streamsize>(v.weights.size() * 4));
    }
  };
  if (!o.dump.empty()) dump("records.bin", records), dump("queries.bin", queries);
  Index index;
  const double start = cpu();
  {
    SparsePartBuilder builder;
    for (std::size_t i = 0; i < records.size(); ++i)
      builder.add(i, records[i].dimensions, records[i].weights);
    const std::string name = "bench-sparse-" + std::to_string(getpid());
    io::IndexFileWriter file(o.dir, name, {});
    builder.write(file, 1, {}, o.coded);
    file.finish();
    index.add(o.dir + "/" + name);
  }
  std::printf(
      "{\"op\": \"sparse_build\", \"records\": %zu, \"cpu_s\": %.2f, \"bytes\": %llu, "
      "\"bytes_per_non_zero\": %.3f}\n",
      records.size(), cpu() - start, static_cast<unsigned long long>(index.bytes),
      static_cast<double>(index.bytes) / (200.0 * static_cast<double>(records.size())));
  std::vector<TermNode> nodes;
  for (const auto& q : queries) {
    TermNode n;
    for (std::size_t i = 0; i < q.dimensions.size(); ++i)
      n.children.push_back(TermNode::term(sparse_term(q.dimensions[i]), q.weights[i]));
    nodes.push_back(std::move(n));
  }
  for (const std::size_t k : {10u, 100u})
    print("sparse", 40, k, 1,
          measure(index, nodes.size(), k, o.passes,
                  [&](std::size_t q) -> const TermNode& { return nodes[q]; }));
  // A few queries against every record.
  double worst = 0, recall = 0;
  for (std::size_t q = 0; q < std::min<std::size_t>(10, nodes.size()); ++q) {
    std::vector<double> weight(30'000, 0);
    for (std::size_t i = 0; i < 40; ++i) weight[queries[q].dimensions[i]] = queries[q].weights[i];
    std::vector<std::pair<double, std::uint64_t>> all;
    for (std::size_t r = 0; r < records.size(); ++r) {
      double sum = 0;
      for (std::size_t i = 0; i < 200; ++i) sum += weight[records[r].dimensions[i]] * records[r].weights[i];
      all.emplace_back(-sum, r);
    }
    std::partial_sort(all.begin(), all.begin() + 100, all.end());
    Context context;
    TopK out(100);
    TermSearch search(index.views, nodes[q], context);
    search.run({}, CorpusStats(search.stats()), nullptr, context, out);
    const auto hits = out.take();
    for (std::size_t i = 0; i < hits.size(); ++i) {
      worst = std::max(worst, std::abs(hits[i].score + all[i].first) / -all[i].first);
      recall +=
          std::any_of(all.begin(), all.begin() + 100, [&](const auto& a) { return a.second == hits[i].row; });
    }
  }
  std::printf("{\"op\": \"sparse_check\", \"largest_error\": %.3g, \"recall\": %.4f}\n", worst,
              recall / (100.0 * static_cast<double>(std::min<std::size_t>(10, nodes.size()))));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    const auto value = [&]() -> std::string {
      if (++i == argc) throw std::runtime_error(a + " needs a value");
      return argv[i];
    };
    if (a == "--corpus")
      o.corpus = value();
    else if (a == "--queries")
      o.queries = value();
    else if (a == "--stop-words")
      o.stop_words = value() == "kept";
    else if (a == "--segments")
      o.segments = std::stoul(value());
    else if (a == "--limit")
      o.limit = std::stoul(value());
    else if (a == "--count")
      o.count = std::stoul(value());
    else if (a == "--rows")
      o.rows = std::stoul(value());
    else if (a == "--passes")
      o.passes = std::stoi(value());
    else if (a == "--dir")
      o.dir = value();
    else if (a == "--dump")
      o.dump = value();
    else if (a == "--only")
      o.only = value();
    else if (a == "--words")
      o.words = std::stoul(value());
    else if (a == "--k")
      o.k = std::stoul(value());
    else if (a == "--sparse")
      o.sparse = true;
    else if (a == "--coded")
      o.coded = true;
    else
      return std::fputs(kHelp, stderr), a == "--help" ? 0 : 2;
  }
  if (o.sparse) return measure_sparse(o);
  if (o.corpus.empty() || o.queries.empty()) return std::fputs(kHelp, stderr), 2;
  return measure_text(o);
}
