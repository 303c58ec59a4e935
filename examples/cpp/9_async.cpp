// Async: calls that return at once; futures, callbacks or co_await.
#include <iostream>

#include <vecstore/vecstore.hpp>
using namespace vecstore;

Future<int> work() {
  const std::vector<float> dense = {0.1f, 0.2f, 0.3f};
  auto adb = co_await AsyncVecDatabase::open("app.vdb");
  auto docs = co_await adb.create_collection("docs");
  Record record{.id = "d1", .vector = dense, .text = "What the borrow checker refuses"};
  co_await docs.upsert(record);
  auto hits = co_await docs.hybrid_query(HybridQuery(dense, "borrow checker"));
  for (const auto& hit : hits) std::cout << hit.id << " " << hit.score << "\n";

  auto later = docs.query(Query(dense).k(3));  // goes on while we do something else
  auto cancelled = docs.query(Query(dense));
  cancelled.cancel();
  const std::size_t found = (co_await later).size();
  co_await adb.close();
  co_return hits.size() == 1 && found == 1 ? 0 : 1;
}

int main() { return work().get(); }
