// Measures of ranked lists against judgements.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vecstore::cli {

/// Query -> document -> grade; a grade of 1 or more is relevant.
using Judgements = std::map<std::string, std::map<std::string, int>>;
/// Query -> documents, best first, each once.
using Ranking = std::map<std::string, std::vector<std::string>>;

/// Means over the judged queries that have a relevant document; a query without results counts as 0.
struct Measures {
  double ndcg = 0;                       ///< At 10; gain = grade, discount = log2(rank + 1).
  std::map<std::size_t, double> recall;  ///< By cut.
  double mrr = 0;                        ///< 1 / rank of the first relevant document.
  double map = 0;                        ///< Mean average precision over the whole list.
  std::size_t queries = 0;
};

Measures measure(const Judgements& judgements, const Ranking& ranking,
                 const std::vector<std::size_t>& recall_cuts);

/// BEIR's "query-id<TAB>corpus-id<TAB>score" (with its header line) or TREC's "query 0 document grade".
/// kInvalidArgument names file and line.
Judgements read_judgements(const std::string& path);
/// TREC's "query Q0 document rank score tag", or JSON {"query": {"document": score}}: told apart by the first
/// byte. Ordered by score, equal scores as in the file. kInvalidArgument names file and line.
Ranking read_ranking(const std::string& path);

}  // namespace vecstore::cli
