// Whether a graph over codes finds what it should, measured before it is used.

#include <algorithm>
#include <mutex>

#include "index/vector/exact_scorer.hpp"
#include "index/vector/hnsw_parts.hpp"
#include "quant/norms.hpp"

namespace vecstore {

namespace {

constexpr std::uint32_t kQueries = 48, kTop = 10, kEf = 256, kSmallEf = 32;
constexpr std::uint32_t kUnscored =
    4;  // times as many hits get full vectors where there is no rescoring copy

// The best scores of one query so far, in ascending order.
struct Best {
  float scores[kTop];
  std::uint32_t count = 0;

  void offer(float score) {
    if (count == kTop) {
      if (!(score > scores[0])) return;
      std::move(scores + 1, scores + kTop, scores);
      --count;
    }
    std::uint32_t at = count++;
    for (; at > 0 && scores[at - 1] > score; --at) scores[at] = scores[at - 1];
    scores[at] = score;
  }
};

}  // namespace

HnswIndex::Sampled HnswIndex::sample(const RowVectors& vectors, const HnswOptions& options,
                                     Context& context) const {
  const std::uint32_t rows = nodes_, queries = std::min(rows, kQueries);
  std::vector<std::uint32_t> chosen(queries);
  std::vector<ExactScorer> scorers;
  for (std::uint32_t q = 0; q < queries; ++q) {
    chosen[q] = static_cast<std::uint32_t>((2 * std::uint64_t{q} + 1) * rows / (2 * queries));
    scorers.emplace_back(metric(), std::span(vectors(chosen[q]), dimension()));
  }
  std::vector<Best> best(queries);
  std::mutex mutex;
  in_row_parts(options.build, rows, context, [&](std::uint32_t begin, std::uint32_t end) {
    std::vector<Best> here(queries);
    for (std::uint32_t i = begin; i < end; ++i) {
      const float* row = vectors(i);
      const float inverse = inverse_norm(row, dimension());
      for (std::uint32_t q = 0; q < queries; ++q) {
        if (i != chosen[q]) here[q].offer(scorers[q].score_one(row, &inverse));
      }
    }
    const std::lock_guard lock(mutex);
    for (std::uint32_t q = 0; q < queries; ++q) {
      for (std::uint32_t i = 0; i < here[q].count; ++i) best[q].offer(here[q].scores[i]);
    }
  });

  HnswScratch scratch;
  std::vector<HnswHit> hits;
  std::vector<float> own(dimension());
  std::size_t found = 0, wanted = 0, astray = 0;
  for (std::uint32_t q = 0; q < queries; ++q) {
    if (best[q].count == 0) continue;
    std::copy_n(vectors(chosen[q]), dimension(), own.data());
    HnswQuery query;
    query.vector = own;
    query.k = kTop + 1;
    if (residual_bytes_ == 0) query.hits = kUnscored * query.k;
    const auto good_with = [&](std::uint32_t ef) {
      query.ef = ef;
      search(query, scratch, context, hits);
      const float least = best[q].scores[0];
      std::uint32_t good = 0;
      for (const HnswHit& hit : hits)
        good += hit.node != chosen[q] && scorers[q].score_one(vectors(hit.node)) >= least;
      return std::min(good, best[q].count);
    };
    found += good_with(kEf);
    astray += good_with(kSmallEf) * 4 < best[q].count;
    wanted += best[q].count;
  }
  Sampled out;
  if (wanted > 0) out.recall = static_cast<double>(found) / static_cast<double>(wanted);
  if (queries > 0) out.astray = static_cast<double>(astray) / queries;
  return out;
}

}  // namespace vecstore
