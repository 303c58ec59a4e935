// Rows: JSON lines and vector files, in batches through a pipeline of three threads: read, embed, commit.
// Batches stay in the order of the file, so that of two rows with one id the later one wins.
#include <algorithm>
#include <limits>
#include <memory>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/error.hpp"
#include "cli/bounded_queue.hpp"
#include "cli/ingest_job.hpp"
#include "cli/json_rows.hpp"
#include "cli/session.hpp"
#include "cli/vector_file.hpp"

namespace vecstore::cli {
namespace {

constexpr std::size_t kBatchRows = 10'000;
constexpr std::size_t kBatchRowsEmbedded = 256;
constexpr std::size_t kBatchBytes = std::size_t{20} << 20;
constexpr std::size_t kTextsPerTask = 16;

struct Batch {
  std::vector<Operation> upserts;     ///< As operations from the start: batch_upsert would copy the records.
  std::vector<std::uint64_t> places;  ///< Line or row of each record.
  std::size_t unchanged = 0;
  std::uint64_t bytes_read = 0;  ///< Of the file, since the batch before.

  void clear() {
    upserts.clear();
    places.clear();
    unchanged = bytes_read = 0;
  }
};

class RowSource {
 public:
  virtual ~RowSource() = default;
  /// False at the end. An Error concerns this row only; the next call goes on behind it.
  virtual bool next(Record& record) = 0;
  virtual std::uint64_t place() const = 0;
  virtual std::uint64_t bytes_read() const = 0;
  virtual std::string describe(std::uint64_t place) const = 0;
};

class JsonSource final : public RowSource {
 public:
  JsonSource(const std::string& path, const std::string& vectors, bool title_apart)
      : rows_(path, title_apart) {
    if (!vectors.empty()) vectors_.emplace(vectors);
  }

  bool next(Record& record) override {
    if (!vectors_) return rows_.next(record);
    // The vector is taken first: a row that is refused uses up its vector too.
    const std::uint64_t before = rows_.rows();
    std::vector<float> vector;
    const bool more = vectors_->next(vector);
    try {
      if (!rows_.next(record)) {
        if (more) mismatch(std::to_string(before));
        return false;
      }
    } catch (const Error&) {
      if (!more && rows_.rows() > before) mismatch("more");
      throw;
    }
    if (!more) mismatch("more");
    if (rows_.line_number() != rows_.rows()) {
      throw Stop(concat(rows_.path(), ":", rows_.line_number(),
                        ": blank line above; with --vectors line i belongs to row i"));
    }
    record.vector = Vector(std::move(vector));
    return true;
  }
  std::uint64_t place() const override { return rows_.line_number(); }
  std::uint64_t bytes_read() const override {
    return rows_.bytes_read() + (vectors_ ? vectors_->bytes_read() : 0);
  }
  std::string describe(std::uint64_t place) const override { return concat(rows_.path(), ":", place, ": "); }

  /// An error that no --on-error can pass over.
  struct Stop : std::runtime_error {
    using std::runtime_error::runtime_error;
  };

 private:
  [[noreturn]] void mismatch(const std::string& lines) const {
    throw Stop(concat(vectors_->path(), " has ", vectors_->rows(), " rows, but ", rows_.path(), " has ",
                      lines, " lines"));
  }

  JsonRows rows_;
  std::optional<VectorFile> vectors_;
};

class VectorSource final : public RowSource {
 public:
  explicit VectorSource(const std::string& path) : file_(path) {}

  bool next(Record& record) override {
    std::vector<float> vector;
    if (!file_.next(vector)) return false;
    record = Record{};
    record.id = std::to_string(row_++);
    record.vector = Vector(std::move(vector));
    return true;
  }
  std::uint64_t place() const override { return row_ - 1; }
  std::uint64_t bytes_read() const override { return file_.bytes_read(); }
  std::string describe(std::uint64_t place) const override {
    return concat(file_.path(), ": row ", place, ": ");
  }

 private:
  VectorFile file_;
  std::uint64_t row_ = 0;
};

std::size_t size_of(const Record& record) {
  return record.id.size() + record.text.size() + 4 * record.vector.dense().size() +
         64 * record.metadata.size() + 128;
}

class RowPipeline {
 public:
  RowPipeline(IngestJob& job, RowSource& source) : job_(job), source_(source) {}

