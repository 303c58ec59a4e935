// The write path inside the transaction: from prepared writes to rows, ids, log and counters, all in one
// commit.
#include <algorithm>
#include <numeric>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "shard/shard.hpp"
#include "storage/document.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"
#include "storage/rows.hpp"

namespace vecstore::shard {
namespace {

using storage::AuxKind;
using storage::BlockKind;
using storage::BlockRow;
using storage::ChangeKind;
using storage::Commit;
using storage::IdEntry;
using storage::Keyspace;
using storage::RowSpace;
using storage::ValueKind;

/// One batch on its way into one transaction.
class Application {
 public:
  Application(Commit& commit, std::uint32_t collection, const std::string& name)
      : commit_(commit), collection_(collection), name_(name), retired_(commit.txn, collection) {
    const auto state = storage::read_collection_state(commit.txn, collection);
    if (!state) fail(ErrorCode::kNotFound, "collection '", name, "' was deleted");
    state_ = *state;
  }

  ApplyResult run(const PreparedBatch& batch, const FieldNames& names);

 private:
  void take_schema(const PreparedBatch& batch);
  void store_names(const PreparedBatch& batch, const FieldNames& names);
  std::vector<std::optional<IdEntry>> look_up(const PreparedBatch& batch);
  void check_version(const PreparedWrite& write, const std::optional<IdEntry>& old, std::size_t item) const;
  void erase_rest_of_source(const PreparedBatch& batch);
  void retire(std::string_view id, const IdEntry& entry);
  void erase(std::string_view id, const IdEntry& entry);
  void write_new(const PreparedBatch& batch, std::span<const std::size_t> items,
                 std::span<const std::optional<IdEntry>> old);
  void update_in_place(const PreparedWrite& write, const IdEntry& old);
  void rewrite(const PreparedWrite& write, const IdEntry& old, PreparedBatch& out);
  void finish();

  RowSpace documents() const { return {BlockKind::kDocuments, collection_, 0, 0}; }
  RowSpace vectors(std::uint16_t field, std::uint8_t element = 0) const {
    return {BlockKind::kVectors, collection_, field, element};
  }
  std::string overlay_key(std::uint64_t row) const {
    return storage::aux_key(collection_, AuxKind::kOverlay, row);
  }

