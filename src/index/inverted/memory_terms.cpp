#include "index/inverted/memory_terms.hpp"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "index/inverted/fuzzy.hpp"
#include "index/inverted/part_format.hpp"

namespace vecstore::inverted {
namespace {

constexpr std::size_t kStep = 1024;
// What a term and a document take besides their places, about.
constexpr std::size_t kBytesPerTerm = 96;
constexpr std::size_t kBytesPerDocument = 64;

}  // namespace

/// Of the live documents with the term, in their order.
class MemoryTermsView::Positions final : public PositionList {
 public:
  void add(std::span<const Place> places) {
    for (const Place& p : places) places_.push_back(p.place);
    ends_.push_back(places_.size());
  }
  bool empty() const { return ends_.empty(); }
  void read(const DecodedList&, std::uint32_t posting, PositionCursor&,
            std::vector<std::uint32_t>& out) const override {
    const std::size_t begin = posting == 0 ? 0 : ends_[posting - 1];
    out.insert(out.end(), places_.begin() + static_cast<std::ptrdiff_t>(begin),
               places_.begin() + static_cast<std::ptrdiff_t>(ends_[posting]));
  }

 private:
  std::vector<std::uint32_t> places_;
  std::vector<std::size_t> ends_;  // of each document's places
};

void MemoryTerms::add(std::uint64_t row, std::span<const Token> tokens) {
  const std::unique_lock lock(lists_->mutex);
  const std::uint32_t doc = documents();
  double length = 0;
  std::vector<Term*> own;
  for (const Token& t : tokens) {
    auto at = lists_->terms.find(t.term);
    if (at == lists_->terms.end()) {
      at = lists_->terms.emplace(std::string(t.term), Term{}).first;
      memory_bytes_ += t.term.size() + kBytesPerTerm;
    }
    at->second.places.push_back({doc, t.field << kPositionBits | std::min(t.position, kMostPosition)});
    own.push_back(&at->second);
    length += static_cast<double>((*weights_)[t.field]);
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
  memory_bytes_ += kBytesPerDocument + 2 * tokens.size() * sizeof(Place) + own.size() * sizeof(Term*);
  terms_of_.push_back(std::move(own));
  rows_.push_back(row);
  lengths_.push_back(static_cast<float>(length));
  ++live_documents_;
  total_length_ += static_cast<double>(lengths_[doc]);
  version_ = ++lists_->version;
}

bool MemoryTerms::retire(std::uint64_t row) {
  const auto at = std::lower_bound(rows_.begin(), rows_.end(), row);
  const auto doc = static_cast<std::uint32_t>(at - rows_.begin());
  if (at == rows_.end() || *at != row || !is_live(doc)) return false;
  if (std::exchange(retired_is_shared_, false))
    retired_ = std::make_shared<std::vector<std::uint64_t>>(*retired_);
  if (retired_->size() <= doc / 64) retired_->resize(doc / 64 + 1);
  const std::unique_lock lock(lists_->mutex);
  (*retired_)[doc / 64] |= std::uint64_t{1} << (doc % 64);
  --live_documents_;
  total_length_ -= static_cast<double>(lengths_[doc]);
  for (Term* term : terms_of_[doc]) --term->live_docs;
  version_ = ++lists_->version;
  return true;
}

std::shared_ptr<const TermSource> MemoryTerms::view() const {
  retired_is_shared_ = true;
  return std::shared_ptr<const TermSource>(new MemoryTermsView(*this));
}

const MemoryTermsView::Term* MemoryTermsView::find(std::string_view term) const {
  const auto at = lists_->terms.find(term);
  return at == lists_->terms.end() ? nullptr : &at->second;
}

template <class F>
void MemoryTermsView::for_each_posting(const Term& term, F&& f) const {
  const std::span<const Place> all = term.places;
  for (std::size_t i = 0; i < all.size() && all[i].doc < documents();) {
    std::size_t end = i;
    while (end < all.size() && all[end].doc == all[i].doc) ++end;
    if (is_live(all[i].doc)) f(all[i].doc, all.subspan(i, end - i));
    i = end;
  }
}

std::uint64_t MemoryTermsView::live_docs(const Term& term) const {
  if (version_ == lists_->version) return term.live_docs;
  std::uint64_t count = 0;
  for_each_posting(term, [&](std::uint32_t, std::span<const Place>) { ++count; });
  return count;
}

std::uint64_t MemoryTermsView::doc_freq(std::string_view term) const {
  const std::shared_lock lock(lists_->mutex);
  const Term* found = find(term);
  return found ? live_docs(*found) : 0;
}

void MemoryTermsView::postings(std::string_view term, std::uint32_t field, std::vector<std::uint32_t>& docs,
                               std::vector<float>& values) const {
  docs.clear();
  values.clear();
  const std::shared_lock lock(lists_->mutex);
  const Term* found = find(term);
  if (!found) return;
  for_each_posting(*found, [&](std::uint32_t doc, std::span<const Place> places) {
    float value = 0;
    for (const Place& p : places) {
      const std::uint32_t f = p.place >> kPositionBits;
      if (field == kAnyField || field == f) value += (*weights_)[f];
    }
    if (value == 0) return;
    docs.push_back(doc);
    values.push_back(value);
  });
}

std::shared_ptr<const DecodedList> MemoryTermsView::list(std::string_view term, std::uint32_t field,
                                                         const Norm& norm) const {
  std::vector<std::uint32_t> docs;
  std::vector<float> values;
  postings(term, field, docs, values);
  if (docs.empty()) return nullptr;
  auto list = std::make_shared<DecodedList>(DecodedList::of_values(docs, std::move(values), documents()));
  list->encode(norm, lengths_.data());
  return list;
}

std::shared_ptr<const PositionList> MemoryTermsView::positions(std::string_view term) const {
  auto out = std::make_shared<Positions>();
  const std::shared_lock lock(lists_->mutex);
  const Term* found = find(term);
  if (found)
    for_each_posting(*found, [&](std::uint32_t, std::span<const Place> places) { out->add(places); });
  return out->empty() ? nullptr : out;
}

// Looks at every term; there are some ten thousand.
template <class F>
void MemoryTermsView::expand(std::size_t limit, const Context& context, std::vector<Expansion>& out,
                             F&& distance_of) const {
  const auto begin = static_cast<std::ptrdiff_t>(out.size());
  std::size_t steps = 0;
  {
    const std::shared_lock lock(lists_->mutex);
    for (const auto& [name, term] : lists_->terms) {
      if (steps++ % kStep == 0) context.check();
      const std::optional<std::uint32_t> distance = distance_of(name);
      if (distance && live_docs(term) > 0) out.push_back({name, *distance});
    }
  }
  std::sort(out.begin() + begin, out.end(),
            [](const Expansion& a, const Expansion& b) { return a.term < b.term; });
  if (out.size() - static_cast<std::size_t>(begin) > limit)
    out.resize(static_cast<std::size_t>(begin) + limit);
}

void MemoryTermsView::expand_prefix(std::string_view prefix, std::size_t limit, const Context& context,
                                    std::vector<Expansion>& out) const {
  expand(limit, context, out, [&](std::string_view name) {
    return name.starts_with(prefix) ? std::optional(std::uint32_t{0}) : std::nullopt;
  });
}

void MemoryTermsView::expand_fuzzy(std::string_view word, std::uint32_t distance, std::uint32_t exact,
                                   std::size_t limit, const Context& context,
                                   std::vector<Expansion>& out) const {
  FuzzyMatcher matcher(word, distance);
  const std::string_view prefix = matcher.leading(exact);
  expand(limit, context, out, [&](std::string_view name) {
    const std::uint32_t d = name.starts_with(prefix) ? matcher.match(name).distance : distance + 1;
    return d <= distance ? std::optional(d) : std::nullopt;
  });
}

}  // namespace vecstore::inverted
