#include "index/inverted/part_builder.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace vecstore::inverted {

namespace {

constexpr std::uint32_t kStep = 1024;

void check_row(const std::vector<std::uint64_t>& rows, std::uint64_t row) {
  if (!rows.empty() && row <= rows.back())
    invalid("row ", row, " follows row ", rows.back(), "; rows of a part are added in ascending order");
  if (rows.size() >= kMostDocuments)
    fail(ErrorCode::kTooLarge, "a part of the term index holds at most ", kMostDocuments, " documents");
}

}  // namespace

TermPartBuilder::TermPartBuilder(std::vector<float> field_weights, bool positions) : positions_(positions) {
  if (field_weights.empty() || field_weights.size() > kMostFields)
    invalid("a term index has 1 to ", kMostFields, " text fields, not ", field_weights.size());
  for (const float w : field_weights) {
    if (!(w > 0) || !std::isfinite(w)) invalid("weight of a text field is ", w, "; it must be > 0");
  }
  documents_.lengths.resize(field_weights.size());
  documents_.field_weights = std::move(field_weights);
}

std::uint32_t TermPartBuilder::term(std::string_view term) {
  if (term.size() > kMostTermBytes)
    fail(ErrorCode::kTooLarge, "a term has ", term.size(), " bytes, the limit is ", kMostTermBytes);
  return vocabulary_.find_or_add(term);
}

void TermPartBuilder::add(std::uint64_t row, std::span<const TermToken> tokens) {
  check_row(documents_.rows, row);
  const std::size_t fields = documents_.field_weights.size();
  for (const TermToken& t : tokens) {
    if (t.field >= fields) invalid("field ", t.field, " of a term; there are ", fields, " text fields");
    if (t.term >= vocabulary_.size()) invalid("term ", t.term, " has not been named");
  }
  documents_.rows.push_back(row);
  for (auto& lengths : documents_.lengths) lengths.push_back(0);
  for (const TermToken& t : tokens) {
    terms_.push_back(t.term);
    places_.push_back(t.field << kPositionBits | std::min(t.position, kMostPosition));
    ++documents_.lengths[t.field].back();
  }
  ends_.push_back(terms_.size());
}

std::size_t TermPartBuilder::memory_bytes() const {
  return vocabulary_.memory_bytes() + vocabulary_.size() * 16 + (terms_.capacity() + places_.capacity()) * 4 +
         terms_.size() * sizeof(Posting) + documents_.rows.size() * (16 + 4 * documents_.lengths.size());
}

/// Counting sort by term; documents stay in order.
void TermPartBuilder::invert(std::vector<Posting>& postings, std::vector<std::uint64_t>& begins,
                             const Context& context) {
  begins.assign(vocabulary_.size() + 1, 0);
  for (const std::uint32_t t : terms_) ++begins[t + 1];
  std::partial_sum(begins.begin(), begins.end(), begins.begin());
  postings.resize(terms_.size());
  std::vector<std::uint64_t> next(begins.begin(), begins.end() - 1);
  std::uint64_t at = 0;
  for (std::uint32_t d = 0; d < ends_.size(); ++d) {
    if (d % kStep == 0) context.check();
    for (; at < ends_[d]; ++at) postings[next[terms_[at]]++] = {d, places_[at]};
  }
  terms_ = {};
  places_ = {};
}

void TermPartBuilder::write(io::IndexFileWriter& file, std::uint32_t first_section, const Context& context) {
  std::vector<Posting> postings;
  std::vector<std::uint64_t> begins;
  invert(postings, begins, context);
  std::vector<std::uint32_t> order;
  for (std::uint32_t t = 0; t < vocabulary_.size(); ++t) {
    if (begins[t] != begins[t + 1]) order.push_back(t);
  }
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return vocabulary_.term(a) < vocabulary_.term(b); });

  const std::size_t fields = documents_.field_weights.size();
  ClassCounter counter(static_cast<std::uint32_t>(fields));
  std::vector<std::uint32_t> counts(fields), docs, classes, places, class_of;
  // Twice: classes are numbered by how often they occur.
  const auto walk = [&](std::uint32_t t, auto&& posting) {
    for (std::uint64_t i = begins[t]; i < begins[t + 1];) {
      const std::uint64_t first = i;
      const std::uint32_t doc = postings[i].doc;
      while (i < begins[t + 1] && postings[i].doc == doc) ++i;
      const auto place_less = [](const Posting& a, const Posting& b) { return a.place < b.place; };
      const auto from = postings.begin() + static_cast<std::ptrdiff_t>(first);
      const auto to = postings.begin() + static_cast<std::ptrdiff_t>(i);
      if (i - first > 1 && !std::is_sorted(from, to, place_less)) std::sort(from, to, place_less);
      std::fill(counts.begin(), counts.end(), 0u);
      for (std::uint64_t j = first; j < i; ++j) ++counts[postings[j].place >> kPositionBits];
      posting(doc);
    }
  };
  std::vector<std::uint32_t> numbers;
  for (std::size_t n = 0; n < order.size(); ++n) {
    if (n % kStep == 0) context.check();
    walk(order[n], [&](std::uint32_t) { numbers.push_back(counter.number(counts)); });
  }
  const PartClasses part_classes = counter.order(class_of);
  PartWriter writer(file, first_section, documents_, part_classes,
                    positions_ ? std::uint32_t{kHasPositions} : 0);
  std::size_t next_number = 0;
  for (std::size_t n = 0; n < order.size(); ++n) {
    if (n % kStep == 0) context.check();
    docs.clear();
    classes.clear();
    places.clear();
    walk(order[n], [&](std::uint32_t doc) {
      docs.push_back(doc);
      classes.push_back(class_of[numbers[next_number++]]);
    });
    for (std::uint64_t i = begins[order[n]]; positions_ && i < begins[order[n] + 1]; ++i)
      places.push_back(postings[i].place);
    writer.add(vocabulary_.term(order[n]), docs, classes, places);
  }
  writer.finish();
  TermPartBuilder fresh(documents_.field_weights, positions_);
  *this = std::move(fresh);
}