  Commit& commit_;
  const std::uint32_t collection_;
  const std::string& name_;
  storage::CollectionState state_;
  catalog::Schema schema_;
  storage::RetiredUpdate retired_;
  std::vector<std::uint64_t> retired_rows_;
  bool changed_ = false;
};

void Application::take_schema(const PreparedBatch& batch) {
  if (batch.changed_schema) {
    schema_ = *batch.changed_schema;
    catalog::write_schema(commit_, collection_, state_, schema_);
    changed_ = true;
  } else {
    schema_ = catalog::read_schema(commit_.txn, collection_, state_);
  }
}

void Application::store_names(const PreparedBatch& batch, const FieldNames& names) {
  for (; state_.field_names < batch.field_names; ++state_.field_names) {
    const std::string key = storage::aux_key(collection_, AuxKind::kFieldName, state_.field_names);
    const std::string_view field = names.name(static_cast<std::uint32_t>(state_.field_names));
    commit_.txn.put(Keyspace::kAux, key,
                    storage::seal(ValueKind::kFieldName, collection_, commit_.sequence, key, field));
    changed_ = true;
  }
}

void Application::check_version(const PreparedWrite& w, const std::optional<IdEntry>& old,
                                std::size_t item) const {
  const std::uint64_t stored = old ? old->sequence : 0;
  if (stored == *w.expected_sequence) return;
  const std::string is = old ? concat("is at sequence ", stored) : std::string("does not exist");
  const std::string not_wanted =
      *w.expected_sequence == 0 ? std::string("it must not exist") : concat("not at ", *w.expected_sequence);
  throw Error(ErrorCode::kConflict,
              concat("id '", w.id, "' in collection '", name_, "' ", is, ", ", not_wanted), item);
}

// Everything that can be refused is refused here, before the first row is written.
std::vector<std::optional<IdEntry>> Application::look_up(const PreparedBatch& batch) {
  std::vector<std::optional<IdEntry>> old(batch.writes.size());
  for (std::size_t i = 0; i < batch.writes.size(); ++i) {
    const PreparedWrite& w = batch.writes[i];
    old[i] = storage::find_id(commit_.txn, collection_, w.id);
    if (w.kind == PreparedWrite::Kind::kInsert && old[i]) {
      throw Error(ErrorCode::kAlreadyExists, concat("id '", w.id, "' exists in collection '", name_, "'"), i);
    }
    if (w.expected_sequence && w.must_match) check_version(w, old[i], i);
    if (w.kind == PreparedWrite::Kind::kUpdateMetadata && !old[i] && w.must_match) {
      throw Error(ErrorCode::kNotFound, concat("id '", w.id, "' does not exist in collection '", name_, "'"),
                  i);
    }
  }
  return old;
}

void Application::retire(std::string_view id, const IdEntry& entry) {
  retired_.retire(entry.row);
  retired_rows_.push_back(entry.row);
  state_.live -= 1;
  state_.live_bytes -= entry.bytes;
  state_.digest -= entry.contribution(id);
  if (state_.overlays > 0 && commit_.txn.erase(Keyspace::kAux, overlay_key(entry.row))) --state_.overlays;
  changed_ = true;
}

void Application::erase(std::string_view id, const IdEntry& entry) {
  retire(id, entry);
  commit_.txn.erase(Keyspace::kIds, storage::id_key(collection_, id));
  commit_.log.add({collection_, ChangeKind::kErase, entry.row, entry.row, id});
}

void Application::write_new(const PreparedBatch& batch, std::span<const std::size_t> items,
                            std::span<const std::optional<IdEntry>> old) {
  if (items.empty()) return;
  std::vector<IdEntry> entries(items.size());
  std::vector<BlockRow> rows;
  std::map<std::uint16_t, std::vector<BlockRow>> vector_rows;
  std::map<std::uint16_t, std::uint8_t> elements;
  rows.reserve(items.size());
  for (std::size_t n = 0; n < items.size(); ++n) {
    const PreparedWrite& w = batch.writes[items[n]];
    const std::uint64_t row = state_.next_row++;
    rows.push_back({row, w.document});
    for (const PreparedVector& v : batch.vectors_of(w)) {
      vector_rows[v.field].push_back({row, v.bytes, v.inverse_norm});
      elements[v.field] = static_cast<std::uint8_t>(v.element);
    }
    const std::size_t bytes = w.id.size() + batch.bytes_of(w);
    entries[n] = {row, commit_.sequence, w.content, static_cast<std::uint32_t>(bytes)};
    const auto& before = old[items[n]];
    if (before) retire(w.id, *before);
    commit_.log.add(
        {collection_, ChangeKind::kUpsert, row, before ? std::optional(before->row) : std::nullopt, w.id});
    state_.live += 1;
    state_.live_bytes += bytes;
    state_.digest += entries[n].contribution(w.id);
  }
  storage::write_rows(commit_.txn, documents(), rows, commit_.sequence);
  for (const auto& [field, list] : vector_rows)
    storage::write_rows(commit_.txn, vectors(field, elements[field]), list, commit_.sequence);
  // In the order of the ids the tree's pages are touched once each.
  std::vector<std::size_t> order(items.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return batch.writes[items[a]].id < batch.writes[items[b]].id;
  });
  for (std::size_t n : order)
    storage::write_id(commit_.txn, collection_, batch.writes[items[n]].id, entries[n]);
  state_.stored_rows += items.size();
  changed_ = true;
}

// New metadata beside an old row: the row, its vectors and everything derived from them stay.
void Application::update_in_place(const PreparedWrite& w, const IdEntry& old) {
  std::vector<std::string_view> parts;
  std::size_t bytes = w.id.size() + w.metadata.size();
  storage::RowReader reader(commit_.txn, documents());
  const auto document = reader.find(old.row);
  if (!document)
    fail(ErrorCode::kCorruption, "collection '", name_, "', id '", w.id, "': its document is missing");
  bytes += document->bytes.size();
  std::vector<storage::RowReader> readers;
  readers.reserve(schema_.vectors.size());
  for (const auto& field : schema_.vectors) {
    readers.emplace_back(commit_.txn, vectors(field.number));
    if (const auto stored = readers.back().find(old.row)) {
      parts.push_back(stored->bytes);
      bytes += stored->bytes.size();
    }
  }
  const IdEntry entry{old.row, commit_.sequence, storage::content_crc(document->bytes, parts, w.metadata),
                      static_cast<std::uint32_t>(bytes)};
  const std::string key = overlay_key(old.row);
  if (!commit_.txn.get(Keyspace::kAux, key)) ++state_.overlays;
  commit_.txn.put(Keyspace::kAux, key,
                  storage::seal(ValueKind::kOverlay, collection_, commit_.sequence, key, w.metadata));
  storage::write_id(commit_.txn, collection_, w.id, entry);
  commit_.log.add({collection_, ChangeKind::kUpdateMetadata, old.row, std::nullopt, w.id});
  state_.live_bytes += std::uint64_t{entry.bytes} - old.bytes;
  state_.digest += entry.contribution(w.id) - old.contribution(w.id);
  changed_ = true;
}

// The same as an upsert, for collections whose text index covers metadata: what is searched takes a new row.
void Application::rewrite(const PreparedWrite& w, const IdEntry& old, PreparedBatch& out) {
  storage::RowReader reader(commit_.txn, documents());
  const auto stored = reader.find(old.row);
  if (!stored)
    fail(ErrorCode::kCorruption, "collection '", name_, "', id '", w.id, "': its document is missing");
  storage::Document document = storage::decode_document(stored->bytes);
  const std::string text = storage::document_text(document);
  document.text = text;
  document.metadata = w.metadata;
  std::string encoded;
  storage::encode_document(document, encoded);
  const std::size_t first_vector = out.vectors.size();
  for (const auto& field : schema_.vectors) {
    storage::RowReader vectors_reader(commit_.txn, vectors(field.number));
    if (const auto v = vectors_reader.find(old.row)) {
      out.vectors.push_back(
          {field.number, static_cast<ElementType>(v->element), out.arena.add(v->bytes), v->inverse_norm});
    }
  }
  out.add({.kind = PreparedWrite::Kind::kUpsert, .id = w.id, .document = out.arena.add(encoded)},
          first_vector);
}

// Ids that upsert_chunks gave this source before and that it does not have any more.
void Application::erase_rest_of_source(const PreparedBatch& batch) {
  const std::string& source = *batch.replaced_source;
  const std::string head = source + "#";
  // The key of a long id keeps its beginning only.
  const std::string prefix =
      storage::collection_prefix(collection_) + head.substr(0, storage::kMaxKeyId - 17 + 1);
  std::vector<std::pair<std::string, IdEntry>> gone;
  {
    storage::Cursor cursor = commit_.txn.cursor(Keyspace::kIds);
    storage::RowReader reader(commit_.txn, documents());
    for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix); more = cursor.next()) {
      const IdEntry entry = storage::decode_id(cursor.key(), cursor.value());
      const auto stored = reader.find(entry.row);
      if (!stored) continue;
      const storage::Document document = storage::decode_document(stored->bytes);
      if (document.source != source || !document.id.starts_with(head)) continue;
      const std::string_view number = document.id.substr(head.size());
      if (number.empty() || number.find_first_not_of("0123456789") != std::string_view::npos) continue;
      const bool rewritten_now = std::any_of(batch.writes.begin(), batch.writes.end(),
                                             [&](const auto& w) { return w.id == document.id; });
      if (!rewritten_now) gone.emplace_back(document.id, entry);
    }
  }
  for (const auto& [id, entry] : gone) erase(id, entry);
}

