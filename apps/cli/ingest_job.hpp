// One run of `vecstore ingest`: what its parts share.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>

#include "cli/commands.hpp"
#include "cli/document.hpp"
#include "cli/terminal.hpp"
#include "vecstore/collection.hpp"

namespace vecstore::cli {

/// Counts, draws the bar and tells what was skipped. For any number of threads.
class IngestReport {
 public:
  IngestReport(std::uint64_t total_bytes, bool show_bar) : bar_(total_bytes, show_bar) {}

  struct Totals {
    std::uint64_t files = 0;
    std::uint64_t records = 0;    ///< Written.
    std::uint64_t unchanged = 0;  ///< Were there already, just so.
    std::uint64_t skipped = 0;    ///< Rows or files with an error.
    std::uint64_t bytes = 0;      ///< Of the input files.
  };
  void add(const Totals& more);
  /// Counts one and prints the first ten.
  void skip(const std::string& message);
  Totals totals() const;
  void finish();

 private:
  mutable std::mutex mutex_;
  Totals totals_;
  ProgressBar bar_;
};

struct IngestJob {
  Collection collection;
  Embedder embedder;  ///< None: texts are stored without vectors, or with those of --vectors.
  const IngestOptions& options;
  bool compare = false;  ///< The collection had records: look for those that need no work.
  unsigned jobs = 1;
  std::stop_token stop;
  IngestReport& report;
};

/// Cuts a document as the options say, trims white space at the ends of the chunks (offsets included), and
/// leaves out what is empty.
std::vector<Chunk> cut(const Document& document, const IngestOptions& options);

/// Each file is a source: its chunks are replaced together, in one commit, unless they are stored already
/// just so.
void ingest_documents(IngestJob& job, const std::vector<std::string>& files);
/// Each row of a JSONL file is a record, or with --splitter a source.
void ingest_rows(IngestJob& job, const std::string& path);
/// Each row of a vector file is a record; its number is the id.
void ingest_vectors(IngestJob& job, const std::string& path);

/// Replaces one source unless it is stored already; `metadata` has one entry per chunk.
void replace_source(IngestJob& job, const std::string& source, const std::vector<Chunk>& chunks,
                    const std::vector<Metadata>& metadata);

/// Runs `work(i)` for 0 <= i < n on up to `jobs` threads; the first exception stops the others and is thrown.
void parallel_for(std::size_t n, unsigned jobs, const std::function<void(std::size_t)>& work);

}  // namespace vecstore::cli
