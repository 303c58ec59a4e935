// What a collection does while it changes: queries beside a bulk load and its merges, sustained upserts,
// churn, opening, damage. Prints one JSON line per figure.
//
//     bench_live MODE [--dir D] [--base B.npy] [--rows N] ...     (bench_live help)
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "vecstore/vecstore.hpp"

namespace {

namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;
using namespace vecstore;

constexpr const char* kHelp =
    "bench_live load|sustained|churn|open|damage [options]\n"
    "  --dir D          where databases are made (default: a folder below the temporary one, removed at the "
    "end)\n"
    "  --base B.npy     vectors, float32 or float16; more rows are mixtures of two of them with noise\n"
    "                   (default: rows around 2,000 seeded centres)\n"
    "  --rows N         records to begin with (100000)   --dim D  of made vectors (384)\n"
    "load:      --more N (100000) --batch B (5000) --seconds S of idle queries before (3) --pin 0|1 (1)\n"
    "sustained: --seconds S (60) --threads T (8)\n"
    "churn:     --rounds R (10)\n"
    "open:      --runs R (11)\n"
    "damage:    --runs R (40) --queries Q (200)\n"
    "A loader or its merges share core 0, the querying thread has core 1, unless --pin 0.\n";

double seconds_of(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}
double now() { return seconds_of(CLOCK_MONOTONIC); }

struct Options {
  std::map<std::string, std::string> given;
  std::string text(const std::string& name, const std::string& otherwise) const {
    const auto at = given.find(name);
    return at == given.end() ? otherwise : at->second;
  }
  std::size_t number(const std::string& name, std::size_t otherwise) const {
    const auto at = given.find(name);
    return at == given.end() ? otherwise : std::stoull(at->second);
  }
};

float from_half(std::uint16_t h) {
  const std::uint32_t sign = (h & 0x8000u) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
  if (exponent == 0) return (sign ? -1.0f : 1.0f) * std::ldexp(static_cast<float>(mantissa), -24);
  const std::uint32_t bits = sign | (exponent + 112) << 23 | mantissa << 13;
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}

/// Vectors by number, without end, of unit length: row i is always the same.
class Data {
 public:
  explicit Data(const Options& options) : dimension_(options.number("dim", 384)) {
    if (const std::string path = options.text("base", ""); !path.empty()) {
      read_npy(path);
      return;
    }
    std::mt19937 random(99);
    std::normal_distribution<float> normal;
    made_ = true;
    rows_ = 2000;
    values_.resize(rows_ * dimension_);
    for (float& v : values_) v = normal(random);
  }
  std::size_t dimension() const { return dimension_; }

  /// `stream` tells records (0) from queries and from later versions of a record.
  std::vector<float> vector(std::size_t i, std::uint32_t stream = 0) const {
    std::vector<float> out(dimension_);
    if (!made_ && stream == 0 && i < rows_) {
      std::copy_n(&values_[i * dimension_], dimension_, out.begin());
    } else {
      std::mt19937 random(static_cast<std::uint32_t>(i * 2654435761u) ^ (stream * 40503u + 1));
      const float* a = &values_[random() % rows_ * dimension_];
      const float* b = &values_[random() % rows_ * dimension_];
      const float share = made_ ? 0.0f : 0.3f * static_cast<float>(random() % 1024) / 1024;
      const float spread = made_ ? 0.2f + 0.3f * static_cast<float>(random() % 5) / 4 : 0.01f;
      // Sums of three uniform numbers are normal enough and quick to make.
      for (std::size_t j = 0; j < dimension_; ++j) {
        const std::uint32_t bits = random();
        const float noise =
            static_cast<float>((bits & 1023) + (bits >> 10 & 1023) + (bits >> 20 & 1023)) / 512 - 3.0f;
        out[j] = (1 - share) * a[j] + share * b[j] + spread * noise;
      }
    }
    double square = 0;
    for (float v : out) square += static_cast<double>(v) * v;
    const float scale = square > 0 ? static_cast<float>(1 / std::sqrt(square)) : 1.0f;
    for (float& v : out) v *= scale;
    return out;
  }

