// Collection: writing, and what it is.
#include "vecstore/collection.hpp"

#include <array>
#include <set>

#include "base/error.hpp"
#include "db/admission.hpp"
#include "db/collection_impl.hpp"
#include "query/record_filter.hpp"

namespace vecstore {
namespace {

constexpr int kSchemaTries = 100;

Record make_record(std::string_view id, Vector vector, Metadata metadata) {
  Record r;
  r.id = id;
  r.vector = std::move(vector);
  r.metadata = std::move(metadata);
  return r;
}

std::vector<db::Write> writes_of(Operation::Kind kind, std::span<const Record> records) {
  std::vector<db::Write> out;
  out.reserve(records.size());
  for (const Record& r : records) out.push_back({kind, &r});
  return out;
}

}  // namespace

Collection::Impl::Impl(std::shared_ptr<storage::Store> store, std::uint32_t number, std::string name,
                       const OpenOptions& options, std::shared_ptr<Background> background)
    : shard_(std::make_shared<shard::Shard>(store, number, std::move(name),
                                            shard::SegmentOptions{.checkpoint_rows = options.checkpoint_rows,
                                                                  .graph_rows = options.graph_rows,
                                                                  .threads = options.background_threads},
                                            std::move(background))),
      threads_(options.threads),
      directory_(store->directory()) {}

shard::ApplyResult Collection::Impl::execute(std::span<const db::Write> writes, bool is_batch,
                                             const std::string* replaced_source, const Embedder& bind) {
  for (int i = 0; i < kSchemaTries; ++i) {
    std::uint64_t schema_number = 0;
    catalog::Schema schema;
    {
      shard::ReadView view(*shard_);
      schema = view.schema();
      schema_number = view.state().schema;
    }
    const catalog::Schema stored = schema;
    if (bind && schema.embedder_fingerprint.empty()) {
      auto* field = schema.find("");
      if (field->dimension != 0 && field->dimension != bind.dimension()) {
        invalid("embedder '", bind.name(), "' makes vectors of ", bind.dimension(), "; collection '", name(),
                "' has ", field->dimension);
      }
      schema.embedder_name = bind.name();
      schema.embedder_fingerprint = bind.fingerprint();
    }
    const storage::Store::Session session(shard_->store());
    shard::PreparedBatch batch = db::prepare(writes, schema, schema_number, shard_->field_names(), is_batch);
    if (!batch.changed_schema && schema != stored) batch.changed_schema = schema;
    if (replaced_source) batch.replaced_source = *replaced_source;
    try {
      return shard_->apply(batch);
    } catch (const shard::SchemaChanged&) {
    } catch (const Error& e) {
      if (is_batch || !e.item()) throw;
      // A single write has no item number; strip the prefix that Error adds.
      const std::string message = e.what();
      throw Error(e.code(), message.substr(message.find(": ") + 2));
    }
  }
  fail(ErrorCode::kBusy, "collection '", name(), "': its schema keeps changing");
}

const std::string& Collection::name() const { return impl_->name(); }

CollectionInfo Collection::info() const {
  const shard::ReadView view(impl_->shard());
  const catalog::Schema& s = view.schema();
  CollectionInfo out;
  out.name = name();
  for (const auto& f : s.vectors) {
    if (f.element == ElementType::kSparse) continue;
    if (f.name.empty()) {
      out.metric = f.metric;
      out.dimension = f.dimension;
      out.index = f.index;
    } else {
      out.vectors[f.name] = {f.metric, f.dimension, f.index};
    }
  }
  out.text_fields = s.text_fields;
  out.embedder_name = s.embedder_name;
  out.embedder_fingerprint = s.embedder_fingerprint;
  return out;
}

SequenceNumber Collection::insert(const Record& record) {
  return impl_->execute(std::array{db::Write{Operation::Kind::kInsert, &record}}, false).sequence;
}
SequenceNumber Collection::insert(std::string_view id, Vector vector, Metadata metadata) {
  return insert(make_record(id, std::move(vector), std::move(metadata)));
}
SequenceNumber Collection::upsert(const Record& record) {
  return impl_->execute(std::array{db::Write{Operation::Kind::kUpsert, &record}}, false).sequence;
}
SequenceNumber Collection::upsert(std::string_view id, Vector vector, Metadata metadata) {
  return upsert(make_record(id, std::move(vector), std::move(metadata)));
}
SequenceNumber Collection::upsert_vector(std::string_view id, Vector vector, Metadata metadata) {
  return upsert(make_record(id, std::move(vector), std::move(metadata)));
}
SequenceNumber Collection::batch_upsert(std::span<const Record> records) {
  return impl_->execute(writes_of(Operation::Kind::kUpsert, records), true).sequence;
}
SequenceNumber Collection::batch_insert(std::span<const Record> records) {
  return impl_->execute(writes_of(Operation::Kind::kInsert, records), true).sequence;
}
SequenceNumber Collection::batch_execute(std::span<const Operation> operations) {
  std::vector<db::Write> writes;
  writes.reserve(operations.size());
  for (const Operation& o : operations) writes.push_back({o.kind, &o.record, o.if_sequence});
  return impl_->execute(writes, true).sequence;
}

std::uint64_t Collection::erase(std::string_view id) {
  const Record record = make_record(id, {}, {});
  return impl_->execute(std::array{db::Write{Operation::Kind::kErase, &record}}, false).existed;
}

std::uint64_t Collection::erase(std::span<const std::string> ids) {
  const std::set<std::string_view> distinct(ids.begin(), ids.end());
  std::vector<Record> records;
  for (std::string_view id : distinct) records.push_back(make_record(id, {}, {}));
  return impl_->execute(writes_of(Operation::Kind::kErase, records), true).existed;
}

// Reads what matches, then erases exactly those versions: a record that was written anew in between is left.
std::uint64_t Collection::erase_where(const Filter& filter) {
  std::uint64_t erased = 0;
  for (std::uint64_t from = 0;;) {
    shard::PreparedBatch batch;
    std::uint64_t next = 0;
    bool more = false;
    {
      shard::ReadView view(impl_->shard());
      Context context;
      const auto matching = filter.empty() ? nullptr : query::find_matching_rows(view, filter, context);
      batch.schema = view.state().schema;
      const query::ViewRows rows(view, matching.get(), nullptr);
      shard::DocumentReader documents(view);
      for (auto row = rows.next(from); row != kNoRow; row = rows.next(row + 1)) {
        next = row + 1;
        if (matching && !matching->contains(row)) continue;
        const storage::Document document = documents.read(row);
        const auto entry = shard::find_id(view, document.id);
        if (!entry) continue;
        documents.check(*entry);
        shard::PreparedWrite w;
        w.kind = shard::PreparedWrite::Kind::kErase;
        w.id = batch.arena.add(document.id);
        w.expected_sequence = entry->sequence;
        w.must_match = false;
        batch.writes.push_back(w);
        if ((more = batch.writes.size() >= db::kMaxBatchRecords)) break;
      }
      if (matching) matching->require_complete();
    }
    if (!batch.writes.empty()) {
      const storage::Store::Session session(impl_->shard().store());
      try {
        erased += impl_->shard().apply(batch).existed;
      } catch (const shard::SchemaChanged&) {
        continue;
      }
    }
    if (!more) return erased;
    from = next;
  }
}

void Collection::optimize(std::stop_token stop) {
  const storage::Store& store = impl_->shard().store();
  if (store.read_only()) fail(ErrorCode::kReadOnly, "'", store.directory(), "' is open read-only");
  Context context;
  context.stop = std::move(stop);
  // What is small is scanned where it lies.
  const bool has_segments = stats().segments > 0;
  impl_->shard().checkpoint(has_segments ? 1 : impl_->shard().segment_options().graph_rows, context);
  // One merge does, unless writers come between; a machine that cannot read what it wrote must not keep us
  // here.
  constexpr int kMostSteps = 1'000;
  for (int i = 0; i < kMostSteps; ++i) {
    if (!impl_->shard().merge_step(true, context) && !impl_->shard().warm_step(context)) return;
  }
  fail(ErrorCode::kBusy, "collection '", name(), "': its segments keep changing");
}

void Collection::add_vector(std::string_view vector_name, const VectorField& field) {
  catalog::check_name("vector name", vector_name);
  if (field.dimension != 0) catalog::check_dimension("dimension", field.dimension);
  check_index_options("index.", field.index);
  const storage::Store::Session session(impl_->shard().store());
  impl_->shard().change_schema([&](catalog::Schema& schema) {
    if (schema.find(vector_name)) fail(ErrorCode::kAlreadyExists, "vector '", vector_name, "' exists");
    if (schema.vectors.size() >= catalog::kMaxVectorFields)
      invalid("vectors: the limit is ", catalog::kMaxVectorFields);
    schema.add(std::string(vector_name), ElementType::kF32, field.metric, field.dimension, field.index);
  });
}

void Collection::alter_index(std::string_view vector_name, const IndexOptions& index) {
  check_index_options("index.", index);
  shard::Shard& shard = impl_->shard();
  const storage::Store::Session session(shard.store());
  shard.change_schema([&](catalog::Schema& schema) {
    auto* field = schema.find(vector_name);
    if (!field) fail(ErrorCode::kNotFound, "vector '", vector_name, "' does not exist");
    field->index = index;
  });
  shard.catch_up();  // where nothing was indexed before, any number of rows may wait for their first segment
}

void Collection::drop_vector(std::string_view vector_name) {
  if (vector_name.empty()) invalid("vector name '': the vector without a name cannot be dropped");
  const storage::Store::Session session(impl_->shard().store());
  impl_->shard().change_schema([&](catalog::Schema& schema) {
    if (std::erase_if(schema.vectors, [&](const auto& f) { return f.name == vector_name; }) == 0) {
      fail(ErrorCode::kNotFound, "vector '", vector_name, "' does not exist");
    }
  });
}

}  // namespace vecstore
