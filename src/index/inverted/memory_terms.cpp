#include "index/inverted/memory_terms.hpp"

#include <algorithm>
#include <optional>

#include "index/inverted/fuzzy.hpp"
#include "index/inverted/part_format.hpp"

namespace vecstore::inverted {
namespace {

constexpr std::size_t kStep = 1024;

}  // namespace

/// Of the live documents with the term, in their order.
class MemoryTerms::Positions final : public PositionList {
 public:
  Positions(const MemoryTerms& source, const Term& term) {
    source.for_each_posting(term,
                            [&](std::uint32_t, std::span<const Place> places) { runs_.push_back(places); });
  }
  void read(const DecodedList&, std::uint32_t posting, PositionCursor&,
            std::vector<std::uint32_t>& out) const override {
    for (const Place& p : runs_[posting]) out.push_back(p.place);
  }

 private:
  std::vector<std::span<const Place>> runs_;
};

MemoryTerms::MemoryTerms(std::vector<float> field_weights) : weights_(std::move(field_weights)) {}

void MemoryTerms::add(std::uint64_t row, std::span<const Token> tokens) {
  const std::uint32_t doc = documents();
  double length = 0;
  std::vector<Term*> own;
  for (const Token& t : tokens) {
    auto at = terms_.find(t.term);
    if (at == terms_.end()) at = terms_.emplace(std::string(t.term), Term{}).first;
    at->second.places.push_back({doc, t.field << kPositionBits | std::min(t.position, kMostPosition)});
    own.push_back(&at->second);
    length += static_cast<double>(weights_[t.field]);
  }
  std::sort(own.begin(), own.end());
  own.erase(std::unique(own.begin(), own.end()), own.end());
  for (Term* term : own) {
    ++term->live_docs;
    const auto of_doc = std::find_if(term->places.rbegin(), term->places.rend(),
                                     [&](const Place& p) { return p.doc != doc; });
    std::sort(of_doc.base(), term->places.end(),
              [](const Place& a, const Place& b) { return a.place < b.place; });
  }
  terms_of_.push_back(std::move(own));
  rows_.push_back(row);
  lengths_.push_back(static_cast<float>(length));
  live_.push_back(true);
  ++live_documents_;
  total_length_ += static_cast<double>(lengths_.back());
}

bool MemoryTerms::retire(std::uint64_t row) {
  const auto at = std::lower_bound(rows_.begin(), rows_.end(), row);
  const auto doc = static_cast<std::uint32_t>(at - rows_.begin());
  if (at == rows_.end() || *at != row || !is_live(doc)) return false;
  live_[doc] = false;
  --live_documents_;
  total_length_ -= static_cast<double>(lengths_[doc]);
  for (Term* term : terms_of_[doc]) --term->live_docs;
  return true;
}

const MemoryTerms::Term* MemoryTerms::find(std::string_view term) const {
  const auto at = terms_.find(term);
  return at == terms_.end() || at->second.live_docs == 0 ? nullptr : &at->second;
}

template <class F>
void MemoryTerms::for_each_posting(const Term& term, F&& f) const {
  const std::span<const Place> all = term.places;
  for (std::size_t i = 0; i < all.size();) {
    std::size_t end = i;
    while (end < all.size() && all[end].doc == all[i].doc) ++end;
    if (is_live(all[i].doc)) f(all[i].doc, all.subspan(i, end - i));
    i = end;
  }
}

std::uint64_t MemoryTerms::doc_freq(std::string_view term) const {
  const Term* found = find(term);
  return found ? found->live_docs : 0;
}

void MemoryTerms::postings(std::string_view term, std::uint32_t field, std::vector<std::uint32_t>& docs,
                           std::vector<float>& values) const {
  docs.clear();
  values.clear();
  const Term* found = find(term);
  if (!found) return;
  for_each_posting(*found, [&](std::uint32_t doc, std::span<const Place> places) {
    float value = 0;
    for (const Place& p : places) {
      const std::uint32_t f = p.place >> kPositionBits;
      if (field == kAnyField || field == f) value += weights_[f];
    }
    if (value == 0) return;
    docs.push_back(doc);
    values.push_back(value);
  });
}

std::shared_ptr<const DecodedList> MemoryTerms::list(std::string_view term, std::uint32_t field,
                                                     const Norm& norm) const {
  std::vector<std::uint32_t> docs;
  std::vector<float> values;
  postings(term, field, docs, values);
  if (docs.empty()) return nullptr;
  auto list = std::make_shared<DecodedList>(DecodedList::of_values(docs, std::move(values), documents()));
  list->encode(norm, lengths_.data());
  return list;
}

std::shared_ptr<const PositionList> MemoryTerms::positions(std::string_view term) const {
  const Term* found = find(term);
  return found ? std::make_shared<Positions>(*this, *found) : nullptr;
}

// Looks at every term; there are some ten thousand.
template <class F>
void MemoryTerms::expand(std::size_t limit, const Context& context, std::vector<Expansion>& out,
                         F&& distance_of) const {
  const auto begin = static_cast<std::ptrdiff_t>(out.size());
  std::size_t steps = 0;
  for (const auto& [name, term] : terms_) {
    if (steps++ % kStep == 0) context.check();
    if (term.live_docs == 0) continue;
    if (const std::optional<std::uint32_t> distance = distance_of(name)) out.push_back({name, *distance});
  }
  std::sort(out.begin() + begin, out.end(),
            [](const Expansion& a, const Expansion& b) { return a.term < b.term; });
  if (out.size() - static_cast<std::size_t>(begin) > limit)
    out.resize(static_cast<std::size_t>(begin) + limit);
}

void MemoryTerms::expand_prefix(std::string_view prefix, std::size_t limit, const Context& context,
                                std::vector<Expansion>& out) const {
  expand(limit, context, out, [&](std::string_view name) {
    return name.starts_with(prefix) ? std::optional(std::uint32_t{0}) : std::nullopt;
  });
}

void MemoryTerms::expand_fuzzy(std::string_view word, std::uint32_t distance, std::uint32_t exact,
                               std::size_t limit, const Context& context, std::vector<Expansion>& out) const {
  FuzzyMatcher matcher(word, distance);
  const std::string_view prefix = matcher.leading(exact);
  expand(limit, context, out, [&](std::string_view name) {
    const std::uint32_t d = name.starts_with(prefix) ? matcher.match(name).distance : distance + 1;
    return d <= distance ? std::optional(d) : std::nullopt;
  });
}

}  // namespace vecstore::inverted
