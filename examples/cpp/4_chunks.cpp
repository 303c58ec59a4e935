// Chunks with exact places: a hit knows which bytes of which source it is.
#include <iostream>

#include <vecstore/vecstore.hpp>
using namespace vecstore;

namespace {

// Any class with these four members is an embedder. This one counts letters, which is enough to tell our
// paragraphs apart.
struct LetterCounts {
  std::string name() const { return "letter-counts"; }
  std::string fingerprint() const { return "letter-counts-1"; }
  std::size_t dimension() const { return 27; }
  void embed_batch(std::span<const std::string_view> texts, std::span<float> out) const {
    std::fill(out.begin(), out.end(), 0.0f);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      float* vector = out.data() + i * dimension();
      for (char c : texts[i]) vector[c >= 'a' && c <= 'z' ? c - 'a' : 26] += 1.0f;
    }
  }
};

std::string make_article() {
  std::string article;
  for (const char* topic :
       {"ownership moves values between owners", "lifetimes say how long a reference is valid",
        "pattern matching takes values apart", "traits describe what types can do"}) {
    for (int i = 1; i <= 8; ++i) article += "Sentence " + std::to_string(i) + ": " + topic + ".\n";
    article += "\n";
  }
  return article;
}

}  // namespace

int main() {
  const std::string article = make_article();
  const Embedder embedder = LetterCounts();
  auto db = VecDatabase::open("app.vdb");
  auto docs = db.create_collection("documents");

  // clang-format off
  auto chunks = RecursiveTextSplitter().chunk_size(500).overlap(50).separators({"\n\n", "\n", " "}).split(article);
  docs.upsert_chunks("article.md", chunks, embedder, [](const Chunk& c, std::size_t i) { return Metadata{{"part", i}}; });
  // clang-format on

  const Hits hits = docs.query_text("how long is a reference valid", {.k = 3, .embedder = embedder});
  for (const Hit& hit : hits)
    std::cout << hit.source << ":" << hit.start << "-" << hit.end << " " << hit.metadata << "\n";
  if (hits.empty() || docs.count() != chunks.size()) return 1;
  // clang-format off
  // a hit knows where it came from (bytes): hit.source == "article.md", article.substr(hit.start, hit.end - hit.start) == hit.text
  // clang-format on
  for (const Hit& hit : hits) {
    if (hit.source != "article.md" || article.substr(hit.start, hit.end - hit.start) != hit.text) return 1;
    if (hit.metadata["part"].as_int() != static_cast<std::int64_t>(hit.part)) return 1;
  }
  return hits[0].text.find("lifetimes") != std::string::npos ? 0 : 1;
}
