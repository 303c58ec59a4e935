// Recall and speed of the bare vector index on one thread: bench_ann_core --help.
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "index/vector/hnsw_index.hpp"
#include "io/index_file.hpp"
#include "simd/kernels.hpp"

using namespace vecstore;

namespace {

constexpr const char* kHelp =
    "bench_ann_core [--base B.npy --queries Q.npy [--neighbors N.npy]] [--synthetic "
    "clusters|gaussian|integers|scales]\n"
    "  [--offset X] [--outlier X] [--rows N] [--dim D] [--metric cosine|dot|euclidean] [--threads T] [--m M] "
    "[--efc E] [--alpha A]\n"
    "  [--ef 16,32,...] [--limits gap:kept:expanded[:margin[:rescored]],...] [--passes 3] [--no-copy] "
    "[--file PATH] [--cold]\n"
    "  [--segments N] [--apart] [--no-huge]\n"
    "One line per ef: recall@10, queries per second (wall and CPU, median of the passes), nodes scored.\n"
    "--segments N cuts the rows into N indexes, searched in turn with one bound (--apart: without).\n"
    "--file writes the index, maps it and measures it there, after warm_up unless --cold is given.\n";

double seconds(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

float from_half(std::uint16_t h) {
  const std::uint32_t sign = (h & 0x8000u) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
  if (exponent == 0) return (sign ? -1.0f : 1.0f) * std::ldexp(static_cast<float>(mantissa), -24);
  const std::uint32_t bits = sign | (exponent + 112) << 23 | mantissa << 13;
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}

struct Matrix {
  std::size_t rows = 0, columns = 0;
  std::vector<float> values;
  const float* row(std::size_t i) const { return values.data() + i * columns; }
};

// .npy of <f4, <f2 or <i4, two dimensions, C order.
Matrix read_npy(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::string all((std::istreambuf_iterator<char>(in)), {});
  if (all.size() < 12) throw std::runtime_error(path + " is no .npy file");
  std::uint16_t length;
  std::memcpy(&length, all.data() + 8, 2);
  const std::string header = all.substr(10, length);
  Matrix m;
  const auto shape = header.find('(', header.find("shape"));
  if (std::sscanf(header.c_str() + shape, "(%zu, %zu)", &m.rows, &m.columns) != 2)
    throw std::runtime_error(path + " has no two dimensions");
  const char* data = all.data() + 10 + length;
  m.values.resize(m.rows * m.columns);
  for (std::size_t i = 0; i < m.values.size(); ++i) {
    if (header.find("<f2") != std::string::npos) {
      std::uint16_t h;
      std::memcpy(&h, data + 2 * i, 2);
      m.values[i] = from_half(h);
    } else if (header.find("<i4") != std::string::npos) {
      std::int32_t v;
      std::memcpy(&v, data + 4 * i, 4);
      m.values[i] = static_cast<float>(v);
    } else {
      std::memcpy(&m.values[i], data + 4 * i, 4);
    }
  }
  return m;
}

// Rows around centres of uneven spread, or without centres; not normalised. Integers: the magnitudes of
// clustered rows, 0 to 255, as of image features. Scales: gaussian, with deviations from 1 down to 1e-6.
Matrix make(const std::string& kind, std::size_t rows, std::size_t dim, std::uint32_t seed) {
  std::mt19937 centre_random(99), random(seed);
  std::normal_distribution<float> normal;
  const std::size_t clusters = std::max<std::size_t>(1, rows > 1000 ? 2000 : 100);
  std::vector<float> centres(clusters * dim);
  for (float& v : centres) v = normal(centre_random);
  Matrix m{rows, dim, std::vector<float>(rows * dim)};
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t c = random() % 2000 % clusters;
    const float spread = 0.2f + 0.3f * static_cast<float>(c % 5) / 4;
    for (std::size_t j = 0; j < dim; ++j)
      m.values[i * dim + j] = kind == "gaussian" || kind == "scales"
                                  ? normal(random)
                                  : centres[c * dim + j] + spread * normal(random);
    for (std::size_t j = 0; j < dim; ++j) {
      float& v = m.values[i * dim + j];
      if (kind == "scales")
        v *= std::pow(10.0f,
                      -6 * static_cast<float>(j) / static_cast<float>(std::max<std::size_t>(2, dim) - 1));
      if (kind == "integers") v = std::min(255.0f, std::round(std::abs(60 * v)));
    }
  }
  return m;
}

double score(Metric metric, const float* a, const float* b, std::size_t dim) {
  float dot = 0, aa = 0, bb = 0, l2 = 0;
  for (std::size_t i = 0; i < dim; ++i) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
    l2 += (a[i] - b[i]) * (a[i] - b[i]);
  }
  if (metric == Metric::kDot) return dot;
  if (metric == Metric::kEuclidean) return -l2;
  return aa > 0 && bb > 0 ? dot / std::sqrt(aa * bb) : 0;
}

constexpr std::size_t kTop = 10;

