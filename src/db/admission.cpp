#include "db/admission.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/metadata_codec.hpp"
#include "base/utf8.hpp"
#include "shard/read_view.hpp"
#include "storage/document.hpp"
#include "storage/format.hpp"

namespace vecstore::db {
namespace {

using shard::PreparedVector;
using shard::PreparedWrite;

PreparedVector admit_dense(std::string_view what, const std::vector<float>& values,
                           catalog::VectorFieldSchema& field, ByteArena& arena) {
  if (field.dimension == 0) {
    catalog::check_dimension(concat("dimension of ", what), values.size());
    field.dimension = values.size();
  }
  const PreparedVector prepared = shard::prepare_dense(field.number, values, arena);
  // A norm that has an inverse is neither zero nor too large, and no component under it can be infinite.
  if (prepared.inverse_norm == 0 || values.size() != field.dimension)
    check_dense(what, values, field.dimension, field.metric);
  return prepared;
}

void prepare_vector(std::string_view name, const Vector& vector, catalog::Schema& schema,
                    shard::PreparedBatch& out) {
  const std::string what = name.empty() ? "vector" : concat("vectors['", name, "']");
  if (!vector.dense().empty()) {
    auto* field = schema.find(name);
    if (!field) {
      invalid(what, " is not declared: add_vector declares it, or the option `vectors` of create_collection");
    }
    out.vectors.push_back(admit_dense(what, vector.dense(), *field, out.arena));
  }
  if (vector.sparse()) {
    const Sparse sparse = check_sparse(concat(what, ".sparse"), *vector.sparse());
    auto* field = schema.find(name, ElementType::kSparse);
    if (!field) {
      if (!name.empty() && !schema.find(name)) invalid(what, " is not declared: add_vector declares it");
      field = &schema.add(std::string(name), ElementType::kSparse, Metric::kDot, 0);
    }
    out.vectors.push_back(
        {field->number, ElementType::kSparse, out.arena.add(shard::encode_sparse(sparse)), 0});
  }
}

void check_text(std::string_view what, std::string_view text, std::size_t limit) {
  if (text.size() > limit)
    fail(ErrorCode::kTooLarge, what, " has ", text.size(), " bytes; the limit is ", limit);
  if (!valid_utf8(text)) invalid(what, " is not valid UTF-8");
}

/// Strings that are filled for every record of a batch.
struct Scratch {
  std::string metadata;
  std::string document;
};

std::string_view admit_metadata(const Metadata& metadata, FieldNames& names, Scratch& scratch) {
  validate_metadata(metadata);
  scratch.metadata.clear();
  encode_metadata(metadata, names, scratch.metadata);
  return scratch.metadata;
}

/// Adds the record's vectors to `out` and returns its encoded document.
std::string_view prepare_record(const Record& record, catalog::Schema& schema, FieldNames& names,
                                std::int64_t now_ms, Scratch& scratch, shard::PreparedBatch& out) {
  const std::size_t first_vector = out.vectors.size();
  prepare_vector("", record.vector, schema, out);
  for (const auto& [name, vector] : record.vectors) {
    if (name.empty()) invalid("vectors['']: the vector without a name is `vector`");
    prepare_vector(name, vector, schema, out);
  }
  std::sort(out.vectors.begin() + static_cast<std::ptrdiff_t>(first_vector), out.vectors.end(),
            [](const auto& a, const auto& b) { return a.field < b.field; });
  check_text("text", record.text, kMaxTextBytes);
  check_text("source", record.source, kMaxSourceBytes);
  if (record.end < record.start) invalid("end is ", record.end, ", before start ", record.start);
  storage::Document document{.id = record.id,
                             .metadata = admit_metadata(record.metadata, names, scratch),
                             .text = record.text,
                             .source = record.source,
                             .start = record.start,
                             .end = record.end,
                             .part = record.part};
  if (record.ttl) {
    if (record.ttl->count() <= 0) invalid("ttl is ", record.ttl->count(), " ms; it must be above 0");
    document.expires_ms = now_ms > std::numeric_limits<std::int64_t>::max() - record.ttl->count()
                              ? std::numeric_limits<std::int64_t>::max()
                              : now_ms + record.ttl->count();
  }
  scratch.document.clear();
  storage::encode_document(document, scratch.document);
  return out.arena.add(scratch.document);
}

void prepare_one(const Write& write, catalog::Schema& schema, FieldNames& names, std::int64_t now_ms,
                 Scratch& scratch, shard::PreparedBatch& out) {
  const Record& record = *write.record;
  check_id(record.id);
  PreparedWrite prepared;
  prepared.id = record.id;
  prepared.expected_sequence = write.if_sequence;
  prepared.must_match = write.must_match;
  const std::size_t first_vector = out.vectors.size();
  switch (write.kind) {
    case Operation::Kind::kInsert:
    case Operation::Kind::kUpsert:
      prepared.kind = write.kind == Operation::Kind::kInsert ? PreparedWrite::Kind::kInsert
                                                             : PreparedWrite::Kind::kUpsert;
      prepared.document = prepare_record(record, schema, names, now_ms, scratch, out);
      break;
    case Operation::Kind::kErase:
      prepared.kind = PreparedWrite::Kind::kErase;
      break;
    case Operation::Kind::kUpdateMetadata:
      prepared.kind = PreparedWrite::Kind::kUpdateMetadata;
      prepared.metadata = out.arena.add(admit_metadata(record.metadata, names, scratch));
      break;
  }
  out.add(prepared, first_vector);
}

}  // namespace

std::chrono::steady_clock::time_point deadline_after(std::chrono::milliseconds time) {
  // Far enough for everybody, near enough for the clock's arithmetic.
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365 * 100);
  return std::chrono::steady_clock::now() + std::clamp(time, -kLongest, kLongest);
}

