#include "index/vector/flat_index.hpp"

#include <algorithm>
#include <mutex>

#include "index/vector/code_pass.hpp"
#include "index/vector/exact_scorer.hpp"
#include "index/vector/row_reader.hpp"

namespace vecstore {

namespace {

constexpr std::uint32_t kRowsPerCheck = 1024;
constexpr std::size_t kFewestRowsPerPart = 4096;
// A row that is looked up costs about as much as streaming past this many bytes, besides its own.
constexpr std::size_t kLookupBytes = 3000;

// Lets parts on several threads share the caller's order.
class SerialOrder final : public RowOrder {
 public:
  explicit SerialOrder(const RowOrder* order) : order_(order) {}
  bool before(std::uint64_t a, std::uint64_t b) const override {
    if (!order_) return a < b;
    const std::lock_guard lock(mutex_);
    return order_->before(a, b);
  }

 private:
  const RowOrder* order_;
  mutable std::mutex mutex_;
};

bool admits(const RowFilter& filter, std::uint64_t row, Context& context) {
  ++context.counters.rows_filtered;
  if (!filter.contains(row)) return false;
  ++context.counters.rows_matched;
  return true;
}

}  // namespace

struct FlatIndex::Search {
  const VectorQuery& query;
  Context& context;
  const ExactScorer scorer;

  std::size_t parts(std::uint64_t rows) const {
    if (!query.parallel || query.threads < 2) return 1;
    return static_cast<std::size_t>(std::clamp<std::uint64_t>(rows / kFewestRowsPerPart, 1, query.threads));
  }

  // fn(part, context) for each part; counters come back even when one fails.
  template <class Fn>
  void run_parts(std::size_t count, const Fn& fn) const {
    if (count == 1) return fn(0, context);
    std::vector<Context> contexts(count, context.child());
    const auto add_counters = [&] {
      for (const Context& c : contexts) context.counters += c.counters;
    };
    try {
      (*query.parallel)(count, [&](std::size_t part) { fn(part, contexts[part]); });
    } catch (...) {
      add_counters();
      throw;
    }
    add_counters();
  }