std::string sparse_term(std::uint32_t dimension) {
  std::string term;
  put_big_endian(term, dimension);
  return term;
}

void SparsePartBuilder::add(std::uint64_t row, std::span<const std::uint32_t> dimensions,
                            std::span<const float> weights) {
  check_row(documents_.rows, row);
  if (dimensions.size() != weights.size())
    invalid("a sparse vector has ", dimensions.size(), " dimensions and ", weights.size(), " weights");
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    if (i > 0 && dimensions[i] <= dimensions[i - 1])
      invalid("dimension ", dimensions[i], " of a sparse vector follows ", dimensions[i - 1]);
    if (!(weights[i] > 0) || !std::isfinite(weights[i]))
      invalid("weight of dimension ", dimensions[i], " is ", weights[i], "; it must be > 0");
  }
  documents_.rows.push_back(row);
  dimensions_.insert(dimensions_.end(), dimensions.begin(), dimensions.end());
  weights_.insert(weights_.end(), weights.begin(), weights.end());
  ends_.push_back(dimensions_.size());
}

std::size_t SparsePartBuilder::memory_bytes() const {
  return (dimensions_.capacity() + weights_.capacity()) * 4 + dimensions_.size() * 16 + ends_.size() * 16;
}

void SparsePartBuilder::write(io::IndexFileWriter& file, std::uint32_t first_section, const Context& context,
                              bool codes) {
  // Counting sort by dimension; documents stay in order.
  std::vector<std::uint32_t> order(dimensions_.begin(), dimensions_.end());
  std::sort(order.begin(), order.end());
  order.erase(std::unique(order.begin(), order.end()), order.end());
  const std::uint32_t most = order.empty() ? 0 : order.back();
  // Dimensions far above their number are found by halving.
  std::vector<std::uint32_t> direct(most / 16 < order.size() ? std::size_t{most} + 1 : 0);
  for (std::uint32_t i = 0; i < order.size() && !direct.empty(); ++i) direct[order[i]] = i;
  const auto slot_of = [&](std::uint32_t dimension) {
    if (!direct.empty()) return std::size_t{direct[dimension]};
    return static_cast<std::size_t>(std::lower_bound(order.begin(), order.end(), dimension) - order.begin());
  };
  std::vector<std::uint64_t> begins(order.size() + 1, 0);
  for (const std::uint32_t d : dimensions_) ++begins[slot_of(d) + 1];
  std::partial_sum(begins.begin(), begins.end(), begins.begin());
  std::vector<std::uint32_t> docs(dimensions_.size());
  std::vector<float> weights(dimensions_.size());
  std::vector<std::uint64_t> next(begins.begin(), begins.end() - 1);
  std::uint64_t at = 0;
  for (std::uint32_t d = 0; d < ends_.size(); ++d) {
    if (d % kStep == 0) context.check();
    for (; at < ends_[d]; ++at) {
      const std::uint64_t to = next[slot_of(dimensions_[at])]++;
      docs[to] = d;
      weights[to] = weights_[at];
    }
  }
  dimensions_ = {};
  weights_ = {};
  const PartClasses none;
  PartWriter writer(file, first_section, documents_, none,
                    std::uint32_t{codes ? kCodedWeights : kExactWeights});
  for (std::size_t t = 0; t < order.size(); ++t) {
    context.check();
    const std::size_t count = static_cast<std::size_t>(begins[t + 1] - begins[t]);
    writer.add_weights(sparse_term(order[t]), std::span(docs).subspan(begins[t], count),
                       std::span<const float>(weights).subspan(begins[t], count));
  }
  writer.finish();
  *this = SparsePartBuilder();
}

}  // namespace vecstore::inverted
