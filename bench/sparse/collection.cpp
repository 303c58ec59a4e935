// Sparse vectors through the Collection API: sparse.py asks for what it measures. bench_sparse DATA DIRECTORY
// CODES writes the vectors of DATA/records.bin (200 indices, then 200 weights per record) to a database in
// DIRECTORY, with these sparse_codes (f32, int8), then answers lines on standard input: "K PASSES MODE" runs
// the queries of DATA/queries.bin (40 and 40) with that k; MODE is best (what a query gets that says
// nothing), codes (without exact scores), exact, or recall: of the first two against the third.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "vecstore/vecstore.hpp"

using namespace vecstore;

namespace {

constexpr std::size_t kRecordTerms = 200, kQueryTerms = 40, kBatch = 5'000;

double seconds(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

std::vector<Sparse> read(const std::string& path, std::size_t terms) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::vector<Sparse> out;
  for (;;) {
    Sparse s{std::vector<std::uint32_t>(terms), std::vector<float>(terms)};
    in.read(reinterpret_cast<char*>(s.indices.data()), static_cast<std::streamsize>(4 * terms));
    in.read(reinterpret_cast<char*>(s.values.data()), static_cast<std::streamsize>(4 * terms));
    if (!in) return out;
    out.push_back(std::move(s));
  }
}

void build(Collection& docs, const std::string& path) {
  const std::vector<Sparse> vectors = read(path, kRecordTerms);
  const double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
  for (std::size_t first = 0; first < vectors.size(); first += kBatch) {
    std::vector<Record> batch;
    for (std::size_t i = first; i < std::min(first + kBatch, vectors.size()); ++i)
      batch.push_back({.id = std::to_string(i), .vector = Vector(vectors[i])});
    docs.batch_upsert(batch);
  }
  const double inserted = seconds(CLOCK_MONOTONIC) - wall;
  docs.optimize();
  const CollectionStats stats = docs.stats();
  std::printf(
      "{\"records\": %zu, \"insert_s\": %.1f, \"wall_s\": %.1f, \"cpu_s\": %.1f, \"segments\": %llu, "
      "\"bytes_per_nonzero\": %.3f}\n",
      vectors.size(), inserted, seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu,
      static_cast<unsigned long long>(stats.segments),
      static_cast<double>(stats.segment_bytes) / static_cast<double>(vectors.size() * kRecordTerms));
  std::fflush(stdout);
}

Query query_of(const Sparse& vector, std::int64_t k, const std::string& mode) {
  return Query(Vector(vector))
      .k(k)
      .exact(mode == "exact")
      .exact_scores(mode != "codes")
      .with_text(false)
      .with_metadata(false);
}

void print_recall(const Collection& docs, const std::vector<Sparse>& queries, std::int64_t k) {
  std::size_t all = 0, best = 0, codes = 0;
  for (const Sparse& q : queries) {
    std::set<std::string> exact;
    for (const Hit& hit : docs.query(query_of(q, k, "exact"))) exact.insert(hit.id);
    all += exact.size();
    for (const Hit& hit : docs.query(query_of(q, k, "best"))) best += exact.count(hit.id);
    for (const Hit& hit : docs.query(query_of(q, k, "codes"))) codes += exact.count(hit.id);
  }
  std::printf("{\"k\": %lld, \"recall\": %.4f, \"recall_codes\": %.4f}\n", static_cast<long long>(k),
              static_cast<double>(best) / static_cast<double>(all),
              static_cast<double>(codes) / static_cast<double>(all));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) throw std::runtime_error("bench_sparse DATA DIRECTORY CODES");
  const std::string data = argv[1];
  auto db = VecDatabase::open(argv[2], {.threads = 1});
  auto docs = db.get_or_create_collection(
      "docs", {.index = {.sparse_codes = parse_codes(argv[3])}, .text_fields = {}});
  if (docs.count() == 0) build(docs, data + "/records.bin");
  const std::vector<Sparse> queries = read(data + "/queries.bin", kQueryTerms);
  std::string mode;
  for (std::int64_t k, passes; std::cin >> k >> passes >> mode;) {
    if (mode == "recall") {
      print_recall(docs, queries, k);
      continue;
    }
    double best = std::numeric_limits<double>::infinity(), best_wall = best, check = 0;
    for (std::int64_t p = 0; p < passes; ++p) {
      check = 0;
      const double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
      for (const Sparse& q : queries) {
        for (const Hit& hit : docs.query(query_of(q, k, mode))) check += static_cast<double>(hit.score);
      }
      best = std::min(best, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
      best_wall = std::min(best_wall, seconds(CLOCK_MONOTONIC) - wall);
    }
    const double n = static_cast<double>(queries.size());
    std::printf("{\"k\": %lld, \"ms\": %.4f, \"wall_ms\": %.4f, \"check\": %.3f}\n",
                static_cast<long long>(k), 1e3 * best / n, 1e3 * best_wall / n, check);
    std::fflush(stdout);
  }
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
