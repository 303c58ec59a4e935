#include "model/runner.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace vecstore::model {

Runner::Runner(std::string directory, const Setting& setting, const OpenOptions& options)
    : directory_(std::move(directory)),
      setting_(setting),
      options_(options),
      db_(VecDatabase::open(directory_, options_)) {}

Runner::Runner(VecDatabase db, const Setting& setting, DatabaseModel model)
    : setting_(setting), shared_(true), db_(std::move(db)), model_(std::move(model)) {}

void Runner::reopen() {
  db_->close();
  db_.reset();
  embedders_known_.clear();
  db_ = VecDatabase::open(directory_, options_);
  // What a dropped vector left is swept at open, which is a commit.
  const SequenceNumber now = db_->stats().sequence;
  if (now < model_.sequence)
    throw Mismatch{concat("after opening again the sequence is ", now, ", was ", model_.sequence)};
  model_.sequence = now;
}

void Runner::compact() {
  const CompactResult result = db_->compact();
  if (result.generation < 2) throw Mismatch{concat("compacted into generation ", result.generation)};
  if (shared_) return;
  const DatabaseStats stats = db_->stats();
  if (stats.generation != result.generation)
    throw Mismatch{concat("generation ", stats.generation, " after a compaction into ", result.generation)};
  // What was dropped is swept, which is a commit.
  if (stats.sequence < model_.sequence)
    throw Mismatch{concat("after a compaction the sequence is ", stats.sequence, ", was ", model_.sequence)};
  model_.sequence = stats.sequence;
}

void Runner::verify() {
  const VerifyReport report = db_->verify();
  std::string text;
  for (const Damage& d : report.damages)
    text += concat("\n", d.kind, " ", d.collection, " ", d.id, " ", d.detail);
  if (!text.empty()) throw Mismatch{"verify reports damages" + text};
  std::uint64_t records = 0;
  for (const auto& [name, c] : model_.collections) records += c.docs.size();
  if (report.records != records || db_->stats().records != records)
    throw Mismatch{concat("verify found ", report.records, " records, expected ", records)};
}

std::string Runner::read_and_check(const Op& op) {
  const Spec spec = make_spec(op, setting_);
  const Answer answer = read(*db_, op.kind, spec);
  const CollectionModel* model = find(spec);
  if (!model) {
    if (answer.error != ErrorCode::kNotFound)
      throw Mismatch{"the collection does not exist, which was no error"};
  } else {
    check_answer(op.kind, spec, *model, answer);
  }
  return answer.text();
}

namespace {

bool query_fails(const CollectionModel& c, const std::string& name, const std::vector<float>& vector) {
  const auto field = c.fields.find(name);
  if (field == c.fields.end()) return true;
  if (field->second.dimension != 0 && field->second.dimension != vector.size()) return true;
  return field->second.metric == Metric::kCosine &&
         std::all_of(vector.begin(), vector.end(), [](float x) { return x == 0; });
}

std::vector<Change> sorted(std::vector<Change> changes) {
  std::stable_sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    return a.sequence != b.sequence ? a.sequence < b.sequence : a.id < b.id;
  });
  return changes;
}

}  // namespace

