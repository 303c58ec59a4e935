#include <cmath>

#include "base/error.hpp"
#include "base/utf8.hpp"
#include "model/runner.hpp"

namespace vecstore::model {
namespace {

bool good_id(const std::string& id) {
  return !id.empty() && id.size() <= 512 && id.find('\0') == std::string::npos && valid_utf8(id);
}

bool good_vector(const std::vector<float>& v, VectorField& field) {
  if (field.dimension == 0) field.dimension = v.size();
  if (field.dimension != v.size()) return false;
  double sum = 0;
  for (float x : v) {
    if (!std::isfinite(x)) return false;
    sum += static_cast<double>(x) * x;
  }
  return field.metric != Metric::kCosine || sum > 0;
}

bool good_record(const Record& r, std::map<std::string, VectorField>& fields) {
  if (!r.vector.dense().empty() && !good_vector(r.vector.dense(), fields[""])) return false;
  for (const auto& [name, v] : r.vectors) {
    const auto field = fields.find(name);
    if (v.sparse() && field == fields.end()) return false;
    if (v.dense().empty()) continue;
    if (field == fields.end() || !good_vector(v.dense(), field->second)) return false;
  }
  return true;
}

}  // namespace

template <class Call>
bool Runner::expect(const std::optional<Failure>& failure, Call&& call) {
  try {
    call();
  } catch (const Error& e) {
    if (!failure) throw Mismatch{concat("failed: ", to_string(e.code()), ": ", e.what())};
    if (e.code() != failure->code || e.item() != failure->item) {
      throw Mismatch{concat("failed with ", to_string(e.code()), " item ",
                            e.item() ? static_cast<long>(*e.item()) : -1, " (", e.what(), "), expected ",
                            to_string(failure->code), " item ",
                            failure->item ? static_cast<long>(*failure->item) : -1)};
    }
    return false;
  }
  if (failure) throw Mismatch{concat("went through, expected ", to_string(failure->code))};
  return true;
}

void Runner::advance(SequenceNumber returned, bool changed) {
  if (shared_) return;
  model_.sequence += changed;
  if (returned != model_.sequence)
    throw Mismatch{concat("sequence number ", returned, ", expected ", model_.sequence)};
}

CollectionModel* Runner::find(const Spec& spec) {
  const auto found = model_.collections.find(spec.collection);
  return found == model_.collections.end() ? nullptr : &found->second;
}

// Everything is checked before anything is looked up, and that before anything is written; the first in each
// round is named.
std::optional<Runner::Failure> Runner::expect_failure(const CollectionModel& model,
                                                      std::span<const Operation> ops, bool is_batch) const {
  const auto item = [&](std::size_t i) { return is_batch ? std::optional(i) : std::nullopt; };
  std::map<std::string, VectorField> fields = model.fields;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const bool whole = ops[i].kind == Operation::Kind::kInsert || ops[i].kind == Operation::Kind::kUpsert;
    if (!good_id(ops[i].record.id) || (whole && !good_record(ops[i].record, fields)) ||
        !seen.insert(ops[i].record.id).second) {
      return Failure{ErrorCode::kInvalidArgument, item(i)};
    }
  }
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const bool exists = model.docs.contains(ops[i].record.id);
    if (ops[i].kind == Operation::Kind::kInsert && exists) return Failure{ErrorCode::kAlreadyExists, item(i)};
    if (ops[i].kind == Operation::Kind::kUpdateMetadata && !exists)
      return Failure{ErrorCode::kNotFound, item(i)};
  }
  return std::nullopt;
}

void Runner::apply(CollectionModel& model, std::span<const Operation> ops, SequenceNumber sequence) {
  for (const Operation& o : ops) {
    switch (o.kind) {
      case Operation::Kind::kErase:
        model.erase(o.record.id, sequence);
        break;
      case Operation::Kind::kUpdateMetadata:
        model.update(o.record.id, o.record.metadata, sequence);
        break;
      default:
        model.put(o.record, sequence);
    }
  }
}

void Runner::write_batch(Kind kind, const Spec& s, CollectionModel& model) {
  Collection c = db_->get_collection(s.collection);
  const std::vector<Operation>& ops = s.operations;
  const bool batch = kind == Kind::kBatchInsert || kind == Kind::kBatchUpsert || kind == Kind::kExecute;
  const auto failure = expect_failure(model, ops, batch);
  std::uint64_t existing = 0;
  bool changed = false;
  for (const Operation& o : ops) {
    existing += model.docs.contains(o.record.id);
    changed = changed || o.kind != Operation::Kind::kErase || model.docs.contains(o.record.id);
  }
  SequenceNumber sequence = shared_ ? 0 : model_.sequence + changed;
  std::vector<Record> records;
  for (const Operation& o : ops) records.push_back(o.record);
  const bool done = expect(failure, [&] {
    switch (kind) {
      case Kind::kInsert:
        sequence = c.insert(records[0]);
        break;
      case Kind::kUpsert:
        sequence = c.upsert(records[0]);
        break;
      case Kind::kUpdate:
        sequence = c.update_metadata(records[0].id, records[0].metadata);
        break;
      case Kind::kBatchInsert:
        sequence = c.batch_insert(records);
        break;
      case Kind::kBatchUpsert:
        sequence = c.batch_upsert(records);
        break;
      case Kind::kExecute:
        sequence = c.batch_execute(ops);
        break;
      default:
        if (const auto n = c.erase(records[0].id); n != existing)
          throw Mismatch{concat(n, " records erased, expected ", existing)};
    }
  });
  if (!done) return;
  advance(sequence, changed);
  apply(model, ops, sequence);
}

