// Leaves that are more than one term: phrases, prefixes, fuzzy words.
#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "index/inverted/part_format.hpp"
#include "index/inverted/phrase.hpp"
#include "index/inverted/query_plan.hpp"

namespace vecstore::inverted {

namespace {

constexpr std::uint32_t kStep = 1024;

using Places = std::vector<std::int64_t>;

std::uint32_t field_of(std::int64_t place) {
  // An offset may have taken it below its field's first place.
  constexpr std::int64_t kHalf = std::int64_t{1} << 31;
  return static_cast<std::uint32_t>((place + kHalf) >> 32);
}

/// Words of a bitmap in whole windows.
std::size_t words_of(std::uint32_t documents) {
  return (std::size_t{documents} + kWindow - 1) / kWindow * (kWindow / 64);
}

}  // namespace

Phrase::Phrase(const TermSource& source, const TermNode& leaf, const Norm& norm, Context& context)
    : source_(source), leaf_(leaf), words_(leaf.words.size()) {
  for (std::size_t w = 0; w < words_.size(); ++w) {
    words_[w].text = &leaf.words[w];
    words_[w].list = source.list(leaf.words[w], kAnyField, norm);
    if (!words_[w].list) return;
    words_[w].offset = leaf.offsets.empty() ? static_cast<std::int64_t>(w) : leaf.offsets[w];
    if (words_[w].offset > kMostPosition) invalid("offset of a word of a phrase is ", words_[w].offset);
  }
  std::sort(words_.begin(), words_.end(),
            [](const Word& a, const Word& b) { return a.list->size() < b.list->size(); });
  const DecodedList& rarest = *words_[0].list;
  if (rarest.form() == DecodedList::Form::kDense) {
    // So are the others.
    std::vector<std::uint64_t> mask(words_of(source.documents()), ~std::uint64_t{0});
    for (const Word& w : words_) w.list->restrict(mask, false);
    for (std::uint32_t w = 0; w < mask.size(); ++w) {
      if (w % kStep == 0) context.check();
      for (std::uint64_t bits = mask[w]; bits != 0; bits &= bits - 1)
        docs_.push_back(w * 64 + static_cast<std::uint32_t>(std::countr_zero(bits)));
    }
    for (const std::uint32_t doc : docs_) postings_.push_back(rarest.find(doc));
  } else {
    rarest.append_docs(docs_);
    postings_.resize(docs_.size());
    std::iota(postings_.begin(), postings_.end(), 0u);
    // A look into a bitmap costs least.
    for (const bool dense : {true, false}) {
      for (std::size_t w = 1; w < words_.size(); ++w) {
        if ((words_[w].list->form() == DecodedList::Form::kDense) == dense &&
            words_[w].list != words_[w - 1].list)
          intersect(*words_[w].list, context);
      }
    }
  }
  if (docs_.empty()) return;
  for (Word& w : words_) w.positions = source.positions(*w.text);
}

void Phrase::intersect(const DecodedList& list, Context& context) {
  context.check();
  thread_local std::vector<std::uint8_t> found;
  found.resize(docs_.size());
  list.contains_all(docs_, found.data());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < docs_.size(); ++i) {
    docs_[kept] = docs_[i];
    postings_[kept] = postings_[i];
    kept += found[i];
  }
  docs_.resize(kept);
  postings_.resize(kept);
}

float Phrase::most(std::size_t i) const {
  const float rarest = words_[0].list->value(postings_[i]);
  if (leaf_.slop == 0) return rarest;
  float sum = rarest;
  for (std::size_t w = 1; w < words_.size(); ++w)
    sum += words_[w].list->value(words_[w].list->find(docs_[i]));
  return sum;
}

float Phrase::frequency(std::size_t i) { return leaf_.slop == 0 ? exact(i) : sloppy(i); }

void Phrase::read_places(Word& word, std::size_t i) {
  raw_.clear();
  std::uint32_t posting = postings_[i];
  if (&word != words_.data()) {
    if (i < word.last) word.hint = 0;
    word.last = i;
    posting = word.list->find_next(docs_[i], word.hint);
  }
  word.positions->read(*word.list, posting, word.cursor, raw_);
  word.places.clear();
  for (const std::uint32_t r : raw_) {
    const std::uint32_t f = r >> kPositionBits;
    if (leaf_.field != kAnyField && f != leaf_.field) continue;
    word.places.push_back((std::int64_t{f} << 32) + (r & kMostPosition) - word.offset);
  }
  word.places.erase(std::unique(word.places.begin(), word.places.end()), word.places.end());
}

float Phrase::exact(std::size_t i) {
  read_places(words_[0], i);
  Places& places = words_[0].places;
  for (std::size_t w = 1; w < words_.size() && !places.empty(); ++w) {
    read_places(words_[w], i);
    const Places& other = words_[w].places;
    std::size_t kept = 0, at = 0;
    for (const std::int64_t p : places) {
      while (at < other.size() && other[at] < p) ++at;
      if (at < other.size() && other[at] == p) places[kept++] = p;
    }
    places.resize(kept);
  }
  float sum = 0;
  for (const std::int64_t p : places) sum += source_.field_weight(field_of(p));
  return sum;
}

/// Each step looks at the earliest place of every word that is left, and gives up the earliest of them
/// (of all words that stand there).
float Phrase::sloppy(std::size_t i) {
  for (Word& w : words_) {
    read_places(w, i);
    w.at = 0;
    if (w.places.empty()) return 0;
  }
  float sum = 0;
  for (;;) {
    std::int64_t least = std::numeric_limits<std::int64_t>::max(),
                 most = std::numeric_limits<std::int64_t>::min();
    for (const Word& w : words_) {
      least = std::min(least, w.places[w.at]);
      most = std::max(most, w.places[w.at]);
    }
    if (most - least <= leaf_.slop)
      sum += source_.field_weight(field_of(least)) / static_cast<float>(1 + most - least);
    bool ended = false;
    for (Word& w : words_) {
      if (w.places[w.at] == least) ended = ++w.at == w.places.size() || ended;
    }
    if (ended) return sum;
  }
}

void match_phrase(const TermSource& source, const TermNode& leaf, const Norm& norm, Context& context,
                  std::vector<std::uint32_t>& docs, std::vector<float>& values) {
  Phrase phrase(source, leaf, norm, context);
  for (std::size_t i = 0; i < phrase.docs().size(); ++i) {
    if (i % kStep == 0) context.check();
    const float tf = phrase.frequency(i);
    if (tf == 0) continue;
    docs.push_back(phrase.docs()[i]);
    values.push_back(tf);
  }
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