std::vector<std::vector<std::uint32_t>> exact(Metric metric, const Matrix& base, const Matrix& queries,
                                              const ParallelFor& parallel) {
  std::vector<std::vector<std::uint32_t>> out(queries.rows);
  const auto& k = simd::kernels();
  std::vector<float> norms(base.rows, 1);
  if (metric == Metric::kCosine) {
    k.squared_norm(base.values.data(), base.columns * 4, base.rows, base.columns, norms.data());
    for (float& n : norms) n = n > 0 ? 1 / std::sqrt(n) : 0;
  }
  parallel(2, [&](std::size_t part) {
    std::vector<float> scores(base.rows);
    for (std::size_t q = part; q < queries.rows; q += 2) {
      (metric == Metric::kEuclidean ? k.squared_l2 : k.dot)(
          queries.row(q), base.values.data(), base.columns * 4, base.rows, base.columns, scores.data());
      std::vector<std::pair<float, std::uint32_t>> all(base.rows);
      for (std::uint32_t i = 0; i < base.rows; ++i)
        all[i] = {metric == Metric::kEuclidean ? scores[i] : -scores[i] * norms[i], i};
      const std::size_t top = std::min(kTop, all.size());
      std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(top), all.end());
      for (std::size_t i = 0; i < top; ++i) out[q].push_back(all[i].second);
    }
  });
  return out;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

struct Pass {
  double wall, cpu;
};

// Recall among the first `looked_at` hits; with more than ten, what exact scores would give. Counts a hit
// whose score equals that of the tenth exact neighbour.
double recall_of(const std::vector<std::vector<HnswHit>>& hits,
                 const std::vector<std::vector<std::uint32_t>>& truth, Metric metric, const Matrix& base,
                 const Matrix& queries, std::size_t looked_at) {
  std::size_t found = 0, wanted = 0;
  for (std::size_t q = 0; q < hits.size(); ++q) {
    const auto& t = truth[q];
    wanted += t.size();
    const double least = score(metric, queries.row(q), base.row(t.back()), base.columns);
    for (std::size_t i = 0; i < std::min(looked_at, hits[q].size()); ++i) {
      const std::uint32_t node = hits[q][i].node;
      found += std::find(t.begin(), t.end(), node) != t.end() ||
               score(metric, queries.row(q), base.row(node), base.columns) == least;
    }
  }
  return static_cast<double>(found) / static_cast<double>(wanted);
}

