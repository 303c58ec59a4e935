#include "storage/verify_collection.hpp"

#include <algorithm>
#include <bit>
#include <memory>

#include "base/json.hpp"
#include "base/metadata_codec.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"
#include "storage/segment_list.hpp"

namespace vecstore::storage {
namespace {

constexpr std::size_t kFewestBuckets = 16;
constexpr std::size_t kMostBuckets = 65'536;
constexpr std::size_t kMostCompared = 1'000'000;
constexpr std::size_t kIdPrefix = 4;

}  // namespace

CollectionCheck::CollectionCheck(VerifyScope& scope, std::uint32_t collection,
                                 std::optional<CollectionState> state, std::set<std::uint16_t> fields)
    : scope_(scope), collection_(collection), state_(state), fields_(std::move(fields)) {}

void CollectionCheck::run() {
  read_aux();
  compare();
  check_counters();
  ++scope_.result.collections;
  scope_.result.records += ids_;
}

bool CollectionCheck::retired(std::uint64_t row) const {
  const auto found = retired_.find(row / kRowsPerSlice);
  if (found == retired_.end()) return false;
  const std::uint64_t bit = row % kRowsPerSlice;
  return static_cast<unsigned char>(found->second[bit / 8]) >> (bit % 8) & 1;
}

void CollectionCheck::read_aux() {
  TreeCursor cursor(scope_.file, scope_.walk, Keyspace::kAux);
  const std::string prefix = collection_prefix(collection_);
  for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix); more = cursor.next()) {
    scope_.context.check();
    const std::string key(cursor.key());
    if (key.size() != aux_key(0, AuxKind::kSchema, 0).size()) continue;  // reported with the keys
    const auto value = cursor.value();
    if (!value) continue;
    const char kind = key[prefix.size()];
    const auto number = load_big_endian<std::uint64_t>(key.data() + prefix.size() + 1);
    try {
      read_aux_value(kind, number, key, *value);
    } catch (const Error& e) {
      damage("value", {}, e.what());
      if (kind == static_cast<char>(AuxKind::kFieldName)) names_known_ = false;
    }
  }
}

void CollectionCheck::read_aux_value(char kind, std::uint64_t number, std::string_view key,
                                     std::string_view value) {
  const auto open = [&](ValueKind expected) {
    const Opened opened = unseal(expected, collection_, key, value);
    if (opened.sequence > scope_.sequence)
      fail(ErrorCode::kCorruption, "a value is newer than the store: sequence ", opened.sequence);
    return opened.payload;
  };
  switch (static_cast<AuxKind>(kind)) {
    case AuxKind::kSchema:
      if (state_ && number != state_->schema)
        fail(ErrorCode::kCorruption, "schema ", number, " is not the live one");
      read_schema(open(ValueKind::kSchema));
      ++schemas_;
      return;
    case AuxKind::kFieldName: {
      const auto id = names_.intern(open(ValueKind::kFieldName));
      if (!id || *id != number)
        fail(ErrorCode::kCorruption, "metadata key number ", number, " stands there twice or out of order");
      ++field_names_;
      return;
    }
    case AuxKind::kRetired: {
      const std::string_view bits = open(ValueKind::kRetired);
      if (bits.size() != kRowsPerSlice / 8)
        fail(ErrorCode::kCorruption, "retired rows: slice ", number, " has ", bits.size(), " bytes");
      retired_.emplace(number, bits);
      return;
    }
    case AuxKind::kOverlay:
      open(ValueKind::kOverlay);
      ++overlays_;
      return;
    case AuxKind::kSegments:
      decode_segments(collection_, value);
      open(ValueKind::kSegments);
      return;
  }
  fail(ErrorCode::kCorruption, "a key of unknown kind ", static_cast<int>(kind));
}

void CollectionCheck::read_schema(std::string_view json) {
  const Metadata schema = parse_json(json);
  const auto& vectors = schema["vectors"].as_array();
  std::set<std::uint16_t> known;
  for (const Metadata& v : vectors) known.insert(static_cast<std::uint16_t>(v["number"].as_int()));
  content_known_ = schema["next_number"].as_int() == static_cast<std::int64_t>(known.size());
  for (const std::uint16_t field : fields_) {
    if (!known.contains(field))
      damage("orphan", {}, concat("vector rows of field ", field, ", which the schema does not have"));
  }
}

