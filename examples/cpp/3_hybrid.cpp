// Hybrid: dense vectors together with sparse weights of one's own, or with the words of the stored text.
#include <iostream>

#include <vecstore/vecstore.hpp>
using namespace vecstore;

int main() {
  const std::vector<float> dense = {0.1f, 0.9f, 0.2f};
  const std::vector<std::uint32_t> indices = {17, 4711};
  const std::vector<float> weights = {0.4f, 1.5f};

  auto db = VecDatabase::open("app.vdb");
  auto docs = db.create_collection("documents");
  docs.upsert({.id = "d1",
               .vector = {0.9f, 0.1f, 0.0f},
               .text = "error E0502: the borrow checker refuses a second mutable borrow"});
  docs.upsert({.id = "d3", .vector = {0.1f, 0.8f, 0.3f}, .text = "how to cook rice"});
  // clang-format off
  docs.upsert_vector("d2", Vector::hybrid(dense, indices, weights), {{"lang", "en"}});
  auto a = docs.hybrid_query(HybridQuery(dense, Sparse{indices, weights}).alpha(0.7f).k(10));
  auto b = docs.hybrid_query(HybridQuery(dense, "borrow checker error E0502").fusion(Fusion::rrf()).k(10).explain());
  // clang-format on

  for (const Hit& hit : b) {
    std::cout << hit.id << " " << hit.score << ":";
    for (const HitPart& part : hit.parts) std::cout << " " << part.name << " rank " << part.rank;
    std::cout << "\n";
  }
  std::cout << b.plan->to_string();
  // d1 is the only one with the words and third by its vector.
  const bool order = b.size() == 3 && b[0].id == "d1" && b[1].id == "d2" && b[2].id == "d3";
  const bool by_weights = a.size() == 3 && a[0].id == "d2";
  const auto stored = docs.get("d2")->vector.sparse();
  return order && by_weights && stored && stored->indices == indices && stored->values == weights ? 0 : 1;
}
