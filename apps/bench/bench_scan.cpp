// vecstore-bench scan: how fast exact search is on this machine, everything measured in one run and in turns,
// so that a change of the machine's pace touches all parts alike.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "base/crc32c.hpp"
#include "bench.hpp"
#include "index/vector/block_list.hpp"
#include "index/vector/flat_index.hpp"
#include "quant/norms.hpp"
#include "simd/kernels.hpp"

namespace vecstore::bench {

namespace {

struct Options {
  std::size_t n = 1'000'000;
  std::size_t dim = 128;
  std::size_t k = 10;
  std::size_t rounds = 9;
  Metric metric = Metric::kCosine;
};

// Yardsticks

#if defined(__clang__)
#define VECSTORE_PLAIN_LOOP __attribute__((noinline))
#define VECSTORE_NO_VECTORS _Pragma("clang loop vectorize(disable) interleave(disable)")
#define VECSTORE_VECTORISED __attribute__((noinline))
#else
#define VECSTORE_PLAIN_LOOP __attribute__((noinline, optimize("O2", "no-tree-vectorize")))
#define VECSTORE_NO_VECTORS
#define VECSTORE_VECTORISED __attribute__((noinline, optimize("O3")))
#endif

VECSTORE_PLAIN_LOOP float plain_dot(const float* a, const float* b, std::size_t n) {
  float sum = 0;
  VECSTORE_NO_VECTORS
  for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

VECSTORE_PLAIN_LOOP float plain_l2(const float* a, const float* b, std::size_t n) {
  float sum = 0;
  VECSTORE_NO_VECTORS
  for (std::size_t i = 0; i < n; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

VECSTORE_PLAIN_LOOP std::int32_t plain_code_dot(const std::uint8_t* a, const std::int8_t* b, std::size_t n) {
  std::int32_t sum = 0;
  VECSTORE_NO_VECTORS
  for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// Vectorised for the baseline CPU, with as many sums as it takes to wait for memory only.
VECSTORE_VECTORISED std::uint64_t plain_sum(const std::uint64_t* words, std::size_t count) {
  std::uint64_t sum[16] = {};
  for (std::size_t i = 0; i + 16 <= count; i += 16) {
    for (std::size_t j = 0; j < 16; ++j) sum[j] += words[i + j];
  }
  std::uint64_t total = 0;
  for (std::uint64_t s : sum) total += s;
  return total;
}

volatile double g_sink;  // Keeps results alive.

double seconds_of(const std::function<void()>& fn) {
  const auto start = std::chrono::steady_clock::now();
  fn();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Seconds per call of each function: the median over rounds in which all take turns.
std::vector<double> in_turns(std::size_t rounds, std::size_t calls,
                             const std::vector<std::function<void()>>& fns) {
  std::vector<std::vector<double>> times(fns.size());
  for (std::size_t round = 0; round <= rounds; ++round) {
    for (std::size_t f = 0; f < fns.size(); ++f) {
      const double t = seconds_of([&] {
        for (std::size_t i = 0; i < calls; ++i) fns[f]();
      });
      if (round > 0) times[f].push_back(t / static_cast<double>(calls));  // the first round warms up
    }
  }
  std::vector<double> out;
  for (const auto& t : times) out.push_back(median(t));
  return out;
}

// Kernels in L1

void bench_row_kernels(std::size_t dim) {
  const std::size_t rows = std::max<std::size_t>(4, 16 * 1024 / (dim * 4) / 4 * 4);
  std::vector<float> q(dim), x(rows * dim), out(rows);
  std::mt19937 rng(1);
  std::normal_distribution<float> normal;
  for (float& v : q) v = normal(rng);
  for (float& v : x) v = normal(rng);
  for (simd::Isa isa : {simd::Isa::kScalar, simd::Isa::kAvx2, simd::Isa::kAvx512}) {
    const simd::Kernels* k = simd::kernels_for(isa);
    if (!k) continue;
    const auto t = in_turns(5, 2'000'000 / (rows * dim) + 1,
                            {[&] {
                               for (std::size_t i = 0; i < rows; ++i)
                                 out[i] = plain_dot(q.data(), &x[i * dim], dim);
                               g_sink = out[0];
                             },
                             [&] {
                               k->dot(q.data(), x.data(), dim * 4, rows, dim, out.data());
                               g_sink = out[0];
                             },
                             [&] {
                               for (std::size_t i = 0; i < rows; ++i)
                                 out[i] = plain_l2(q.data(), &x[i * dim], dim);
                               g_sink = out[0];
                             },
                             [&] {
                               k->squared_l2(q.data(), x.data(), dim * 4, rows, dim, out.data());
                               g_sink = out[0];
                             },
                             [&] {
                               for (std::size_t i = 0; i < rows; ++i)
                                 out[i] = plain_dot(&x[i * dim], &x[i * dim], dim);
                               g_sink = out[0];
                             },
                             [&] {
                               k->squared_norm(x.data(), dim * 4, rows, dim, out.data());
                               g_sink = out[0];
                             }});
    const double per_row = 1e9 / static_cast<double>(rows);
    std::printf(
        "{\"bench\":\"kernels_l1\",\"isa\":\"%s\",\"dim\":%zu,\"dot_ns\":%.2f,\"dot_ratio\":%.2f,\"l2_ns\":%."
        "2f,"
        "\"l2_ratio\":%.2f,\"norm_ns\":%.2f,\"norm_ratio\":%.2f}\n",
        simd::to_string(isa), dim, t[1] * per_row, t[0] / t[1], t[3] * per_row, t[2] / t[3], t[5] * per_row,
        t[4] / t[5]);
  }
}

void bench_code_kernel(std::size_t dim) {
  const std::size_t quads = code_quads(dim);
  const std::size_t groups = std::max<std::size_t>(1, 16 * 1024 / (quads * 64));
  const std::size_t bytes = code_group_bytes(Metric::kCosine, dim);
  const std::unique_ptr<std::uint8_t, decltype(&std::free)> codes(
      static_cast<std::uint8_t*>(std::aligned_alloc(64, bytes * groups)), &std::free);
  RowEncoder encoder(Metric::kCosine, dim);
  std::mt19937 rng(2);
  std::normal_distribution<float> normal;
  std::vector<float> x(dim);
  for (std::size_t i = 0; i < groups * 16; ++i) {
    for (float& v : x) v = normal(rng);
    encoder.encode(x.data(), inverse_norm(x.data(), dim), codes.get() + i / 16 * bytes, i % 16);
  }
  std::vector<std::uint8_t> plain_rows(groups * 16 * dim);
  for (auto& c : plain_rows) c = static_cast<std::uint8_t>(rng());
  std::vector<std::int8_t> plain_query(dim);
  for (auto& c : plain_query) c = static_cast<std::int8_t>(rng());
  const RowCodeQuery query(Metric::kCosine, x);
  for (simd::Isa isa : {simd::Isa::kScalar, simd::Isa::kAvx2, simd::Isa::kAvx512}) {
    const simd::Kernels* k = simd::kernels_for(isa);
    if (!k) continue;
    const auto t = in_turns(5, 2'000'000 / (groups * 16 * dim) + 1,
                            {[&] {
                               double sum = 0;
                               for (std::size_t i = 0; i < groups * 16; ++i) {
                                 sum += plain_code_dot(&plain_rows[i * dim], plain_query.data(), dim);
                               }
                               g_sink = sum;
                             },
                             [&] {
                               float values[16];
                               g_sink = static_cast<double>(
                                   k->scan_codes(query.code_query(), codes.get(), 0, groups, 1e30f, values));
                             }});
    const double per_row = 1e9 / static_cast<double>(groups * 16);
    std::printf("{\"bench\":\"codes_l1\",\"isa\":\"%s\",\"dim\":%zu,\"row_ns\":%.2f,\"ratio\":%.2f}\n",
                simd::to_string(isa), dim, t[1] * per_row, t[0] / t[1]);
  }
}

void bench_crc() {
  std::vector<std::byte> data(1 << 20, std::byte{37});
  for (std::size_t size : {std::size_t{512}, std::size_t{1536}, std::size_t{3072}, std::size_t{24576}}) {
    const auto t = in_turns(5, 200'000'000 / size / 10,
                            {[&] { g_sink = crc32c(std::span(data).first(size)); },
                             [&] { g_sink = crc32c_portable(std::span(data).first(size)); }});
    std::printf("{\"bench\":\"crc32c\",\"bytes\":%zu,\"gb_per_s\":%.1f,\"portable_gb_per_s\":%.1f}\n", size,
                static_cast<double>(size) / t[0] * 1e-9, static_cast<double>(size) / t[1] * 1e-9);
  }
}

// Scans

// Rows in blocks of about 192 KiB, as the store keeps them.
struct Data {
  std::vector<float> vectors, inverse_norms;
  BlockList list;

  explicit Data(const Options& o) : vectors(o.n * o.dim), inverse_norms(o.n), list(o.dim) {
    std::uint64_t state = 88172645463325252u;
    const auto uniform = [&state] {
      state = state * 6364136223846793005u + 1442695040888963407u;
      return static_cast<float>(state >> 40) * 0x1p-24f - 0.5f;
    };
    for (float& v : vectors) v = uniform() + uniform() + uniform() + uniform();  // nearly normal
    for (std::size_t i = 0; i < o.n; ++i) inverse_norms[i] = inverse_norm(&vectors[i * o.dim], o.dim);
    const std::size_t per_block = std::max<std::size_t>(1, 192 * 1024 / (o.dim * 4));
    for (std::size_t i = 0; i < o.n; i += per_block) {
      list.add({&vectors[i * o.dim], o.dim * 4, static_cast<std::uint32_t>(std::min(per_block, o.n - i)), i,
                nullptr, &inverse_norms[i]});
    }
  }
};

int bench_scans(const Options& o) {
  const Data data(o);
  CodeStore store(o.metric, o.dim);
  VectorBlock block;
  const auto cursor = data.list.cursor();
  const double encode = seconds_of([&] {
    for (bool more = cursor->seek(0, block); more; more = cursor->next(block)) store.append(block);
  });
  const FlatIndex full(o.metric, data.list), two_pass(o.metric, data.list, store.view());
  std::mt19937 rng(3);
  std::normal_distribution<float> normal;
  std::vector<float> q(o.dim);
  std::vector<RowScore> full_hits, two_pass_hits;
  Counters counters;
  bool equal = true;
  const auto search = [&](const FlatIndex& index, std::vector<RowScore>& hits) {
    const VectorQuery query{.vector = q, .metric = o.metric, .k = o.k};
    Context context;
    TopK top = make_collector(query);
    index.search(query, context, top);
    hits = top.take();
    counters = context.counters;
  };
  const auto t =
      in_turns(o.rounds, 1,
               {[&] {
                  for (float& v : q) v = normal(rng);
                  g_sink = static_cast<double>(plain_sum(
                      reinterpret_cast<const std::uint64_t*>(data.vectors.data()), data.vectors.size() / 2));
                },
                [&] { search(full, full_hits); },
                [&] {
                  search(two_pass, two_pass_hits);
                  equal = equal && two_pass_hits == full_hits;
                }});
  const double bytes = static_cast<double>(o.n * o.dim * 4);
  std::printf(
      "{\"bench\":\"scan\",\"isa\":\"%s\",\"n\":%zu,\"dim\":%zu,\"k\":%zu,\"metric\":\"%s\",\"sum_gb_per_s\":"
      "%.2f,"
      "\"full_ms\":%.3f,\"full_gb_per_s\":%.2f,\"full_of_sum\":%.3f,\"two_pass_ms\":%.3f,\"two_pass_"
      "speedup\":%.2f,"
      "\"code_gb_per_s\":%.2f,\"rescored\":%llu,\"equal\":%s,\"encode_ns_per_row\":%.0f,\"code_bytes_per_"
      "row\":%.1f}\n",
      simd::to_string(simd::active_isa()), o.n, o.dim, o.k, std::string(to_string(o.metric)).c_str(),
      bytes / t[0] * 1e-9, t[1] * 1e3, bytes / t[1] * 1e-9, t[0] / t[1], t[2] * 1e3, t[1] / t[2],
      static_cast<double>(counters.bytes_read) / t[2] * 1e-9,
      static_cast<unsigned long long>(counters.rows_rescored), equal ? "true" : "false",
      encode * 1e9 / static_cast<double>(o.n),
      static_cast<double>(store.memory_bytes()) / static_cast<double>(o.n));
  return equal ? 0 : 1;
}

bool parse(std::span<const std::string> args, Options& o) {
  for (std::size_t i = 0; i < args.size(); i += 2) {
    if (i + 1 == args.size()) return false;
    const std::string& value = args[i + 1];
    if (args[i] == "--metric") {
      o.metric = parse_metric(value);
      continue;
    }
    char* end = nullptr;
    const unsigned long long number = std::strtoull(value.c_str(), &end, 10);
    if (*end || number == 0 || number > 1'000'000'000) return false;
    if (args[i] == "--n")
      o.n = number;
    else if (args[i] == "--dim")
      o.dim = number;
    else if (args[i] == "--k")
      o.k = number;
    else if (args[i] == "--rounds")
      o.rounds = number;
    else
      return false;
  }
  return true;
}

}  // namespace

int run_scan(std::span<const std::string> args) {
  Options o;
  if (!parse(args, o)) {
    std::fprintf(stderr,
                 "usage: scan [--n ROWS] [--dim D] [--k K] [--rounds R] [--metric cosine|dot|euclidean]\n");
    return 2;
  }
  bench_row_kernels(o.dim);
  bench_code_kernel(o.dim);
  bench_crc();
  return bench_scans(o);
}

}  // namespace vecstore::bench
