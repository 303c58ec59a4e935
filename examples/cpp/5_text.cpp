// Text in, answers out: the model is bound to the collection, or passed by hand.
#include <iostream>

#include <vecstore/vecstore.hpp>
using namespace vecstore;

namespace {

int run() {
  auto db = VecDatabase::open("app.vdb");
  auto store = VecStore::open("other.vdb");
  const std::vector<std::string> texts = {"Ownership moves values.", "Rice is cooked in water.",
                                          "A reference borrows a value."};
  std::size_t shown = 0;
  const auto show = [&](const Progress& p) {
    shown = p.done;
    std::cout << p.stage << " " << p.done << "/" << p.total << "\n";
  };

  // clang-format off
  auto model = SentenceTransformer::load("all-MiniLM-L6-v2");
  auto notes = db.create_collection("notes", {.embedder = model});
  notes.upsert_text("n1", "Ownership moves values.", {{"topic", "rust"}});
  notes.batch_upsert_texts(texts, [](std::string_view t, std::size_t i) { return Metadata{{"index", i}}; },
                           {.progress = show});
  auto hits =
      notes.query_text("who owns a value?", 5);  // hybrid by default; {.mode = Mode::kDense} for vectors only
  store.upsert_text("n1", "Ownership moves values.", model, {{"topic", "rust"}});
  // clang-format on

  for (const Hit& hit : hits) std::cout << hit.id << " " << hit.score << " " << hit.text << "\n";
  const bool stored =
      shown == texts.size() && notes.count() == 4 && store.get("n1")->metadata == Metadata{{"topic", "rust"}};
  const Hits dense = notes.query_text("cooking", {.k = 1, .mode = Mode::kDense});
  return stored && hits.size() == 4 && hits[3].text == texts[1] && dense[0].text == texts[1] ? 0 : 1;
}

}  // namespace

int main() {
  try {
    SentenceTransformer::load("all-MiniLM-L6-v2");
  } catch (const Error& e) {
    std::cout << "skipped: " << e.what() << "\n";
    return 0;
  }
  return run();
}
