#include "durability/database.hpp"

#include <cstring>

#include "storage/document.hpp"
#include "storage/keys.hpp"
#include "storage/rows.hpp"
#include "storage/store.hpp"

namespace vecstore::durability {
namespace {

using namespace storage;
constexpr std::uint32_t kCollection = 1;
const RowSpace kSpace{BlockKind::kDocuments, kCollection};

class StoreDatabase : public Database {
 public:
  explicit StoreDatabase(std::shared_ptr<Store> store) : store_(std::move(store)) {}

  void apply(const Step& step) override {
    if (step.kind == Step::Kind::kCreate) return;
    store_->write([&](Commit& c) { run(step, c); }, 1000 * step.items.size());
  }

  Content content() const override {
    ReadTxn txn(store_->env());
    Content out;
    RowReader reader(txn, kSpace);
    const auto retired = RetiredRows::read(txn, kCollection);
    for (bool more = reader.seek(0); more; more = reader.next()) {
      for (std::uint32_t i = 0; i < reader.block().count(); ++i) {
        if (retired.contains(reader.block().row(i))) continue;
        if (!reader.block().verify(i)) return {};
        const Document d = decode_document(reader.block().bytes(i));
        Item item{std::string(d.id), {}, document_text(d), static_cast<std::int64_t>(d.start)};
        item.vector.resize(d.source.size() / sizeof(float));
        std::memcpy(item.vector.data(), d.source.data(), d.source.size());
        out[item.id] = describe(item);
        const auto entry = find_id(txn, kCollection, item.id);
        if (!entry || entry->row != reader.block().row(i)) out[item.id] = "id entry differs";
      }
    }
    return out;
  }

  std::string damages() const override { return {}; }
  void close() override { store_->close(); }

 private:
  static void run(const Step& step, Commit& c) {
    CollectionState state = read_collection_state(c.txn, kCollection).value_or(CollectionState{});
    RetiredUpdate retired(c.txn, kCollection);
    std::vector<std::uint64_t> gone;
    std::vector<std::string> bytes;
    std::vector<BlockRow> rows;
    const auto retire = [&](std::string_view id) {
      if (const auto old = find_id(c.txn, kCollection, id)) {
        retired.retire(old->row);
        gone.push_back(old->row);
      }
    };
    bytes.reserve(step.items.size());
    for (Item item : step.items) {
      if (step.kind == Step::Kind::kUpdateMetadata) {
        const auto entry = find_id(c.txn, kCollection, item.id);
        RowReader reader(c.txn, kSpace);
        const Document d = decode_document(reader.find(entry.value().row)->bytes);
        item.text = document_text(d);
        item.vector.resize(d.source.size() / sizeof(float));
        std::memcpy(item.vector.data(), d.source.data(), d.source.size());
      }
      retire(item.id);
      if (step.kind == Step::Kind::kErase) {
        c.txn.erase(Keyspace::kIds, id_key(kCollection, item.id));
        continue;
      }
      const std::string_view vector(reinterpret_cast<const char*>(item.vector.data()),
                                    item.vector.size() * sizeof(float));
      bytes.emplace_back();
      encode_document({.id = item.id,
                       .text = item.text,
                       .source = vector,
                       .start = static_cast<std::uint64_t>(item.number)},
                      bytes.back());
      rows.push_back({state.next_row, bytes.back()});
      write_id(c.txn, kCollection, item.id,
               {state.next_row, c.sequence, 0, static_cast<std::uint32_t>(bytes.back().size())});
      c.log.add({kCollection, ChangeKind::kUpsert, state.next_row, std::nullopt, item.id});
      ++state.next_row;
    }
    if (!rows.empty()) write_rows(c.txn, kSpace, rows, c.sequence);
    for (const std::string& id : step.erased) {
      retire(id);
      c.txn.erase(Keyspace::kIds, id_key(kCollection, id));
    }
    std::sort(gone.begin(), gone.end());
    reclaim(c.txn, kSpace, gone, retired, c.sequence);
    retired.write(c.txn, c.sequence);
    state.sequence = c.sequence;
    write_collection_state(c.txn, kCollection, state);
  }

  std::shared_ptr<Store> store_;
};

}  // namespace

std::unique_ptr<Database> Database::open(const std::string& directory, std::uint64_t map_size, bool create) {
  return std::make_unique<StoreDatabase>(Store::open(directory, {.create = create, .map_size = map_size}));
}

}  // namespace vecstore::durability
