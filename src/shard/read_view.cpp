#include "shard/read_view.hpp"

#include <algorithm>
#include <cstring>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/metadata_codec.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"

namespace vecstore::shard {

using storage::AuxKind;
using storage::BlockKind;
using storage::Keyspace;

ReadView::ReadView(Shard& shard) : shard_(shard), session_(shard.store()) {
  txn_.emplace(shard.store().env());
  load();
}

void ReadView::renew() {
  // Ended first, since a thread has one transaction at a time. Not renewed: the newest commit may be in
  // another generation.
  txn_.reset();
  txn_.emplace(shard_.store().env());
  load();
}

void ReadView::load() {
  const auto state = storage::read_collection_state(*txn_, shard_.collection());
  if (!state) fail(ErrorCode::kNotFound, "collection '", shard_.name(), "' was deleted");
  state_ = *state;
  schema_ = shard_.schema(*txn_, state_);
  retired_ = shard_.retired(*txn_, state_);
  shard_.load_field_names(*txn_, state_);
}

void ReadView::touch_trees() const {
  for (const Keyspace k : {Keyspace::kVectors, Keyspace::kDocuments, Keyspace::kIds, Keyspace::kAux})
    txn_->get(k, "\x01");
}

DocumentReader::DocumentReader(const ReadView& view)
    : view_(view),
      space_{BlockKind::kDocuments, view.shard().collection(), 0, 0},
      rows_(view.txn(), space_) {}

void DocumentReader::prefetch(std::span<const std::uint64_t> rows) {
  rows_.prefetch(rows, view_.shard().block_tables().at(view_, space_).get());
}

storage::Document DocumentReader::read(std::uint64_t row) {
  const auto stored = rows_.find(row);
  if (!stored)
    fail(ErrorCode::kCorruption, "collection '", view_.shard().name(), "': the document of row ", row,
         " is missing");
  row_ = row;
  stored_ = stored->bytes;
  stored_sequence_ = stored->sequence;
  overlay_ = {};
  overlay_sequence_.reset();
  storage::Document document = storage::decode_document(stored->bytes);
  if (view_.state().overlays > 0) {
    const std::string key = storage::aux_key(space_.collection, AuxKind::kOverlay, row);
    if (const auto value = view_.txn().get(Keyspace::kAux, key)) {
      const storage::Opened overlay =
          storage::unseal(storage::ValueKind::kOverlay, space_.collection, key, *value);
      document.metadata = overlay_ = overlay.payload;
      overlay_sequence_ = overlay.sequence;
    }
  }
  return document;
}

void DocumentReader::check(const storage::IdEntry& entry) {
  const auto old = [&] {
    fail(ErrorCode::kCorruption, "collection '", view_.shard().name(), "': row ", row_,
         " is not the version that its id names, of commit ", entry.sequence);
  };
  if (entry.row != row_) old();
  if (view_.state().overlays == 0) return;
  if (overlay_sequence_) {
    if (*overlay_sequence_ != entry.sequence) old();
    return;
  }
  // Without updated metadata the row is of the entry's commit. Its block tells that, unless it was rewritten
  // to save space; then only the content does.
  if (stored_sequence_ < entry.sequence) old();
  if (stored_sequence_ == entry.sequence) return;
  Vector unnamed;
  std::map<std::string, Vector> named;
  std::vector<std::string_view> vectors;
  read_vectors(view_, row_, unnamed, named, &vectors);
  check(entry, vectors);
}

void DocumentReader::check(const storage::IdEntry& entry, std::span<const std::string_view> vectors) const {
  // A dropped field's vectors are part of the content, and gone.
  if (view_.schema().next_number != view_.schema().vectors.size()) return;
  if (storage::content_crc(stored_, vectors, overlay_) == entry.content) return;
  fail(ErrorCode::kCorruption, "collection '", view_.shard().name(), "': row ", row_,
       " is not complete: a vector or its metadata is missing or old");
}

std::optional<std::uint64_t> DocumentReader::next_row(std::uint64_t row) {
  for (;;) {
    row = view_.retired().next_live(row);
    if (row >= view_.state().next_row) return std::nullopt;
    try {
      if (!rows_.seek(row)) return std::nullopt;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      ++damaged_;
      if (rows_.damaged_last_row() < row) return std::nullopt;  // the tree itself is damaged
      row = rows_.damaged_last_row() + 1;
      continue;
    }
    const auto& block = rows_.block();
    for (std::uint32_t i = block.find(row).value_or(0); i < block.count(); ++i) {
      if (block.row(i) >= row && view_.is_live(block.row(i))) return block.row(i);
    }
    row = block.last_row() + 1;
  }
}

void DocumentReader::require_complete() const {
  if (damaged_ == 0) return;
  fail(ErrorCode::kCorruption, "collection '", view_.shard().name(), "': ", damaged_,
       " blocks of documents cannot be read; verify names them");
}

std::optional<storage::IdEntry> find_id(const ReadView& view, std::string_view id) {
  return storage::find_id(view.txn(), view.shard().collection(), id);
}

std::string encode_sparse(const Sparse& sparse) {
  std::string out;
  put(out, static_cast<std::uint32_t>(sparse.indices.size()));
  out.append(reinterpret_cast<const char*>(sparse.indices.data()), 4 * sparse.indices.size());
  out.append(reinterpret_cast<const char*>(sparse.values.data()), 4 * sparse.values.size());
  return out;
}

Sparse decode_sparse(std::string_view bytes) {
  ByteReader in(bytes, "sparse vector");
  const auto count = in.get<std::uint32_t>();
  if (in.rest().size() != std::size_t{8} * count)
    fail(ErrorCode::kCorruption, "sparse vector: length differs from its count");
  Sparse sparse;
  if (count == 0) return sparse;
  sparse.indices.resize(count);
  sparse.values.resize(count);
  std::memcpy(sparse.indices.data(), in.take(std::size_t{4} * count).data(), std::size_t{4} * count);
  std::memcpy(sparse.values.data(), in.take(std::size_t{4} * count).data(), std::size_t{4} * count);
  return sparse;
}

void read_vectors(const ReadView& view, std::uint64_t row, Vector& unnamed,
                  std::map<std::string, Vector>& named, std::vector<std::string_view>* stored_rows) {
  std::map<std::string, std::pair<std::vector<float>, std::optional<Sparse>>> parts;
  for (const auto& field : view.schema().vectors) {
    storage::RowReader reader(view.txn(), {BlockKind::kVectors, view.shard().collection(), field.number, 0});
    const auto stored = reader.find(row);
    if (!stored) continue;
    if (stored_rows) stored_rows->push_back(stored->bytes);
    auto& [dense, sparse] = parts[field.name];
    if (field.element == ElementType::kSparse) {
      sparse = decode_sparse(stored->bytes);
    } else if (stored->element == static_cast<std::uint8_t>(ElementType::kF32)) {
      dense.resize(stored->bytes.size() / sizeof(float));
      std::memcpy(dense.data(), stored->bytes.data(), stored->bytes.size());
    }
  }
  for (auto& [name, part] : parts) {
    Vector& target = name.empty() ? unnamed : named[name];
    auto& [dense, sparse] = part;
    target = sparse ? Vector::hybrid(std::move(dense), std::move(sparse->indices), std::move(sparse->values))
                    : Vector(std::move(dense));
  }
}

Record read_record(const ReadView& view, DocumentReader& documents, const storage::Document& document,
                   const storage::IdEntry& entry, bool with_vectors) {
  Record r;
  if (with_vectors) {
    std::vector<std::string_view> stored;
    read_vectors(view, entry.row, r.vector, r.vectors, &stored);
    documents.check(entry, stored);
  }
  documents.check(entry);
  r.id = document.id;
  r.metadata = decode_metadata(document.metadata, view.field_names());
  r.text = storage::document_text(document);
  r.source = document.source;
  r.start = document.start;
  r.end = document.end;
  r.part = document.part;
  r.sequence = entry.sequence;
  if (document.expires_ms) {
    const auto latest =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::duration::max());
    r.expires_at = std::chrono::system_clock::time_point(
        std::min(std::chrono::milliseconds(*document.expires_ms), latest));
  }
  return r;
}

}  // namespace vecstore::shard