// Calls `sink` for each live record, put together from its rows. All streams move in the order of the rows,
// so that memory does not depend on how many there are.
void CollectionCheck::scan_rows(bool report, const RowSink& sink) {
  RowStream documents_stream(scope_, documents(), report);
  std::vector<std::unique_ptr<RowStream>> vectors;
  for (const std::uint16_t field : fields_) {
    vectors.push_back(
        std::make_unique<RowStream>(scope_, RowSpace{BlockKind::kVectors, collection_, field, 0}, report));
  }
  TreeCursor overlay_cursor(scope_.file, scope_.walk, Keyspace::kAux);
  const std::string overlay_first = aux_key(collection_, AuxKind::kOverlay, 0);
  const std::string_view overlay_prefix = std::string_view(overlay_first).substr(0, kIdPrefix + 1);
  bool overlay_more = overlay_cursor.seek(overlay_first);
  const auto overlay_row = [&]() -> std::uint64_t {
    const bool mine = overlay_more && overlay_cursor.key().size() == overlay_first.size() &&
                      overlay_cursor.key().starts_with(overlay_prefix);
    return mine ? load_big_endian<std::uint64_t>(overlay_cursor.key().data() + kIdPrefix + 1)
                : ~std::uint64_t{0};
  };
  const auto skip_to = [&](std::uint64_t row) {
    for (auto& v : vectors) {
      for (; v->valid() && v->row() < row; v->next()) {
        end_row_ = std::max(end_row_, v->row() + 1);
        if (report && !retired(v->row()))
          damage("orphan", {}, concat("vector row ", v->row(), " has no document"));
      }
    }
    for (; overlay_row() < row; overlay_more = overlay_cursor.next()) {
      if (report)
        damage("orphan", {}, concat("new metadata of row ", overlay_row(), ", which has no document"));
    }
  };
  std::vector<std::string_view> parts;
  std::string overlay;
  for (; documents_stream.valid(); documents_stream.next()) {
    const std::uint64_t row = documents_stream.row();
    skip_to(row);
    if (report) ++stored_rows_;
    end_row_ = std::max(end_row_, row + 1);
    parts.clear();
    bool sound = documents_stream.sound();
    for (auto& v : vectors) {
      if (!v->valid() || v->row() != row) continue;
      sound = sound && v->sound();
      parts.push_back(v->bytes());
    }
    overlay.clear();
    const bool overlaid = overlay_row() == row;
    if (overlaid) {
      if (report && retired(row))
        damage("orphan", {}, concat("new metadata of row ", row, ", which is retired"));
      try {
        const auto value = overlay_cursor.value();
        if (!value) fail(ErrorCode::kCorruption, "overlay");
        overlay = unseal(ValueKind::kOverlay, collection_, overlay_cursor.key(), *value).payload;
      } catch (const Error&) {
        sound = false;  // reported with the small values
      }
    }
    if (!retired(row) && sound) {
      try {
        const Document document = decode_document(documents_stream.bytes());
        if (report) check_document(row, document, overlay);
        Seen seen{std::string(document.id), row, content_crc(documents_stream.bytes(), parts, overlay), 0};
        std::size_t bytes = document.id.size() + documents_stream.bytes().size() + overlay.size();
        for (const std::string_view part : parts) bytes += part.size();
        seen.bytes = static_cast<std::uint32_t>(bytes);
        sink(seen);
      } catch (const Error& e) {
        if (report) damage("document", {}, concat("row ", row, ": ", e.what()));
      }
    }
    for (auto& v : vectors) {
      if (v->valid() && v->row() == row) v->next();
    }
    if (overlaid) overlay_more = overlay_cursor.next();
  }
  skip_to(~std::uint64_t{0});
}

void CollectionCheck::check_document(std::uint64_t row, const Document& document, std::string_view overlay) {
  if (document.id.empty() || document.id.size() > kMaxIdBytes)
    damage("document", {}, concat("row ", row, ": its id has ", document.id.size(), " bytes"));
  try {
    if (document.text_compressed) document_text(document);
  } catch (const Error& e) {
    damage("text", document.id, e.what());
  }
  if (!names_known_) return;
  try {
    if (!document.metadata.empty()) decode_metadata(document.metadata, names_);
    if (!overlay.empty()) decode_metadata(overlay, names_);
  } catch (const Error& e) {
    damage("metadata", document.id, e.what());
  }
}

void CollectionCheck::scan_ids(bool report, const IdSink& sink) {
  TreeCursor cursor(scope_.file, scope_.walk, Keyspace::kIds);
  const std::string prefix = collection_prefix(collection_);
  // A long id's key: its beginning, 0xFF, hash64 of the id, another hash. See keys.hpp.
  const std::size_t long_key = id_key(collection_, std::string(kMaxKeyId + 1, 'x')).size();
  std::uint64_t steps = 0;
  for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix); more = cursor.next()) {
    if (++steps % 1024 == 0) scope_.context.check();
    const std::string_view id = cursor.key().substr(kIdPrefix);
    if (id.empty() ||
        (id.size() > kMaxKeyId && (cursor.key().size() != long_key || id[id.size() - 17] != '\xff'))) {
      if (report) damage("key", id, concat("ids: a key of ", id.size(), " bytes"));
      continue;
    }
    const auto value = cursor.value();
    if (!value) continue;
    try {
      const IdEntry entry = decode_id(cursor.key(), *value);
      if (report && state_ && entry.sequence > state_->sequence)
        damage("id_entry", id,
               concat("its sequence number ", entry.sequence, " is newer than the collection's"));
      const std::uint64_t hash =
          id.size() > kMaxKeyId ? load_big_endian<std::uint64_t>(id.data() + id.size() - 16) : hash64(id);
      sink(hash, entry, id);
    } catch (const Error& e) {
      if (report) damage("id_entry", id, e.what());
    }
  }
}