ApplyResult Application::run(const PreparedBatch& batch, const FieldNames& names) {
  if (state_.schema != batch.schema) throw SchemaChanged{};
  auto old = look_up(batch);
  take_schema(batch);
  store_names(batch, names);
  if (batch.replaced_source) erase_rest_of_source(batch);
  ApplyResult result;
  std::vector<std::size_t> fresh;
  PreparedBatch rewrites;  // updates that became upserts
  std::vector<std::optional<IdEntry>> rewrites_old;
  std::size_t rewritten = 0;
  const bool in_place = !schema_.indexes_metadata();
  for (std::size_t i = 0; i < batch.writes.size(); ++i) {
    const PreparedWrite& w = batch.writes[i];
    if (w.expected_sequence && *w.expected_sequence != (old[i] ? old[i]->sequence : 0)) {
      result.left_out.push_back(i);
      continue;
    }
    result.existed += old[i].has_value();
    switch (w.kind) {
      case PreparedWrite::Kind::kInsert:
      case PreparedWrite::Kind::kUpsert:
        fresh.push_back(i);
        break;
      case PreparedWrite::Kind::kErase:
        if (old[i]) erase(w.id, *old[i]);
        break;
      case PreparedWrite::Kind::kUpdateMetadata:
        if (in_place) {
          update_in_place(w, *old[i]);
        } else {
          rewrite(w, *old[i], rewrites);
          if ((rewritten += rewrites.bytes_of(rewrites.writes.back())) > storage::kMaxCommitBytes)
            fail(ErrorCode::kTooLarge, "new metadata of records that are written anew with it, more than ",
                 storage::kMaxCommitBytes, " bytes in one commit; update fewer at a time");
          rewrites_old.push_back(old[i]);
        }
        break;
    }
  }
  write_new(batch, fresh, old);
  std::vector<std::size_t> all(rewrites.writes.size());
  std::iota(all.begin(), all.end(), 0);
  write_new(rewrites, all, rewrites_old);
  if (changed_) finish();
  result.sequence = commit_.sequence;
  result.next_row = state_.next_row;
  return result;
}

void Application::finish() {
  if (!retired_rows_.empty()) {
    std::sort(retired_rows_.begin(), retired_rows_.end());
    state_.stored_rows -=
        storage::reclaim(commit_.txn, documents(), retired_rows_, retired_, commit_.sequence);
    for (const auto& field : schema_.vectors) {
      storage::reclaim(commit_.txn, vectors(field.number), retired_rows_, retired_, commit_.sequence);
    }
    retired_.write(commit_.txn, commit_.sequence);
    state_.retired_sequence = commit_.sequence;
  }
  state_.sequence = commit_.sequence;
  storage::write_collection_state(commit_.txn, collection_, state_);
}

}  // namespace

ApplyResult Shard::apply_in(storage::Commit& commit, const PreparedBatch& batch) {
  return Application(commit, collection_, name_).run(batch, names_);
}

}  // namespace vecstore::shard
