// Durable commits: one record per commit through Collection::upsert beside a bare LMDB transaction that
// writes the same bytes, in alternating rounds, and the gain of many threads over one.
//
//     commits DIR [rounds] [commits per round]
#include <lmdb.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <thread>
#include <vector>

#include "vecstore/vecstore.hpp"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

constexpr std::size_t kDimension = 384;
const std::string kText(300, 't');

vecstore::Record make_record(int i) {
  static const std::vector<float> vector = [] {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    std::vector<float> v(kDimension);
    for (float& x : v) x = normal(random);
    return v;
  }();
  return {.id = "record-" + std::to_string(1'000'000 + i),
          .vector = vector,
          .text = kText,
          .metadata = {{"cat", i % 100}, {"year", 2026}}};
}

class BareLmdb {
 public:
  explicit BareLmdb(const std::string& directory) {
    std::filesystem::create_directories(directory);
    mdb_env_create(&env_);
    mdb_env_set_mapsize(env_, std::size_t{1} << 33);
    if (mdb_env_open(env_, directory.c_str(), MDB_NOTLS, 0600) != 0) std::abort();
    MDB_txn* txn = nullptr;
    mdb_txn_begin(env_, nullptr, 0, &txn);
    mdb_dbi_open(txn, nullptr, 0, &dbi_);
    mdb_txn_commit(txn);
  }
  ~BareLmdb() { mdb_env_close(env_); }
  BareLmdb(const BareLmdb&) = delete;
  BareLmdb& operator=(const BareLmdb&) = delete;

  void put(std::string key, std::string value) {
    MDB_txn* txn = nullptr;
    mdb_txn_begin(env_, nullptr, 0, &txn);
    MDB_val k{key.size(), key.data()};
    MDB_val v{value.size(), value.data()};
    if (mdb_put(txn, dbi_, &k, &v, 0) != 0 || mdb_txn_commit(txn) != 0) std::abort();
  }

 private:
  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double threaded_rate(vecstore::Collection& collection, int threads, int each, int& next) {
  const auto begin = Clock::now();
  {
    std::vector<std::jthread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&, first = next + t * each] {
        for (int i = 0; i < each; ++i) collection.upsert(make_record(first + i));
      });
    }
  }
  next += threads * each;
  return threads * each / seconds_since(begin);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: commits DIR [rounds] [commits per round]\n";
    return 2;
  }
  const std::string directory = argv[1];
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
  const int commits = argc > 3 ? std::atoi(argv[3]) : 300;
  auto database = vecstore::VecDatabase::open(directory + "/ours");
  auto collection = database.create_collection("c");
  BareLmdb bare(directory + "/bare");
  const std::size_t bytes = kDimension * sizeof(float) + kText.size() + 64;
  std::vector<double> ours, theirs, ratios;
  int next = 0;
  for (int round = 0; round < rounds; ++round) {
    auto begin = Clock::now();
    for (int i = 0; i < commits; ++i)
      bare.put("record-" + std::to_string(1'000'000 + next + i), std::string(bytes, 'x'));
    theirs.push_back(commits / seconds_since(begin));
    begin = Clock::now();
    for (int i = 0; i < commits; ++i) collection.upsert(make_record(next + i));
    ours.push_back(commits / seconds_since(begin));
    ratios.push_back(ours.back() / theirs.back());
    next += commits;
  }
  std::cout << "{\"op\": \"single upserts\", \"per_s\": " << median(ours)
            << ", \"bare_lmdb_per_s\": " << median(theirs) << ", \"ratio\": " << median(ratios) << "}\n";
  std::vector<double> gains;
  for (int round = 0; round < rounds; ++round) {
    const double one = threaded_rate(collection, 1, commits, next);
    gains.push_back(threaded_rate(collection, 16, commits / 4, next) / one);
  }
  std::cout << "{\"op\": \"16 threads over one\", \"ratio\": " << median(gains)
            << ", \"sync_ms\": " << 1e3 / median(theirs) / 2 << "}\n";
}
