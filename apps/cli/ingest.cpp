// vecstore ingest: sorts the inputs, makes or checks the collection, finds the model, and lets the parts
// work.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "base/error.hpp"
#include "cli/ingest_job.hpp"
#include "cli/session.hpp"
#include "cli/vector_file.hpp"

namespace vecstore::cli {
namespace {

struct Inputs {
  std::vector<std::string> documents;
  std::vector<std::string> rows;
  std::string vectors;  ///< A vector file of its own, without --vectors.
  std::size_t ignored = 0;
  std::uint64_t bytes = 0;
};

bool is_json_lines(std::string_view path) {
  for (const std::string_view end : {".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz"})
    if (path.ends_with(end)) return true;
  return false;
}

Inputs sort_inputs(const IngestOptions& options) {
  Inputs inputs;
  FileList list = list_files(options.paths);
  inputs.ignored = list.ignored;
  for (std::string& file : list.files) {
    std::error_code error;
    const auto size = std::filesystem::file_size(file, error);
    if (!error) inputs.bytes += size;
    if (is_json_lines(file)) {
      inputs.rows.push_back(std::move(file));
    } else if (VectorFile::is_vector_file(file)) {
      if (!inputs.vectors.empty())
        throw UsageError(
            "two vector files would both number their records from 0: ingest them into two collections");
      inputs.vectors = std::move(file);
    } else {
      inputs.documents.push_back(std::move(file));
    }
  }
  if (!options.vectors.empty()) {
    if (inputs.rows.size() != 1 || !inputs.documents.empty() || !inputs.vectors.empty()) {
      throw UsageError("--vectors belongs to exactly one .jsonl file");
    }
    if (!options.splitter.empty() && options.splitter != "none")
      throw UsageError("--vectors and --splitter exclude each other");
    std::error_code error;
    const auto size = std::filesystem::file_size(options.vectors, error);
    if (!error) inputs.bytes += size;
  }
  return inputs;
}

void check_agreement(const CollectionInfo& info, const IngestOptions& options) {
  if (options.metric && parse_metric(*options.metric) != info.metric) {
    invalid("--metric ", *options.metric, ": collection ", info.name, " has the metric ",
            to_string(info.metric));
  }
  if (options.dimension && info.dimension != 0 && *options.dimension != info.dimension) {
    invalid("--dimension ", *options.dimension, ": collection ", info.name, " has ", info.dimension,
            " dimensions");
  }
  if (const auto wanted = text_fields(options.text); wanted && *wanted != info.text_fields) {
    std::string has;
    for (const TextField& f : info.text_fields)
      has += concat(has.empty() ? "" : ", ", f.path, " (", f.analyzer, ")");
    invalid("--analyzer, --analysis, --text-field: collection ", info.name, " has the text fields ", has,
            ", or other settings of them");
  }
  if (options.model.embedder == "none" && !info.embedder_name.empty()) {
    invalid("--embedder none: collection ", info.name, " has the model ", info.embedder_name);
  }
}

class Ingest {
 public:
  Ingest(const Common& common, const IngestOptions& options)
      : common_(common), options_(options), inputs_(sort_inputs(options)), stop_(stop_on_signals()) {}

  int run() {
    const auto start = std::chrono::steady_clock::now();
    IngestReport report(inputs_.bytes, !common_.json);
    // A model is loaded before the directory is made, so that a misspelt name leaves nothing behind.
    if (!options_.model.embedder.empty()) model_ = load_model(options_.model, common_);
    VecDatabase db = open_to_write(common_, true);
    const std::string name = common_.collection.empty() ? "default" : common_.collection;
    const std::vector<std::string> names = db.list_collections();
    const bool exists = std::find(names.begin(), names.end(), name) != names.end();
    Collection collection = exists ? existing(db, name) : made(db, name);
    const bool embeds = options_.vectors.empty() && !(inputs_.rows.empty() && inputs_.documents.empty());
    IngestJob job{collection,
                  embeds ? model_ : Embedder{},
                  options_,
                  exists && collection.count() > 0,
                  options_.jobs != 0 ? options_.jobs : std::max(1u, std::thread::hardware_concurrency()),
                  stop_,
                  report};
    try {
      ingest_documents(job, inputs_.documents);
      for (const std::string& file : inputs_.rows) ingest_rows(job, file);
      if (!inputs_.vectors.empty()) ingest_vectors(job, inputs_.vectors);
    } catch (const Error& error) {
      report.finish();
      if (error.code() != ErrorCode::kCancelled) throw;
      db.close();
      fail(ErrorCode::kCancelled, "interrupted: ", report.totals().records,
           " records were stored; the same command goes on from there");
    }
    report.finish();
    db.close();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    print(name, job.embedder ? job.embedder.name() : std::string(), report.totals(), seconds);
    return kExitOk;
  }

