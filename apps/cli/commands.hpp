// The commands: what each takes, and the function that does it. arguments.cpp fills the structs from the
// command line.
#pragma once
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "vecstore/query.hpp"

namespace vecstore::cli {

/// Exit codes, part of the program's interface.
inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNotFound = 3;
inline constexpr int kExitDamage = 4;
inline constexpr int kExitInterrupted = 130;

/// A command line that cannot be understood.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What every command has.
struct Common {
  std::string database;
  std::string collection;  ///< Empty: "default", or the only one there is.
  bool json = false;
};

struct ModelOptions {
  std::string embedder;  ///< Name, path, "none", or empty for the default.
  std::optional<std::string> precision;
};

/// How texts are indexed, as options of a command.
struct TextArguments {
  std::optional<std::string> analyzer;
  std::string analysis;             ///< AnalyzerOptions as JSON; empty: none.
  std::vector<std::string> fields;  ///< A path, or JSON; empty: the texts of the records.
};

struct IngestOptions {
  std::vector<std::string> paths;
  std::string vectors;
  std::string splitter;  ///< "auto" for documents, "none" for rows, unless given.
  std::optional<std::size_t> chunk_size;
  std::optional<std::size_t> overlap;
  ModelOptions model;
  TextArguments text;
  std::optional<std::string> metric;
  std::optional<std::size_t> dimension;
  bool skip_errors = false;
  unsigned jobs = 0;
};

struct FusionOptions {
  std::optional<float> alpha;
  std::string name;  ///< Of the fusion; empty: rrf, or relative_score with an alpha.
  std::int64_t autocut = 0;
};

struct QueryCommandOptions {
  std::vector<std::string> words;  ///< Joined by spaces.
  std::int64_t k = 5;
  std::int64_t offset = 0;
  std::string mode;
  std::string syntax;  ///< "match" unless given.
  FusionOptions fusion;
  std::string where;
  bool explain = false;
  bool full_text = false;
  std::size_t snippets = 1;
  ModelOptions model;
};

struct RunOptions {
  std::string queries;
  std::string mode;
  std::string syntax;
  std::int64_t k = 100;
  FusionOptions fusion;
  std::string where;
  std::string format = "trec";
  std::string tag = "vecstore";
  ModelOptions model;
};

struct EvalOptions {
  std::string qrels;
  std::string run;
  std::vector<std::size_t> recall_cuts = {10, 100};
};

struct GetCommandOptions {
  std::vector<std::string> ids;
  bool vectors = false;
};

struct ScrollCommandOptions {
  std::string where;
  std::string after;
  std::uint64_t limit = 100;  ///< 0 = all.
  bool vectors = false;
};

/// How vectors are indexed, as options of a command.
struct IndexArguments {
  std::string json;  ///< All of it; what is given singly takes its place.
  std::optional<std::string> profile;
  std::optional<std::string> codes;
  std::optional<std::uint32_t> m;
  std::optional<std::uint32_t> ef_construction;
  std::optional<std::uint32_t> ef_search;
  std::optional<float> oversampling;
  std::optional<std::string> sparse_codes;
};

struct AlterOptions {
  std::string name;
  std::string vector;
  IndexArguments index;
};

struct CreateOptions {
  std::string name;
  std::optional<std::string> metric;
  std::optional<std::size_t> dimension;
  TextArguments text;
  IndexArguments index;
  ModelOptions model;
};

struct EraseOptions {
  std::vector<std::string> ids;
  std::string where;
  std::string source;
};

int ingest(const Common& common, const IngestOptions& options);
int query(const Common& common, const QueryCommandOptions& options);
int run(const Common& common, const RunOptions& options);
int eval(const Common& common, const EvalOptions& options);
int get(const Common& common, const GetCommandOptions& options);
int scroll(const Common& common, const ScrollCommandOptions& options);
int count(const Common& common, const std::string& where);
int stats(const Common& common);
int collections(const Common& common);
int create(const Common& common, const CreateOptions& options);
int alter(const Common& common, const AlterOptions& options);
int drop(const Common& common, const std::string& name);
int erase(const Common& common, const EraseOptions& options);
int compact(const Common& common);
int optimize(const Common& common);
int verify(const Common& common);
int extract_file(const Common& common, const std::string& path);

}  // namespace vecstore::cli