  void run() {
    std::jthread reader([this] { stage([this] { read(); }, read_); });
    std::jthread embedder;
    if (job_.embedder) embedder = std::jthread([this] { stage([this] { embed(); }, embedded_); });
    stage([this] { commit_all(job_.embedder ? embedded_ : read_); }, embedded_);
    // Whatever ended the last stage ends the ones before it.
    read_.abandon();
    embedded_.abandon();
    reader.join();
    if (embedder.joinable()) embedder.join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  using Queue = BoundedQueue<Batch>;

  template <class Work>
  void stage(const Work& work, Queue& output) {
    try {
      work();
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
      }
      // Rows before the failure are right, and are committed; a failed commit abandons both queues in run().
    }
    output.close();
  }

  void read() {
    Batch batch;
    // Records die in the thread that made them: memory freed by another thread makes both wait for the
    // allocator.
    std::unordered_map<std::string, std::size_t> positions;
    std::size_t bytes = 0;
    std::uint64_t reported = 0;
    const std::size_t most = job_.embedder ? kBatchRowsEmbedded : kBatchRows;
    const auto flush = [&] {
      batch.bytes_read = source_.bytes_read() - reported;
      reported += batch.bytes_read;
      bytes = 0;
      positions.clear();
      const bool wanted = read_.push(std::move(batch));
      batch = spent_.take().value_or(Batch{});
      batch.clear();
      return wanted;
    };
    try {
      Record record;
      for (;;) {
        check_stop(job_.stop);
        try {
          if (!source_.next(record)) break;
        } catch (const Error& error) {
          if (!job_.options.skip_errors || error.code() != ErrorCode::kInvalidArgument) throw;
          job_.report.skip(error.what());
          continue;
        }
        bytes += size_of(record);
        const auto [found, added] = positions.try_emplace(record.id, batch.upserts.size());
        if (added) {
          batch.upserts.push_back({Operation::Kind::kUpsert, std::move(record)});
          batch.places.push_back(source_.place());
        } else {
          batch.upserts[found->second].record = std::move(record);
          batch.places[found->second] = source_.place();
        }
        if ((batch.upserts.size() >= most || bytes >= kBatchBytes) && !flush()) return;
      }
    } catch (...) {
      flush();
      throw;
    }
    flush();
  }

  void embed() {
    while (std::optional<Batch> batch = read_.pop()) {
      if (job_.compare) leave_out_unchanged(*batch);
      const std::size_t dimension = job_.embedder.dimension();
      const std::size_t n = batch->upserts.size();
      std::vector<std::string_view> texts;
      for (const Operation& upsert : batch->upserts) texts.push_back(upsert.record.text);
      std::vector<float> vectors(n * dimension);
      parallel_for((n + kTextsPerTask - 1) / kTextsPerTask, job_.jobs, [&](std::size_t task) {
        check_stop(job_.stop);
        const std::size_t begin = task * kTextsPerTask, end = std::min(n, begin + kTextsPerTask);
        job_.embedder.embed_batch(std::span(texts).subspan(begin, end - begin),
                                  std::span(vectors).subspan(begin * dimension, (end - begin) * dimension));
      });
      for (std::size_t i = 0; i < n; ++i) {
        batch->upserts[i].record.vector =
            Vector(std::span<const float>(vectors).subspan(i * dimension, dimension));
      }
      if (!embedded_.push(std::move(*batch))) return;
    }
  }

  /// Embedding costs a thousand times what a look costs.
  void leave_out_unchanged(Batch& batch) {
    std::vector<std::string> ids;
    for (const Operation& upsert : batch.upserts) ids.push_back(upsert.record.id);
    const std::vector<Record> stored = job_.collection.get(ids);
    std::size_t kept = 0, at = 0;
    for (std::size_t i = 0; i < batch.upserts.size(); ++i) {
      const Record& record = batch.upserts[i].record;
      const bool there = at < stored.size() && stored[at].id == record.id;
      const bool same = there && !stored[at].vector.empty() && stored[at].text == record.text &&
                        stored[at].metadata == record.metadata && stored[at].source.empty();
      at += there;
      batch.unchanged += same;
      if (same) continue;
      if (kept != i) {
        batch.upserts[kept] = std::move(batch.upserts[i]);
        batch.places[kept] = batch.places[i];
      }
      ++kept;
    }
    batch.upserts.resize(kept);
    batch.places.resize(kept);
  }