void Runner::check_answer(Kind kind, const Spec& s, const CollectionModel& c, const Answer& a) {
  if (kind == Kind::kDense || kind == Kind::kText || kind == Kind::kHybrid || kind == Kind::kQueryText ||
      kind == Kind::kQueryBatch || kind == Kind::kSparse || kind == Kind::kSparseHybrid) {
    check_query(kind, s, c, a);
    return;
  }
  if (a.error) throw Mismatch{concat("failed: ", to_string(*a.error), ": ", a.message)};
  std::vector<const Doc*> expected;
  switch (kind) {
    case Kind::kGet:
    case Kind::kGetMany:
      for (const std::string& id : s.ids) {
        if (const auto found = c.docs.find(id); found != c.docs.end()) expected.push_back(&found->second);
      }
      break;
    case Kind::kScroll: {
      for (const auto& [id, doc] : c.docs) {
        if (s.filter.holds(doc)) expected.push_back(&doc);
      }
      for (std::size_t i = 0; i < a.pages.size(); ++i) {
        if (a.pages[i] > s.limit || (i + 1 < a.pages.size() && a.pages[i] != s.limit))
          throw Mismatch{concat("page ", i, " has ", a.pages[i], " records")};
      }
      break;
    }
    case Kind::kCount: {
      std::uint64_t n = 0;
      for (const auto& [id, doc] : c.docs) n += s.filter.holds(doc);
      if (n != a.count) throw Mismatch{concat("count ", a.count, ", expected ", n, " where ", s.filter.text)};
      return;
    }
    case Kind::kChanges: {
      std::vector<Change> all = sorted(c.changes);
      std::vector<Change> want;
      for (const Change& change : all) {
        if (change.sequence <= s.since && !shared_) continue;
        if (want.size() >= s.limit && (want.empty() || want.back().sequence != change.sequence)) break;
        want.push_back(change);
      }
      if (shared_) return;  // other threads' changes stand between ours; checked at the end
      const std::vector<Change> have = sorted(a.changes);
      bool same = have.size() == want.size();
      for (std::size_t i = 0; same && i < want.size(); ++i) {
        same = have[i].sequence == want[i].sequence && have[i].id == want[i].id &&
               have[i].operation == want[i].operation;
      }
      if (!same)
        throw Mismatch{concat("changes since ", s.since, " limit ", s.limit, ": ", have.size(), ", expected ",
                              want.size(), ", or they differ")};
      return;
    }
    default:
      if (!shared_ && a.count != c.docs.size())
        throw Mismatch{concat("stats: ", a.count, " records, expected ", c.docs.size())};
      return;
  }
  if (a.records.size() != expected.size())
    throw Mismatch{concat(a.records.size(), " records, expected ", expected.size())};
  for (std::size_t i = 0; i < expected.size(); ++i) check_record(a.records[i], *expected[i], s.with_vectors);
}

void Runner::check_hit_contents(const Spec& s, const CollectionModel& c, const Hits& hits,
                                bool with_vectors) {
  if (!shared_ && hits.sequence != c.sequence)
    throw Mismatch{concat("hits of sequence ", hits.sequence, ", expected ", c.sequence)};
  if (hits.degraded != 0) throw Mismatch{concat(hits.degraded, " degraded")};
  for (const Hit& hit : hits) {
    const auto found = c.docs.find(hit.id);
    if (found == c.docs.end()) throw Mismatch{concat("hit '", hit.id, "' does not exist")};
    const Record& r = found->second.record;
    if (hit.metadata != (s.bare ? Metadata() : r.metadata) || hit.text != (s.bare ? "" : r.text) ||
        hit.source != r.source || hit.start != r.start || hit.end != r.end || hit.part != r.part) {
      throw Mismatch{concat("hit '", hit.id, "': its record differs")};
    }
    Vector vector = r.vector;
    if (!s.vector_name.empty()) {
      const auto named = r.vectors.find(s.vector_name);
      vector = named == r.vectors.end() ? Vector() : named->second;
    }
    if (hit.vector != (with_vectors ? vector : Vector()))
      throw Mismatch{concat("hit '", hit.id, "': its vector differs")};
  }
}