 private:
  void read_npy(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string all((std::istreambuf_iterator<char>(in)), {});
    if (all.size() < 12) throw std::runtime_error(path + " is no .npy file");
    std::uint16_t length;
    std::memcpy(&length, all.data() + 8, 2);
    const std::string header = all.substr(10, length);
    if (std::sscanf(header.c_str() + header.find('(', header.find("shape")), "(%zu, %zu)", &rows_,
                    &dimension_) != 2)
      throw std::runtime_error(path + " has no two dimensions");
    const bool half = header.find("<f2") != std::string::npos;
    values_.resize(rows_ * dimension_);
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const char* at = all.data() + 10 + length + i * (half ? 2 : 4);
      std::uint16_t h;
      std::memcpy(half ? static_cast<void*>(&h) : &values_[i], at, half ? 2 : 4);
      if (half) values_[i] = from_half(h);
    }
  }

  bool made_ = false;
  std::size_t dimension_;
  std::size_t rows_ = 0;
  std::vector<float> values_;
};

void pin(int core, bool wanted) {
  if (!wanted) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) std::perror("sched_setaffinity");
}

struct Latencies {
  std::vector<float> wall, cpu;
  void add(double wall_s, double cpu_s) {
    wall.push_back(static_cast<float>(wall_s * 1e6));
    cpu.push_back(static_cast<float>(cpu_s * 1e6));
  }
  static double at(std::vector<float>& values, double share) {
    if (values.empty()) return 0;
    const auto i = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(i), values.end());
    return values[i];
  }
  double p99() { return at(wall, 0.99); }
  double cpu_p99() { return at(cpu, 0.99); }
  void print(const char* what) {
    std::printf(
        "{\"figure\": \"%s\", \"queries\": %zu, \"p50_us\": %.0f, \"p99_us\": %.0f, \"p999_us\": %.0f, "
        "\"max_us\": %.0f, \"cpu_p50_us\": %.0f, \"cpu_p99_us\": %.0f}\n",
        what, wall.size(), at(wall, 0.5), at(wall, 0.99), at(wall, 0.999), at(wall, 1), at(cpu, 0.5),
        at(cpu, 0.99));
    std::fflush(stdout);
  }
};

/// Runs one query and notes how long it took.
Hits timed(const Collection& c, const std::vector<float>& q, Latencies& out) {
  const double wall = now(), cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID);
  Hits hits = c.query(Query(q).k(10));
  out.add(now() - wall, seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu);
  return hits;
}

std::string id_of(std::size_t i) { return "r" + std::to_string(i); }

/// Records first .. first + count - 1, in batches.
void load(Collection c, const Data& data, std::size_t first, std::size_t count, std::size_t batch,
          const std::function<void(std::size_t)>& committed = {}) {
  for (std::size_t i = first; i < first + count;) {
    std::vector<Record> records;
    for (const std::size_t end = std::min(first + count, i + batch); i < end; ++i)
      records.push_back({.id = id_of(i), .vector = data.vector(i)});
    c.batch_upsert(records);
    if (committed) committed(i - 1);
  }
}

OpenOptions one_thread() { return {.threads = 1, .background_threads = 1}; }

// ---- load ----

