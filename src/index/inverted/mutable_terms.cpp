#include "index/inverted/mutable_terms.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <shared_mutex>

#include "base/error.hpp"
#include "index/inverted/fuzzy.hpp"
#include "index/inverted/list_cache.hpp"
#include "index/inverted/vocabulary.hpp"

namespace vecstore::inverted {

namespace {

constexpr std::uint32_t kStep = 1024;
constexpr std::size_t kCacheBytes = std::size_t{16} << 20;

struct Token {
  std::uint32_t term;
  std::uint32_t place;  // field << kPositionBits | position
};

/// Documents by number. A snapshot keeps the array that it has seen: it grows by replacement, and what is
/// written behind a snapshot's documents is none of its business.
template <class T>
struct Column {
  std::shared_ptr<T[]> values;
  std::size_t size = 0, room = 0;
  void push_back(T value) {
    if (size == room) {
      room = std::max<std::size_t>(1024, room * 2);
      std::shared_ptr<T[]> larger(new T[room]);
      std::copy_n(values.get(), size, larger.get());
      values = std::move(larger);
    }
    values[size++] = value;
  }
};

struct TermList {
  std::vector<std::uint32_t> docs;
  std::vector<float> values;
};

}  // namespace

struct MutableTerms::State {
  mutable std::shared_mutex mutex;  // what follows
  std::vector<float> weights;
  Vocabulary vocabulary;
  std::vector<TermList> lists;  // by term
  std::vector<Token> tokens;    // of all documents, by term and place within each
  std::vector<std::uint64_t> ends;
  Column<float> lengths;
  Column<std::uint64_t> rows;
  double total_length = 0;
  std::size_t postings = 0;

  std::span<const Token> tokens_of(std::uint32_t doc) const {
    const std::uint64_t begin = doc == 0 ? 0 : ends[doc - 1];
    return std::span(tokens).subspan(begin, ends[doc] - begin);
  }
  /// Places of a term in a document.
  std::span<const Token> tokens_of(std::uint32_t doc, std::uint32_t term) const {
    const auto all = tokens_of(doc);
    const auto less = [](const Token& a, const Token& b) { return a.term < b.term; };
    const auto [first, last_one] = std::equal_range(all.begin(), all.end(), Token{term, 0}, less);
    return {first, last_one};
  }
  /// By weight and field, summed up as a part does it.
  float value(std::span<const Token> tokens_of_term, std::uint32_t field) const {
    float sum = 0;
    for (std::size_t i = 0; i < tokens_of_term.size();) {
      const std::uint32_t f = tokens_of_term[i].place >> kPositionBits;
      std::uint32_t count = 0;
      for (; i < tokens_of_term.size() && tokens_of_term[i].place >> kPositionBits == f; ++i) ++count;
      if (field == kAnyField || field == f) sum += weights[f] * static_cast<float>(count);
    }
    return sum;
  }
};

class MutableTerms::Positions final : public PositionList {
 public:
  Positions(std::shared_ptr<const State> state, std::uint32_t term, std::vector<std::uint32_t> docs)
      : state_(std::move(state)), term_(term), docs_(std::move(docs)) {}
  void read(const DecodedList&, std::uint32_t posting, PositionCursor&,
            std::vector<std::uint32_t>& out) const override {
    const std::shared_lock lock(state_->mutex);
    for (const Token& t : state_->tokens_of(docs_[posting], term_)) out.push_back(t.place);
  }

 private:
  std::shared_ptr<const State> state_;
  std::uint32_t term_;
  std::vector<std::uint32_t> docs_;
};

class MutableTerms::Snapshot final : public TermSource {
 public:
  /// The state is locked, and kept alive by whoever holds this; so is what it points to.
  explicit Snapshot(std::shared_ptr<const State> state)
      : state_(std::move(state)),
        weights_(state_->weights),
        lengths_(state_->lengths.values),
        rows_(state_->rows.values),
        documents_(static_cast<std::uint32_t>(state_->rows.size)),
        total_length_(state_->total_length) {}

  std::uint32_t documents() const override { return documents_; }
  std::uint32_t fields() const override { return static_cast<std::uint32_t>(weights_.size()); }
  float field_weight(std::uint32_t field) const override { return weights_[field]; }
  double total_length() const override { return total_length_; }
  const float* lengths() const override { return lengths_.get(); }
  std::uint64_t row(std::uint32_t doc) const override { return rows_[doc]; }

