// Filtered searches of the bare vector index by share of admitted rows and by way:
//   bench_filter_ways --base B.npy --queries Q.npy [--file GRAPH] [--ways chosen,scan,walk,results] [--count
//   200]
// Builds the graph into GRAPH unless it is there. Times are of the searching thread's processor, the best of
// four passes per query, then the median. What is measured is a search with a bitmap at hand.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
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

constexpr std::uint32_t kSection = 100;
constexpr std::size_t kTop = 10;
constexpr int kPasses = 4;

double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Matrix {
  std::size_t rows = 0, columns = 0;
  std::vector<float> values;
  const float* row(std::size_t i) const { return values.data() + i * columns; }
};

Matrix read_npy(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::string all((std::istreambuf_iterator<char>(in)), {});
  std::uint16_t length = 0;
  std::memcpy(&length, all.data() + 8, 2);
  const std::string header = all.substr(10, length);
  Matrix m;
  if (header.find("'<f4'") == std::string::npos ||
      std::sscanf(header.c_str() + header.find('(', header.find("shape")), "(%zu, %zu)", &m.rows,
                  &m.columns) != 2)
    throw std::runtime_error(path + " is no matrix of 32-bit floats");
  m.values.resize(m.rows * m.columns);
  std::memcpy(m.values.data(), all.data() + 10 + length, 4 * m.values.size());
  return m;
}

std::shared_ptr<const HnswIndex> open_or_build(const std::string& file, const Matrix& base) {
  Context context;
  if (access(file.c_str(), R_OK) != 0) {
    const ParallelFor parallel = [](std::size_t count, const std::function<void(std::size_t)>& fn) {
      std::vector<std::thread> threads;
      for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&fn, i] { fn(i); });
      for (auto& t : threads) t.join();
    };
    HnswOptions options;
    options.dimension = base.columns;
    options.build.threads = 2;
    options.build.parallel = &parallel;
    const auto index = HnswIndex::build(
        options, static_cast<std::uint32_t>(base.rows), [&](std::uint32_t i) { return base.row(i); },
        context);
    const auto slash = file.rfind('/');
    io::IndexFileWriter writer(slash == std::string::npos ? "." : file.substr(0, slash),
                               file.substr(slash == std::string::npos ? 0 : slash + 1), {});
    index->write(writer, kSection, context);
    writer.finish();
  }
  auto index = HnswIndex::open(io::IndexFile::open(file), kSection);
  index->warm_up(context);
  return index;
}

using Scores = std::vector<std::vector<float>>;  // per query, of all rows

Scores score_all(const Matrix& base, const Matrix& queries) {
  const auto& k = simd::kernels();
  std::vector<float> norms(base.rows);
  k.squared_norm(base.values.data(), base.columns * 4, base.rows, base.columns, norms.data());
  Scores scores(queries.rows, std::vector<float>(base.rows));
  for (std::size_t q = 0; q < queries.rows; ++q) {
    k.dot(queries.row(q), base.values.data(), base.columns * 4, base.rows, base.columns, scores[q].data());
    for (std::size_t i = 0; i < base.rows; ++i) scores[q][i] /= std::sqrt(std::max(norms[i], 1e-30f));
  }
  return scores;
}

std::vector<std::uint32_t> best_rows(const std::vector<float>& scores,
                                     const std::vector<std::uint64_t>& admitted) {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t i = 0; i < scores.size(); ++i) {
    if (admitted[i / 64] >> (i % 64) & 1) rows.push_back(i);
  }
  const std::size_t top = std::min(kTop, rows.size());
  std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(top), rows.end(),
                    [&](auto a, auto b) { return scores[a] > scores[b]; });
  rows.resize(top);
  return rows;
}

void measure(const HnswIndex& index, const Matrix& queries,
             const std::vector<std::vector<std::uint32_t>>& truth, const std::uint64_t* admitted,
             const char* name, HnswWay way, std::uint32_t ef) {
  HnswScratch scratch;
  std::vector<HnswHit> hits;
  std::vector<double> best(queries.rows, 1e9);
  std::size_t found = 0, wanted = 0;
  Context context;
  for (int pass = 0; pass < kPasses; ++pass) {
    found = wanted = 0;
    context.counters = {};
    for (std::size_t q = 0; q < queries.rows; ++q) {
      HnswQuery query;
      query.vector = {queries.row(q), queries.columns};
      query.ef = ef;
      query.way = way;
      query.admitted = admitted;
      const double begin = thread_seconds();
      index.search(query, scratch, context, hits);
      best[q] = std::min(best[q], thread_seconds() - begin);
      wanted += truth[q].size();
      for (const HnswHit& hit : hits)
        found += std::find(truth[q].begin(), truth[q].end(), hit.node) != truth[q].end();
    }
  }
  std::sort(best.begin(), best.end());
  const Counters& c = context.counters;
  std::printf("  %-8s ef %3u  recall %.3f  p50 %5.0f us  codes %6.0f (expected %.0f)\n", name, ef,
              static_cast<double>(found) / static_cast<double>(std::max<std::size_t>(wanted, 1)),
              1e6 * best[best.size() / 2],
              static_cast<double>(c.rows_scanned) / static_cast<double>(queries.rows),
              static_cast<double>(c.rows_expected) / static_cast<double>(queries.rows));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) try {
  std::map<std::string, std::string> o{
      {"file", "graph.vsx"}, {"ways", "chosen,scan,walk,results"}, {"count", "200"}};
  for (int i = 1; i + 1 < argc; i += 2) o[argv[i] + 2] = argv[i + 1];
  const Matrix base = read_npy(o["base"]);
  Matrix queries = read_npy(o["queries"]);
  queries.rows = std::min<std::size_t>(queries.rows, std::stoul(o["count"]));
  const auto index = open_or_build(o["file"], base);
  const Scores scores = score_all(base, queries);
  std::mt19937 random(5);
  for (double share : {1.0, 0.75, 0.5, 0.25, 0.11, 0.07, 0.05, 0.03, 0.02, 0.01, 0.005, 0.0001}) {
    std::vector<std::uint64_t> admitted(base.rows / 64 + 1);
    for (std::size_t i = 0; i < base.rows; ++i) {
      if (random() < share * 4294967296.0) admitted[i / 64] |= std::uint64_t{1} << (i % 64);
    }
    std::vector<std::vector<std::uint32_t>> truth;
    for (const auto& s : scores) truth.push_back(best_rows(s, admitted));
    std::printf("share %g\n", share);
    for (const auto& [name, way] : {std::pair<const char*, HnswWay>{"chosen", HnswWay::kChosen},
                                    {"scan", HnswWay::kScan},
                                    {"walk", HnswWay::kWalk},
                                    {"results", HnswWay::kResults}}) {
      if (o["ways"].find(name) == std::string::npos) continue;
      for (std::uint32_t ef : {16u, 24u, 32u, 64u}) {
        if (way == HnswWay::kScan && ef != 32) continue;
        measure(*index, queries, truth, share < 1 ? admitted.data() : nullptr, name, way, ef);
      }
    }
  }
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
