#include "query/executor.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/executor.hpp"
#include "base/metadata_codec.hpp"
#include "query/execution.hpp"
#include "query/id_order.hpp"
#include "query/match_terms.hpp"

namespace vecstore::query {
namespace {

std::vector<RowScore> in_order(TopK& found, const IdOrder& order, Context& ctx) {
  std::vector<RowScore> out = found.take();
  ctx.counters.records_read += order.documents_read();
  return out;
}

/// The ways that graphs were searched in; empty: there was no graph.
std::string ways_taken(const Counters& c) {
  std::string out;
  for (const auto& [way, times] : {std::pair<const char*, std::uint64_t>{"walk", c.graph_walks},
                                   {"results", c.result_walks},
                                   {"scan", c.graph_scans}}) {
    if (times == 0) continue;
    if (!out.empty()) out += ", ";
    out += way;
    if (times > 1) out += " x " + std::to_string(times);
  }
  return out;
}

}  // namespace

// The rows that match are found once for all leaves.
void Execution::find_matching(const shard::FieldsRead& fields, const shard::TermsRead* words) {
  Note& note = found_matching_.emplace(request_.explain);
  note.name("filter");
  matching_.emplace(view_, *filter(), fields, ctx_, words);
  note.done();
  if (!request_.explain) return;
  const Cardinality n = estimated_rows(view_, *filter(), fields, words);
  note.expect({n.least, n.expected, n.most});
  note.property("condition", filter()->to_string());
  if (const auto count = matching_->count()) note.rows(*count);
}

void Execution::note_filter(Note& note) {
  if (!matching_) return;
  Counters& c = ctx_.counters;
  c.rows_filtered += matching_->evaluated();
  c.rows_matched += matching_->matched();
  c.records_degraded += matching_->degraded();
  warnings_ = matching_->warnings();
  if (!request_.explain) return;
  note.property("filter", filter()->to_string());
  if (const auto count = matching_->count()) note.counter("rows that match", *count);
  if (matching_->evaluated() > 0) note.counter("records looked at", matching_->evaluated());
}

std::vector<RowScore> Execution::run_vector(const Leaf& leaf, Note& note, Context& ctx) {
  const auto* field = view_.schema().find(request_.vector_name);
  // The view may have moved on since the request was checked.
  if (!field) invalid("vector '", request_.vector_name, "' was dropped");
  note.property("metric", to_string(field->metric));
  if (field->dimension == 0) return {};  // no record has a vector yet
  const IndexSettings index = index_settings(field->index, view_.state().live);
  for (;;) {
    ctx.check();
    // What a filter lets through has to be found.
    const bool undecided = matching_ && !matching_->count();
    const bool exact = request_.exact || undecided || index.codes == Codes::kF32;
    const shard::VectorView vectors = view_.shard().vectors(*field).view(view_, exact, index.has_graph());
    const Counters before = ctx.counters;
    const std::size_t properties = note.properties();
    try {
      return search_vectors(*field, index, vectors, exact, leaf, note, ctx);
    } catch (const segment::PartDamaged& damaged) {
      ctx.counters = before;
      note.forget_from(properties);
      if (damaged.part >= vectors.part_segments.size())  // the newest rows, which are in no file
        fail(ErrorCode::kCorruption, "vector '", request_.vector_name,
             "': its newest rows cannot be searched");
      // Not used again from now on: the truth answers instead.
      view_.shard().segments().report_damage(vectors.part_segments[damaged.part]);
    }
  }
}

std::vector<RowScore> Execution::search_vectors(const catalog::VectorFieldSchema& field,
                                                const IndexSettings& index, const shard::VectorView& vectors,
                                                bool exact, const Leaf& leaf, Note& note, Context& ctx) {
  ctx.counters.records_degraded += vectors.directory->degraded;
  note.property("scan", vectors.segments    ? "segments, then f32"
                        : vectors.has_codes ? "8-bit codes, then f32"
                                            : "f32");
  const IdOrder order(view_);
  const ViewRows rows(view_, matching_ ? &*matching_ : nullptr, &vectors.directory->bad_rows);
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
  return in_order(out, order, ctx);
}

std::optional<std::uint16_t> Execution::sparse_field() const {
  const auto* field =
      request_.sparse ? view_.schema().find(request_.vector_name, ElementType::kSparse) : nullptr;
  return field ? std::optional(field->number) : std::nullopt;
}

// Without an index every vector is read: what the index cannot answer for is rare.
std::vector<RowScore> Execution::run_sparse(const Leaf& leaf, const segment::SparseIndex* index, Note& note,
                                            Context& ctx) {
  note.property("metric", "dot");
  const auto field = sparse_field();
  if (!field) return {};  // no record has such a vector yet
  const IdOrder order(view_);
  const ViewRows rows(view_, matching_ ? &*matching_ : nullptr, nullptr);
  TopK out(leaf.k, leaf.score_threshold, &order);
  SparseSearch search(view_, *field, *request_.sparse, matching_ ? &rows : nullptr);
  if (index) {
    // Until parts that were made with codes are made anew, it is as if each query asked for exactness.
    const bool wanted = view_.schema().sparse_codes(request_.vector_name) == Codes::kInt8;
    const SparseCodes codes = request_.exact           ? SparseCodes::kProven
                              : !request_.exact_scores ? SparseCodes::kAlone
                              : wanted                 ? SparseCodes::kRescored
                                                       : SparseCodes::kProven;
    note.property("terms", request_.sparse->indices.size());
    note.property("weights", index->coded.empty()              ? "f32"
                             : codes == SparseCodes::kAlone    ? "8-bit codes"
                             : codes == SparseCodes::kRescored ? "8-bit codes, the best with f32"
                                                               : "8-bit codes, then f32");
    if (!index->apart.empty()) note.property("vectors read from the truth", index->apart.size());
    const float oversampling = request_.oversampling != 0 ? request_.oversampling : kSparseOversampling;
    search.with_index(*index, codes, oversampling, ctx, out);
  } else {
    note.property("scan", "all vectors, as the query has values below 2^-50 or above 2^50");
    search.scan(ctx, out);
  }
  return in_order(out, order, ctx);
}

std::vector<RowScore> Execution::run_terms(const Leaf& leaf, const segment::TermsIndex& texts, Note& note,
                                           Context& ctx) {
  const IdOrder order(view_);
  const ViewRows rows(view_, matching_ ? &*matching_ : nullptr, nullptr);
  TopK out(leaf.k, leaf.score_threshold, &order);
  const CorpusStats stats =
      texts.search(terms_->node(), matching_ && !matching_->count() ? &rows : nullptr, ctx, out);
  if (request_.explain) {
    note.property("words", describe_terms(terms_->node(), stats));
    note.property("documents", stats.documents);
    note.property("length of all", stats.total_length);
  }
  return in_order(out, order, ctx);
}

std::vector<RowScore> Execution::run_leaf(const Leaf& leaf, const Terms& terms, Note& note) {
  Context ctx = ctx_.child();
  note.name(leaf.kind == Leaf::Kind::kVector   ? "vector scan"
            : leaf.kind == Leaf::Kind::kSparse ? "sparse terms"
                                               : "terms");
  note.property("k", leaf.k);
  if (leaf.weight != 1) note.property("weight", leaf.weight);
  std::vector<RowScore> found = leaf.kind == Leaf::Kind::kVector   ? run_vector(leaf, note, ctx)
                                : leaf.kind == Leaf::Kind::kSparse ? run_sparse(leaf, terms.sparse, note, ctx)
                                                                   : run_terms(leaf, *terms.texts, note, ctx);
  const Counters& c = ctx.counters;
  note.counter("expected rows", c.rows_expected > 0 ? c.rows_expected : leaf.expected_rows);
  if (request_.explain) {
    if (const std::string ways = ways_taken(c); !ways.empty()) note.property("plan", ways);
  }
  for (const auto& [name, value] : {std::pair<const char*, std::uint64_t>{"rows scanned", c.rows_scanned},
                                    {"rows rescored", c.rows_rescored},
                                    {"rows filtered", c.rows_filtered},
                                    {"rows matched", c.rows_matched},
                                    {"postings scored", c.postings_scored},
                                    {"bytes read", c.bytes_read},
                                    {"records read for their order", c.records_read}}) {
    if (value > 0) note.counter(name, value);
  }
  note.counter("found", found.size());
  note.rows(found.size());
  note.done();
  const std::lock_guard lock(mutex_);
  ctx_.counters += c;
  return found;
}

// Side by side where the query may use several threads. They share the view, which stays as it is meanwhile.
std::vector<std::vector<RowScore>> Execution::run_leaves(const Plan& plan, const Terms& terms,
                                                         std::vector<Note>& notes) {
  std::vector<std::vector<RowScore>> lists(plan.leaves.size());
  notes.clear();
  for (std::size_t l = 0; l < plan.leaves.size(); ++l) notes.emplace_back(request_.explain);
  if (request_.k == 0) return lists;
  // The engine finds the root of each tree at its first use, which must not happen on two threads at once.
  const bool looks_at_documents = matching_ && !matching_->count();
  if (request_.threads > 1 && (plan.leaves.size() > 1 || looks_at_documents)) view_.touch_trees();
  Executor::shared().parallel_for(plan.leaves.size(), request_.threads, [&](std::size_t l) {
    lists[l] = run_leaf(plan.leaves[l], terms, notes[l] = Note(request_.explain));
  });
  return lists;
}

// All leaves look at the same state; what is in memory of texts and sparse vectors may have to be waited for.
std::vector<std::vector<RowScore>> Execution::search(const Plan& plan, std::vector<Note>& notes) {
  const Counters before = ctx_.counters;
  const bool plain =
      request_.sparse && segment::is_plain({request_.sparse->indices, request_.sparse->values});
  for (;;) {
    const auto field = sparse_field();
    const bool by_words = filter() && asks_for_texts(*filter(), view_);
    shard::TextFollower* texts = request_.text || by_words ? &view_.shard().texts() : nullptr;
    shard::SparseFollower* sparse = plain && field ? &view_.shard().sparse(*field) : nullptr;
    std::vector<shard::TermFollower*> followers;
    if (texts) followers.push_back(texts);
    if (sparse) followers.push_back(sparse);
    std::optional<std::vector<std::vector<RowScore>>> lists;
    matching_.reset();
    const auto fields = filter() ? view_.shard().fields().read(view_, ctx_) : nullptr;
    shard::search_terms(view_, followers, ctx_, [&](std::span<const shard::TermsReadPtr> reads) {
      ctx_.counters = before;
      warnings_.clear();
      lists.reset();
      if (sparse_field() != field) return;  // the view has moved on to another schema
      if (fields && fields->sequence != view_.state().sequence) return;  // or just on
      const shard::TermsRead* words = by_words ? reads.front().get() : nullptr;
      matching_.reset();  // of a view that may have been renewed
      if (fields) find_matching(*fields, words);
      const auto rows = matching_ ? matching_->bits() : std::span<const std::uint64_t>();
      std::optional<segment::TermsIndex> text_index;
      std::optional<segment::SparseIndex> sparse_index;
      if (request_.text) text_index = texts->index(view_, *reads.front(), rows);
      if (sparse) sparse_index = sparse->index(view_, *reads.back(), rows);
      // Filters count what they look at themselves.
      if (request_.text) ctx_.counters.records_degraded += reads.front()->unreadable.size();
      if (sparse) ctx_.counters.records_degraded += reads.back()->unreadable.size();
      lists = run_leaves(plan, {text_index ? &*text_index : nullptr, sparse_index ? &*sparse_index : nullptr},
                         notes);
    });
    if (lists) return std::move(*lists);
  }
}

std::vector<FusedRow> Execution::join(const Plan& plan, std::vector<std::vector<RowScore>> lists,
                                      Note& note) {
  std::vector<FusedRow> rows;
  const std::size_t wanted = plan.offset + plan.k;
  if (!plan.fusion) {
    note.name("limit");
    rows.reserve(lists[0].size());
    for (std::size_t i = 0; i < lists[0].size(); ++i)
      rows.push_back(
          {lists[0][i].row, lists[0][i].score, {static_cast<std::uint32_t>(i + 1)}, {lists[0][i].score}});
  } else {
    note.name("fuse");
    note.property("fusion", plan.fusion->name());
    if (plan.fusion->kind() == Fusion::Kind::kReciprocalRank)
      note.property("k", plan.fusion->rank_constant());
    std::vector<float> weights;
    for (const Leaf& leaf : plan.leaves) weights.push_back(leaf.weight);
    rows = fuse(*plan.fusion, weights, lists);
    if (request_.score_threshold)
      std::erase_if(rows, [&](const FusedRow& r) { return r.score < *request_.score_threshold; });
    const IdOrder order(view_);
    const auto better = [&](const FusedRow& a, const FusedRow& b) {
      return a.score != b.score ? a.score > b.score : order.before(a.row, b.row);
    };
    std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(std::min(wanted, rows.size())),
                      rows.end(), better);
    ctx_.counters.records_read += order.documents_read();
    if (order.documents_read() > 0) note.counter("records read for their order", order.documents_read());
  }
  note.counter("candidates", rows.size());
  if (rows.size() > wanted) rows.resize(wanted);
  if (request_.autocut > 0) {
    std::vector<float> scores;
    for (const FusedRow& row : rows) scores.push_back(row.score);
    rows.resize(hits_before_jump(scores, request_.autocut));
    note.counter("before the jump", rows.size());
  }
  rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(std::min(plan.offset, rows.size())));
  return rows;
}

