#include "query/executor.hpp"

#include <algorithm>
#include <chrono>

#include "base/error.hpp"
#include "base/executor.hpp"
#include "base/metadata_codec.hpp"
#include "query/record_filter.hpp"

namespace vecstore::query {
namespace {

/// Equal scores are ordered by id, which only the documents know.
class IdOrder final : public RowOrder {
 public:
  explicit IdOrder(const shard::ReadView& view) : documents_(view) {}
  bool before(std::uint64_t a, std::uint64_t b) const override { return id(a) < id(b); }

 private:
  std::string id(std::uint64_t row) const {
    try {
      return std::string(documents_.read(row).id);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      return {};  // damaged: it will be left out, its place does not matter
    }
  }
  mutable shard::DocumentReader documents_;
};

class Timer {
 public:
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// One execution.
class Execution {
 public:
  Execution(const Request& request, shard::ReadView& view, Context& ctx)
      : request_(request), view_(view), ctx_(ctx) {}
  Hits run();

 private:
  std::vector<RowScore> run_leaf(const Leaf& leaf, PlanNode& node);
  std::vector<RowScore> run_vector(const Leaf& leaf, PlanNode& node, Context& ctx);
  std::vector<RowScore> search_vectors(const catalog::VectorFieldSchema& field, const IndexSettings& index,
                                       const shard::VectorView& vectors, bool exact, const Leaf& leaf,
                                       PlanNode& node, Context& ctx);
  std::vector<RowScore> run_terms(const Leaf& leaf, PlanNode& node, Context& ctx);
  std::vector<FusedRow> join(const Plan& plan, std::vector<std::vector<RowScore>> lists, PlanNode& node);
  void read_hits(const Plan& plan, std::span<const FusedRow> rows, Hits& out, PlanNode& node);
  bool read_hit(shard::DocumentReader& documents, const FusedRow& row, Hit& hit);
  const Filter* filter() const { return request_.where ? &*request_.where : nullptr; }
  void note_filter(const ViewRows& rows, Context& ctx);

