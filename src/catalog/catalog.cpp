#include "catalog/catalog.hpp"

#include "base/bytes.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"

namespace vecstore::catalog {

using storage::AuxKind;
using storage::Commit;
using storage::Keyspace;
using storage::MainKind;
using storage::Txn;
using storage::ValueKind;

std::optional<std::uint32_t> find_collection(const Txn& txn, std::uint32_t name_space,
                                             std::string_view name) {
  const std::string key = storage::name_key(name_space, name);
  const auto value = txn.get(Keyspace::kMain, key);
  if (!value) return std::nullopt;
  ByteReader in(storage::unseal(ValueKind::kName, 0, key, *value).payload, "name of a collection");
  return in.get<std::uint32_t>();
}

std::vector<std::pair<std::string, std::uint32_t>> list_collections(const Txn& txn,
                                                                    std::uint32_t name_space) {
  std::vector<std::pair<std::string, std::uint32_t>> out;
  const std::string prefix = storage::name_key(name_space, {});
  storage::Cursor cursor = txn.cursor(Keyspace::kMain);
  for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix); more = cursor.next()) {
    ByteReader in(storage::unseal(ValueKind::kName, 0, cursor.key(), cursor.value()).payload,
                  "name of a collection");
    out.emplace_back(cursor.key().substr(prefix.size()), in.get<std::uint32_t>());
  }
  return out;
}

std::uint32_t create_collection(Commit& commit, std::uint32_t name_space, std::string_view name,
                                const Schema& schema) {
  check_name("collection name", name);
  if (find_collection(commit.txn, name_space, name))
    fail(ErrorCode::kAlreadyExists, "collection '", name, "' exists");
  const std::uint32_t number = commit.state.next_collection++;
  const std::string key = storage::name_key(name_space, name);
  std::string payload;
  put(payload, number);
  commit.txn.put(Keyspace::kMain, key, storage::seal(ValueKind::kName, 0, commit.sequence, key, payload));
  storage::CollectionState state;
  state.sequence = commit.sequence;
  write_schema(commit, number, state, schema);
  storage::write_collection_state(commit.txn, number, state);
  return number;
}

Schema read_schema(const Txn& txn, std::uint32_t collection, const storage::CollectionState& state) {
  const std::string key = storage::aux_key(collection, AuxKind::kSchema, state.schema);
  const auto value = txn.get(Keyspace::kAux, key);
  if (!value)
    fail(ErrorCode::kCorruption, "collection ", collection, ": schema ", state.schema, " is missing");
  return schema_from_json(storage::unseal(ValueKind::kSchema, collection, key, *value).payload);
}

void write_schema(Commit& commit, std::uint32_t collection, storage::CollectionState& state,
                  const Schema& schema) {
  if (state.schema > 0)
    commit.txn.erase(Keyspace::kAux, storage::aux_key(collection, AuxKind::kSchema, state.schema));
  const std::string key = storage::aux_key(collection, AuxKind::kSchema, ++state.schema);
  commit.txn.put(Keyspace::kAux, key,
                 storage::seal(ValueKind::kSchema, collection, commit.sequence, key, to_json(schema)));
}

namespace {

// A mark holds the prefix of the keys that go: the collection's number, or that and a vector field's.
void mark(Commit& commit, std::string_view prefix) {
  const std::string key = storage::main_key(MainKind::kGarbage, prefix);
  commit.txn.put(Keyspace::kMain, key, storage::seal(ValueKind::kGarbage, 0, commit.sequence, key, {}));
}

std::size_t erase_prefix(Commit& commit, Keyspace keyspace, std::string_view prefix, std::size_t limit) {
  std::vector<std::string> keys;
  {
    storage::Cursor cursor = commit.txn.cursor(keyspace);
    for (bool more = cursor.seek(prefix); more && keys.size() < limit && cursor.key().starts_with(prefix);
         more = cursor.next()) {
      keys.emplace_back(cursor.key());
    }
  }
  for (const std::string& key : keys) commit.txn.erase(keyspace, key);
  return keys.size();
}

}  // namespace

std::uint32_t drop_collection(Commit& commit, std::uint32_t name_space, std::string_view name) {
  const auto number = find_collection(commit.txn, name_space, name);
  if (!number) fail(ErrorCode::kNotFound, "collection '", name, "' does not exist");
  commit.txn.erase(Keyspace::kMain, storage::name_key(name_space, name));
  commit.txn.erase(Keyspace::kMain, storage::collection_key(*number));
  mark(commit, storage::collection_prefix(*number));
  commit.log.add({*number, storage::ChangeKind::kDropCollection, 0, std::nullopt, {}});
  return *number;
}

void drop_vector_rows(Commit& commit, std::uint32_t collection, std::uint16_t field) {
  std::string prefix = storage::collection_prefix(collection);
  put_big_endian(prefix, field);
  mark(commit, prefix);
}

bool sweep(Commit& commit, std::size_t limit) {
  const std::string first = storage::main_key(MainKind::kGarbage);
  std::string key;
  {
    storage::Cursor cursor = commit.txn.cursor(Keyspace::kMain);
    if (!cursor.seek(first) || !cursor.key().starts_with(first)) return false;
    key = cursor.key();
  }
  const std::string_view prefix = std::string_view(key).substr(first.size());
  std::size_t left = limit - erase_prefix(commit, Keyspace::kVectors, prefix, limit);
  if (prefix.size() == 4) {
    for (Keyspace keyspace : {Keyspace::kDocuments, Keyspace::kIds, Keyspace::kAux}) {
      if (left > 0) left -= erase_prefix(commit, keyspace, prefix, left);
    }
  }
  if (left > 0) commit.txn.erase(Keyspace::kMain, key);
  return true;
}

}  // namespace vecstore::catalog
