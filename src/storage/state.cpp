#include "storage/state.hpp"

#include "base/bytes.hpp"
#include "base/crc32c.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"

namespace vecstore::storage {

StoreState read_store_state(const Txn& txn) {
  const std::string key = main_key(MainKind::kStore);
  const auto value = txn.get(Keyspace::kMain, key);
  if (!value) fail(ErrorCode::kUnsupportedFormat, "the data file is not VecStore's: it has no store record");
  return decode_store_state(unseal(ValueKind::kStore, 0, key, *value).payload);
}

StoreState decode_store_state(std::string_view payload) {
  ByteReader in(payload, "store record");
  StoreState s;
  s.uuid = in.get<Uuid>();
  s.generation = in.get<std::uint64_t>();
  s.moved_to = in.get<std::uint64_t>();
  s.sequence = in.get<std::uint64_t>();
  s.wall_ms = in.get<std::int64_t>();
  s.next_collection = in.get<std::uint32_t>();
  s.next_namespace = in.get<std::uint32_t>();
  s.log_changes = in.get<std::uint64_t>();
  s.log_from = in.get<std::uint64_t>();
  return s;
}

void write_store_state(WriteTxn& txn, const StoreState& s) {
  std::string out;
  out.append(reinterpret_cast<const char*>(s.uuid.data()), s.uuid.size());
  put(out, s.generation);
  put(out, s.moved_to);
  put(out, s.sequence);
  put(out, s.wall_ms);
  put(out, s.next_collection);
  put(out, s.next_namespace);
  put(out, s.log_changes);
  put(out, s.log_from);
  const std::string key = main_key(MainKind::kStore);
  txn.put(Keyspace::kMain, key, seal(ValueKind::kStore, 0, s.sequence, key, out));
}

std::optional<CollectionState> read_collection_state(const Txn& txn, std::uint32_t collection) {
  const std::string key = collection_key(collection);
  const auto value = txn.get(Keyspace::kMain, key);
  if (!value) return std::nullopt;
  return decode_collection_state(unseal(ValueKind::kCollection, collection, key, *value).payload);
}

CollectionState decode_collection_state(std::string_view payload) {
  ByteReader in(payload, "collection record");
  CollectionState s;
  for (std::uint64_t* field : {&s.next_row, &s.live, &s.stored_rows, &s.live_bytes, &s.digest, &s.sequence,
                               &s.retired_sequence, &s.overlays, &s.schema, &s.field_names}) {
    *field = in.get<std::uint64_t>();
  }
  return s;
}

void write_collection_state(WriteTxn& txn, std::uint32_t collection, const CollectionState& s) {
  std::string out;
  for (std::uint64_t field : {s.next_row, s.live, s.stored_rows, s.live_bytes, s.digest, s.sequence,
                              s.retired_sequence, s.overlays, s.schema, s.field_names}) {
    put(out, field);
  }
  const std::string key = collection_key(collection);
  txn.put(Keyspace::kMain, key, seal(ValueKind::kCollection, collection, s.sequence, key, out));
}

std::uint32_t content_crc(std::string_view document, std::span<const std::string_view> vectors,
                          std::string_view overlay) {
  std::uint32_t crc = crc32c(as_byte_span(document));
  for (std::string_view v : vectors) crc = extend_content_crc(crc, v);
  return extend_content_crc(crc, overlay);
}

std::uint32_t extend_content_crc(std::uint32_t content, std::string_view next) {
  return crc32c(as_byte_span(next), content);
}

namespace {
std::uint32_t id_crc(std::string_view key, std::string_view fields) {
  return crc32c(as_byte_span(fields), crc32c(as_byte_span(key)));
}
constexpr std::size_t kIdFields = 24;
}  // namespace

IdEntry decode_id(std::string_view key, std::string_view value) {
  if (value.size() != kIdFields + 4 ||
      load<std::uint32_t>(value.data() + kIdFields) != id_crc(key, value.substr(0, kIdFields))) {
    fail(ErrorCode::kCorruption, "id '", key.substr(std::min<std::size_t>(4, key.size())), "' of collection ",
         key.size() >= 4 ? load_big_endian<std::uint32_t>(key.data()) : 0,
         ": the checksum of its entry differs");
  }
  IdEntry e;
  e.row = load<std::uint64_t>(value.data());
  e.sequence = load<std::uint64_t>(value.data() + 8);
  e.content = load<std::uint32_t>(value.data() + 16);
  e.bytes = load<std::uint32_t>(value.data() + 20);
  return e;
}

std::optional<IdEntry> find_id(const Txn& txn, std::uint32_t collection, std::string_view id) {
  const std::string key = id_key(collection, id);
  const auto value = txn.get(Keyspace::kIds, key);
  if (!value) return std::nullopt;
  return decode_id(key, *value);
}

void write_id(WriteTxn& txn, std::uint32_t collection, std::string_view id, const IdEntry& e) {
  const std::string key = id_key(collection, id);
  std::string out;
  put(out, e.row);
  put(out, e.sequence);
  put(out, e.content);
  put(out, e.bytes);
  put(out, id_crc(key, out));
  txn.put(Keyspace::kIds, key, out);
}

}  // namespace vecstore::storage