void Execution::fill_from_document(Records& records, std::uint64_t row, Hit& hit) {
  shard::DocumentReader& documents = records.documents;
  ++records.read;
  const storage::Document document = documents.read(row);
  std::optional<storage::IdEntry> entry;
  if (request_.with_vectors || !view_.rows_are_proven()) {
    entry = shard::find_id(view_, document.id);
    if (!entry) fail(ErrorCode::kCorruption, "no id leads to row ", row);
    documents.check(*entry);
  }
  hit.id = document.id;
  if (request_.with_metadata) hit.metadata = decode_metadata(document.metadata, view_.field_names());
  if (request_.with_text) hit.text = storage::document_text(document);
  if (highlighter_) {
    const std::string unread = request_.with_text ? std::string() : storage::document_text(document);
    hit.snippets = highlighter_->snippets(request_.with_text ? hit.text : unread, *request_.highlight, ctx_);
  }
  hit.source = document.source;
  hit.start = document.start;
  hit.end = document.end;
  hit.part = document.part;
  if (request_.with_vectors) {
    Vector unnamed;
    std::map<std::string, Vector> named;
    std::vector<std::string_view> stored;
    shard::read_vectors(view_, row, unnamed, named, &stored);
    documents.check(*entry, stored);
    hit.vector = request_.vector_name.empty() ? std::move(unnamed) : std::move(named[request_.vector_name]);
  }
}

