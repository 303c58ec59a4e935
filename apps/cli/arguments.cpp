#include "cli/arguments.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

namespace vecstore::cli {
namespace {

constexpr const char* kIntroduction =
    "VecStore: search documents, texts and vectors in one directory.\n\n"
    "  vecstore ingest notes.vdb docs/              read a folder of documents\n"
    "  vecstore query notes.vdb \"how do I undo it?\"  ask; answers cite file and bytes\n\n"
    "vecstore COMMAND --help explains a command, with examples.";

constexpr const char* kExitCodes =
    "Exit codes: 0 done, 1 error, 2 wrong usage, 3 not found, 4 verify found damage, 130 interrupted.\n"
    "With --json every command prints JSON (one document, or one per line where records are listed), errors\n"
    "included: {\"error\": {\"code\", \"message\"}}. NO_COLOR=1 switches colours off.\n"
    "Models are looked for as a path, then in VECSTORE_MODELS, DB/models, share/vecstore/models beside the "
    "program's\n"
    "prefix, and ~/.cache/vecstore/models.";

/// One subcommand with its options; `Options` lives as long as the app.
template <class Options>
struct Declared {
  CLI::App* app;
  std::shared_ptr<Options> options;
  CLI::App* operator->() const { return app; }
};

template <class Options>
Declared<Options> declare(CLI::App& app, CommandLine& line, const char* name, const char* summary,
                          const char* examples, int (*run)(const Common&, const Options&)) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(name, summary);
  command->footer(examples);
  command->callback(
      [&line, options, run] { line.action = [&line, options, run] { return run(line.common, *options); }; });
  return {command, options};
}

CLI::App* declare(CLI::App& app, CommandLine& line, const char* name, const char* summary,
                  const char* examples, int (*run)(const Common&)) {
  CLI::App* command = app.add_subcommand(name, summary);
  command->footer(examples);
  command->callback([&line, run] { line.action = [&line, run] { return run(line.common); }; });
  return command;
}

void add_database(CLI::App* command, CommandLine& line) {
  command->add_option("DB", line.common.database, "Directory of the database")->required()->type_name("");
}

void add_collection(CLI::App* command, CommandLine& line) {
  command
      ->add_option("-c,--collection", line.common.collection,
                   "Collection (\"default\", or the only one there is)")
      ->type_name("NAME");
}

void add_where(CLI::App* command, std::string& where) {
  command->add_option("-w,--where", where, "Only records that match, e.g. \"year >= 2024 AND lang = 'en'\"")
      ->type_name("FILTER");
}

void add_model(CLI::App* command, ModelOptions& model, const char* what) {
  command->add_option("--embedder", model.embedder, what)->type_name("MODEL");
  command->add_option("--precision", model.precision, "How the model computes (fast)")
      ->check(CLI::IsMember({"f32", "fast"}))
      ->type_name("");
}

void add_schema(CLI::App* command, std::optional<std::string>& metric, std::optional<std::size_t>& dimension,
                TextArguments& text) {
  command->add_option("--metric", metric, "How vectors are compared (cosine)")
      ->check(CLI::IsMember({"cosine", "dot", "euclidean"}))
      ->type_name("");
  command->add_option("--dimension", dimension, "Components of a vector (learned from the first one)")
      ->check(CLI::Range(1, 65536))
      ->type_name("N");
  command
      ->add_option("--analyzer", text.analyzer,
                   "How texts become words (english): a language, neutral, cjk, code, ngram, edge_ngram")
      ->check(CLI::IsMember(analyzer_names()))
      ->type_name("NAME");
  command
      ->add_option("--analysis", text.analysis,
                   "Options of the analyzer: {\"stop_words\": [], \"synonyms\": [\"car, automobile\"]}")
      ->type_name("JSON");
  command
      ->add_option("--text-field", text.fields,
                   "What is searched as text, again for each: text, a key of the metadata, or "
                   "{\"path\": \"title\", \"weight\": 2, \"analyzer\": \"german\", \"analysis\": {}}")
      ->type_name("FIELD");
}

void add_index(CLI::App* command, IndexArguments& index) {
  command
      ->add_option("--profile", index.profile,
                   "Index: balanced (the default), fast (more links) or small (least memory)")
      ->check(CLI::IsMember({"balanced", "fast", "small"}))
      ->type_name("");
  command
      ->add_option("--codes", index.codes,
                   "Index: int4+residual and int4 have a graph; int8 and f32 are scanned, which is exact")
      ->check(CLI::IsMember({"int4+residual", "int4", "int8", "f32"}))
      ->type_name("");
  command->add_option("--m", index.m, "Graph: a row has at most twice as many links, 2 to 64")
      ->type_name("N");
  command
      ->add_option("--ef-construction", index.ef_construction,
                   "Graph: near rows looked at for a row's links, 8 to 4096")
      ->type_name("N");
  command->add_option("--ef-search", index.ef_search, "Graph: effort of a query, 1 to 65536")->type_name("N");
  command
      ->add_option("--oversampling", index.oversampling,
                   "Graph: at least so many times k are scored with full vectors, 1 to 100")
      ->type_name("X");
  command
      ->add_option("--sparse-codes", index.sparse_codes,
                   "Sparse vectors: f32 (the default) is exact, int8 takes less than half of the disk")
      ->check(CLI::IsMember({"f32", "int8"}))
      ->type_name("");
  command->add_option("--index", index.json, "The same as JSON: {\"profile\": \"fast\", \"ef_search\": 100}")
      ->type_name("JSON");
}

void add_mode(CLI::App* command, std::string& mode, FusionOptions& fusion) {
  command->add_option("-m,--mode", mode, "What to search (hybrid where there is a model, else text)")
      ->check(CLI::IsMember({"dense", "text", "hybrid"}))
      ->type_name("");
  command
      ->add_option("--alpha", fusion.alpha,
                   "Hybrid: share of the vectors, 0 to 1 (ranks are fused unless given)")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("X");
  command
      ->add_option("--fusion", fusion.name,
                   "Hybrid: rrf, relative_score, z_score, distribution, max, min, harmonic or geometric")
      ->type_name("NAME");
  command->add_option("--autocut", fusion.autocut, "Only the hits before the N-th jump of the scores")
      ->type_name("N");
}

void add_syntax(CLI::App* command, std::string& syntax) {
  command
      ->add_option(
          "--syntax", syntax,
          "match: plain text (the default); query: +must -not \"a phrase\" AND OR NOT begin* fuzzy~1 "
          "field:word word^2")
      ->check(CLI::IsMember({"match", "query"}))
      ->type_name("");
}

void add_ingest(CLI::App& app, CommandLine& line) {
  auto command = declare<IngestOptions>(
      app, line, "ingest", "Read documents, JSON lines or vectors into a collection",
      "Documents (text, Markdown, HTML, source code) are cut into passages; a passage knows its file, its "
      "bytes in the\n"
      "extracted text (vecstore extract FILE) and its heading. A file that is ingested again replaces its "
      "passages;\n"
      "one whose passages are stored already just so costs no embedding. The path as given is the file's "
      "name.\n"
      "A row of .jsonl (.gz) is a record: _id, title and text (joined by a space), all other keys are "
      "metadata;\n"
      "the title as well where the collection has a text field title.\n"
      "A row of .npy (float32, float16, int8, uint8) or .fvecs is a record whose id is the row's number.\n"
      "Ctrl-C stops between two commits; the same command goes on from there.\n\n"
      "Examples:\n"
      "  vecstore ingest notes.vdb docs/ README.md\n"
      "  vecstore ingest wiki.vdb corpus.jsonl.gz --collection articles --on-error skip\n"
      "  vecstore ingest wiki.vdb corpus.jsonl --vectors corpus.npy      own vectors, row i for line i\n"
      "  vecstore ingest sift.vdb base.fvecs --metric euclidean\n"
      "  vecstore ingest logs.vdb notes.txt --embedder none              full-text search only",
      &ingest);
  IngestOptions& o = *command.options;
  add_database(command.app, line);
  command->add_option("PATH", o.paths, "Files and folders")->required()->type_name("");
  add_collection(command.app, line);
  command->add_option("--vectors", o.vectors, "Vectors of the .jsonl file's rows (.npy or .fvecs)")
      ->type_name("FILE");
  command
      ->add_option("--splitter", o.splitter,
                   "How texts are cut: auto (by kind of file) for documents, none for rows, unless given")
      ->check(CLI::IsMember({"auto", "plain", "markdown", "none"}))
      ->type_name("");
  command->add_option("--chunk-size", o.chunk_size, "Longest passage, in characters (500)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command->add_option("--overlap", o.overlap, "Most characters that neighbours share (50)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  add_model(command.app, o.model,
            "Model (the collection's, else all-MiniLM-L6-v2 where it is found), or none");
  add_schema(command.app, o.metric, o.dimension, o.text);
  command
      ->add_option(
          "--on-error",
          [&o](const CLI::results_t& value) { return o.skip_errors = value[0] == "skip", true; },
          "What to do with a row or file that is refused (stop)")
      ->check(CLI::IsMember({"stop", "skip"}))
      ->type_name("");
  command->add_option("-j,--jobs", o.jobs, "Threads (one per core)")
      ->check(CLI::Range(1, 256))
      ->type_name("N");
}

void add_query(CLI::App& app, CommandLine& line) {
  auto command = declare<QueryCommandOptions>(
      app, line, "query", "Find the best passages for a text",
      "Prints score, place (file:first byte-last byte of the extracted text), heading and the piece of the "
      "passage\n"
      "that shows most of the words.\n\n"
      "Examples:\n"
      "  vecstore query notes.vdb \"how do I undo the last commit?\"\n"
      "  vecstore query notes.vdb stash untracked files -k 3 --mode text\n"
      "  vecstore query wiki.vdb -c articles \"wing flutter\" --where \"year < 1960\" --alpha 0.7 --json\n"
      "  vecstore query notes.vdb --syntax query '+\"merge conflict\" -svn re*'\n"
      "  vecstore query notes.vdb rebase --explain",
      &query);
  QueryCommandOptions& o = *command.options;
  add_database(command.app, line);
  command->add_option("TEXT", o.words, "What to look for; several words need no quotes")
      ->required()
      ->type_name("");
  add_collection(command.app, line);
  command->add_option("-k", o.k, "How many (5)")->check(CLI::Range(0, 10'000))->type_name("N");
  command->add_option("--offset", o.offset, "Leave out this many of the best")
      ->check(CLI::Range(0, 10'000))
      ->type_name("N");
  add_mode(command.app, o.mode, o.fusion);
  add_syntax(command.app, o.syntax);
  add_where(command.app, o.where);
  command->add_option("--snippets", o.snippets, "How many pieces of each passage (1)")
      ->check(CLI::Range(1, 100))
      ->type_name("N");
  command->add_flag("--full", o.full_text, "Print the whole passages");
  command->add_flag("--explain", o.explain, "Print the plan with its counters");
  add_model(command.app, o.model, "Model for the query (the collection's)");
}

void add_run(CLI::App& app, CommandLine& line) {
  auto command = declare<RunOptions>(
      app, line, "run", "Answer a file of queries, for evaluation",
      "Example:\n"
      "  vecstore run wiki.vdb --queries queries.jsonl --mode hybrid -k 100 > hybrid.run\n"
      "  vecstore eval --qrels qrels.tsv hybrid.run",
      &run);
  RunOptions& o = *command.options;
  add_database(command.app, line);
  command->add_option("--queries", o.queries, "JSON lines with _id and text")->required()->type_name("FILE");
  add_collection(command.app, line);
  command->add_option("-k", o.k, "Results per query (100)")->check(CLI::Range(1, 10'000))->type_name("N");
  add_mode(command.app, o.mode, o.fusion);
  add_syntax(command.app, o.syntax);
  add_where(command.app, o.where);
  command
      ->add_option("--format", o.format, "trec (query Q0 id rank score tag) or json ({query: {id: score}})")
      ->check(CLI::IsMember({"trec", "json"}))
      ->type_name("");
  command->add_option("--tag", o.tag, "Last column of trec")->type_name("NAME");
  add_model(command.app, o.model, "Model for the queries (the collection's)");
}

void add_eval(CLI::App& app, CommandLine& line) {
  auto command = declare<EvalOptions>(app, line, "eval", "Measure a run: nDCG@10, recall, MRR, MAP",
                                      "Judgements: BEIR's qrels.tsv or TREC's four columns. Means are over "
                                      "the judged queries that have a relevant\n"
                                      "document; a query that the run lacks counts as 0. Results are ordered "
                                      "by score, equal scores as in the file.\n\n"
                                      "Example:\n"
                                      "  vecstore eval --qrels qrels.tsv hybrid.run --recall 10,100 --json",
                                      &eval);
  EvalOptions& o = *command.options;
  command->add_option("--qrels", o.qrels, "Judgements")->required()->type_name("FILE");
  command->add_option("RUN", o.run, "Output of vecstore run, either format")->required()->type_name("");
  command->add_option("--recall", o.recall_cuts, "Cuts for recall (10,100)")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->type_name("K,...");
}

void add_records(CLI::App& app, CommandLine& line) {
  auto get_command = declare<GetCommandOptions>(
      app, line, "get", "Print records by id",
      "Examples:\n  vecstore get notes.vdb docs/a.md#0\n  vecstore get notes.vdb d1 d2 --vectors --json",
      &get);
  add_database(get_command.app, line);
  get_command->add_option("ID", get_command.options->ids, "Ids")->required()->type_name("");
  add_collection(get_command.app, line);
  get_command->add_flag("--vectors", get_command.options->vectors, "Print the vectors too");

  auto scroll_command = declare<ScrollCommandOptions>(
      app, line, "scroll", "List records in the order of their ids",
      "Examples:\n"
      "  vecstore scroll notes.vdb --limit 20 --where \"heading = 'OPTIONS'\"\n"
      "  vecstore scroll notes.vdb --limit 0 --json > all.jsonl       everything, one record per line",
      &scroll);
  ScrollCommandOptions& s = *scroll_command.options;
  add_database(scroll_command.app, line);
  add_collection(scroll_command.app, line);
  add_where(scroll_command.app, s.where);
  scroll_command->add_option("--after", s.after, "Begin behind this id")->type_name("ID");
  scroll_command->add_option("--limit", s.limit, "How many (100); 0 = all")->type_name("N");
  scroll_command->add_flag("--vectors", s.vectors, "Print the vectors too");

  auto where = std::make_shared<std::string>();
  CLI::App* count_command = app.add_subcommand("count", "Count records");
  count_command->footer(
      "Examples:\n  vecstore count notes.vdb\n  vecstore count wiki.vdb --where \"year BETWEEN 1950 AND "
      "1960\"");
  count_command->callback(
      [&line, where] { line.action = [&line, where] { return count(line.common, *where); }; });
  add_database(count_command, line);
  add_collection(count_command, line);
  add_where(count_command, *where);

  auto erase_command =
      declare<EraseOptions>(app, line, "erase", "Erase records by id, filter or source",
                            "Examples:\n"
                            "  vecstore erase notes.vdb docs/a.md#0\n"
                            "  vecstore erase notes.vdb --source docs/a.md          all passages of a file\n"
                            "  vecstore erase wiki.vdb --where \"year < 1950\"",
                            &erase);
  EraseOptions& e = *erase_command.options;
  add_database(erase_command.app, line);
  erase_command->add_option("ID", e.ids, "Ids; one that is not there is no error")->type_name("");
  add_collection(erase_command.app, line);
  add_where(erase_command.app, e.where);
  erase_command->add_option("--source", e.source, "All passages of this source")->type_name("NAME");
}

void add_admin(CLI::App& app, CommandLine& line) {
  add_database(declare(app, line, "collections", "List the collections",
                       "Example:\n  vecstore collections notes.vdb --json", &collections),
               line);

  auto create_command = declare<CreateOptions>(
      app, line, "create", "Make an empty collection",
      "ingest makes a collection when it is missing; create is for choosing its schema beforehand.\n\n"
      "Examples:\n  vecstore create app.vdb articles --metric dot --dimension 768 --analyzer neutral\n"
      "  vecstore create app.vdb artikel --analyzer german --text-field text --text-field title\n"
      "  vecstore create app.vdb pages --profile small",
      &create);
  CreateOptions& c = *create_command.options;
  add_database(create_command.app, line);
  create_command->add_option("NAME", c.name, "Name of the collection")->required()->type_name("");
  add_schema(create_command.app, c.metric, c.dimension, c.text);
  add_index(create_command.app, c.index);
  add_model(create_command.app, c.model, "Model that embeds its texts (none)");

  auto alter_command = declare<AlterOptions>(
      app, line, "alter", "Change how a collection's vectors are indexed",
      "What is not given is as the profile has it. The change holds from the next query on; the index is "
      "built "
      "anew in\n"
      "the background while a program has the database open, or at once by optimize.\n\n"
      "Examples:\n"
      "  vecstore alter app.vdb articles --profile small && vecstore optimize app.vdb\n"
      "  vecstore alter app.vdb articles --profile fast --ef-search 100",
      &alter);
  AlterOptions& a = *alter_command.options;
  add_database(alter_command.app, line);
  alter_command->add_option("NAME", a.name, "Name of the collection")->required()->type_name("");
  alter_command->add_option("--vector", a.vector, "Name of the vector (the one without a name)")
      ->type_name("NAME");
  add_index(alter_command.app, a.index);

  auto name = std::make_shared<std::string>();
  CLI::App* drop_command = app.add_subcommand("drop", "Delete a collection with all its records");
  drop_command->footer("Example:\n  vecstore drop app.vdb articles");
  drop_command->callback([&line, name] { line.action = [&line, name] { return drop(line.common, *name); }; });
  add_database(drop_command, line);
  drop_command->add_option("NAME", *name, "Name of the collection")->required()->type_name("");

  CLI::App* stats_command = declare(app, line, "stats", "Sizes, counts and digests",
                                    "Example:\n  vecstore stats notes.vdb --json", &stats);
  add_database(stats_command, line);
  add_collection(stats_command, line);

  add_database(
      declare(app, line, "compact", "Give the space of erased records back to the system",
              "Writes what is live into a new data file and removes the old one. Readers beside it go "
              "on. Needs as much free disk as the live data takes.\n\n"
              "Example:\n  vecstore compact notes.vdb",
              &compact),
      line);

  CLI::App* optimize_command = declare(
      app, line, "optimize", "Build the vector index now, as one piece",
      "Large collections get their index in the background while a program has them open; this does it at "
      "once. Without it queries scan, which is exact and slower; with it they find nearly all of the "
      "best.\n\n"
      "Example:\n  vecstore optimize notes.vdb",
      &optimize);
  add_database(optimize_command, line);
  add_collection(optimize_command, line);

  add_database(declare(app, line, "verify", "Read everything and check it against its checksums",
                       "Changes nothing. Exit code 4 when something is damaged; every damage is one line.\n\n"
                       "Example:\n  vecstore verify notes.vdb || echo restore a backup",
                       &verify),
               line);

  auto path = std::make_shared<std::string>();
  CLI::App* extract_command =
      app.add_subcommand("extract", "Print the text that ingest reads from a document");
  extract_command->footer(
      "The byte offsets of citations are places in this text.\n\n"
      "Example:\n  vecstore extract docs/page.html | tail -c +1205 | head -c 640");
  extract_command->callback(
      [&line, path] { line.action = [&line, path] { return extract_file(line.common, *path); }; });
  extract_command->add_option("FILE", *path, "Text, Markdown, HTML or source code")
      ->required()
      ->type_name("");
}

void add_completion(CLI::App& app, CommandLine& line) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Print a completion script for bash or zsh");
  command->footer(
      "Examples:\n  source <(vecstore completion bash)\n  vecstore completion zsh > ~/.zfunc/_vecstore");
  command->add_option("SHELL", *shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}))
      ->type_name("");
  command->callback([&app, &line, shell] {
    line.action = [&app, shell] {
      std::fputs(completion_script(app, *shell).c_str(), stdout);
      return kExitOk;
    };
  });
}

}  // namespace

std::unique_ptr<CLI::App> make_app(CommandLine& line) {
  auto app = std::make_unique<CLI::App>(kIntroduction, "vecstore");
  app->set_version_flag("--version", "vecstore " VECSTORE_VERSION);
  app->add_flag("--json", line.common.json, "Print JSON");
  app->footer(kExitCodes);
  app->require_subcommand(1);
  app->fallthrough();
  app->get_formatter()->column_width(34);
  add_ingest(*app, line);
  add_query(*app, line);
  add_run(*app, line);
  add_eval(*app, line);
  add_records(*app, line);
  add_admin(*app, line);
  add_completion(*app, line);
  return app;
}

}  // namespace vecstore::cli
