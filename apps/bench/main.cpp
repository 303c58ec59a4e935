// vecstore-bench: measures this machine with data that it makes itself.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "bench.hpp"

namespace vecstore::bench {
namespace {

constexpr const char* kUsage =
    "usage: vecstore-bench scan|ingest|ann|filter|text|embed [OPTION VALUE]... [--json]\n\n"
    "  scan     exact search in memory: kernels, one-pass and two-pass scan (--n --dim --k --rounds "
    "--metric)\n"
    "  ingest   durable writes to a new database in a temporary folder (--n --dim --batch --text --folder)\n"
    "  ann      nearest-neighbour search: recall and queries per second (--base --queries --metric "
    "--threads)\n"
    "  filter   nearest-neighbour search with filters that leave more or less of the records (--base "
    "--queries "
    "--ef)\n"
    "  text     full-text search: queries per second by kind, words, hits and filter (--corpus --queries "
    "--stop-words)\n"
    "  embed    passages per second of the embedding model\n\n"
    "Without data of yours it makes its own, from a fixed seed, and ends within two minutes. Results are "
    "JSON, one\n"
    "object per line on standard output (--json is accepted and is the only format). NAME --help lists the "
    "options.\n"
    "Exit codes: 0 done, 1 error, 2 wrong usage.\n";

int dispatch(std::vector<std::string> args) {
  std::erase(args, "--json");
  if (args.empty()) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const std::string command = args.front();
  args.erase(args.begin());
  if (command == "scan") return run_scan(args);
  if (command == "ingest") return run_ingest(args);
  if (command == "ann") return run_ann(args);
  if (command == "filter") return run_filter(args);
  if (command == "text") return run_text(args);
#ifdef VECSTORE_BENCH_EMBED
  if (command == "embed") return run_embed(args);
#endif
  if (command == "--help" || command == "-h" || command == "help") {
    std::fputs(kUsage, stdout);
    return 0;
  }
  std::fprintf(
      stderr,
      "vecstore-bench: %s; wanted scan, ingest, ann, filter, text or embed (see vecstore-bench --help)\n",
      command.c_str());
  return 2;
}

}  // namespace
}  // namespace vecstore::bench

int main(int argc, char** argv) {
  try {
    return vecstore::bench::dispatch(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vecstore-bench: %s\n", error.what());
    return 1;
  }
}
