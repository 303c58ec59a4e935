// Documents: files that are cut into chunks. Several threads each read, cut, embed and commit a file at a
// time.
#include <algorithm>
#include <filesystem>

#include "base/error.hpp"
#include "cli/ingest_job.hpp"
#include "cli/session.hpp"

namespace vecstore::cli {
namespace {

// On the manual pages of git (10,000 passages) with all-MiniLM-L6-v2, 800 characters found the same files for
// ten questions; shorter passages make the more exact citations.
constexpr std::size_t kChunkSize = 500;
constexpr std::size_t kOverlap = 50;

constexpr std::string_view kWhite = " \t\r\n\f\v";

/// Moves both ends of the chunk inwards over ASCII white space, each byte of which is one code point.
bool trim(Chunk& chunk) {
  const std::size_t first = chunk.text.find_first_not_of(kWhite);
  if (first == std::string::npos) return false;
  const std::size_t last = chunk.text.find_last_not_of(kWhite) + 1;
  chunk.start_byte += first;
  chunk.start_char += first;
  chunk.end_byte -= chunk.text.size() - last;
  chunk.end_char -= chunk.text.size() - last;
  chunk.text = chunk.text.substr(first, last - first);
  return true;
}

bool marked_up(DocumentKind kind) { return kind == DocumentKind::kHtml || kind == DocumentKind::kMarkdown; }

Chunk whole(const std::string& text) {
  const auto characters = std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  Chunk chunk;
  chunk.text = text;
  chunk.end_byte = text.size();
  chunk.end_char = static_cast<std::size_t>(characters);
  return chunk;
}

/// True when the collection holds exactly these chunks of the source.
bool stored_already(const IngestJob& job, const std::string& source, const std::vector<Chunk>& chunks,
                    const std::vector<Metadata>& metadata) {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i <= chunks.size(); ++i) ids.push_back(source + "#" + std::to_string(i));
  const std::vector<Record> stored = job.collection.get(ids, GetOptions{.with_vectors = false});
  if (stored.size() != chunks.size()) return false;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const Record& record = stored[i];
    if (record.id != ids[i] || record.source != source || record.text != chunks[i].text ||
        record.start != chunks[i].start_byte || record.end != chunks[i].end_byte ||
        record.metadata != metadata[i]) {
      return false;
    }
  }
  if (chunks.empty() || !job.embedder) return true;
  const auto first = job.collection.get(ids[0]);
  return first && !first->vector.empty();
}

void ingest_document(IngestJob& job, const std::string& path) {
  check_stop(job.stop);
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  try {
    const Document document = read_document(path);
    const std::vector<Chunk> chunks = cut(document, job.options);
    std::vector<Metadata> metadata;
    for (const Chunk& chunk : chunks)
      metadata.push_back(chunk_metadata(document, chunk.start_byte, chunk.end_byte));
    try {
      replace_source(job, path, chunks, metadata);
    } catch (const Error& failure) {
      fail(failure.code(), path, ": ", failure.what());
    }
  } catch (const Error& failure) {
    const bool about_the_file = failure.code() == ErrorCode::kInvalidArgument ||
                                failure.code() == ErrorCode::kTooLarge ||
                                failure.code() == ErrorCode::kNotFound;
    if (!job.options.skip_errors || !about_the_file) throw;
    job.report.skip(failure.what());
    job.report.add({.bytes = error ? 0 : size});
    return;
  }
  job.report.add({.files = 1, .bytes = error ? 0 : size});
}

}  // namespace

std::vector<Chunk> cut(const Document& document, const IngestOptions& options) {
  std::vector<Chunk> chunks;
  if (options.splitter == "none") {
    chunks.push_back(whole(document.text));
  } else {
    const bool automatic = options.splitter.empty() || options.splitter == "auto";
    auto splitter = RecursiveTextSplitter::preset(
        automatic ? (marked_up(document.kind) ? "markdown" : "plain") : options.splitter);
    const std::size_t size = options.chunk_size.value_or(kChunkSize);
    splitter.chunk_size(size).overlap(options.overlap.value_or(std::min(kOverlap, size / 10)));
    chunks = splitter.split(document.text);
  }
  std::erase_if(chunks, [](Chunk& chunk) { return !trim(chunk); });
  return chunks;
}

void replace_source(IngestJob& job, const std::string& source, const std::vector<Chunk>& chunks,
                    const std::vector<Metadata>& metadata) {
  if (job.compare && stored_already(job, source, chunks, metadata)) {
    job.report.add({.unchanged = chunks.size()});
    return;
  }
  BatchOptions batch;
  batch.stop = job.stop;
  job.collection.upsert_chunks(
      source, chunks, job.embedder, [&](const Chunk&, std::size_t i) { return metadata[i]; }, batch);
  job.report.add({.records = chunks.size()});
}

void ingest_documents(IngestJob& job, const std::vector<std::string>& files) {
  parallel_for(files.size(), job.jobs, [&](std::size_t i) { ingest_document(job, files[i]); });
}

}  // namespace vecstore::cli
