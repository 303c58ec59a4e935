// The simplest thing: one collection, own vectors; the dimension is learned from the first vector.
#include <iostream>

#include <vecstore/vecstore.hpp>
using namespace vecstore;

int main() {
  // clang-format off
  auto store = VecStore::open("notes.vdb");
  store.upsert("a", {0.1f, 0.2f, 0.3f}, {{"source", "web"}});
  for (const auto& hit : store.query({0.1f, 0.2f, 0.25f}, 10)) std::cout << hit.id << " " << hit.score << " " << hit.metadata["source"] << "\n";
  // clang-format on

  const Hits hits = store.query({0.1f, 0.2f, 0.25f}, 10);
  return hits.size() == 1 && hits[0].id == "a" && hits[0].score > 0.99f &&
                 hits[0].metadata == Metadata{{"source", "web"}}
             ? 0
             : 1;
}
