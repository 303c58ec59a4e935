#include "storage/verify.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/os_file.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"
#include "storage/lmdb_file.hpp"
#include "storage/store.hpp"
#include "storage/verify_collection.hpp"

namespace vecstore::storage {
namespace {

constexpr int kTries = 100;

/// One truth: its meta page, pages, the main keyspace, the change log, then collection by collection.
class StoreCheck {
 public:
  StoreCheck(const PageFile& file, const MetaPage& meta, const Context& context, VerifyResult& result)
      : report_(result),
        result_(result),
        context_(context),
        walk_(file, meta,
              [this](std::string_view kind, std::string detail) {
                report_.add(kind, 0, {}, std::move(detail));
              }),
        scope_{file, walk_, context, result, report_},
        meta_(meta) {}

  void run(std::optional<Uuid> uuid, std::optional<std::uint64_t> generation);

 private:
  struct Record {
    std::optional<CollectionState> state;  // nullopt: damaged
    std::uint64_t names = 0;
  };
  void see_key(Keyspace keyspace, std::string_view key);
  void read_main();
  void read_main_value(std::string_view key, std::string_view value);
  void check_store(std::optional<Uuid> uuid, std::optional<std::uint64_t> generation);
  void check_names();
  void check_log();
  void check_collections();
  void damage(std::string_view kind, std::uint32_t collection, std::string detail) {
    report_.add(kind, collection, {}, std::move(detail));
  }

