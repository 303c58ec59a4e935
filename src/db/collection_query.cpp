// Collection: queries become requests here; what is wrong with them is found before any index is touched.
#include <algorithm>
#include <cmath>
#include <thread>

#include "base/error.hpp"
#include "base/executor.hpp"
#include "db/admission.hpp"
#include "db/collection_impl.hpp"
#include "query/executor.hpp"

namespace vecstore {
namespace {

std::size_t threads_of(unsigned wanted, unsigned of_database) {
  const unsigned threads = wanted ? wanted : of_database;
  return threads ? threads : std::max(1u, std::thread::hardware_concurrency());
}

template <class Q>
query::Request request_from(const Q& q, unsigned default_threads) {
  query::check_limits(q.k_, q.offset_, q.score_threshold_);
  query::Request r;
  r.vector_name = q.vector_name_;
  r.k = static_cast<std::size_t>(q.k_);
  r.offset = static_cast<std::size_t>(q.offset_);
  r.score_threshold = q.score_threshold_;
  r.autocut = query::check_autocut(q.autocut_);
  r.where = q.where_;
  r.exact = q.exact_;
  r.exact_scores = q.exact_scores_;
  query::check_effort(q.ef_, q.oversampling_);
  r.ef = static_cast<std::size_t>(q.ef_);
  r.oversampling = q.oversampling_;
  r.with_vectors = q.with_vectors_;
  r.with_text = q.with_text_;
  r.with_metadata = q.with_metadata_;
  r.explain = q.explain_;
  r.threads = threads_of(q.threads_, default_threads);
  return r;
}

template <class Q>
Context context_from(const Q& q) {
  Context ctx;
  if (q.deadline_) ctx.deadline = db::deadline_after(*q.deadline_);
  ctx.stop = q.stop_;
  return ctx;
}

/// Takes the parts of a query's vector.
void set_vector(query::Request& r, const Vector& vector) {
  if (vector.sparse()) r.sparse = db::check_sparse("query vector.sparse", *vector.sparse());
  if (!vector.dense().empty() || !vector.sparse()) r.vector = &vector;
}

void check_vector(const query::Request& r, const shard::ReadView& view) {
  if (!r.vector && !r.sparse) return;
  const auto* field = view.schema().find(r.vector_name);
  if (!field)
    invalid("vector '", r.vector_name, "' does not exist in collection '", view.shard().name(), "'");
  if (!r.vector) return;
  if (r.vector->dense().empty()) invalid("query vector is empty");
  if (field->dimension == 0) {
    catalog::check_dimension("dimension of query vector", r.vector->dense().size());
    db::check_dense("query vector", r.vector->dense(), r.vector->dense().size(), field->metric);
    return;
  }
  db::check_dense("query vector", r.vector->dense(), field->dimension, field->metric);
}

Hits run(Collection::Impl& impl, const query::Request& request, Context& ctx) {
  ctx.check();
  shard::ReadView view(impl.shard());
  check_vector(request, view);
  return query::execute(request, view, ctx);
}

std::optional<Fusion> fusion_from(const TextQueryOptions& o) {
  if (!o.alpha) return o.fusion;
  return o.fusion ? o.fusion->alpha(*o.alpha) : Fusion::weighted(*o.alpha);
}

}  // namespace

Hits Collection::query(const Query& q) const {
  query::Request r = request_from(q, impl_->threads());
  set_vector(r, q.vector_);
  Context ctx = context_from(q);
  return run(*impl_, r, ctx);
}

std::vector<Hits> Collection::query_batch(std::span<const Query> queries) const {
  std::vector<Hits> out(queries.size());
  std::vector<std::exception_ptr> errors(queries.size());
  const auto one = [&](std::size_t i, unsigned threads) {
    try {
      Query q = queries[i];
      if (threads != 0) q.threads(threads);
      out[i] = query(q);
    } catch (const Error& e) {
      errors[i] = std::make_exception_ptr(Error(e.code(), e.what(), i));
    } catch (...) {
      errors[i] = std::current_exception();
    }
  };
  if (queries.size() == 1) {
    one(0, 0);
  } else {
    // One thread per query keeps all cores busy and each query's data in one cache.
    Executor::shared().parallel_for(queries.size(), impl_->threads(), [&](std::size_t i) { one(i, 1); });
  }
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return out;
}

Hits Collection::hybrid_query(const HybridQuery& q) const {
  query::check_fusion(q.fusion_, q.weights_);
  query::check_highlight(q.highlight_);
  query::Request r = request_from(q, impl_->threads());
  set_vector(r, q.vector_);
  r.text = q.text_;
  r.syntax = q.syntax_;
  r.fusion = q.fusion_;
  r.weights = q.weights_.value_or(PartWeights{});
  r.highlight = q.highlight_;
  Context ctx = context_from(q);
  return run(*impl_, r, ctx);
}

Hits Collection::query_text(std::string_view text, std::int64_t k) const {
  return query_text(text, TextQueryOptions{.k = k});
}

Hits Collection::query_text(std::string_view text, const TextQueryOptions& o) const {
  query::check_limits(o.k, o.offset, o.score_threshold);
  query::check_effort(o.ef, o.oversampling);
  const std::optional<Fusion> fusion = fusion_from(o);
  query::check_fusion(fusion.value_or(Fusion::rrf()), o.weights);
  query::check_highlight(o.highlight);
  if (o.highlight && o.mode == Mode::kDense) invalid("highlight is given, but mode dense looks for no words");
  Context ctx;
  if (o.deadline) ctx.deadline = db::deadline_after(*o.deadline);
  ctx.stop = o.stop;
  ctx.check();
  query::Request r;
  r.k = static_cast<std::size_t>(o.k);
  r.offset = static_cast<std::size_t>(o.offset);
  r.score_threshold = o.score_threshold;
  r.autocut = query::check_autocut(o.autocut);
  r.weights = o.weights.value_or(PartWeights{});
  r.where = o.where;
  r.explain = o.explain;
  r.exact = o.exact;
  r.ef = static_cast<std::size_t>(o.ef);
  r.oversampling = o.oversampling;
  r.threads = threads_of(o.threads, impl_->threads());
  r.with_text = o.with_text;
  r.with_metadata = o.with_metadata;
  r.highlight = o.highlight;
  Mode mode = o.mode;
  if (mode == Mode::kHybrid && !o.embedder && info().embedder_fingerprint.empty()) {
    mode = Mode::kText;
    r.warnings.push_back(concat("collection '", name(), "' has no embedder: searched by text alone"));
  }
  Vector vector;
  if (mode != Mode::kText) {
    vector = Vector(impl_->embedder(o.embedder).embed(text));
    r.vector = &vector;
  }
  if (mode != Mode::kDense) r.text = std::string(text);
  r.syntax = o.syntax;
  r.fusion = fusion;
  return run(*impl_, r, ctx);
}

}  // namespace vecstore
