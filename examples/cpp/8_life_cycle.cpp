// Life cycle: a record with a time to live, writes that depend on what is stored, and following what changed.
#include <iostream>

#include <vecstore/vecstore.hpp>
using namespace vecstore;
using namespace std::chrono_literals;

int main() {
  const std::vector<float> v = {0.1f, 0.2f, 0.3f};
  auto db = VecDatabase::open("app.vdb");
  auto docs = db.create_collection("documents");
  docs.upsert("d1", v, {{"year", 2019}});
  const SequenceNumber seq = docs.upsert("d2", v, {{"year", 2026}});

  // clang-format off
  docs.upsert({.id = "tmp", .vector = v, .ttl = 24h});
  // clang-format on
  docs.update_metadata("d2", {{"year", 2027}});
  docs.erase_where("year < 2020");
  docs.update_where("year > 2020", MetadataChanges().increment("views").append("tags", "recent"));
  std::string seen;
  for (auto change : docs.changes({.since = seq})) {
    const char* what = change.operation == Change::Operation::kUpsert  ? "upsert"
                       : change.operation == Change::Operation::kErase ? "erase"
                                                                       : "update";
    std::cout << change.sequence << " " << what << " " << change.id << "\n";
    seen += std::string(what) + " " + change.id + ", ";
  }

  // Of two writers that read the same version, the second is refused.
  Record read = *docs.get("d2");
  docs.upsert(read, {.if_sequence = read.sequence});
  bool refused = false;
  try {
    docs.upsert(read, {.if_sequence = read.sequence});
  } catch (const Error& e) {
    refused = e.code() == ErrorCode::kConflict;
  }

  const auto left = *docs.get("tmp")->expires_at - std::chrono::system_clock::now();
  const bool expires = left > 23h && left <= 24h;
  return seen == "upsert tmp, update d2, erase d1, update d2, " && refused && expires ? 0 : 1;
}
