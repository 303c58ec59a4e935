#include "durability/database.hpp"

#include <filesystem>

#include "base/error.hpp"

namespace vecstore::durability {
namespace {

constexpr const char* kCollection = "documents";

Metadata metadata_of(const Item& item) {
  return {{"number", item.number}, {"tag", "t" + std::to_string(item.number % 7)}};
}

Record record_of(const Item& item) {
  return {.id = item.id, .vector = item.vector, .text = item.text, .metadata = metadata_of(item)};
}

}  // namespace

void Database::compact(Collection collection, const std::vector<Item>& items) {
  bool written = items.empty();
  const auto write = [&](const Progress&) {
    if (written) return;
    std::vector<Record> records;
    for (const Item& item : items) records.push_back(record_of(item));
    collection.batch_upsert(records);
    written = true;
  };
  try {
    database_.compact({.progress = write});
  } catch (const Error& e) {
    // A compaction that fails takes no commit with it: the step is done.
    if (items.empty() || !written || e.code() == ErrorCode::kUnknownOutcome) throw;
  }
}

void Database::optimize(Collection collection) {
  try {
    collection.optimize();
  } catch (const Error& e) {
    // Derived data only: the step is done.
    if (e.code() == ErrorCode::kUnknownOutcome) throw;
  }
}

Database::Database(const std::string& directory, std::uint64_t map_size, bool create,
                   std::uint64_t checkpoint_rows)
    : database_(VecDatabase::open(directory, {.create = create,
                                              .map_size = map_size,
                                              .threads = 1,
                                              .background_threads = 1,
                                              .checkpoint_rows = checkpoint_rows,
                                              .graph_rows = 50})) {
  database_.pause_background();  // so that every run makes the same calls in the same order
}

void Database::apply(const Step& step) {
  if (step.kind == Step::Kind::kCreate) {
    database_.get_or_create_collection(kCollection, {.metric = Metric::kEuclidean, .dimension = 4});
    return;
  }
  Collection collection = database_.get_collection(kCollection);
  const auto& items = step.items;
  if (step.kind == Step::Kind::kCompact) return compact(collection, items);
  if (step.kind == Step::Kind::kOptimize) return optimize(collection);
  switch (step.kind) {
    case Step::Kind::kCreate:
    case Step::Kind::kCompact:
    case Step::Kind::kOptimize:
      return;
    case Step::Kind::kAlter:
      collection.alter_index(parse_index_options(items.front().id));
      return;
    case Step::Kind::kUpsert:
      collection.upsert(record_of(items.front()));
      return;
    case Step::Kind::kErase:
      collection.erase(items.front().id);
      return;
    case Step::Kind::kUpdateMetadata:
      collection.update_metadata(items.front().id, metadata_of(items.front()));
      return;
    case Step::Kind::kBatch: {
      std::vector<Record> records;
      for (const Item& item : items) records.push_back(record_of(item));
      collection.batch_upsert(records);
      return;
    }
    case Step::Kind::kMixed: {
      std::vector<Operation> operations;
      for (const Item& item : items) operations.push_back({Operation::Kind::kUpsert, record_of(item)});
      for (const std::string& id : step.erased)
        operations.push_back({Operation::Kind::kErase, Record{.id = id}});
      collection.batch_execute(operations);
    }
  }
}

Content Database::content() const {
  Content out;
  if (database_.list_collections().empty()) return out;
  const Collection collection = database_.get_collection(kCollection);
  ScrollOptions options{.limit = 1000, .with_vectors = true};
  for (bool more = true; more;) {
    ScrollPage page = collection.scroll(options);
    for (Record& r : page.records) {
      Item item{r.id, r.vector.dense(), std::move(r.text), r.metadata["number"].as_int()};
      out[r.id] = r.metadata == metadata_of(item) ? describe(item) : "metadata " + r.metadata.to_json();
    }
    options.after = page.next;
    more = !page.next.empty();
  }
  if (const IndexOptions index = collection.info().index; index != IndexOptions{})
    out["/index"] = to_json(index);
  return out;
}

std::string Database::damages() const {
  std::string out;
  for (const Damage& d : database_.verify().damages) out += concat(d.kind, " '", d.id, "' ", d.detail, "; ");
  int generations = 0;
  for (const auto& entry : std::filesystem::directory_iterator(database_.directory()))
    generations += entry.path().filename().string().starts_with("truth.");
  if (generations != 1) out += concat(generations, " generations lie in the directory; ");
  if (database_.list_collections().empty()) return out;
  const Collection collection = database_.get_collection(kCollection);
  // What the list names was synced before the list was.
  if (const auto damages = collection.stats().segment_damages; damages > 0)
    out += concat(damages, " listed segments are damaged or missing; ");
  const Content all = content();
  const auto records = all.size() - all.count("/index");
  if (collection.count() != records) out += concat("count is ", collection.count(), ", scroll has ", records);
  return out;
}

bool Database::finds(const Item& item) const {
  const Hits hits = database_.get_collection(kCollection).query(item.vector, 1);
  return hits.size() == 1 && hits[0].id == item.id;
}

}  // namespace vecstore::durability
