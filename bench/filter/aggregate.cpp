// Counts and sums by a field of 100 values over the records that a filter leaves; prints one JSON line per
// question.
//   bench_aggregate DIR [ROWS] [TIMES]       DIR is made when it is missing; 300,000 rows, 200 times
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <vector>

#include <vecstore/vecstore.hpp>

using namespace vecstore;

namespace {

double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

void fill(Collection& c, std::uint64_t rows) {
  for (std::uint64_t i = 0; i < rows;) {
    std::vector<Record> batch;
    for (; i < rows && batch.size() < 10'000; ++i) {
      // aggregate.py makes the same.
      const std::uint64_t mixed = i * 2'654'435'761 % 4'294'967'296;
      batch.push_back({.id = std::to_string(i),
                       .metadata = {{"cat", static_cast<std::int64_t>(mixed / 7 % 100)},
                                    {"price", static_cast<double>(mixed % 100'000) / 1000.0},
                                    {"stock", static_cast<std::int64_t>(mixed / 100'000 % 1000)}}});
    }
    c.batch_upsert(batch);
  }
  c.optimize();
}

void measure(const char* what, int times, const std::function<double()>& ask) {
  std::vector<double> taken;
  double answer = 0;
  for (int i = 0; i < times; ++i) {
    const double begin = thread_seconds();
    answer = ask();
    taken.push_back(thread_seconds() - begin);
  }
  std::sort(taken.begin(), taken.end());
  std::printf("{\"engine\": \"vecstore\", \"question\": \"%s\", \"p50_us\": %.1f, \"answer\": %.3f}\n", what,
              1e6 * taken[taken.size() / 2], answer);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: bench_aggregate DIR [ROWS] [TIMES]\n"), 2;
  const std::uint64_t rows = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 300'000;
  const int times = argc > 3 ? std::atoi(argv[3]) : 200;
  const bool exists = std::filesystem::exists(argv[1]);
  auto db = VecDatabase::open(argv[1], {.durability = Durability::kRelaxed});
  auto c = db.get_or_create_collection("c");
  if (!exists) fill(c, rows);
  const Filter where = Filter::parse("price < 30");
  const auto by_cat = [&](std::vector<std::string> fields) {
    return c.aggregate({.where = where, .group_by = "cat", .fields = std::move(fields)});
  };
  measure("count", times, [&] { return static_cast<double>(c.count(where)); });
  measure("facet", times,
          [&] { return static_cast<double>(c.facet("cat", where, 100).groups.front().count); });
  measure("sum and average", times, [&] { return by_cat({"price"}).all.fields.at("price").sum; });
  measure("sums of two", times, [&] { return by_cat({"price", "stock"}).all.fields.at("stock").sum; });
  db.close();
  return 0;
}