void check_id(std::string_view id) {
  if (id.empty() || id.size() > storage::kMaxIdBytes)
    invalid("id has ", id.size(), " bytes; 1 to ", storage::kMaxIdBytes, " are allowed");
  if (id.find('\0') != std::string_view::npos) invalid("id contains a NUL byte");
  if (!valid_utf8(id)) invalid("id is not valid UTF-8");
}

void check_dense(std::string_view what, std::span<const float> vector, std::size_t dimension, Metric metric) {
  if (vector.size() != dimension) {
    invalid(what, " has dimension ", vector.size(), "; the collection's is ", dimension);
  }
  // What is not finite shows in the sum; which component it was is looked for only then. Four sums, so that
  // one addition need not wait for the one before.
  double sums[4] = {};
  std::size_t n = 0;
  for (; n + 4 <= vector.size(); n += 4) {
    for (std::size_t lane = 0; lane < 4; ++lane)
      sums[lane] += static_cast<double>(vector[n + lane]) * vector[n + lane];
  }
  for (; n < vector.size(); ++n) sums[0] += static_cast<double>(vector[n]) * vector[n];
  const double squares = sums[0] + sums[1] + sums[2] + sums[3];
  if (!std::isfinite(squares)) {
    for (std::size_t i = 0; i < vector.size(); ++i) {
      if (!std::isfinite(vector[i])) invalid(what, "[", i, "] is not finite");
    }
  }
  if (squares == 0 && metric == Metric::kCosine)
    invalid(what, " has zero norm, for which the cosine is undefined");
  // Beyond this the product of two such vectors, which is a score, would be infinite.
  if (squares > static_cast<double>(std::numeric_limits<float>::max()))
    invalid(what, ": norm not representable (", std::sqrt(squares), "; its square must fit a 32-bit float)");
}

Sparse check_sparse(std::string_view what, Sparse sparse) {
  const std::size_t count = sparse.indices.size();
  if (count != sparse.values.size())
    invalid(what, " has ", count, " indices but ", sparse.values.size(), " values");
  if (count > kMaxSparseEntries) invalid(what, " has ", count, " entries; the limit is ", kMaxSparseEntries);
  for (std::size_t i = 0; i < count; ++i) {
    if (!std::isfinite(sparse.values[i])) invalid(what, ".values[", i, "] is not finite");
  }
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return sparse.indices[a] < sparse.indices[b]; });
  Sparse sorted;
  sorted.indices.reserve(count);
  sorted.values.reserve(count);
  for (std::size_t i : order) {
    if (!sorted.indices.empty() && sorted.indices.back() == sparse.indices[i])
      invalid(what, ".indices holds ", sparse.indices[i], " twice");
    sorted.indices.push_back(sparse.indices[i]);
    sorted.values.push_back(sparse.values[i] + 0.0f);
  }
  return sorted;
}

shard::PreparedBatch prepare(std::span<const Write> writes, const catalog::Schema& schema,
                             std::uint64_t schema_number, FieldNames& names, bool is_batch) {
  if (writes.size() > kMaxBatchRecords) {
    fail(ErrorCode::kTooLarge, "a batch of ", writes.size(), " records; the limit is ", kMaxBatchRecords);
  }
  shard::PreparedBatch batch;
  batch.schema = schema_number;
  batch.writes.reserve(writes.size());
  catalog::Schema learned = schema;
  std::unordered_map<std::string_view, std::size_t> seen;
  seen.reserve(writes.size());
  Scratch scratch;
  const std::int64_t now = Clock::system().wall_ms();
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    try {
      prepare_one(writes[i], learned, names, now, scratch, batch);
      const auto [it, added] = seen.emplace(writes[i].record->id, i);
      if (!added) invalid("duplicate id '", writes[i].record->id, "' at ", it->second, " and ", i);
      bytes += batch.bytes_of(batch.writes.back());
      if (bytes > storage::kMaxCommitBytes) {
        fail(ErrorCode::kTooLarge, "a batch of more than ", storage::kMaxCommitBytes,
             " bytes, the limit of one commit");
      }
    } catch (const Error& e) {
      if (!is_batch || e.item()) throw;
      throw Error(e.code(), e.what(), i);
    }
  }
  // Names that a refused write left in memory are no reason for a commit.
  batch.field_names = batch.only_erases() ? 0 : names.size();
  if (learned != schema) batch.changed_schema = std::move(learned);
  return batch;
}

}  // namespace vecstore::db
