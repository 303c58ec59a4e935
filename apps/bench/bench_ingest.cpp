// vecstore-bench ingest: durable writes through the public API, in batches and one by one, of records with a
// vector, a text and metadata. The clock runs inside the calls only, so that making the data costs nothing.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>

#include "bench.hpp"
#include "measure.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore::bench {
namespace {
namespace fs = std::filesystem;

constexpr const char* kUsage =
    "usage: vecstore-bench ingest [--n ROWS] [--dim D] [--batch ROWS] [--text BYTES] [--singles ROWS] "
    "[--folder DIR]\n"
    "  --n 100000 --dim 384 --batch 4096 --text 300 --singles 500; DIR is a temporary folder, removed at the "
    "end\n";
constexpr double kMostSeconds = 80;

struct Options {
  std::uint64_t n = 100'000;
  std::uint64_t dim = 384;
  std::uint64_t batch = 4096;
  std::uint64_t text = 300;
  std::uint64_t singles = 500;
  std::string folder;
};

bool parse(std::span<const std::string> args, Options& o) {
  const std::pair<const char*, std::uint64_t*> numbers[] = {{"--n", &o.n},
                                                            {"--dim", &o.dim},
                                                            {"--batch", &o.batch},
                                                            {"--text", &o.text},
                                                            {"--singles", &o.singles}};
  for (std::size_t i = 0; i + 1 < args.size(); i += 2) {
    const std::string& value = args[i + 1];
    if (args[i] == "--folder") {
      o.folder = value;
      continue;
    }
    std::uint64_t* target = nullptr;
    for (const auto& [name, number] : numbers)
      if (args[i] == name) target = number;
    if (target == nullptr) return false;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), *target);
    if (error != std::errc() || end != value.data() + value.size()) return false;
  }
  return args.size() % 2 == 0 && o.n > 0 && o.dim > 0 && o.dim <= 65'536 && o.batch > 0 && o.batch <= 10'000;
}

class Data {
 public:
  explicit Data(const Options& options) : options_(options) {
    for (int i = 0; i < 5000; ++i) {
      std::string word;
      for (auto n = 3 + random_() % 7; n > 0; --n) word += static_cast<char>('a' + random_() % 26);
      words_.push_back(word + " ");
    }
  }

  Record make(std::uint64_t i) {
    std::vector<float> vector(options_.dim);
    for (float& x : vector) x = static_cast<float>(static_cast<std::int32_t>(random_())) * 0x1p-31f;
    Record record;
    record.id = "record-" + std::to_string(i);
    record.vector = Vector(std::move(vector));
    while (record.text.size() < options_.text) {
      // Squared: some words are common, most are rare.
      const double x = static_cast<double>(random_()) * 0x1p-32;
      record.text += words_[static_cast<std::size_t>(x * x * static_cast<double>(words_.size()))];
    }
    record.text.resize(options_.text);
    record.metadata = {{"year", static_cast<std::int64_t>(1950 + random_() % 77)},
                       {"lang", random_() % 3 == 0 ? "de" : "en"},
                       {"tags", {"seeded", words_[random_() % words_.size()]}}};
    return record;
  }
  /// Bytes of what a record carries: the measure of the file's size.
  static std::uint64_t raw_bytes(const Record& record) {
    return record.id.size() + record.text.size() + 4 * record.vector.dense().size() +
           record.metadata.to_json().size();
  }

 private:
  const Options& options_;
  std::mt19937 random_{20240229};
  std::vector<std::string> words_;
};

std::uint64_t private_kilobytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) return std::strtoull(line.c_str() + 8, nullptr, 10);
  return 0;
}

std::uint64_t disk_bytes(const fs::path& folder) {
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) bytes += entry.file_size();
  return bytes;
}

void batches(const Options& o, Data& data, Collection& collection, const fs::path& folder) {
  double seconds = 0;
  std::uint64_t done = 0, raw = 0, memory = 0;
  std::vector<Record> batch;
  const auto begin = Clock::now();
  while (done < o.n && seconds_since(begin) < kMostSeconds) {
    batch.clear();
    for (std::uint64_t i = 0; i < std::min(o.batch, o.n - done); ++i) {
      batch.push_back(data.make(done + i));
      raw += Data::raw_bytes(batch.back());
    }
    const auto start = Clock::now();
    collection.batch_upsert(batch);
    seconds += seconds_since(start);
    done += batch.size();
    memory = std::max(memory, private_kilobytes());
  }
  const auto disk = static_cast<double>(disk_bytes(folder));
  std::printf(
      "{\"benchmark\":\"ingest\",\"part\":\"batches\",\"rows\":%llu,\"dimension\":%llu,\"batch\":%llu,"
      "\"seconds\":%.3f,"
      "\"rows_per_second\":%.0f,\"megabytes_per_second\":%.1f,\"disk_to_raw\":%.3f,\"peak_private_"
      "megabytes\":%.1f}\n",
      static_cast<unsigned long long>(done), static_cast<unsigned long long>(o.dim),
      static_cast<unsigned long long>(o.batch), seconds, static_cast<double>(done) / seconds,
      static_cast<double>(raw) / 1e6 / seconds, disk / static_cast<double>(raw),
      static_cast<double>(memory) / 1024);
}

void singles(const Options& o, Data& data, Collection& collection) {
  std::vector<double> times;
  const auto begin = Clock::now();
  while (times.size() < o.singles && seconds_since(begin) < 15) {
    const Record record = data.make(o.n + times.size());
    const auto start = Clock::now();
    collection.upsert(record);
    times.push_back(seconds_since(start));
  }
  if (times.empty()) return;
  double sum = 0;
  for (const double time : times) sum += time;
  std::sort(times.begin(), times.end());
  std::printf(
      "{\"benchmark\":\"ingest\",\"part\":\"single\",\"rows\":%zu,\"seconds\":%.3f,\"rows_per_second\":%.0f,"
      "\"median_ms\":%.3f,\"p99_ms\":%.3f}\n",
      times.size(), sum, static_cast<double>(times.size()) / sum, times[times.size() / 2] * 1e3,
      times[times.size() * 99 / 100] * 1e3);
}

}  // namespace

int run_ingest(std::span<const std::string> args) {
  Options o;
  if (args.size() == 1 && args[0] == "--help") {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (!parse(args, o)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const bool temporary = o.folder.empty();
  const fs::path folder = temporary
                              ? fs::temp_directory_path() / ("vecstore-bench-" + std::to_string(::getpid()))
                              : fs::path(o.folder);
  if (!temporary && fs::exists(folder)) {
    std::fprintf(stderr, "vecstore-bench: %s exists; name a new folder\n", folder.c_str());
    return 2;
  }
  {
    VecDatabase db = VecDatabase::open(folder.string());
    Collection collection = db.create_collection("bench", {.dimension = o.dim});
    Data data(o);
    batches(o, data, collection, folder);
    singles(o, data, collection);
    db.close();
  }
  if (temporary) fs::remove_all(folder);
  return 0;
}

}  // namespace vecstore::bench
