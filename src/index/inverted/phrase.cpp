// Leaves that are more than one term: phrases, prefixes, fuzzy words.
#include <algorithm>
#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "index/inverted/part_format.hpp"
#include "index/inverted/query_plan.hpp"

namespace vecstore::inverted {

namespace {

constexpr std::uint32_t kStep = 1024;

/// Places of one word in one document, as if the phrase began there: field in the upper half.
using Places = std::vector<std::int64_t>;

struct Word {
  const std::string* text = nullptr;
  std::shared_ptr<const DecodedList> list;
  std::shared_ptr<const PositionList> positions;
  std::int64_t offset = 0;
  std::vector<std::uint32_t> postings;  // of the documents that have all words
  Places places;
};

void read_places(const Word& word, std::uint32_t posting, std::uint32_t field, Places& out) {
  thread_local std::vector<std::uint32_t> raw;
  raw.clear();
  word.positions->read(*word.list, posting, raw);
  out.clear();
  for (const std::uint32_t r : raw) {
    const std::uint32_t f = r >> kPositionBits;
    if (field != kAnyField && f != field) continue;
    out.push_back((std::int64_t{f} << 32) + (r & kMostPosition) - word.offset);
  }
  out.erase(std::unique(out.begin(), out.end()), out.end());
}

std::uint32_t field_of(std::int64_t place) {
  // An offset may have taken it below its field's first place.
  constexpr std::int64_t kHalf = std::int64_t{1} << 31;
  return static_cast<std::uint32_t>((place + kHalf) >> 32);
}

float exact_matches(const TermSource& source, std::vector<Word>& words, std::size_t doc,
                    std::uint32_t field) {
  Places& places = words[0].places;
  read_places(words[0], words[0].postings[doc], field, places);
  for (std::size_t w = 1; w < words.size() && !places.empty(); ++w) {
    Places& other = words[w].places;
    read_places(words[w], words[w].postings[doc], field, other);
    std::size_t kept = 0, at = 0;
    for (const std::int64_t p : places) {
      while (at < other.size() && other[at] < p) ++at;
      if (at < other.size() && other[at] == p) places[kept++] = p;
    }
    places.resize(kept);
  }
  float sum = 0;
  for (const std::int64_t p : places) sum += source.field_weight(field_of(p));
  return sum;
}

/// Each step looks at the earliest place of every word that is left, and gives up the earliest of them
/// (of all words that stand there).
float sloppy_matches(const TermSource& source, std::vector<Word>& words, std::size_t doc, std::uint32_t field,
                     std::uint32_t slop) {
  for (Word& w : words) {
    read_places(w, w.postings[doc], field, w.places);
    if (w.places.empty()) return 0;
  }
  std::vector<std::size_t> at(words.size(), 0);
  float sum = 0;
  for (;;) {
    std::int64_t least = std::numeric_limits<std::int64_t>::max(),
                 most = std::numeric_limits<std::int64_t>::min();
    for (std::size_t w = 0; w < words.size(); ++w) {
      least = std::min(least, words[w].places[at[w]]);
      most = std::max(most, words[w].places[at[w]]);
    }
    if (most - least <= slop)
      sum += source.field_weight(field_of(least)) / static_cast<float>(1 + most - least);
    bool ended = false;
    for (std::size_t w = 0; w < words.size(); ++w) {
      if (words[w].places[at[w]] == least) ended = ++at[w] == words[w].places.size() || ended;
    }
    if (ended) return sum;
  }
}

}  // namespace

void match_phrase(const TermSource& source, const TermNode& leaf, const Norm& norm, Context& context,
                  std::vector<std::uint32_t>& docs, std::vector<float>& values) {
  std::vector<Word> words(leaf.words.size());
  for (std::size_t w = 0; w < words.size(); ++w) {
    words[w].text = &leaf.words[w];
    words[w].list = source.list(leaf.words[w], kAnyField, norm);
    if (!words[w].list) return;
    words[w].offset = leaf.offsets.empty() ? static_cast<std::int64_t>(w) : leaf.offsets[w];
    if (words[w].offset > kMostPosition) invalid("offset of a word of a phrase is ", words[w].offset);
  }
  std::sort(words.begin(), words.end(),
            [](const Word& a, const Word& b) { return a.list->size() < b.list->size(); });
  docs.clear();
  words[0].list->append_docs(docs);
  words[0].postings.resize(docs.size());
  std::iota(words[0].postings.begin(), words[0].postings.end(), 0u);
  for (std::size_t w = 1; w < words.size(); ++w) {
    std::size_t kept = 0;
    std::uint32_t at = 0;
    for (std::size_t i = 0; i < docs.size(); ++i) {
      if (i % kStep == 0) context.check();
      const std::uint32_t posting = words[w].list->find_next(docs[i], at);
      if (posting == kNoPosting) continue;
      docs[kept] = docs[i];
      for (std::size_t v = 0; v < w; ++v) words[v].postings[kept] = words[v].postings[i];
      words[w].postings.push_back(posting);
      ++kept;
    }
    docs.resize(kept);
    for (std::size_t v = 0; v < w; ++v) words[v].postings.resize(kept);
  }
  if (docs.empty()) return;
  for (Word& w : words) w.positions = source.positions(*w.text);
  std::size_t kept = 0;
  values.clear();
  for (std::size_t i = 0; i < docs.size(); ++i) {
    if (i % kStep == 0) context.check();
    const float tf = leaf.slop == 0 ? exact_matches(source, words, i, leaf.field)
                                    : sloppy_matches(source, words, i, leaf.field, leaf.slop);
    if (tf == 0) continue;
    docs[kept++] = docs[i];
    values.push_back(tf);
  }
  docs.resize(kept);
}

void unite(const TermSource& source, const TermNode& leaf, Context& context, std::vector<std::uint32_t>& docs,
           std::vector<float>& values) {
  std::vector<Expansion> terms;
  constexpr auto kAll = ~std::size_t{0};
  if (leaf.kind == TermNode::Kind::kPrefix)
    source.expand_prefix(leaf.words[0], kAll, context, terms);
  else
    source.expand_fuzzy(leaf.words[0], leaf.distance, leaf.exact, kAll, context, terms);
  std::vector<std::uint32_t> more;
  std::vector<float> counts;
  // A sum per document, and the documents that have one.
  std::vector<float> sums(source.documents());
  for (std::size_t t = 0; t < terms.size(); ++t) {
    context.check();
    source.postings(terms[t].term, leaf.field, more, counts);
    const float share = 1.0f / static_cast<float>(1 + terms[t].distance);
    for (std::size_t i = 0; i < more.size(); ++i) {
      if (sums[more[i]] == 0) docs.push_back(more[i]);
      sums[more[i]] += share * counts[i];
    }
  }
  std::sort(docs.begin(), docs.end());
  for (const std::uint32_t d : docs) values.push_back(sums[d]);
}

}  // namespace vecstore::inverted