  DamageReport report_;
  VerifyResult& result_;
  const Context& context_;
  PageWalk walk_;
  VerifyScope scope_;
  const MetaPage meta_;
  std::uint64_t keys_ = 0;
  std::map<std::uint32_t, std::set<std::uint16_t>>
      seen_;  // collections that have keys, and their vector fields
  std::map<std::uint32_t, Record> records_;
  std::vector<std::pair<std::uint32_t, std::string>> names_;  // number; key
  std::set<std::uint32_t> swept_;                             // collections that are being swept away
  std::set<std::pair<std::uint32_t, std::uint16_t>> swept_fields_;
  std::optional<StoreState> store_;
};

void StoreCheck::see_key(Keyspace keyspace, std::string_view key) {
  if (++keys_ % 1024 == 0) context_.check();
  std::size_t expected = 0;
  switch (keyspace) {
    case Keyspace::kMain:
      return;
    case Keyspace::kVectors:
      expected = 14;
      break;
    case Keyspace::kDocuments:
      expected = 12;
      break;
    case Keyspace::kIds:
      expected = std::max<std::size_t>(key.size(), 5);
      break;
    case Keyspace::kAux:
      expected = 13;
      break;
    case Keyspace::kLog:
      expected = 8;
      break;
  }
  if (key.size() != expected) {
    return damage(
        "key", 0,
        concat("keyspace ", static_cast<int>(keyspace), ": a key of ", key.size(), " bytes, not ", expected));
  }
  if (keyspace == Keyspace::kLog) return;
  auto& fields = seen_[load_big_endian<std::uint32_t>(key.data())];
  if (keyspace == Keyspace::kVectors) fields.insert(load_big_endian<std::uint16_t>(key.data() + 4));
}

void StoreCheck::read_main() {
  TreeCursor cursor(scope_.file, walk_, Keyspace::kMain);
  for (bool more = cursor.seek({}); more; more = cursor.next()) {
    const std::string key(cursor.key());
    const auto value = cursor.value();
    if (!value) continue;
    try {
      read_main_value(key, *value);
    } catch (const Error& e) {
      damage("value", 0, e.what());
    }
  }
}

void StoreCheck::read_main_value(std::string_view key, std::string_view value) {
  const auto odd_key = [&] {
    fail(ErrorCode::kCorruption, "the main keyspace has a foreign key of ", key.size(), " bytes");
  };
  if (key.size() < 2 || key[0] != kMainPrefix) odd_key();
  const std::string_view rest = key.substr(2);
  switch (static_cast<MainKind>(key[1])) {
    case MainKind::kStore:
      if (!rest.empty()) odd_key();
      store_ = decode_store_state(unseal(ValueKind::kStore, 0, key, value).payload);
      return;
    case MainKind::kCollection: {
      if (rest.size() != 4) odd_key();
      const auto number = load_big_endian<std::uint32_t>(rest.data());
      Record& record = records_[number];
      record.state = decode_collection_state(unseal(ValueKind::kCollection, number, key, value).payload);
      return;
    }
    case MainKind::kName: {
      if (rest.size() < 5) odd_key();
      ByteReader in(unseal(ValueKind::kName, 0, key, value).payload, "name of a collection");
      names_.emplace_back(in.get<std::uint32_t>(), key);
      return;
    }
    case MainKind::kGarbage: {
      if (rest.size() != 4 && rest.size() != 6) odd_key();
      unseal(ValueKind::kGarbage, 0, key, value);
      const auto number = load_big_endian<std::uint32_t>(rest.data());
      if (rest.size() == 4) swept_.insert(number);
      if (rest.size() == 6) swept_fields_.insert({number, load_big_endian<std::uint16_t>(rest.data() + 4)});
      return;
    }
  }
  odd_key();
}

void StoreCheck::check_store(std::optional<Uuid> uuid, std::optional<std::uint64_t> generation) {
  if (!store_) return damage("store", 0, "the store record is missing or damaged");
  scope_.sequence = store_->sequence;
  result_.sequence = store_->sequence;
  if (uuid && store_->uuid != *uuid) damage("store", 0, "FORMAT and the truth name different stores");
  if (generation && store_->generation != *generation) {
    damage("store", 0,
           concat("CURRENT names generation ", *generation, ", the truth in it is ", store_->generation));
  }
  if (store_->log_from > store_->sequence)
    damage("counter", 0,
           concat("log_from ", store_->log_from, " is newer than the store, ", store_->sequence));
}

void StoreCheck::check_names() {
  for (const auto& [number, key] : names_) {
    const auto name_space = load_big_endian<std::uint32_t>(key.data() + 2);
    const auto found = records_.find(number);
    if (found == records_.end()) {
      damage("name", number,
             concat("'", std::string_view(key).substr(6), "' names a collection without a record"));
    } else if (++found->second.names == 2) {
      damage("name", number, "the collection has two names");
    }
    if (store_ && name_space >= store_->next_namespace)
      damage("counter", number,
             concat("namespace ", name_space, " is not below next_namespace, ", store_->next_namespace));
  }
  for (const auto& [number, record] : records_) {
    if (record.names == 0) damage("name", number, "the collection has no sound name");
  }
}

void StoreCheck::check_log() {
  TreeCursor cursor(scope_.file, walk_, Keyspace::kLog);
  std::uint64_t changes = 0;
  for (bool more = cursor.seek({}); more; more = cursor.next()) {
    context_.check();
    const auto value = cursor.value();
    if (!value || cursor.key().size() != 8) continue;
    const auto sequence = load_big_endian<std::uint64_t>(cursor.key().data());
    try {
      const Opened entry = unseal(ValueKind::kLog, 0, cursor.key(), *value);
      if (entry.sequence != sequence) fail(ErrorCode::kCorruption, "its key names another commit than it");
      if (sequence > scope_.sequence) fail(ErrorCode::kCorruption, "it is newer than the store");
      if (store_ && sequence <= store_->log_from)
        fail(ErrorCode::kCorruption, "it is older than log_from, ", store_->log_from);
      decode_changes(entry.payload, [&](const ChangeEntry& change) {
        ++changes;
        const auto kind = static_cast<int>(change.kind);
        if (kind < 1 || kind > 4) fail(ErrorCode::kCorruption, "a change of unknown kind ", kind);
        if (change.id.size() > kMaxIdBytes)
          fail(ErrorCode::kCorruption, "an id of ", change.id.size(), " bytes");
        return true;
      });
    } catch (const Error& e) {
      damage("log", 0, concat("commit ", sequence, ": ", e.what()));
    }
  }
  if (store_ && store_->log_changes != changes)
    damage("counter", 0,
           concat("the log holds ", changes, " changes, the store record says ", store_->log_changes));
}

void StoreCheck::check_collections() {
  for (const auto& [number, record] : records_) seen_[number];
  for (auto& [number, fields] : seen_) {
    if (store_ && number >= store_->next_collection)
      damage("counter", number, concat("the number is not below next_collection, ", store_->next_collection));
    const auto record = records_.find(number);
    if (swept_.contains(number)) {
      if (record != records_.end()) damage("orphan", number, "a live collection is marked as dropped");
      continue;  // dead; what is left goes bit by bit
    }
    if (record == records_.end()) {
      damage("orphan", number, "the collection has keys, but no sound record");
    }
    std::erase_if(fields,
                  [&, c = number](std::uint16_t field) { return swept_fields_.contains({c, field}); });
    CollectionCheck(scope_, number, record == records_.end() ? std::nullopt : record->second.state, fields)
        .run();
  }
}

void StoreCheck::run(std::optional<Uuid> uuid, std::optional<std::uint64_t> generation) {
  walk_.walk_data([this](Keyspace keyspace, std::string_view key) { see_key(keyspace, key); });
  walk_.walk_free();
  walk_.check_accounts();
  result_.pages = walk_.pages_read();
  // Each commit frees at least the pages that it copied, under its own number.
  if (meta_.txn > 1 && walk_.newest_free() && *walk_.newest_free() != meta_.txn) {
    damage("meta", 0,
           concat("the meta page names transaction ", meta_.txn, ", the free list was written by ",
                  *walk_.newest_free()));
  }
  read_main();
  check_store(uuid, generation);
  check_names();
  check_log();
  check_collections();
}

void verify_closed(const std::string& path, std::optional<DirectoryFiles> files, const Context& context,
                   VerifyResult& result) {
  DamageReport report(result);
  std::optional<PageFile> file;
  MetaPages metas;
  try {
    file.emplace(path);
    metas = read_meta_pages(*file, path);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption && e.code() != ErrorCode::kNotFound) throw;
    return report.add("file", 0, {}, e.what());
  }
  if (!metas.pages[metas.newest]) return report.add("meta", 0, {}, "the newer meta page is damaged");
  StoreCheck check(*file, *metas.pages[metas.newest], context, result);
  check.run(files ? std::optional(files->uuid) : std::nullopt,
            files ? std::optional(files->generation) : std::nullopt);
  if (const std::string wrong = meta_txn_damage(*file, metas); !wrong.empty())
    report.add("meta", 0, {}, wrong);
  const MetaPages after = read_meta_pages(*file, path);
  if (after.txns != metas.txns)
    fail(ErrorCode::kBusy, "'", path, "' was written while it was verified; verify the open store");
}

}  // namespace