  void commit_all(Queue& queue) {
    while (std::optional<Batch> batch = queue.pop()) {
      check_stop(job_.stop);
      commit(*batch);
      job_.report.add(
          {.records = batch->upserts.size(), .unchanged = batch->unchanged, .bytes = batch->bytes_read});
      spent_.push(std::move(*batch));
    }
  }

  void commit(Batch& batch) {
    while (!batch.upserts.empty()) {
      try {
        job_.collection.batch_execute(batch.upserts);
        return;
      } catch (const Error& error) {
        if (!error.item() || *error.item() >= batch.upserts.size()) throw;
        const auto item = static_cast<std::ptrdiff_t>(*error.item());
        const std::string message = source_.describe(batch.places[*error.item()]) + error.what();
        if (!job_.options.skip_errors) throw Error(error.code(), message);
        job_.report.skip(message);
        batch.upserts.erase(batch.upserts.begin() + item);
        batch.places.erase(batch.places.begin() + item);
      }
    }
  }

  IngestJob& job_;
  RowSource& source_;
  Queue read_{2};
  Queue embedded_{2};
  Queue spent_{std::numeric_limits<std::size_t>::max()};  // committed batches on their way back to the reader
  std::mutex mutex_;
  std::exception_ptr failure_;
};

bool has_title_field(const IngestJob& job) {
  const std::vector<TextField> fields = job.collection.info().text_fields;
  return std::any_of(fields.begin(), fields.end(), [](const TextField& f) { return f.path == "title"; });
}

/// With --splitter a row is a source. A row's id decides its thread, so that rows with one id stay in their
/// order.
void ingest_split_rows(IngestJob& job, const std::string& path) {
  struct Row {
    Record record;
    std::uint64_t line = 0;
    std::uint64_t bytes = 0;
  };
  JsonRows rows(path, has_title_field(job));
  std::vector<std::unique_ptr<BoundedQueue<Row>>> queues;
  for (unsigned i = 0; i < job.jobs; ++i) queues.push_back(std::make_unique<BoundedQueue<Row>>(16));
  const auto store = [&](Row& row) {
    try {
      Document document;
      document.text = std::move(row.record.text);
      const std::vector<Chunk> chunks = cut(document, job.options);
      replace_source(job, row.record.id, chunks, std::vector<Metadata>(chunks.size(), row.record.metadata));
    } catch (const Error& error) {
      const std::string message = concat(path, ":", row.line, ": ", error.what());
      const bool about_the_row =
          error.code() == ErrorCode::kInvalidArgument || error.code() == ErrorCode::kTooLarge;
      if (!job.options.skip_errors || !about_the_row) throw Error(error.code(), message);
      job.report.skip(message);
    }
    job.report.add({.bytes = row.bytes});
  };
  const auto read = [&] {
    std::uint64_t reported = 0;
    for (Row row;; row = {}) {
      check_stop(job.stop);
      try {
        if (!rows.next(row.record)) return;
      } catch (const Error& error) {
        if (!job.options.skip_errors || error.code() != ErrorCode::kInvalidArgument) throw;
        job.report.skip(error.what());
        continue;
      }
      row.line = rows.line_number();
      row.bytes = rows.bytes_read() - reported;
      reported += row.bytes;
      auto& queue = *queues[std::hash<std::string>{}(row.record.id) % queues.size()];
      if (!queue.push(std::move(row))) return;
    }
  };
  parallel_for(queues.size() + 1, static_cast<unsigned>(queues.size()) + 1, [&](std::size_t i) {
    try {
      if (i == queues.size()) {
        read();
        for (auto& queue : queues) queue->close();
      } else {
        while (std::optional<Row> row = queues[i]->pop()) store(*row);
      }
    } catch (...) {
      for (auto& queue : queues) queue->abandon();
      throw;
    }
  });
}

}  // namespace

void ingest_rows(IngestJob& job, const std::string& path) {
  if (!job.options.splitter.empty() && job.options.splitter != "none") {
    ingest_split_rows(job, path);
  } else {
    JsonSource source(path, job.options.vectors, has_title_field(job));
    try {
      RowPipeline(job, source).run();
    } catch (const JsonSource::Stop& stop) {
      invalid(stop.what());
    }
  }
  job.report.add({.files = 1});
}

void ingest_vectors(IngestJob& job, const std::string& path) {
  VectorSource source(path);
  RowPipeline(job, source).run();
  job.report.add({.files = 1});
}

}  // namespace vecstore::cli