  std::uint64_t doc_freq(std::string_view term) const override {
    const std::shared_lock lock(state_->mutex);
    const std::uint32_t id = state_->vocabulary.find(term);
    return id == Vocabulary::kNone ? 0 : count(id);
  }

  std::shared_ptr<const DecodedList> list(std::string_view term, std::uint32_t field,
                                          const Norm& norm) const override {
    std::string key(reinterpret_cast<const char*>(&field), sizeof field);
    key += term;
    if (auto known = cache_.find(key); known && known->norm() == norm) return known;
    std::vector<std::uint32_t> docs;
    std::vector<float> values;
    postings(term, field, docs, values);
    if (docs.empty()) return nullptr;
    auto made = std::make_shared<DecodedList>(DecodedList::of_values(docs, std::move(values), documents_));
    made->encode(norm, lengths_.get());
    cache_.put(key, made);
    return made;
  }

  void postings(std::string_view term, std::uint32_t field, std::vector<std::uint32_t>& docs,
                std::vector<float>& values) const override {
    docs.clear();
    values.clear();
    const std::shared_lock lock(state_->mutex);
    const std::uint32_t id = state_->vocabulary.find(term);
    if (id == Vocabulary::kNone) return;
    const TermList& list = state_->lists[id];
    for (std::size_t i = 0, n = count(id); i < n; ++i) {
      const float value =
          field == kAnyField ? list.values[i] : state_->value(state_->tokens_of(list.docs[i], id), field);
      if (value == 0) continue;
      docs.push_back(list.docs[i]);
      values.push_back(value);
    }
  }

  std::shared_ptr<const PositionList> positions(std::string_view term) const override {
    const std::shared_lock lock(state_->mutex);
    const std::uint32_t id = state_->vocabulary.find(term);
    const std::size_t n = id == Vocabulary::kNone ? 0 : count(id);
    if (n == 0) return nullptr;
    const auto& docs = state_->lists[id].docs;
    return std::make_shared<Positions>(
        state_, id, std::vector(docs.begin(), docs.begin() + static_cast<std::ptrdiff_t>(n)));
  }

  void expand_prefix(std::string_view prefix, std::size_t limit, const Context& context,
                     std::vector<Expansion>& out) const override {
    expand(limit, context, out,
           [&](std::string_view term) { return term.starts_with(prefix) ? 0u : kMostDistance + 1; });
  }
  void expand_fuzzy(std::string_view word, std::uint32_t distance, std::uint32_t exact, std::size_t limit,
                    const Context& context, std::vector<Expansion>& out) const override {
    FuzzyMatcher matcher(word, distance);
    const std::string_view prefix = matcher.leading(exact);
    expand(limit, context, out, [&](std::string_view term) {
      const std::uint32_t d = term.starts_with(prefix) ? matcher.match(term).distance : kMostDistance + 1;
      return d <= distance ? d : kMostDistance + 1;
    });
  }

 private:
  /// Documents of this snapshot in a list; the state is locked.
  std::size_t count(std::uint32_t id) const {
    const auto& docs = state_->lists[id].docs;
    return static_cast<std::size_t>(std::lower_bound(docs.begin(), docs.end(), documents_) - docs.begin());
  }
  template <class Distance>
  void expand(std::size_t limit, const Context& context, std::vector<Expansion>& out,
              Distance&& distance) const {
    const auto first = static_cast<std::ptrdiff_t>(out.size());
    {
      const std::shared_lock lock(state_->mutex);
      for (std::uint32_t id = 0; id < state_->lists.size(); ++id) {
        if (id % kStep == 0) context.check();
        const std::uint32_t d = distance(state_->vocabulary.term(id));
        if (d <= kMostDistance && count(id) != 0)
          out.push_back({std::string(state_->vocabulary.term(id)), d});
      }
    }
    std::sort(out.begin() + first, out.end(),
              [](const Expansion& a, const Expansion& b) { return a.term < b.term; });
    if (out.size() - static_cast<std::size_t>(first) > limit)
      out.resize(static_cast<std::size_t>(first) + limit);
  }