void Runner::write_chunks(const Spec& s, CollectionModel& model) {
  Collection c = db_->get_collection(s.collection);
  const bool embed = !model.fingerprint.empty();
  std::vector<Operation> ops;
  std::set<std::string> ids;
  for (std::size_t i = 0; i < s.chunks.size(); ++i) {
    const Chunk& chunk = s.chunks[i];
    Record r;
    r.id = concat(s.source, "#", i);
    r.text = chunk.text;
    r.metadata = chunk.metadata;
    r.source = s.source;
    r.start = chunk.start_byte;
    r.end = chunk.end_byte;
    r.part = static_cast<std::uint32_t>(i);
    if (embed) r.vector = Vector(Embedder(TinyEmbedder()).embed(chunk.text));
    ids.insert(r.id);
    ops.push_back({Operation::Kind::kUpsert, std::move(r)});
  }
  const std::string prefix = s.source + "#";
  std::vector<Operation> gone;
  for (const auto& [id, doc] : model.docs) {
    const bool numbered = id.starts_with(prefix) && id.size() > prefix.size() &&
                          id.find_first_not_of("0123456789", prefix.size()) == std::string::npos;
    if (numbered && doc.record.source == s.source && !ids.contains(id)) {
      Record r;
      r.id = id;
      gone.push_back({Operation::Kind::kErase, r});
    }
  }
  const bool changed = !ops.empty() || !gone.empty();
  SequenceNumber sequence = 0;
  if (!expect(expect_failure(model, ops, true), [&] {
        sequence = c.upsert_chunks(s.source, s.chunks, embed ? Embedder(TinyEmbedder()) : Embedder());
      }))
    return;
  advance(sequence, changed);
  apply(model, gone, sequence);
  apply(model, ops, sequence);
}

void Runner::write_texts(const Op& op, const Spec& s, CollectionModel& model) {
  Collection c = db_->get_collection(s.collection);
  std::vector<Operation> ops;
  SequenceNumber sequence = 0;
  if (op.kind == Kind::kTexts) {
    // The collection's own model is known only until the database is opened again: it is no folder that could
    // be found.
    if (!embedders_known_.contains(s.collection) || model.fingerprint.empty()) return;
    for (std::size_t i = 0; i < s.texts.size(); ++i) {
      Record r;
      r.id = concat(setting_.prefix, "t", i);
      r.text = s.texts[i];
      r.metadata = {{"n", i}};
      r.vector = Vector(Embedder(TinyEmbedder()).embed(r.text));
      ops.push_back({Operation::Kind::kUpsert, std::move(r)});
    }
    if (s.texts.empty()) return;
    const auto metadata = [&](std::string_view, std::size_t i) {
      return Metadata{{"_id", concat(setting_.prefix, "t", i)}, {"n", i}};
    };
    expect(std::nullopt, [&] { sequence = c.batch_upsert_texts(s.texts, metadata); });
  } else {
    const bool stranger = op.seed % 20 == 0;
    const TinyEmbedder model_used(stranger ? "tiny-2" : "tiny-1");
    ops = s.operations;
    Record& r = ops[0].record;
    r = Record{.id = r.id,
               .vector = Vector(Embedder(model_used).embed(r.text)),
               .text = r.text,
               .metadata = r.metadata};
    if (model.fingerprint.empty() && model.fields.at("").dimension == 0)
      return;  // would bind the collection to the model
    auto failure = expect_failure(model, ops, false);
    if (stranger && !model.fingerprint.empty()) failure = Failure{ErrorCode::kInvalidArgument, std::nullopt};
    if (!expect(failure, [&] { sequence = c.upsert_text(r.id, r.text, model_used, r.metadata); })) return;
  }
  advance(sequence, true);
  apply(model, ops, sequence);
}

void Runner::erase_where(const Spec& s, CollectionModel& model) {
  Collection c = db_->get_collection(s.collection);
  std::vector<Operation> ops;
  for (const auto& [id, doc] : model.docs) {
    if (!s.filter.holds(doc)) continue;
    Record r;
    r.id = id;
    ops.push_back({Operation::Kind::kErase, r});
  }
  expect(std::nullopt, [&] {
    const auto n = c.erase_where(s.filter.text);
    if (n != ops.size())
      throw Mismatch{concat(n, " records erased, expected ", ops.size(), " where ", s.filter.text)};
  });
  if (!shared_) model_.sequence += !ops.empty();
  apply(model, ops, shared_ ? 0 : model_.sequence);
}