bool Execution::read_document(Records& records, std::uint64_t row, Hit& hit) {
  try {
    fill_from_document(records, row, hit);
    return true;
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    ++ctx_.counters.records_degraded;
    return false;
  }
}

// The same proof as documents need; which version the metadata has does not matter here.
bool Execution::is_row_of(std::string_view id, std::uint64_t row) const {
  try {
    const auto entry = shard::find_id(view_, id);
    return entry && entry->row == row;
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    return false;
  }
}

/// False when only the document can tell.
bool Execution::read_head(Records& records, std::uint64_t row, Hit& hit) {
  const auto head = records.heads.find(row);
  if (!head || !(view_.rows_are_proven() || is_row_of(head->id, row))) return false;
  hit.id = head->id;
  hit.source = head->source;
  hit.start = head->start;
  hit.end = head->end;
  hit.part = head->part;
  return true;
}

void Execution::read_hits(const Plan& plan, std::span<const FusedRow> rows, Hits& out, Note& note) {
  Records records(view_);
  const auto* field = request_.vector ? view_.schema().find(request_.vector_name) : nullptr;
  std::optional<Metric> metric;
  if (field) metric = field->metric;
  if (request_.sparse) metric = Metric::kDot;
  if (request_.highlight && terms_) {
    if (auto made = terms_->highlighter()) highlighter_.emplace(std::move(*made));
  }
  const bool heads_suffice =
      !(request_.with_metadata || request_.with_text || request_.with_vectors || highlighter_);
  if (heads_suffice) {
    for (const FusedRow& row : rows) records.heads.prefetch(row.row);
  }
  out.hits.resize(rows.size());
  std::vector<std::uint64_t> unread;  // where a hit has no id yet
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!heads_suffice || !read_head(records, rows[i].row, out.hits[i])) unread.push_back(rows[i].row);
  }
  records.documents.prefetch(unread);
  bool all = true;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const FusedRow& row = rows[i];
    Hit& hit = out.hits[i];
    if (hit.id.empty() && !read_document(records, row.row, hit)) {
      hit.id.clear();
      all = false;
      continue;
    }
    hit.score = row.score;
    if (metric && !plan.fusion) hit.distance = distance_from_score(*metric, row.score);
    if (request_.explain) {
      for (std::size_t l = 0; l < plan.leaves.size(); ++l)
        hit.parts.push_back({plan.leaves[l].part_name(), row.ranks[l], row.scores[l]});
    }
  }
  if (!all) std::erase_if(out.hits, [](const Hit& hit) { return hit.id.empty(); });
  ctx_.counters.records_read += records.read;
  note.name("read records");
  note.counter("records read", records.read);
  if (unread.size() < rows.size()) note.counter("known to segments", rows.size() - unread.size());
}