VerifyResult verify_directory(const std::string& directory, const Context& context) {
  const std::vector<std::uint64_t> generations = list_generations(directory);
  if (!os::exists(directory + "/FORMAT") && generations.empty())
    fail(ErrorCode::kNotFound, "'", directory, "' holds no store");
  VerifyResult result;
  std::optional<DirectoryFiles> files;
  try {
    files = read_directory_files(directory);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption && e.code() != ErrorCode::kNotFound) throw;
    DamageReport(result).add("file", 0, {}, e.what());
  }
  if (files) {
    verify_closed(generation_file(directory, files->generation), files, context, result);
    return result;
  }
  // What CURRENT would name, were it readable: the highest that is no copy that was cut off.
  for (auto n = generations.rbegin(); n != generations.rend(); ++n) {
    VerifyResult one = result;
    verify_closed(generation_file(directory, *n), files, context, one);
    if (one.sequence > 0 || n + 1 == generations.rend()) return one;
  }
  return result;
}

VerifyResult verify_store(Store& store, const Context& context) {
  const Store::Session session(store);
  const auto generation = store.live();  // as long as it is held its file stays
  const PageFile file(generation->file());
  ReadTxn txn(generation->env());
  // The transaction keeps its pages, but its meta page goes with the second commit after it.
  for (int left = kTries; left > 0; --left, txn.renew()) {
    MetaPages metas;
    try {
      metas = read_meta_pages(file, generation->file());
    } catch (const Error& e) {
      VerifyResult broken;
      DamageReport(broken).add("file", 0, {}, e.what());
      return broken;
    }
    const auto& mine = metas.pages[txn.id() % kMetaPages];
    if (!mine || mine->txn != txn.id()) continue;
    // Two equal reads: no commit was writing the page meanwhile.
    if (read_meta_pages(file, generation->file()).pages != metas.pages) continue;
    VerifyResult result;
    StoreCheck(file, *mine, context, result).run(store.uuid(), generation->number());
    return result;
  }
  VerifyResult damaged;
  DamageReport(damaged).add("meta", 0, {}, concat("no sound meta page belongs to transaction ", txn.id()));
  return damaged;
}

}  // namespace vecstore::storage
