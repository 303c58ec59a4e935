// The parts of vecstore-bench. Each prints one JSON object per line on standard output and returns an exit
// code.
#pragma once
#include <span>
#include <string>

namespace vecstore::bench {

/// Exact search on seeded data in memory: kernels against plain loops, the bandwidth of a plain sum, the full
/// scan and the two-pass scan. Options: --n ROWS --dim D --k K --rounds R --metric NAME. Within 120 s with
/// the defaults.
int run_scan(std::span<const std::string> args);

/// Durable writes through the public API: batches of N x dim records with text and metadata, then single
/// upserts.
int run_ingest(std::span<const std::string> args);

/// Nearest-neighbour search through the public API: recall@10 and queries per second for a range of efforts.
/// Options: --base B.npy --queries Q.npy (without them seeded rows: --n, --dim), --metric NAME, --threads N,
/// --profile balanced|fast|small, --index JSON, --exact-scores yes|no. Within 120 s with the defaults.
int run_ann(std::span<const std::string> args);

/// Filtered nearest-neighbour search through the public API, one thread: recall@10, queries per second,
/// median and plan at ten selectivities. Options: --base B.npy --queries Q.npy (without them seeded rows:
/// --n, --dim),
/// --ef EF (0: the collection's), --passes N. Within 120 s with the defaults.
int run_filter(std::span<const std::string> args);

/// Full-text search through the public API, on one thread: any word, all words, phrases, filters; answers are
/// compared with scores of all texts first, exit code 1 when they differ. Options: --corpus F.jsonl[.gz]
/// --queries F.jsonl (without them seeded texts: --n), --count QUERIES, --passes N, --stop-words
/// kept|removed|both, --op NAME. Within 120 s with the defaults.
int run_text(std::span<const std::string> args);

/// The native embedder: passages and tokens per second in both precisions. Options: --model NAME
/// (all-MiniLM-L6-v2; without it a seeded random model of the same shape is written to the temporary folder),
/// --texts FILE.jsonl (the key text; without it seeded texts), --threads N (0 = all), --precision
/// f32|fast|both, --seconds S per precision. Within 120 s with the defaults.
int run_embed(std::span<const std::string> args);

}  // namespace vecstore::bench
