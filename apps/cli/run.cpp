// vecstore run: a file of queries, answered for evaluation.
#include <cstdio>

#include "base/error.hpp"
#include "cli/json_rows.hpp"
#include "cli/session.hpp"
#include "cli/terminal.hpp"

namespace vecstore::cli {
namespace {

/// Fields of a TREC line are separated by white space.
void check_trec_name(const std::string& what, const std::string& name) {
  if (name.find_first_of(" \t\r\n") != std::string::npos)
    invalid(what, " \"", name, "\" holds white space, which --format trec cannot say; use --format json");
}

void print_trec(const std::string& query, const Hits& hits, const std::string& tag) {
  check_trec_name("query", query);
  std::string lines;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    check_trec_name("id", hits[i].id);
    lines += query + " Q0 " + hits[i].id + " " + std::to_string(i + 1) + " " +
             json_number(hits[i].score).to_json() + " " + tag + "\n";
  }
  std::fputs(lines.c_str(), stdout);
}

}  // namespace

int run(const Common& common, const RunOptions& options) {
  TextQueryOptions request;
  request.where = parse_where(options.where);
  const bool json = common.json || options.format == "json";
  VecDatabase db = open_to_read(common);
  const Collection collection = choose_collection(db, common);
  const CollectionInfo info = collection.info();
  request.k = options.k;
  request.mode = choose_mode(options.mode, info);
  request.syntax = parse_syntax(options.syntax);
  request.with_text = false;
  request.with_metadata = false;
  set_fusion(options.fusion, request);
  request.stop = stop_on_signals();
  if (request.mode != Mode::kText) request.embedder = query_model(options.model, common, info);

  JsonRows queries(options.queries);
  std::string separator;
  if (json) std::fputs("{", stdout);
  for (Record query; queries.next(query);) {
    check_stop(request.stop);
    const Hits hits = collection.query_text(query.text, request);
    if (!json) {
      print_trec(query.id, hits, options.tag);
      continue;
    }
    Metadata scores;
    for (const Hit& hit : hits) scores[hit.id] = json_number(hit.score);
    std::fputs((separator + Metadata(query.id).to_json() + ":" + scores.to_json()).c_str(), stdout);
    separator = ",\n";
  }
  if (json) std::fputs("}\n", stdout);
  return kExitOk;
}

}  // namespace vecstore::cli
