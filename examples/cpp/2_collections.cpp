// Collections: records with text and metadata, filters, counts and sums.
#include <iostream>

#include <vecstore/vecstore.hpp>
using namespace vecstore;

int main() {
  std::vector<float> v(384, 0.05f);

  // clang-format off
  auto db    = VecDatabase::open("app.vdb");
  auto docs  = db.create_collection("documents", {.metric = Metric::kCosine, .dimension = 384});
  auto users = db.get_or_create_collection("users");
  docs.upsert({.id = "d1", .vector = v, .text = "…", .metadata = {{"year", 2026}, {"tags", {"c++", "search"}}}});
  auto hits  = docs.query(Query(v).k(10).where("year >= 2024 AND tags CONTAINS 'search'"));
  auto names = db.list_collections();          // {"documents", "users"}
  db.delete_collection("users");
  // clang-format on

  for (const Hit& hit : hits) std::cout << hit.id << " " << hit.score << " " << hit.metadata << "\n";
  const bool found = hits.size() == 1 && hits[0].id == "d1" && hits[0].text == "…";
  docs.upsert({.id = "d2", .vector = v, .metadata = {{"year", 2020}, {"tags", {"c++"}}}});
  const Aggregates tags = docs.aggregate({.group_by = "tags", .fields = {"year"}});
  for (const AggregateGroup& g : tags.groups)
    std::cout << g.value << ": " << g.count << " records, years from " << g.fields.at("year").min << "\n";
  const bool counted =
      tags.total_groups == 2 && tags.groups[0].value == Metadata("c++") && tags.groups[0].count == 2;
  const bool filtered = docs.query(Query(v).where("year < 2020")).empty();
  const bool listed =
      names == std::vector<std::string>{"documents", "users"} && db.list_collections().size() == 1;
  return found && counted && filtered && listed ? 0 : 1;
}
