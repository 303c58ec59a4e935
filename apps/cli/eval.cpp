// vecstore eval: how good a run is.
#include <cstdio>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/metrics.hpp"
#include "cli/terminal.hpp"

namespace vecstore::cli {

int eval(const Common& common, const EvalOptions& options) {
  const Judgements judgements = read_judgements(options.qrels);
  const Ranking ranking = read_ranking(options.run);
  const Measures result = measure(judgements, ranking, options.recall_cuts);
  if (result.queries == 0) invalid(options.qrels, ": no query has a relevant document");
  Metadata out;
  out["ndcg@10"] = Metadata(result.ndcg);
  for (const auto& [cut, value] : result.recall) out["recall@" + std::to_string(cut)] = Metadata(value);
  out["mrr"] = Metadata(result.mrr);
  out["map"] = Metadata(result.map);
  out["queries"] = Metadata(result.queries);
  if (common.json) {
    print_json(out);
    return kExitOk;
  }
  for (const auto& [name, value] : out.as_object()) {
    std::string line = name + std::string(name.size() < 12 ? 12 - name.size() : 1, ' ');
    line += value.is_int() ? std::to_string(value.as_int()) : fixed(value.as_double(), 4);
    std::puts(line.c_str());
  }
  return kExitOk;
}

}  // namespace vecstore::cli