  // fn(from, to, context, out) over disjoint row ranges of the source, each with a collector of its own.
  template <class Fn>
  void over_row_ranges(const VectorSource& source, std::uint64_t from, TopK& out, const Fn& fn) const {
    const std::uint64_t end = source.end_row();
    if (from >= end) return;
    std::vector<std::uint64_t> cuts = {from};
    const std::size_t wanted = parts(source.row_count());
    if (wanted > 1) {
      for (std::uint64_t cut : source.split(wanted)) {
        if (cut > from && cut < end) cuts.push_back(cut);
      }
    }
    cuts.push_back(end);
    if (cuts.size() == 2) return fn(from, end, context, out);
    const SerialOrder order(out.order());
    std::vector<TopK> collectors(cuts.size() - 1, TopK(out.k(), out.bound(), &order));
    run_parts(collectors.size(),
              [&](std::size_t i, Context& child) { fn(cuts[i], cuts[i + 1], child, collectors[i]); });
    for (const TopK& collector : collectors) out.merge(collector);
  }
};

namespace {

std::uint32_t first_at_least(const VectorBlock& block, std::uint64_t row) {
  if (row <= block.first_row) return 0;
  if (!block.row_numbers) return static_cast<std::uint32_t>(row - block.first_row);
  return static_cast<std::uint32_t>(
      std::lower_bound(block.row_numbers, block.row_numbers + block.count, row) - block.row_numbers);
}

// Scores every row of [from, to) and asks the filter about the promising ones only.
void scan_range(const ExactScorer& scorer, const VectorSource& source, const RowFilter* filter,
                std::uint64_t from, std::uint64_t to, Context& context, TopK& out) {
  const std::unique_ptr<VectorCursor> cursor = source.cursor();
  const std::size_t row_bytes = source.dimension() * sizeof(float);
  float scores[kRowsPerCheck];
  std::uint32_t since_check = kRowsPerCheck;
  VectorBlock block;
  for (bool more = cursor->seek(from, block); more && block.first_row < to; more = cursor->next(block)) {
    if (filter && filter->next(std::max(from, block.first_row)) > block.last_row()) {
      if (++since_check > kRowsPerCheck) since_check = kRowsPerCheck, context.check();
      continue;
    }
    for (std::uint32_t begin = first_at_least(block, from); begin < block.count;) {
      const std::uint32_t count = std::min(block.count - begin, kRowsPerCheck);
      if ((since_check += count) > kRowsPerCheck) {
        context.check();
        since_check = count;
      }
      scorer.score(block, begin, count, scores);
      for (std::uint32_t i = 0; i < count; ++i) {
        if (scores[i] < out.bound()) continue;
        const std::uint64_t row = block.row(begin + i);
        if (row < to && (!filter || admits(*filter, row, context))) out.push(row, scores[i]);
      }
      context.counters.rows_scanned += count;
      context.counters.bytes_read += count * row_bytes;
      begin += count;
    }
  }
}

void lookup_range(const ExactScorer& scorer, const VectorSource& source, const RowFilter& filter,
                  std::uint64_t from, std::uint64_t to, Context& context, TopK& out) {
  RowReader reader(scorer, source, context, out);
  std::uint32_t steps = 0;
  for (std::uint64_t row = filter.next(from); row < to; row = filter.next(row + 1)) {
    if (++steps % kRowsPerCheck == 0) context.check();
    if (!admits(filter, row, context)) continue;
    if (reader.add(row)) ++context.counters.rows_scanned;
  }
  reader.flush();
}

}  // namespace

FlatIndex::FlatIndex(Metric metric, const VectorSource& source, CodeView codes)
    : metric_(metric), source_(source), codes_(std::move(codes)) {
  if (codes_.empty()) return;
  if (codes_.metric() != metric_) {
    invalid("codes are made for the metric ", to_string(codes_.metric()), ", the index has ",
            to_string(metric_));
  }
  if (codes_.dimension() != source_.dimension()) {
    invalid("codes have ", codes_.dimension(), " dimensions, the vectors have ", source_.dimension());
  }
}

void FlatIndex::search(const VectorQuery& query, Context& context, TopK& out) const {
  if (query.metric != metric_) {
    invalid("query metric is ", to_string(query.metric), ", the index has ", to_string(metric_));
  }
  if (query.vector.size() != dimension()) {
    invalid("query vector has ", query.vector.size(), " dimensions, the index has ", dimension());
  }
  const Search search{query, context, ExactScorer(metric_, query.vector)};
  context.check();
  if (out.k() == 0) return;
  if (use_lookup(query)) return by_lookup(search, out);
  if (use_codes(search, out.k())) {
    // Apart from `out`, so that nothing is in it twice when the codes turn out not to fit the vectors.
    TopK found(out.k(), out.bound(), out.order());
    if (by_codes(search, found)) return out.merge(found);
  }
  by_full_scan(search, 0, out);
}

bool FlatIndex::use_lookup(const VectorQuery& query) const {
  if (!query.filter) return false;
  const std::optional<std::uint64_t> matches = query.filter->count();
  const std::size_t row_bytes = dimension() * sizeof(float);
  const std::size_t streamed = codes_.empty() ? row_bytes : dimension() + 8;
  return matches && *matches <= source_.row_count() / (1 + (kLookupBytes + row_bytes) / streamed);
}

// With a large k nearly every row is a candidate, which costs more than one pass over the vectors.
bool FlatIndex::use_codes(const Search& search, std::size_t k) const {
  return !codes_.empty() && CodeStore::useful() && k <= codes_.row_count() / 32 &&
         RowCodeQuery::usable(search.scorer.query());
}

void FlatIndex::by_lookup(const Search& search, TopK& out) const {
  search.over_row_ranges(
      source_, 0, out, [&](std::uint64_t from, std::uint64_t to, Context& context, TopK& part) {
        lookup_range(search.scorer, source_, *search.query.filter, from, to, context, part);
      });
}

void FlatIndex::by_full_scan(const Search& search, std::uint64_t from, TopK& out) const {
  search.over_row_ranges(source_, from, out,
                         [&](std::uint64_t begin, std::uint64_t end, Context& context, TopK& part) {
                           scan_range(search.scorer, source_, search.query.filter, begin, end, context, part);
                         });
}

bool FlatIndex::by_codes(const Search& search, TopK& out) const {
  by_full_scan(search, codes_.end_row(), out);  // the newest rows first: they may raise the bound
  const RowCodeQuery query(metric_, search.scorer.query());
  const std::size_t groups = codes_.row_count() / simd::kGroupRows;
  const std::size_t parts = search.parts(codes_.row_count());
  std::vector<CodePass> passes(
      parts, CodePass(codes_, query, out.k(), out.bound(), source_.end_row(), search.query.filter));
  search.run_parts(parts, [&](std::size_t i, Context& context) {
    passes[i].run(groups * i / parts, groups * (i + 1) / parts, context);
  });
  for (std::size_t i = 1; i < parts; ++i) passes[0].merge(passes[i]);
  return rescore(search, passes[0].take(), out);
}

// Two rounds: first the most promising rows, which settle most of the result, then of the others those that
// can still change it. Each round reads in row order.
bool FlatIndex::rescore(const Search& search, const std::vector<Candidate>& candidates, TopK& out) const {
  RowReader reader(search.scorer, source_, search.context, out);
  std::vector<std::uint64_t> rows;
  std::size_t at = 0;
  const auto round = [&](std::size_t most) {
    rows.clear();
    for (; at < candidates.size() && rows.size() < most; ++at) {
      if (candidates[at].upper < out.bound()) break;
      rows.push_back(candidates[at].row);
    }
    std::sort(rows.begin(), rows.end());
    reader.rewind();
    for (std::uint64_t row : rows) {
      if (!reader.add(row)) return false;
    }
    reader.flush();
    search.context.counters.rows_rescored += rows.size();
    return true;
  };
  return round(out.k() + out.k() / 2) && round(candidates.size());
}

}  // namespace vecstore
