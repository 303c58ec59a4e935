#include "segment/terms_part.hpp"

#include <algorithm>
#include <bit>

namespace vecstore::segment {

TermsPart::TermsPart(std::shared_ptr<const io::IndexFile> file, std::uint32_t first_section,
                     std::uint64_t first_row, std::uint64_t end_row)
    : part_(inverted::TermPart::open(std::move(file), first_section)),
      first_row_(first_row),
      end_row_(end_row) {}

std::uint64_t TermsPart::retired(const RetiredBits& retired) const {
  std::uint64_t count = 0;
  for (const std::uint64_t word : inverted::documents_of(*part_, retired.words, false))
    count += static_cast<std::uint64_t>(std::popcount(word));
  return count;
}

std::shared_ptr<const std::vector<std::uint64_t>> TermsPart::live(const RetiredBits& retired) const {
  const std::lock_guard lock(mutex_);
  if (live_ && live_->version == retired.version) return live_->documents;
  const std::size_t first = std::min<std::size_t>(first_row_ / 64, retired.words.size());
  const std::size_t end = std::min<std::size_t>((end_row_ + 63) / 64, retired.words.size());
  const auto words = retired.words.subspan(first, end - first);
  auto next = std::make_shared<Live>();
  next->version = retired.version;
  next->words.assign(words.begin(), words.end());
  // Most changes concern other parts' rows.
  if (live_ && live_->words == next->words) {
    next->documents = live_->documents;
  } else {
    next->documents = std::make_shared<const std::vector<std::uint64_t>>(
        this->retired(retired) == 0 ? std::vector<std::uint64_t>()
                                    : inverted::documents_of(*part_, retired.words, true));
  }
  // An older view's answer is not kept, or two of them would take turns.
  if (!live_ || live_->version < next->version) live_ = next;
  return next->documents;
}

void TermsIndex::add(const TermsPart& part, const RetiredBits& retired) {
  live_.push_back(part.live(retired));
  views_.push_back({&part.terms(), live_.back()->empty() ? nullptr : live_.back()->data()});
}

CorpusStats TermsIndex::search(const TermNode& query, const RowFilter* filter, Context& context,
                               TopK& out) const {
  inverted::TermSearch search(views_, query, context);
  search.run(Bm25{}, search.stats(), filter, context, out);
  return search.stats();
}

}  // namespace vecstore::segment
