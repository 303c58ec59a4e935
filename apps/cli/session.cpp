#include "cli/session.hpp"

#include <signal.h>
#include <unistd.h>

#include <thread>

#include "base/error.hpp"

namespace vecstore::cli {

VecDatabase open_to_read(const Common& common) {
  OpenOptions options;
  options.read_only = true;
  options.create = false;
  return VecDatabase::open(common.database, options);
}

VecDatabase open_to_write(const Common& common, bool create) {
  OpenOptions options;
  options.create = create;
  return VecDatabase::open(common.database, options);
}

Collection choose_collection(const VecDatabase& db, const Common& common) {
  if (!common.collection.empty()) return db.get_collection(common.collection);
  const std::vector<std::string> names = db.list_collections();
  if (names.size() == 1) return db.get_collection(names[0]);
  std::string list;
  for (const std::string& name : names) {
    if (name == "default") return db.get_collection(name);
    list += (list.empty() ? "" : ", ") + name;
  }
  if (names.empty())
    fail(ErrorCode::kNotFound, common.database, ": no collection yet; fill one with vecstore ingest");
  fail(ErrorCode::kNotFound, common.database, ": choose a collection with --collection: ", list);
}

namespace {

LoadOptions load_options(const ModelOptions& options, const Common& common) {
  LoadOptions load;
  if (options.precision) load.precision = parse_precision(*options.precision);
  load.threads = 1;  // the program's own threads embed beside each other
  load.search_dirs = {common.database + "/models"};
  return load;
}

}  // namespace

Embedder load_model(const ModelOptions& options, const Common& common) {
  if (options.embedder.empty() || options.embedder == "none") return {};
  return SentenceTransformer::load(options.embedder, load_options(options, common));
}

Embedder query_model(const ModelOptions& options, const Common& common, const CollectionInfo& info) {
  if (!options.embedder.empty()) return load_model(options, common);
  if (!options.precision || info.embedder_name.empty()) return {};
  return SentenceTransformer::load(info.embedder_name, load_options(options, common));
}

void set_fusion(const FusionOptions& options, TextQueryOptions& request) {
  request.alpha = options.alpha;
  if (!options.name.empty()) request.fusion = Fusion::named(options.name);
  request.autocut = options.autocut;
}

Mode choose_mode(const std::string& name, const CollectionInfo& info) {
  if (name == "dense") return Mode::kDense;
  if (name == "text") return Mode::kText;
  if (name == "hybrid") return Mode::kHybrid;
  if (!name.empty()) invalid("mode: ", name, "; wanted dense, text or hybrid");
  return info.embedder_name.empty() ? Mode::kText : Mode::kHybrid;
}

std::string_view to_string(Mode mode) {
  switch (mode) {
    case Mode::kDense:
      return "dense";
    case Mode::kText:
      return "text";
    case Mode::kHybrid:
      return "hybrid";
  }
  return "";
}

TextSyntax parse_syntax(const std::string& name) {
  if (name.empty() || name == "match") return TextSyntax::kMatch;
  if (name == "query") return TextSyntax::kQuery;
  invalid("syntax: ", name, "; wanted match or query");
}

namespace {

/// A path, or {"path", "analyzer", "weight", "analysis"}; what is not there is as in `usual`.
TextField text_field(const std::string& given, TextField usual) {
  if (!given.starts_with('{')) {
    usual.path = given;
    return usual;
  }
  const Metadata json = Metadata::parse(given);
  for (const auto& [name, value] : json.as_object()) {
    if (name == "path" && value.is_string())
      usual.path = value.as_string();
    else if (name == "analyzer" && value.is_string())
      usual.analyzer = value.as_string();
    else if (name == "weight" && value.is_number())
      usual.weight = static_cast<float>(value.as_double());
    else if (name == "analysis" && value.is_object())
      usual.analysis = parse_analyzer_options(value.to_json());
    else
      invalid("'", name, "': wanted path, analyzer (strings), weight (a number), analysis (an object)");
  }
  return usual;
}

}  // namespace

std::optional<std::vector<TextField>> text_fields(const TextArguments& options) {
  if (!options.analyzer && options.analysis.empty() && options.fields.empty()) return std::nullopt;
  TextField usual;
  usual.analyzer = options.analyzer.value_or(usual.analyzer);
  try {
    if (!options.analysis.empty()) usual.analysis = parse_analyzer_options(options.analysis);
  } catch (const Error& error) {
    throw UsageError(concat("--analysis: ", error.what()));
  }
  if (options.fields.empty()) return {{usual}};
  std::vector<TextField> out;
  for (const std::string& given : options.fields) {
    try {
      out.push_back(text_field(given, usual));
    } catch (const Error& error) {
      throw UsageError(concat("--text-field ", given, ": ", error.what()));
    }
  }
  return out;
}

std::optional<Filter> parse_where(const std::string& where) {
  if (where.empty()) return std::nullopt;
  try {
    return Filter::parse(where);
  } catch (const Error& error) {
    throw UsageError(concat("--where: ", error.what()));
  }
}

namespace {
int stop_pipe[2] = {-1, -1};

extern "C" void on_stop_signal(int number) {
  const char byte = 1;
  [[maybe_unused]] const auto written = ::write(stop_pipe[1], &byte, 1);
  ::signal(number, SIG_DFL);
}
}  // namespace

std::stop_token stop_on_signals() {
  // A handler may only write to a pipe; the thread that reads it turns that into a stop request.
  static std::stop_source source;
  static const bool ready = [] {
    if (::pipe(stop_pipe) != 0) return false;
    std::thread([] {
      char byte = 0;
      while (::read(stop_pipe[0], &byte, 1) < 0) {
      }
      source.request_stop();
    }).detach();
    ::signal(SIGINT, on_stop_signal);
    ::signal(SIGTERM, on_stop_signal);
    return true;
  }();
  (void)ready;
  return source.get_token();
}

void check_stop(const std::stop_token& stop) {
  if (stop.stop_requested()) fail(ErrorCode::kCancelled, "interrupted");
}

}  // namespace vecstore::cli