Hits Execution::run() {
  const Plan plan = make_plan(request_, view_.state().live);
  Note root(request_.explain);
  Hits out;
  out.warnings = request_.warnings;
  std::vector<Note> notes;
  if (request_.text) {
    terms_.emplace(view_.schema().text_fields, view_.shard().query_analyzers(), *request_.text,
                   request_.syntax);
    out.warnings.insert(out.warnings.end(), terms_->warnings().begin(), terms_->warnings().end());
  }
  std::vector<std::vector<RowScore>> lists = search(plan, notes);
  Note joined(request_.explain);
  note_filter(joined);
  const std::vector<FusedRow> rows = join(plan, std::move(lists), joined);
  joined.done();
  if (found_matching_) joined.child(std::move(*found_matching_));
  for (Note& note : notes) joined.child(std::move(note));
  root.property("collection", view_.shard().name());
  read_hits(plan, rows, out, root);
  for (std::string& w : warnings_) out.warnings.push_back(std::move(w));
  out.degraded = ctx_.counters.records_degraded;
  out.sequence = view_.state().sequence;
  root.counter("sequence", out.sequence);
  root.done();
  root.child(std::move(joined));
  out.plan = root.take();
  return out;
}

Hits execute(const Request& request, shard::ReadView& view, Context& ctx) {
  return Execution(request, view, ctx).run();
}

}  // namespace vecstore::query
