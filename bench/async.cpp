// Asynchronous queries beside calls that wait, on as many threads, in turns.
//   bench_async [ROWS] [ROUNDS]       100,000 made vectors of 384 dimensions, 5 rounds
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>
#include <vector>

#include <vecstore/vecstore.hpp>

using namespace vecstore;

namespace {

constexpr std::size_t kDimension = 384;
constexpr std::size_t kQueries = 10'000;

std::vector<float> vector_near(std::mt19937& rng, const std::vector<std::vector<float>>& centres) {
  std::normal_distribution<float> noise(0, 0.5f);
  std::vector<float> v = centres[rng() % centres.size()];
  for (float& x : v) x += noise(rng);
  return v;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Queries per second of `threads` threads, each with calls that wait.
double waiting(const Collection& c, const std::vector<Query>& queries, unsigned threads) {
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> workers;
  for (unsigned t = 0; t < threads; ++t)
    workers.emplace_back([&] {
      for (std::size_t i; (i = next++) < queries.size();) (void)c.query(queries[i]);
    });
  for (auto& w : workers) w.join();
  return static_cast<double>(queries.size()) / seconds_since(begin);
}

/// All of them in flight at once; those that are cancelled count for nothing.
double in_flight(const AsyncCollection& c, const std::vector<Query>& queries, bool cancel_half) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<Future<Hits>> futures;
  futures.reserve(queries.size() * 2);
  for (const Query& q : queries) {
    futures.push_back(c.query(q));
    if (!cancel_half) continue;
    futures.push_back(c.query(q));
    futures.back().cancel();
  }
  std::size_t answered = 0;
  for (auto& f : futures) {
    try {
      answered += f.get().size() > 0;
    } catch (const Error&) {
    }
  }
  return static_cast<double>(answered) / seconds_since(begin);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  std::mt19937 rng(7);
  std::vector<std::vector<float>> centres(200, std::vector<float>(kDimension));
  std::normal_distribution<float> normal;
  for (auto& c : centres)
    for (float& x : c) x = normal(rng);
  std::string directory = (std::filesystem::temp_directory_path() / "vecstore-bench-XXXXXX").string();
  if (!::mkdtemp(directory.data())) return 1;
  {
    auto adb = AsyncVecDatabase::open(directory, {.durability = Durability::kRelaxed}).get();
    auto docs = adb.create_collection("docs").get();
    for (std::size_t at = 0; at < rows;) {
      std::vector<Record> batch;
      for (; at < rows && batch.size() < 5'000; ++at)
        batch.push_back({.id = std::to_string(at), .vector = Vector(vector_near(rng, centres))});
      docs.batch_upsert(std::move(batch)).get();
    }
    docs.optimize().get();
    const unsigned threads = std::max(1u, std::thread::hardware_concurrency());
    std::vector<Query> queries;
    for (std::size_t i = 0; i < kQueries; ++i)
      queries.push_back(
          Query(Vector(vector_near(rng, centres))).with_text(false).with_metadata(false).threads(1));
    std::printf(
        "%zu rows, %zu queries, %u threads\nwaiting qps   in flight qps  ratio   half cancelled qps  ratio\n",
        rows, kQueries, threads);
    std::vector<double> ratios, half_ratios;
    (void)waiting(docs.collection(), queries, threads);  // all is read once
    for (int round = 0; round < rounds; ++round) {
      const double sync = waiting(docs.collection(), queries, threads);
      const double async = in_flight(docs, queries, false);
      const double half = in_flight(docs, queries, true);
      ratios.push_back(async / sync);
      half_ratios.push_back(half / sync);
      std::printf("%11.0f %15.0f %6.2f %20.0f %6.2f\n", sync, async, async / sync, half, half / sync);
    }
    std::sort(ratios.begin(), ratios.end());
    std::sort(half_ratios.begin(), half_ratios.end());
    std::printf("medians: %.2f in flight, %.2f with as many cancelled between them\n",
                ratios[ratios.size() / 2], half_ratios[half_ratios.size() / 2]);
    adb.close().get();
  }
  std::filesystem::remove_all(directory);
  return 0;
}