  const Request& request_;
  shard::ReadView& view_;
  Context& ctx_;
  std::vector<std::string> warnings_;
};

void Execution::note_filter(const ViewRows& rows, Context& ctx) {
  ctx.counters.rows_filtered += rows.evaluated();
  ctx.counters.rows_matched += rows.matched();
  ctx.counters.records_degraded += rows.degraded();
  for (const std::string& w : rows.warnings()) {
    if (std::find(warnings_.begin(), warnings_.end(), w) == warnings_.end()) warnings_.push_back(w);
  }
}

std::vector<RowScore> Execution::run_vector(const Leaf& leaf, PlanNode& node, Context& ctx) {
  const auto* field = view_.schema().find(request_.vector_name);
  // The view may have moved on since the request was checked.
  if (!field) invalid("vector '", request_.vector_name, "' was dropped");
  node.properties.emplace_back("metric", to_string(field->metric));
  if (field->dimension == 0) return {};  // no record has a vector yet
  const IndexSettings index = index_settings(field->index, field->dimension, view_.state().live);
  for (;;) {
    // What a filter lets through has to be found.
    const bool exact = request_.exact || filter() != nullptr || index.codes == Codes::kF32;
    const shard::VectorView vectors = view_.shard().vectors(*field).view(view_, exact);
    const Counters before = ctx.counters;
    const std::size_t properties = node.properties.size();
    try {
      return search_vectors(*field, index, vectors, exact, leaf, node, ctx);
    } catch (const segment::PartDamaged& damaged) {
      ctx.counters = before;
      node.properties.resize(properties);
      // Not used again from now on: the truth answers instead.
      view_.shard().segments().report_damage(vectors.part_segments[damaged.part]);
    }
  }
}

std::vector<RowScore> Execution::search_vectors(const catalog::VectorFieldSchema& field,
                                                const IndexSettings& index, const shard::VectorView& vectors,
                                                bool exact, const Leaf& leaf, PlanNode& node, Context& ctx) {
  ctx.counters.records_degraded += vectors.directory->degraded;
  node.properties.emplace_back("scan", vectors.segments    ? "segments, then f32"
                                       : vectors.has_codes ? "8-bit codes, then f32"
                                                           : "f32");
  const IdOrder order(view_);
  const ViewRows rows(view_, filter(), &vectors.directory->bad_rows);
  const ParallelFor parallel = [&](std::size_t count, const std::function<void(std::size_t)>& fn) {
    Executor::shared().parallel_for(count, request_.threads, fn);
  };
  VectorQuery query;
  query.vector = request_.vector->dense();
  query.metric = field.metric;
  query.k = leaf.k;
  query.score_threshold = leaf.score_threshold;
  query.filter = &rows;
  query.exact = exact;
  query.exact_scores = request_.exact_scores;
  query.ef = request_.ef != 0 ? request_.ef : index.ef_search;
  query.oversampling = request_.oversampling != 0 ? request_.oversampling : index.oversampling;
  query.threads = request_.threads;
  query.parallel = request_.threads > 1 ? &parallel : nullptr;
  TopK out = make_collector(query, &order);
  vectors.index->search(query, ctx, out);
  note_filter(rows, ctx);
  return out.take();
}

std::vector<RowScore> Execution::run_terms(const Leaf& leaf, PlanNode& node, Context& ctx) {
  const std::vector<QueryTerm> terms =
      segment::TextSegment::query_terms(view_.schema().text_fields, *request_.text);
  node.properties.emplace_back("terms", std::to_string(terms.size()));
  std::vector<RowScore> found;
  view_.shard().terms().search(view_, ctx, [&](const segment::TextSegment& texts) {
    const IdOrder order(view_);
    const ViewRows rows(view_, filter(), nullptr);
    TermQuery query;
    query.terms = terms;
    query.filter = filter() ? &rows : nullptr;
    TopK out(leaf.k, leaf.score_threshold, &order);
    texts.search(query, ctx, out);
    note_filter(rows, ctx);
    found = out.take();
  });
  return found;
}

std::vector<RowScore> Execution::run_leaf(const Leaf& leaf, PlanNode& node) {
  const Timer timer;
  Context ctx = ctx_.child();
  node.name = leaf.kind == Leaf::Kind::kVector ? "vector scan" : "terms";
  node.properties.emplace_back("k", std::to_string(leaf.k));
  if (filter()) node.properties.emplace_back("filter", filter()->to_string());
  std::vector<RowScore> found =
      leaf.kind == Leaf::Kind::kVector ? run_vector(leaf, node, ctx) : run_terms(leaf, node, ctx);
  const Counters& c = ctx.counters;
  node.counters.emplace_back("expected rows", leaf.expected_rows);
  for (const auto& [name, value] : {std::pair<const char*, std::uint64_t>{"rows scanned", c.rows_scanned},
                                    {"rows rescored", c.rows_rescored},
                                    {"rows filtered", c.rows_filtered},
                                    {"rows matched", c.rows_matched},
                                    {"postings scored", c.postings_scored},
                                    {"bytes read", c.bytes_read}}) {
    if (value > 0) node.counters.emplace_back(name, value);
  }
  node.counters.emplace_back("found", found.size());
  node.milliseconds = timer.milliseconds();
  ctx_.counters += c;
  return found;
}

std::vector<FusedRow> Execution::join(const Plan& plan, std::vector<std::vector<RowScore>> lists,
                                      PlanNode& node) {
  std::vector<FusedRow> rows;
  const std::size_t wanted = plan.offset + plan.k;
  if (!plan.fusion) {
    node.name = "limit";
    for (std::size_t i = 0; i < lists[0].size(); ++i)
      rows.push_back({lists[0][i].row, lists[0][i].score, {i + 1}, {lists[0][i].score}});
  } else {
    node.name = "fuse";
    const bool rrf = plan.fusion->kind() == Fusion::Kind::kReciprocalRank;
    node.properties.emplace_back("fusion", rrf ? "reciprocal rank" : "weighted");
    node.properties.emplace_back(rrf ? "k" : "alpha", concat(plan.fusion->parameter()));
    rows = fuse(*plan.fusion, lists);
    if (request_.score_threshold)
      std::erase_if(rows, [&](const FusedRow& r) { return r.score < *request_.score_threshold; });
    const IdOrder order(view_);
    const auto better = [&](const FusedRow& a, const FusedRow& b) {
      return a.score != b.score ? a.score > b.score : order.before(a.row, b.row);
    };
    std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(std::min(wanted, rows.size())),
                      rows.end(), better);
  }
  node.counters.emplace_back("candidates", rows.size());
  if (rows.size() > wanted) rows.resize(wanted);
  rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(std::min(plan.offset, rows.size())));
  return rows;
}

bool Execution::read_hit(shard::DocumentReader& documents, const FusedRow& row, Hit& hit) {
  try {
    const storage::Document document = documents.read(row.row);
    std::optional<storage::IdEntry> entry;
    if (request_.with_vectors || !view_.rows_are_proven()) {
      entry = shard::find_id(view_, document.id);
      if (!entry) fail(ErrorCode::kCorruption, "no id leads to row ", row.row);
      documents.check(*entry);
    }
    hit.id = document.id;
    if (request_.with_metadata) hit.metadata = decode_metadata(document.metadata, view_.field_names());
    if (request_.with_text) hit.text = storage::document_text(document);
    hit.source = document.source;
    hit.start = document.start;
    hit.end = document.end;
    hit.part = document.part;
    if (request_.with_vectors) {
      Vector unnamed;
      std::map<std::string, Vector> named;
      std::vector<std::string_view> stored;
      shard::read_vectors(view_, row.row, unnamed, named, &stored);
      documents.check(*entry, stored);
      hit.vector = request_.vector_name.empty() ? std::move(unnamed) : std::move(named[request_.vector_name]);
    }
    return true;
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    ++ctx_.counters.records_degraded;
    return false;
  }
}

void Execution::read_hits(const Plan& plan, std::span<const FusedRow> rows, Hits& out, PlanNode& node) {
  const Timer timer;
  shard::DocumentReader documents(view_);
  const auto* field = request_.vector ? view_.schema().find(request_.vector_name) : nullptr;
  std::vector<std::uint64_t> numbers;
  for (const FusedRow& row : rows) numbers.push_back(row.row);
  documents.prefetch(numbers);
  for (const FusedRow& row : rows) {
    Hit hit;
    hit.score = row.score;
    if (!read_hit(documents, row, hit)) continue;
    if (field && !plan.fusion) hit.distance = distance_from_score(field->metric, row.score);
    if (request_.explain) {
      for (std::size_t l = 0; l < plan.leaves.size(); ++l) {
        hit.parts.push_back(
            {plan.leaves[l].kind == Leaf::Kind::kVector ? "vector" : "text", row.ranks[l], row.scores[l]});
      }
    }
    out.hits.push_back(std::move(hit));
  }
  ctx_.counters.records_read += rows.size();
  node.name = "read records";
  node.counters.emplace_back("records read", rows.size());
  node.milliseconds = timer.milliseconds();
}

Hits Execution::run() {
  const Timer timer;
  const Plan plan = make_plan(request_, view_.state().live);
  PlanNode root;
  PlanNode joined;
  Hits out;
  out.warnings = request_.warnings;
  // The terms' index may be ahead of this view and move it on. It goes first, so that all leaves see one
  // commit.
  std::vector<std::vector<RowScore>> lists(plan.leaves.size());
  std::vector<PlanNode> nodes(plan.leaves.size());
  for (std::size_t l = plan.leaves.size(); l-- > 0 && request_.k > 0;)
    lists[l] = run_leaf(plan.leaves[l], nodes[l]);
  const Timer join_timer;
  const std::vector<FusedRow> rows = join(plan, std::move(lists), joined);
  joined.milliseconds = join_timer.milliseconds();
  joined.children = std::move(nodes);
  read_hits(plan, rows, out, root);
  for (std::string& w : warnings_) out.warnings.push_back(std::move(w));
  out.degraded = ctx_.counters.records_degraded;
  out.sequence = view_.state().sequence;
  if (request_.explain) {
    root.properties.emplace_back("collection", view_.shard().name());
    root.counters.emplace_back("sequence", out.sequence);
    root.milliseconds = timer.milliseconds();
    root.children.push_back(std::move(joined));
    out.plan = std::move(root);
  }
  return out;
}

}  // namespace

Hits execute(const Request& request, shard::ReadView& view, Context& ctx) {
  return Execution(request, view, ctx).run();
}

}  // namespace vecstore::query