void Runner::check_query(Kind kind, const Spec& s, const CollectionModel& c, const Answer& a) {
  std::vector<float> vector = s.vector;
  std::string name = s.vector_name;
  bool dense = kind != Kind::kText && kind != Kind::kSparse;
  bool text = kind == Kind::kText || kind == Kind::kHybrid;
  if (kind == Kind::kQueryText) {
    const bool embeds = s.slot == 3 || !c.fingerprint.empty();
    dense = s.mode == Mode::kDense || (s.mode == Mode::kHybrid && embeds);
    text = s.mode != Mode::kDense;
    name.clear();
    vector = Embedder(TinyEmbedder()).embed(s.text);
    if (dense && !embeds) {
      if (a.error != ErrorCode::kInvalidArgument)
        throw Mismatch{"a dense query of a text without an embedder was no error"};
      return;
    }
  }
  if (dense && query_fails(c, name, vector)) {
    if (a.error != ErrorCode::kInvalidArgument) throw Mismatch{"a query with a wrong vector was no error"};
    return;
  }
  if (kind == Kind::kSparse && !c.fields.contains(name)) {
    if (a.error != ErrorCode::kInvalidArgument) throw Mismatch{"a query by an unknown vector was no error"};
    return;
  }
  if (a.error) throw Mismatch{concat("failed: ", to_string(*a.error), ": ", a.message)};
  const Spec& spec = s;
  const auto k = static_cast<std::size_t>(s.k);
  const auto offset = static_cast<std::size_t>(s.offset);
  const bool with_vectors = s.with_vectors && kind != Kind::kText && kind != Kind::kQueryText;
  for (const Hits& hits : a.hits) check_hit_contents(s, c, hits, with_vectors);
  if (kind == Kind::kSparse) {
    check_hits(score_sparse(c, name, s.sparse, s.filter), a.hits[0], k, offset, spec.threshold);
  } else if ((dense && text) || kind == Kind::kSparseHybrid) {
    Spec query = s;
    query.vector_name = name;
    // query_text takes only a share, no parameter of reciprocal rank.
    if (kind == Kind::kQueryText && s.fusion.kind() == Fusion::Kind::kReciprocalRank)
      query.default_fusion = true;
    check_hybrid(kind, query, c, a.hits[0], vector);
  } else if (dense) {
    const std::vector<Candidate> candidates = score_vectors(c, name, vector, s.filter);
    check_hits(candidates, a.hits[0], k, offset, spec.threshold);
    if (kind == Kind::kQueryBatch) {
      check_hits(candidates, a.hits[1], 3, offset, spec.threshold);
      check_hits(candidates, a.hits[2], k, 0, spec.threshold);
    }
  } else if (!shared_) {
    check_hits(score_text(c, s.text, s.filter, a.hits[0].plan), a.hits[0], k, offset, spec.threshold);
  }
}

// The two lists are asked for by themselves and checked against the brute force; what is made of them must
// then be right to the rank.
void Runner::check_hybrid(Kind kind, const Spec& s, const CollectionModel& c, const Hits& hits,
                          const std::vector<float>& vector) {
  if (shared_ || s.k == 0) return;
  Spec part = s;
  part.vector = vector;
  part.k = std::max<std::int64_t>(100, s.k + s.offset);
  part.offset = 0;
  part.threshold.reset();
  const Collection collection = db_->get_collection(s.collection);
  const Hits vectors = collection.query(dense_query(part));
  const bool sparse = kind == Kind::kSparseHybrid;
  const Hits others = sparse ? collection.query(sparse_query(part))
                             : collection.query_text(s.text, text_options(part, Mode::kText));
  check_hits(score_vectors(c, s.vector_name, vector, s.filter), vectors, static_cast<std::size_t>(part.k), 0,
             std::nullopt);
  check_hits(sparse ? score_sparse(c, s.vector_name, s.sparse, s.filter)
                    : score_text(c, s.text, s.filter, others.plan),
             others, static_cast<std::size_t>(part.k), 0, std::nullopt);
  const bool plain_rrf = s.default_fusion;
  check_hits(fuse(plain_rrf ? Fusion::rrf() : s.fusion, vectors, others), hits, static_cast<std::size_t>(s.k),
             static_cast<std::size_t>(s.offset), s.threshold);
}

void Runner::check_everything(std::uint64_t seed) {
  Rng rng(seed);
  for (std::uint8_t slot = 0; slot < kSlots; ++slot) {
    for (int kind = static_cast<int>(Kind::kGet); kind <= static_cast<int>(Kind::kQueryBatch); ++kind) {
      for (int i = 0; i < 3; ++i) read_and_check({static_cast<Kind>(kind), slot, rng()});
    }
  }
  verify();
}

}  // namespace vecstore::model
