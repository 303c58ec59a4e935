// Filtered queries through the Collection API: filter.py asks for what it measures. bench_filter DATA
// DIRECTORY DIMENSION writes the records of DATA to a database in DIRECTORY (base.f32, one .f64 file per
// field, texts with their lengths), then answers on standard input: a line with `ef`, then one condition per
// query of DATA/queries.f32 (an empty line: none). Hits come with text and metadata.
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "vecstore/vecstore.hpp"

using namespace vecstore;

namespace {

constexpr std::size_t kBatch = 2'000;

template <class T>
std::vector<T> read(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::vector<T> out(static_cast<std::size_t>(in.tellg()) / sizeof(T));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size() * sizeof(T)));
  return out;
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void build(Collection& docs, const std::string& data, std::size_t dimension) {
  const auto base = read<float>(data + "/base.f32");
  std::map<std::string, std::vector<double>> fields;
  for (const char* name : {"cat", "year", "price", "cluster"})
    fields[name] = read<double>(data + "/" + name + ".f64");
  std::ifstream texts(data + "/texts", std::ios::binary);
  std::vector<Record> batch;
  for (std::size_t i = 0; i < base.size() / dimension; ++i) {
    std::uint32_t length = 0;
    texts.read(reinterpret_cast<char*>(&length), sizeof length);
    std::string text(length, '\0');
    if (!texts.read(text.data(), length)) throw std::runtime_error("too few texts");
    Metadata metadata = Metadata::object();
    for (const auto& [name, values] : fields) {
      if (name == "price")
        metadata[name] = values[i];
      else
        metadata[name] = static_cast<std::int64_t>(values[i]);
    }
    Record record{.id = std::to_string(i),
                  .vector = Vector(std::span(base.data() + i * dimension, dimension))};
    record.metadata = std::move(metadata);
    record.text = std::move(text);
    batch.push_back(std::move(record));
    if (batch.size() == kBatch) docs.batch_upsert(batch), batch.clear();
  }
  if (!batch.empty()) docs.batch_upsert(batch);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) throw std::runtime_error("bench_filter DATA DIRECTORY DIMENSION");
  const std::string data = argv[1];
  const std::size_t dimension = std::stoul(argv[3]);
  auto db = VecDatabase::open(argv[2], {});
  db.pause_background();
  auto docs = db.get_or_create_collection("docs", {.metric = Metric::kCosine});
  const double begin = now();
  if (docs.count() == 0) build(docs, data, dimension);
  docs.optimize();
  std::printf("{\"records\": %llu, \"ready_s\": %.1f}\n", static_cast<unsigned long long>(docs.count()),
              now() - begin);
  std::fflush(stdout);
  const auto queries = read<float>(data + "/queries.f32");
  std::string line;
  while (std::getline(std::cin, line)) {
    const std::int64_t ef = std::stoll(line);
    std::string seconds, ids;
    std::map<std::string, std::size_t> plans;
    for (std::size_t q = 0; q < queries.size() / dimension; ++q) {
      std::getline(std::cin, line);
      Query query(Vector(std::span(queries.data() + q * dimension, dimension)));
      query.k(10).threads(1).ef(ef);
      if (!line.empty()) query.where(Filter::parse(line));
      const double start = now();
      const Hits hits = docs.query(query);
      char number[32];
      std::snprintf(number, sizeof number, "%.9f", now() - start);
      seconds += (q ? "," : "") + std::string(number);
      ids += q ? ",[" : "[";
      for (std::size_t i = 0; i < hits.size(); ++i) ids += (i ? "," : "") + hits[i].id;
      ids += "]";
      if (q % 10 == 0) ++plans[docs.query(query.explain()).plan->property("plan")];
    }
    std::string most;
    for (const auto& [plan, times] : plans) {
      if (most.empty() || times > plans[most]) most = plan;
    }
    std::printf("{\"seconds\": [%s], \"ids\": [%s], \"plan\": \"%s\"}\n", seconds.c_str(), ids.c_str(),
                most.c_str());
    std::fflush(stdout);
  }
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