 private:
  Collection existing(VecDatabase& db, const std::string& name) {
    Collection collection = db.get_collection(name);
    const CollectionInfo info = collection.info();
    check_agreement(info, options_);
    if (!model_ && !info.embedder_name.empty() && options_.vectors.empty() && inputs_.vectors.empty()) {
      model_ = query_model({{}, options_.model.precision.value_or("fast")}, common_, info);
    }
    if (model_ && info.embedder_fingerprint != model_.fingerprint()) {
      invalid("--embedder: collection ", name,
              info.embedder_name.empty() ? " has no model" : " has the model " + info.embedder_name,
              ", whose vectors those of ", model_.name(), " cannot be compared with");
    }
    check_dimension(info.dimension, name);
    return collection;
  }

  Collection made(VecDatabase& db, const std::string& name) {
    CollectionOptions create;
    if (options_.metric) create.metric = parse_metric(*options_.metric);
    create.dimension = options_.dimension.value_or(0);
    if (auto fields = text_fields(options_.text)) create.text_fields = std::move(*fields);
    const bool has_text = !inputs_.documents.empty() || !inputs_.rows.empty();
    if (options_.model.embedder.empty() && options_.vectors.empty() && inputs_.vectors.empty() && has_text)
      find_default_model();
    create.embedder = model_;
    check_dimension(create.dimension, name);
    return db.create_collection(name, create);
  }

  void find_default_model() {
    try {
      model_ = load_model({kDefaultModel, options_.model.precision}, common_);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;
      const std::string note =
          concat("vecstore: the model ", kDefaultModel,
                 " was not found, so only text is stored and searched; ", "see vecstore ingest --help\n");
      std::fputs(note.c_str(), stderr);
    }
  }

  /// Before the first row, so that a wrong file is one error and not as many as it has rows.
  void check_dimension(std::size_t dimension, const std::string& name) const {
    const std::string& path = !options_.vectors.empty() ? options_.vectors : inputs_.vectors;
    if (path.empty()) return;
    const std::size_t found = VectorFile(path).dimension();
    if (dimension != 0 && found != dimension) {
      invalid(path, " has ", found, " dimensions, collection ", name, " has ", dimension);
    }
  }

  void print(const std::string& name, const std::string& embedder, const IngestReport::Totals& totals,
             double seconds) const {
    if (common_.json) {
      Metadata out = {{"collection", name},        {"files", totals.files},
                      {"records", totals.records}, {"unchanged", totals.unchanged},
                      {"skipped", totals.skipped}, {"ignored", inputs_.ignored},
                      {"bytes", inputs_.bytes},    {"seconds", seconds}};
      out["embedder"] = embedder.empty() ? Metadata(nullptr) : Metadata(embedder);
      print_json(out);
      return;
    }
    std::string line =
        concat(grouped(totals.records), " records from ", grouped(totals.files),
               totals.files == 1 ? " file" : " files", " into ", name, " in ", fixed(seconds, 1), " s");
    if (totals.unchanged > 0) line += concat("; ", grouped(totals.unchanged), " unchanged");
    if (totals.skipped > 0) line += concat("; ", grouped(totals.skipped), " skipped");
    if (inputs_.ignored > 0)
      line += concat("; ", grouped(inputs_.ignored), " files ignored (not text, hidden, or links)");
    std::puts(line.c_str());
  }

  const Common& common_;
  const IngestOptions& options_;
  Inputs inputs_;
  std::stop_token stop_;
  Embedder model_;
};

}  // namespace

int ingest(const Common& common, const IngestOptions& options) { return Ingest(common, options).run(); }

}  // namespace vecstore::cli