int run(std::map<std::string, std::string> options) {
  const auto get = [&](const std::string& name, const std::string& otherwise) {
    const auto it = options.find(name);
    return it == options.end() ? otherwise : it->second;
  };
  const ParallelFor parallel = [](std::size_t count, const std::function<void(std::size_t)>& fn) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&fn, i] { fn(i); });
    for (auto& t : threads) t.join();
  };
  HnswOptions o;
  o.metric = parse_metric(get("metric", "cosine"));
  Matrix base, queries;
  if (options.count("base")) {
    base = read_npy(get("base", ""));
    queries = read_npy(get("queries", ""));
  } else {
    const std::size_t rows = std::stoul(get("rows", "100000")), dim = std::stoul(get("dim", "128"));
    base = make(get("synthetic", "clusters"), rows, dim, 1);
    queries = make(get("synthetic", "clusters"), 1000, dim, 2);
    const float offset = std::stof(get("offset", "0"));
    for (Matrix* m : {&base, &queries}) {
      for (float& v : m->values) v += offset;
    }
    if (options.count("outlier")) std::fill_n(base.values.data(), dim, std::stof(get("outlier", "")));
  }
  if (options.count("rows") && options.count("base")) base.rows = std::stoul(get("rows", ""));
  std::vector<std::vector<std::uint32_t>> truth;
  if (options.count("neighbors")) {
    const Matrix n = read_npy(get("neighbors", ""));
    for (std::size_t i = 0; i < n.rows; ++i)
      truth.emplace_back(n.row(i), n.row(i) + std::min(kTop, n.columns));
  } else {
    truth = exact(o.metric, base, queries, parallel);
  }
  o.dimension = base.columns;
  o.rescoring_copy = !options.count("no-copy");
  o.build.m = static_cast<std::uint32_t>(std::stoul(get("m", "16")));
  o.build.ef_construction = static_cast<std::uint32_t>(std::stoul(get("efc", "100")));
  o.build.alpha = std::stof(get("alpha", "1.15"));
  o.build.threads = std::stoul(get("threads", "2"));
  o.build.parallel = &parallel;
  Context context;
  std::shared_ptr<const HnswIndex> index;
  const std::string file = get("file", "");
  if (file.empty() || access(file.c_str(), R_OK) != 0) {
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    index = HnswIndex::build(
        o, static_cast<std::uint32_t>(base.rows), [&](std::uint32_t i) { return base.row(i); }, context);
    std::printf("rows %zu dim %zu build %.2f s wall, %.2f s cpu on %zu threads, %.1f bytes per row\n",
                base.rows, base.columns, seconds(CLOCK_MONOTONIC) - wall,
                seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, o.build.threads,
                static_cast<double>(index->search_bytes()) / static_cast<double>(base.rows));
    if (!file.empty()) {
      const auto slash = file.rfind('/');
      io::IndexFileWriter writer(file.substr(0, slash), file.substr(slash + 1), {});
      index->write(writer, 100, context);
      std::printf("written: %llu bytes\n", static_cast<unsigned long long>(writer.finish()));
    }
  }
  if (!file.empty()) {
    const double begin = seconds(CLOCK_MONOTONIC);
    index = HnswIndex::open(io::IndexFile::open(file), 100);
    HnswScratch scratch;
    std::vector<HnswHit> hits;
    HnswQuery q;
    q.vector = {queries.row(0), queries.columns};
    index->search(q, scratch, context, hits);
    std::printf("open to first answer %.2f ms\n", 1e3 * (seconds(CLOCK_MONOTONIC) - begin));
    const double warm = seconds(CLOCK_MONOTONIC);
    if (!options.count("cold")) index->warm_up(context, !options.count("no-huge"));
    std::printf("warm_up %.2f ms\n", 1e3 * (seconds(CLOCK_MONOTONIC) - warm));
  }
  std::vector<std::pair<std::string, HnswIndex::Limits>> grid;
  if (options.count("limits")) {
    for (const std::string& item : split(get("limits", ""))) {
      HnswIndex::Limits l;
      if (std::sscanf(item.c_str(), "%f:%u:%u:%f:%u", &l.gap, &l.kept, &l.most_expanded, &l.margin,
                      &l.most_rescored) < 3)
        throw std::runtime_error("--limits takes gap:kept:expanded[:margin[:rescored]]");
      grid.emplace_back(item, l);
    }
  } else {
    for (const std::string& ef : split(get("ef", "10,16,24,32,48,64,96,128,192,256,400,800")))
      grid.emplace_back("ef " + ef, HnswIndex::limits_of(static_cast<std::uint32_t>(std::stoul(ef)), kTop));
  }
  std::vector<std::pair<std::uint32_t, std::shared_ptr<const HnswIndex>>> segments{{0, index}};
  const auto parts = static_cast<std::uint32_t>(std::stoul(get("segments", "1")));
  if (parts > 1) segments.clear();
  for (std::uint32_t i = 0; parts > 1 && i < parts; ++i) {
    const auto begin = static_cast<std::uint32_t>(base.rows * i / parts);
    const auto end = static_cast<std::uint32_t>(base.rows * (i + 1) / parts);
    segments.emplace_back(
        begin,
        HnswIndex::build(o, end - begin, [&](std::uint32_t r) { return base.row(begin + r); }, context));
  }
  HnswScratch scratch;
  std::vector<HnswHit> segment_hits;
  std::vector<std::vector<HnswHit>> hits(queries.rows);
  const std::size_t passes = std::stoul(get("passes", "3"));
  for (const auto& [name, limits] : grid) {
    std::vector<double> wall, cpu;
    Context counting;
    for (std::size_t pass = 0; pass <= passes; ++pass) {  // the first one warms up
      counting.counters = {};
      const double w = seconds(CLOCK_MONOTONIC), c = seconds(CLOCK_THREAD_CPUTIME_ID);
      for (std::size_t i = 0; i < queries.rows; ++i) {
        HnswQuery q;
        q.vector = {queries.row(i), queries.columns};
        if (segments.size() == 1) {
          segments[0].second->search(q, limits, scratch, counting, hits[i]);
          continue;
        }
        std::vector<HnswHit>& all = hits[i];
        all.clear();
        for (const auto& [begin, segment] : segments) {
          if (all.size() >= kTop && !options.count("apart")) q.known_score = all[kTop - 1].score;
          segment->search(q, limits, scratch, counting, segment_hits);
          for (const HnswHit& h : segment_hits) all.push_back({h.score, begin + h.node});
          std::sort(all.begin(), all.end(),
                    [](const HnswHit& x, const HnswHit& y) { return x.score > y.score; });
        }
      }
      if (pass == 0) continue;
      wall.push_back(seconds(CLOCK_MONOTONIC) - w);
      cpu.push_back(seconds(CLOCK_THREAD_CPUTIME_ID) - c);
    }
    std::sort(wall.begin(), wall.end());
    std::sort(cpu.begin(), cpu.end());
    const double n = static_cast<double>(queries.rows);
    std::printf("%-18s recall %.4f (in hits %.4f)  qps %7.0f  cpu qps %7.0f  scored %.0f  rescored %.0f\n",
                name.c_str(), recall_of(hits, truth, o.metric, base, queries, kTop),
                recall_of(hits, truth, o.metric, base, queries, 100), n / wall[wall.size() / 2],
                n / cpu[cpu.size() / 2], static_cast<double>(counting.counters.rows_scanned) / n,
                static_cast<double>(counting.counters.rows_rescored) / n);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name.rfind("--", 0) != 0 || name == "--help") {
      std::fputs(kHelp, stdout);
      return name == "--help" ? 0 : 1;
    }
    const bool has_value = i + 1 < argc && std::strncmp(argv[i + 1], "--", 2) != 0;
    options[name.substr(2)] = has_value ? argv[++i] : "";
  }
  try {
    return run(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
