#include "cli/metrics.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <unordered_set>

#include "base/error.hpp"
#include "cli/document.hpp"
#include "cli/line_reader.hpp"
#include "vecstore/metadata.hpp"

namespace vecstore::cli {
namespace {

constexpr std::size_t kNdcgCut = 10;

double discounted(const std::vector<int>& grades, std::size_t cut) {
  double sum = 0;
  for (std::size_t i = 0; i < std::min(cut, grades.size()); ++i)
    sum += grades[i] / std::log2(static_cast<double>(i) + 2.0);
  return sum;
}

std::vector<std::string_view> fields_of(std::string_view line, std::string_view separators) {
  std::vector<std::string_view> fields;
  for (std::size_t begin = line.find_first_not_of(separators); begin != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(separators, begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(separators, end);
  }
  return fields;
}

template <class T>
bool number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

struct Scored {
  std::string id;
  double score;
};
using ScoredRanking = std::map<std::string, std::vector<Scored>>;

Ranking sorted(ScoredRanking scored, const std::string& path) {
  Ranking ranking;
  for (auto& [query, documents] : scored) {
    std::stable_sort(documents.begin(), documents.end(),
                     [](const Scored& a, const Scored& b) { return a.score > b.score; });
    auto& out = ranking[query];
    std::unordered_set<std::string_view> seen;
    for (const Scored& document : documents) {
      if (!seen.insert(document.id).second)
        invalid(path, ": query ", query, " lists ", document.id, " twice");
      out.push_back(document.id);
    }
  }
  return ranking;
}

Ranking ranking_from_json(const std::string& path) {
  // A run of a million lines as JSON has some 50 MB; Metadata's limits are for records, its parser has none
  // on size.
  const Metadata run = Metadata::parse(read_file(path, std::size_t{1} << 30));
  if (!run.is_object()) invalid(path, ": not a JSON object");
  ScoredRanking scored;
  for (const auto& [query, documents] : run.as_object()) {
    if (!documents.is_object()) invalid(path, ": query ", query, ": wanted {\"document\": score}");
    for (const auto& [id, score] : documents.as_object()) scored[query].push_back({id, score.as_double()});
  }
  return sorted(std::move(scored), path);
}

}  // namespace

Measures measure(const Judgements& judgements, const Ranking& ranking,
                 const std::vector<std::size_t>& recall_cuts) {
  Measures result;
  for (const std::size_t cut : recall_cuts) result.recall[cut] = 0;
  static const std::vector<std::string> kNothing;
  for (const auto& [query, grades] : judgements) {
    std::vector<int> ideal;
    for (const auto& [id, grade] : grades)
      if (grade > 0) ideal.push_back(grade);
    if (ideal.empty()) continue;
    ++result.queries;
    std::sort(ideal.begin(), ideal.end(), std::greater<>());

    const auto found = ranking.find(query);
    const std::vector<std::string>& documents = found != ranking.end() ? found->second : kNothing;
    std::vector<int> gains;
    std::size_t relevant = 0;
    double precision = 0, reciprocal = 0;
    std::vector<std::size_t> hits_until;  // relevant documents among the first i + 1
    for (std::size_t i = 0; i < documents.size(); ++i) {
      const auto judged = grades.find(documents[i]);
      const int grade = judged != grades.end() ? std::max(judged->second, 0) : 0;
      gains.push_back(grade);
      if (grade > 0) {
        if (++relevant == 1) reciprocal = 1.0 / static_cast<double>(i + 1);
        precision += static_cast<double>(relevant) / static_cast<double>(i + 1);
      }
      hits_until.push_back(relevant);
    }
    result.ndcg += discounted(gains, kNdcgCut) / discounted(ideal, kNdcgCut);
    result.mrr += reciprocal;
    result.map += precision / static_cast<double>(ideal.size());
    for (auto& [cut, sum] : result.recall) {
      const std::size_t last = std::min(cut, hits_until.size());
      if (last > 0) sum += static_cast<double>(hits_until[last - 1]) / static_cast<double>(ideal.size());
    }
  }
  if (result.queries > 0) {
    const auto n = static_cast<double>(result.queries);
    result.ndcg /= n;
    result.mrr /= n;
    result.map /= n;
    for (auto& [cut, sum] : result.recall) sum /= n;
  }
  return result;
}

Judgements read_judgements(const std::string& path) {
  LineReader lines(path);
  Judgements judgements;
  std::string_view line;
  while (lines.next(line)) {
    const bool tabs = line.find('\t') != std::string_view::npos;
    const auto fields = fields_of(line, tabs ? "\t\r" : " \r");
    if (fields.empty() || fields[0] == "query-id") continue;
    const std::size_t document = fields.size() == 4 ? 2 : 1;
    int grade = 0;
    if ((fields.size() != 3 && fields.size() != 4) || !number(fields.back(), grade)) {
      invalid(path, ":", lines.line_number(),
              ": wanted \"query document grade\" or \"query 0 document grade\"");
    }
    judgements[std::string(fields[0])][std::string(fields[document])] = grade;
  }
  return judgements;
}

Ranking read_ranking(const std::string& path) {
  LineReader lines(path);
  ScoredRanking scored;
  std::string_view line;
  while (lines.next(line)) {
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) continue;
    if (scored.empty() && line[first] == '{') return ranking_from_json(path);
    const auto fields = fields_of(line, " \t\r");
    double score = 0;
    if (fields.size() != 6 || !number(fields[4], score) || !std::isfinite(score)) {
      invalid(path, ":", lines.line_number(), ": wanted \"query Q0 document rank score tag\"");
    }
    scored[std::string(fields[0])].push_back({std::string(fields[2]), score});
  }
  return sorted(std::move(scored), path);
}

}  // namespace vecstore::cli
