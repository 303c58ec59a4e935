// Filtered searches of the bare vector index by share of admitted rows and by way:
//   bench_filter_ways --base B.npy --queries Q.npy [--file GRAPH] [--ways chosen,scan,walk,results]
//                     [--efs 16,24,32,64] [--count 200] [--cells too|only]
// Admitted are random rows, then cells of the space (100, by k-means) near the query or far from it.
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
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
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
    if (admitted.empty() || admitted[i / 64] >> (i % 64) & 1) rows.push_back(i);
  }
  const std::size_t top = std::min(kTop, rows.size());
  std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(top), rows.end(),
                    [&](auto a, auto b) { return scores[a] > scores[b]; });
  rows.resize(top);
  return rows;
}

using Bits = std::vector<std::uint64_t>;   // per row; empty: all
using Filters = std::vector<const Bits*>;  // of each query

struct Cells {
  std::size_t count = 0;
  std::vector<std::uint32_t> of_row;
  std::vector<std::vector<std::uint32_t>> of_query;  // the nearest first
};

void normalise(float* row, std::size_t columns) {
  double sum = 0;
  for (std::size_t c = 0; c < columns; ++c) sum += double{row[c]} * row[c];
  const auto scale = static_cast<float>(1 / std::sqrt(std::max(sum, 1e-30)));
  for (std::size_t c = 0; c < columns; ++c) row[c] *= scale;
}

std::vector<std::uint32_t> nearest_first(const Matrix& centres, const float* row) {
  std::vector<float> scores(centres.rows);
  simd::kernels().dot(row, centres.values.data(), centres.columns * 4, centres.rows, centres.columns,
                      scores.data());
  std::vector<std::uint32_t> order(centres.rows);
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
  return order;
}

Cells make_cells(const Matrix& base, const Matrix& queries) {
  constexpr std::size_t kCells = 100, kSample = 20'000;
  const std::size_t step = std::max<std::size_t>(1, base.rows / kSample);
  Matrix centres{std::min(kCells, base.rows), base.columns, {}};
  for (std::size_t c = 0; c < centres.rows; ++c) {
    const float* row = base.row(c * (base.rows / centres.rows));
    centres.values.insert(centres.values.end(), row, row + base.columns);
    normalise(&centres.values[c * base.columns], base.columns);
  }
  for (int round = 0; round < 8; ++round) {
    std::vector<float> sums(centres.values.size());
    for (std::size_t i = 0; i < base.rows; i += step) {
      float* sum = &sums[nearest_first(centres, base.row(i))[0] * base.columns];
      for (std::size_t d = 0; d < base.columns; ++d) sum[d] += base.row(i)[d];
    }
    centres.values = sums;
    for (std::size_t c = 0; c < centres.rows; ++c) normalise(&centres.values[c * base.columns], base.columns);
  }
  Cells cells{centres.rows, {}, {}};
  for (std::size_t i = 0; i < base.rows; ++i) cells.of_row.push_back(nearest_first(centres, base.row(i))[0]);
  for (std::size_t q = 0; q < queries.rows; ++q)
    cells.of_query.push_back(nearest_first(centres, queries.row(q)));
  return cells;
}

/// Rows in the cells whose rank among those of query q is in [first, end).
Bits rows_of(const Cells& cells, std::size_t q, std::size_t first, std::size_t end) {
  std::vector<bool> wanted(cells.count);
  for (std::size_t rank = first; rank < std::min(end, cells.count); ++rank)
    wanted[cells.of_query[q][rank]] = true;
  Bits bits(cells.of_row.size() / 64 + 1);
  for (std::size_t i = 0; i < cells.of_row.size(); ++i) {
    if (wanted[cells.of_row[i]]) bits[i / 64] |= std::uint64_t{1} << (i % 64);
  }
  return bits;
}

void measure(const HnswIndex& index, const Matrix& queries,
             const std::vector<std::vector<std::uint32_t>>& truth, const Filters& filters, const char* name,
             HnswWay way, std::uint32_t ef) {
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
      query.admitted = filters[q]->empty() ? nullptr : filters[q]->data();
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
  const auto asked = static_cast<double>(queries.rows);
  std::printf(
      "  %-8s ef %3u  recall %.3f  p50 %5.0f us  codes %6.0f (expected %.0f)  walks %.2f results %.2f scans "
      "%.2f\n",
      name, ef, static_cast<double>(found) / static_cast<double>(std::max<std::size_t>(wanted, 1)),
      1e6 * best[best.size() / 2], static_cast<double>(c.rows_scanned) / static_cast<double>(queries.rows),
      static_cast<double>(c.rows_expected) / static_cast<double>(queries.rows),
      static_cast<double>(c.graph_walks) / asked, static_cast<double>(c.result_walks) / asked,
      static_cast<double>(c.graph_scans) / asked);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) try {
  std::map<std::string, std::string> o{{"file", "graph.vsx"},
                                       {"ways", "chosen,scan,walk,results"},
                                       {"count", "200"},
                                       {"efs", "16,24,32,64"},
                                       {"cells", "too"}};
  for (int i = 1; i + 1 < argc; i += 2) o[argv[i] + 2] = argv[i + 1];
  const Matrix base = read_npy(o["base"]);
  Matrix queries = read_npy(o["queries"]);
  queries.rows = std::min<std::size_t>(queries.rows, std::stoul(o["count"]));
  const auto index = open_or_build(o["file"], base);
  const Scores scores = score_all(base, queries);
  std::mt19937 random(5);
  const auto measure_all = [&](const Filters& filters) {
    std::vector<std::vector<std::uint32_t>> truth;
    for (std::size_t q = 0; q < queries.rows; ++q) truth.push_back(best_rows(scores[q], *filters[q]));
    for (const auto& [name, way] : {std::pair<const char*, HnswWay>{"chosen", HnswWay::kChosen},
                                    {"scan", HnswWay::kScan},
                                    {"walk", HnswWay::kWalk},
                                    {"results", HnswWay::kResults}}) {
      if (o["ways"].find(name) == std::string::npos) continue;
      std::istringstream efs(way == HnswWay::kScan ? "32" : o["efs"]);
      for (std::string ef; std::getline(efs, ef, ',');)
        measure(*index, queries, truth, filters, name, way, static_cast<std::uint32_t>(std::stoul(ef)));
    }
  };
  for (double share : {1.0, 0.75, 0.5, 0.25, 0.11, 0.07, 0.05, 0.03, 0.02, 0.01, 0.005, 0.0001}) {
    Bits admitted;
    if (share < 1) admitted.resize(base.rows / 64 + 1);
    for (std::size_t i = 0; share < 1 && i < base.rows; ++i) {
      if (random() < share * 4294967296.0) admitted[i / 64] |= std::uint64_t{1} << (i % 64);
    }
    if (o["cells"] == "only") break;
    std::printf("share %g\n", share);
    measure_all(Filters(queries.rows, &admitted));
  }
  const Cells cells = make_cells(base, queries);
  for (const auto& [name, first, end] : {std::tuple{"all but the ten nearest cells", 10, 100},
                                         {"all but the three nearest cells", 3, 100},
                                         {"the ten nearest cells", 0, 10},
                                         {"the farthest cell", 99, 100}}) {
    std::vector<Bits> bits;
    Filters filters;
    for (std::size_t q = 0; q < queries.rows; ++q)
      bits.push_back(rows_of(cells, q, static_cast<std::size_t>(first), static_cast<std::size_t>(end)));
    for (const Bits& b : bits) filters.push_back(&b);
    std::printf("%s\n", name);
    measure_all(filters);
  }
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