  std::shared_ptr<const State> state_;
  std::vector<float> weights_;
  std::shared_ptr<const float[]> lengths_;
  std::shared_ptr<const std::uint64_t[]> rows_;
  std::uint32_t documents_;
  double total_length_;
  mutable ListCache cache_{kCacheBytes};
};

MutableTerms::MutableTerms(std::vector<float> field_weights) : state_(std::make_shared<State>()) {
  TermPartBuilder check(field_weights);
  state_->weights = std::move(field_weights);
}

std::uint32_t MutableTerms::term(std::string_view term) {
  if (term.size() > kMostTermBytes)
    fail(ErrorCode::kTooLarge, "a term has ", term.size(), " bytes, the limit is ", kMostTermBytes);
  {
    const std::shared_lock lock(state_->mutex);  // nearly always known
    if (const std::uint32_t id = state_->vocabulary.find(term); id != Vocabulary::kNone) return id;
  }
  const std::unique_lock lock(state_->mutex);
  const std::uint32_t id = state_->vocabulary.find_or_add(term);
  if (id >= state_->lists.size()) state_->lists.resize(id + 1);
  return id;
}

void MutableTerms::add(std::uint64_t row, std::span<const TermToken> tokens) {
  State& s = *state_;
  std::vector<Token> sorted;
  for (const TermToken& t : tokens) {
    if (t.field >= s.weights.size())
      invalid("field ", t.field, " of a term; there are ", s.weights.size(), " text fields");
    if (t.term >= s.lists.size()) invalid("term ", t.term, " has not been named");
    sorted.push_back({t.term, t.field << kPositionBits | std::min(t.position, kMostPosition)});
  }
  std::sort(sorted.begin(), sorted.end(), [](const Token& a, const Token& b) {
    return a.term != b.term ? a.term < b.term : a.place < b.place;
  });
  std::vector<std::uint32_t> counts(s.weights.size());
  for (const Token& t : sorted) ++counts[t.place >> kPositionBits];
  float length = 0;
  for (std::size_t f = 0; f < counts.size(); ++f) length += s.weights[f] * static_cast<float>(counts[f]);

  const std::unique_lock lock(s.mutex);
  if (s.rows.size != 0 && row <= s.rows.values[s.rows.size - 1])
    invalid("row ", row, " follows row ", s.rows.values[s.rows.size - 1],
            "; rows are added in ascending order");
  const auto doc = static_cast<std::uint32_t>(s.rows.size);
  for (std::size_t i = 0; i < sorted.size();) {
    const std::size_t first = i;
    while (i < sorted.size() && sorted[i].term == sorted[first].term) ++i;
    TermList& list = s.lists[sorted[first].term];
    list.docs.push_back(doc);
    list.values.push_back(s.value(std::span<const Token>(sorted).subspan(first, i - first), kAnyField));
    ++s.postings;
  }
  s.tokens.insert(s.tokens.end(), sorted.begin(), sorted.end());
  s.ends.push_back(s.tokens.size());
  s.lengths.push_back(length);
  s.rows.push_back(row);
  for (std::size_t f = 0; f < counts.size(); ++f)
    s.total_length += static_cast<double>(s.weights[f]) * counts[f];
  last_.reset();
}

std::shared_ptr<const TermSource> MutableTerms::snapshot() const {
  const std::unique_lock lock(state_->mutex);
  if (!last_) last_ = std::make_shared<Snapshot>(state_);
  return last_;
}

std::uint32_t MutableTerms::documents() const {
  const std::shared_lock lock(state_->mutex);
  return static_cast<std::uint32_t>(state_->rows.size);
}

std::size_t MutableTerms::memory_bytes() const {
  const State& s = *state_;
  const std::shared_lock lock(s.mutex);
  return s.vocabulary.memory_bytes() + s.lists.capacity() * sizeof(TermList) + s.postings * 12 +
         s.tokens.capacity() * sizeof(Token) + s.ends.capacity() * 8 + s.rows.room * 12;
}

void MutableTerms::write(io::IndexFileWriter& file, std::uint32_t first_section, const std::uint64_t* live,
                         const Context& context) const {
  const State& s = *state_;
  const std::shared_lock lock(s.mutex);
  TermPartBuilder builder(s.weights);
  std::vector<TermToken> tokens;
  for (std::uint32_t d = 0; d < s.rows.size; ++d) {
    if (d % kStep == 0) context.check();
    if (live != nullptr && !(live[d / 64] >> (d % 64) & 1)) continue;
    tokens.clear();
    for (const Token& t : s.tokens_of(d))
      tokens.push_back(
          {builder.term(s.vocabulary.term(t.term)), t.place & kMostPosition, t.place >> kPositionBits});
    builder.add(s.rows.values[d], tokens);
  }
  builder.write(file, first_section, context);
}

}  // namespace vecstore::inverted