int run_load(const Options& options, const Data& data, const std::string& dir) {
  const std::size_t rows = options.number("rows", 100'000), more = options.number("more", 100'000);
  const std::size_t batch = options.number("batch", 5'000);
  const double idle_s = static_cast<double>(options.number("seconds", 3));
  const bool pinned = options.number("pin", 1) != 0;
  {
    auto db = VecDatabase::open(dir, {.threads = 1});
    auto c = db.create_collection("c");
    load(c, data, 0, rows, 5'000);
    c.optimize();
  }
  // What is to be loaded is ready: nothing but the database is to be measured.
  std::vector<std::vector<Record>> batches;
  for (std::size_t i = rows; i < rows + more;) {
    batches.emplace_back();
    for (const std::size_t end = std::min(rows + more, i + batch); i < end; ++i)
      batches.back().push_back({.id = id_of(i), .vector = data.vector(i)});
  }
  std::vector<std::vector<float>> queries;
  for (std::size_t i = 0; i < 2'000; ++i) queries.push_back(data.vector(i, 1));

  pin(0, pinned);  // threads that the database begins inherit it
  auto db = VecDatabase::open(dir, one_thread());
  auto c = db.get_collection("c");
  enum Phase { kIdle, kLoading, kMerging, kAfter, kDone };
  std::atomic<int> phase{kIdle};
  std::atomic<std::int64_t> newest{-1};  // batch that was committed last
  std::atomic<std::uint64_t> unseen{0}, looked{0};
  std::array<Latencies, kDone> latencies;
  std::thread reader([&] {
    pin(1, pinned);
    std::int64_t seen = -1;
    Latencies warm;
    for (const auto& q : queries) timed(c, q, warm);
    for (std::size_t i = 0; phase != kDone; ++i) {
      const std::int64_t batch_now = newest;
      const Phase at = static_cast<Phase>(phase.load());
      if (at == kDone) break;
      if (batch_now == seen) {
        timed(c, queries[i % queries.size()], latencies[at]);
        continue;
      }
      seen = batch_now;
      const auto& records = batches[static_cast<std::size_t>(batch_now)];
      const Record& wanted = records[i % records.size()];
      const Hits hits = timed(c, wanted.vector.dense(), latencies[at]);
      ++looked;
      if (std::none_of(hits.begin(), hits.end(), [&](const Hit& h) { return h.id == wanted.id; })) ++unseen;
    }
  });
  const auto sleep = [](double s) { std::this_thread::sleep_for(std::chrono::duration<double>(s)); };
  sleep(1 + idle_s);
  phase = kLoading;
  const double begin = now();
  for (std::size_t b = 0; b < batches.size(); ++b) {
    c.batch_upsert(batches[b]);
    newest = static_cast<std::int64_t>(b);
  }
  const double loaded = now();
  phase = kMerging;
  const std::uint64_t segments_most = c.stats().segments;
  double quiet = now();
  for (std::uint64_t before = 0; now() - quiet < 3 && c.stats().segments > 1;) {
    sleep(0.05);
    const CollectionStats s = c.stats();
    if (s.segments != before || s.segments > 2) quiet = now();
    before = s.segments;
  }
  const double merged = now();
  phase = kAfter;
  sleep(1 + idle_s);
  phase = kDone;
  reader.join();
  Latencies idle = latencies[kIdle], during = latencies[kLoading];
  during.wall.insert(during.wall.end(), latencies[kMerging].wall.begin(), latencies[kMerging].wall.end());
  during.cpu.insert(during.cpu.end(), latencies[kMerging].cpu.begin(), latencies[kMerging].cpu.end());
  latencies[kIdle].print("idle");
  latencies[kLoading].print("loading");
  latencies[kMerging].print("merging");
  during.print("loading and merging");
  latencies[kAfter].print("idle afterwards");
  std::printf(
      "{\"figure\": \"load\", \"rows\": %zu, \"more\": %zu, \"batch\": %zu, \"rows_per_s\": %.0f, "
      "\"load_s\": %.2f, \"merge_s\": %.2f, \"segments_most\": %llu, \"batches_looked_for\": %llu, "
      "\"unseen\": %llu, \"p99_ratio\": %.2f, \"cpu_p99_ratio\": %.2f}\n",
      rows, more, batch, static_cast<double>(more) / (loaded - begin), loaded - begin, merged - loaded,
      static_cast<unsigned long long>(segments_most), static_cast<unsigned long long>(looked.load()),
      static_cast<unsigned long long>(unseen.load()), during.p99() / idle.p99(),
      during.cpu_p99() / idle.cpu_p99());
  return unseen == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "help";
  Options options;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (std::strncmp(argv[i], "--", 2) != 0) {
      std::fputs(kHelp, stderr);
      return 2;
    }
    options.given[argv[i] + 2] = argv[i + 1];
  }
  std::string dir = options.text("dir", "");
  const bool own = dir.empty();
  if (own) {
    std::string t = (fs::temp_directory_path() / "vecstore-live-XXXXXX").string();
    dir = mkdtemp(t.data());
  }
  int result = 2;
  try {
    const Data data(options);
    if (mode == "load") {
      result = run_load(options, data, dir + "/load");
    } else {
      std::fputs(kHelp, stderr);
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    result = 1;
  }
  if (own) fs::remove_all(dir);
  return result;
}