std::uint64_t CollectionCheck::mark(std::uint64_t id_hash, const Seen& seen) const {
  const IdEntry entry{seen.row, 0, content_known_ ? seen.content : 0, content_known_ ? seen.bytes : 0};
  return entry.contribution_of_hash(id_hash);
}

// Rows and ids come in different orders. Instead of keeping either, both are summed up per bucket of ids:
// where the sums agree, the records do. Only the buckets that differ are looked at again.
void CollectionCheck::compare() {
  const std::uint64_t expected = state_ ? state_->live : kMostBuckets * 16;
  Buckets sums(std::clamp(std::bit_ceil(std::size_t(std::min<std::uint64_t>(expected / 16, kMostBuckets))),
                          kFewestBuckets, kMostBuckets));
  const auto bucket = [&](std::uint64_t hash) { return hash & (sums.size() - 1); };
  scan_rows(true, [&](const Seen& seen) {
    const std::uint64_t hash = hash64(seen.id);
    sums[bucket(hash)] += mark(hash, seen);
  });
  scan_ids(true, [&](std::uint64_t hash, const IdEntry& entry, std::string_view) {
    ++ids_;
    live_bytes_ += entry.bytes;
    digest_ += entry.contribution_of_hash(hash);
    sums[bucket(hash)] -= mark(hash, {{}, entry.row, entry.content, entry.bytes});
  });
  if (std::any_of(sums.begin(), sums.end(), [](std::uint64_t sum) { return sum != 0; }))
    name_differences(sums);
}

void CollectionCheck::name_differences(const Buckets& differences) {
  const auto differs = [&](std::uint64_t hash) { return differences[hash & (differences.size() - 1)] != 0; };
  std::unordered_map<std::uint64_t, Seen> rows;  // by hash of the id
  bool whole = true;
  scan_rows(false, [&](const Seen& seen) {
    const std::uint64_t hash = hash64(seen.id);
    if (!differs(hash)) return;
    if (rows.size() >= kMostCompared) {
      whole = false;
    } else if (const auto [at, added] = rows.emplace(hash, seen); !added) {
      damage("duplicate", seen.id, concat("rows ", at->second.row, " and ", seen.row, " are both live"));
    }
  });
  if (!whole) return damage("content", {}, "rows and ids differ in more records than can be named");
  scan_ids(false, [&](std::uint64_t hash, const IdEntry& entry, std::string_view id) {
    if (!differs(hash)) return;
    const auto found = rows.find(hash);
    if (found == rows.end()) {
      const std::string_view what =
          retired(entry.row) ? ", which is retired" : ", which is missing or damaged";
      return damage("record", id, concat("its entry names row ", entry.row, what));
    }
    const Seen& seen = found->second;
    if (seen.row != entry.row) {
      damage("record", seen.id,
             concat("its entry names row ", entry.row, ", its document is row ", seen.row));
    } else if (content_known_ && (seen.content != entry.content || seen.bytes != entry.bytes)) {
      damage("content", seen.id,
             concat("row ", seen.row, ": document and vectors are not those that were written: ", seen.bytes,
                    " bytes, its entry says ", entry.bytes));
    }
    rows.erase(found);
  });
  for (const auto& [hash, seen] : rows)
    damage("record", seen.id, concat("row ", seen.row, " is live, its id has no sound entry"));
}

void CollectionCheck::expect(std::string_view kind, std::uint64_t stored, std::uint64_t counted) {
  if (stored != counted)
    damage("counter", {}, concat(kind, " is ", counted, ", the collection's record says ", stored));
}

void CollectionCheck::check_counters() {
  if (!state_) return;
  expect("live", state_->live, ids_);
  expect("live_bytes", state_->live_bytes, live_bytes_);
  expect("digest", state_->digest, digest_);
  expect("stored_rows", state_->stored_rows, stored_rows_);
  expect("overlays", state_->overlays, overlays_);
  expect("field_names", state_->field_names, field_names_);
  expect("schemas", state_->schema == 0 ? 0 : 1, schemas_);
  // Every row that was ever given out stands for a record or is retired, also when no block holds it any
  // more.
  std::uint64_t retired_rows = 0;
  for (const auto& [number, bits] : retired_) {
    for (char byte : bits)
      retired_rows += static_cast<std::uint64_t>(std::popcount(static_cast<unsigned char>(byte)));
  }
  expect("next_row", state_->next_row, ids_ + retired_rows);
  if (end_row_ > state_->next_row)
    damage("counter", {}, concat("row ", end_row_ - 1, " exists, next_row is ", state_->next_row));
  if (state_->sequence > scope_.sequence)
    damage("counter", {},
           concat("sequence ", state_->sequence, " is newer than the store's, ", scope_.sequence));
  if (state_->retired_sequence > state_->sequence)
    damage("counter", {},
           concat("retired_sequence ", state_->retired_sequence, " is newer than ", state_->sequence));
}

}  // namespace vecstore::storage