void Runner::change_schema(Kind kind, const Spec& s) {
  CollectionModel* model = find(s);
  const auto needs = [&](bool there, ErrorCode otherwise) {
    return there ? std::nullopt : std::optional(Failure{otherwise, std::nullopt});
  };
  if (kind == Kind::kCreate || kind == Kind::kGetOrCreate) {
    const CollectionOptions o = collection_options(s.slot, setting_);
    const auto failure = needs(kind == Kind::kGetOrCreate || !model, ErrorCode::kAlreadyExists);
    const bool made = expect(failure, [&] {
      if (kind == Kind::kCreate) {
        db_->create_collection(s.collection, o);
      } else {
        db_->get_or_create_collection(s.collection, o);
      }
    });
    if (!made || model) return;
    CollectionModel fresh;
    fresh.fields = o.vectors;
    fresh.fields[""] = {o.metric, o.dimension};
    fresh.text_fields = o.text_fields;
    if (o.embedder) fresh.fingerprint = o.embedder.fingerprint();
    fresh.sequence = ++model_.sequence;
    model_.collections.emplace(s.collection, std::move(fresh));
    embedders_known_.insert(s.collection);
  } else if (kind == Kind::kDrop) {
    if (!expect(needs(model, ErrorCode::kNotFound), [&] { db_->delete_collection(s.collection); })) return;
    model_.collections.erase(s.collection);
    embedders_known_.erase(s.collection);
    // Sweeping takes as many commits as it needs.
    const SequenceNumber now = db_->stats().sequence;
    if (now <= model_.sequence) throw Mismatch{"delete_collection was no commit"};
    model_.sequence = now;
  } else if (model) {
    Collection c = db_->get_collection(s.collection);
    const bool there = model->fields.contains(s.vector_name);
    if (kind == Kind::kAddVector) {
      if (!expect(needs(!there, ErrorCode::kAlreadyExists), [&] { c.add_vector(s.vector_name, s.field); }))
        return;
      model->fields[s.vector_name] = s.field;
    } else {
      if (!expect(needs(there, ErrorCode::kNotFound), [&] { c.drop_vector(s.vector_name); })) return;
      model->fields.erase(s.vector_name);
      for (auto& [id, doc] : model->docs) doc.record.vectors.erase(s.vector_name);
    }
    model->sequence = ++model_.sequence;
  }
}

void Runner::write(const Op& op, const Spec& s) {
  CollectionModel* model = find(s);
  if (!model) {
    expect(Failure{ErrorCode::kNotFound, std::nullopt}, [&] { db_->get_collection(s.collection); });
    return;
  }
  switch (op.kind) {
    case Kind::kEraseMany: {
      Collection c = db_->get_collection(s.collection);
      std::vector<Operation> ops;
      for (const std::string& id : std::set<std::string>(s.ids.begin(), s.ids.end())) {
        if (!model->docs.contains(id)) continue;
        Record r;
        r.id = id;
        ops.push_back({Operation::Kind::kErase, r});
      }
      if (const auto n = c.erase(s.ids); n != ops.size())
        throw Mismatch{concat(n, " records erased, expected ", ops.size())};
      if (!shared_) model_.sequence += !ops.empty();
      apply(*model, ops, shared_ ? 0 : model_.sequence);
      break;
    }
    case Kind::kEraseWhere:
      erase_where(s, *model);
      break;
    case Kind::kChunks:
      write_chunks(s, *model);
      break;
    case Kind::kUpsertText:
    case Kind::kTexts:
      write_texts(op, s, *model);
      break;
    default:
      write_batch(op.kind, s, *model);
  }
}

void Runner::step(const Op& op) {
  if (is_read(op.kind)) {
    read_and_check(op);
    return;
  }
  const Spec spec = make_spec(op, setting_);
  switch (op.kind) {
    case Kind::kCreate:
    case Kind::kGetOrCreate:
    case Kind::kDrop:
    case Kind::kAddVector:
    case Kind::kDropVector:
      change_schema(op.kind, spec);
      break;
    case Kind::kReopen:
      reopen();
      break;
    case Kind::kVerify:
      verify();
      break;
    case Kind::kCompact:
      compact();
      break;
    case Kind::kOptimize:
      for (const std::string& name : db_->list_collections()) db_->get_collection(name).optimize();
      break;
    case Kind::kRestartReader:
      reader_.reset();
      break;
    case Kind::kAskReader: {
      Rng rng(op.seed);
      const auto kinds =
          static_cast<std::uint64_t>(Kind::kQueryBatch) - static_cast<std::uint64_t>(Kind::kGet) + 1;
      const Op asked{static_cast<Kind>(static_cast<std::uint64_t>(Kind::kGet) + rng.below(kinds)), op.slot,
                     rng()};
      const std::string mine = read_and_check(asked);
      if (!reader_) reader_ = std::make_unique<Reader>(directory_);
      if (const std::string theirs = reader_->ask(asked); theirs != mine) {
        throw Mismatch{concat("the reading process answers differently to ", describe(asked, setting_),
                              "\n---- writer\n", mine.substr(0, 2000), "\n---- reader\n",
                              theirs.substr(0, 2000))};
      }
      break;
    }
    default:
      write(op, spec);
  }
}

}  // namespace vecstore::model
