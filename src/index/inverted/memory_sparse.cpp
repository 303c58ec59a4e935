#include "index/inverted/memory_sparse.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/error.hpp"

namespace vecstore::inverted {
namespace {

constexpr std::size_t kBytesPerVector = 64;  // besides its postings, about

/// The other way round than sparse_term.
std::uint32_t dimension_of(std::string_view term) {
  if (term.size() != 4) invalid("a term of a sparse vector has ", term.size(), " bytes; they have 4");
  std::uint32_t dimension = 0;
  for (const char c : term) dimension = dimension << 8 | static_cast<std::uint8_t>(c);
  return dimension;
}

}  // namespace

void MemorySparse::add(std::uint64_t row, std::span<const std::uint32_t> dimensions,
                       std::span<const float> weights) {
  const std::unique_lock lock(lists_->mutex);
  const std::uint32_t doc = documents();
  for (std::size_t i = 0; i < dimensions.size(); ++i)
    lists_->lists[dimensions[i]].push_back({doc, weights[i]});
  memory_bytes_ += kBytesPerVector + 2 * dimensions.size() * sizeof(Posting);
  rows_.push_back(row);
  ++live_documents_;
}

bool MemorySparse::retire(std::uint64_t row) {
  const auto at = std::lower_bound(rows_.begin(), rows_.end(), row);
  const auto doc = static_cast<std::size_t>(at - rows_.begin());
  if (at == rows_.end() || *at != row || !is_live(doc)) return false;
  if (std::exchange(retired_is_shared_, false))
    retired_ = std::make_shared<std::vector<std::uint64_t>>(*retired_);
  if (retired_->size() <= doc / 64) retired_->resize(doc / 64 + 1);
  (*retired_)[doc / 64] |= std::uint64_t{1} << (doc % 64);
  --live_documents_;
  return true;
}

std::shared_ptr<const TermSource> MemorySparse::view() const {
  retired_is_shared_ = true;
  return std::shared_ptr<const TermSource>(new MemorySparseView(*this));
}

void MemorySparseView::postings(std::string_view term, std::uint32_t field, std::vector<std::uint32_t>& docs,
                                std::vector<float>& values) const {
  docs.clear();
  values.clear();
  const std::uint32_t dimension = field == kAnyField ? dimension_of(term) : 0;
  const std::shared_lock lock(lists_->mutex);
  const auto at = field == kAnyField ? lists_->lists.find(dimension) : lists_->lists.end();
  if (at == lists_->lists.end()) return;
  docs.reserve(at->second.size());
  values.reserve(at->second.size());
  for (const Posting& p : at->second) {
    if (p.doc >= documents()) break;
    if (!is_live(p.doc)) continue;
    docs.push_back(p.doc);
    values.push_back(p.weight);
  }
}

std::uint64_t MemorySparseView::doc_freq(std::string_view term) const {
  std::vector<std::uint32_t> docs;
  std::vector<float> values;
  postings(term, kAnyField, docs, values);
  return docs.size();
}

std::shared_ptr<const DecodedList> MemorySparseView::list(std::string_view term, std::uint32_t field,
                                                          const Norm&) const {
  std::vector<std::uint32_t> docs;
  std::vector<float> values;
  postings(term, field, docs, values);
  if (docs.empty()) return nullptr;
  const float largest = *std::max_element(values.begin(), values.end());
  std::vector<std::uint8_t> codes(docs.size());
  // Rounded up, as a file's are.
  for (std::size_t i = 0; i < docs.size(); ++i)
    codes[i] = static_cast<std::uint8_t>(std::min(255.0f * (values[i] / largest) + 1.001f, 255.0f));
  auto list = std::make_shared<DecodedList>(DecodedList::of_values(docs, std::move(values), documents()));
  list->set_codes(codes, largest);
  return list;
}

std::shared_ptr<const PositionList> MemorySparseView::positions(std::string_view) const {
  invalid("phrases need positions, which sparse vectors do not have");
}

}  // namespace vecstore::inverted
