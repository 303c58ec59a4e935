#include "segment/terms_part.hpp"

#include <algorithm>
#include <bit>

namespace vecstore::segment {
namespace {

std::uint64_t count(std::span<const std::uint64_t> bits) {
  std::uint64_t out = 0;
  for (const std::uint64_t word : bits) out += static_cast<std::uint64_t>(std::popcount(word));
  return out;
}

}  // namespace

TermsPart::TermsPart(std::shared_ptr<const io::IndexFile> file, std::uint32_t first_section,
                     std::uint64_t first_row, std::uint64_t end_row)
    : part_(inverted::TermPart::open(std::move(file), first_section)),
      first_row_(first_row),
      end_row_(end_row) {}

// The live documents of `old` after these rows became the retired ones.
std::vector<std::uint64_t> TermsPart::changed(const Live& old, std::span<const std::uint64_t> words) const {
  std::vector<std::uint64_t> bits = *old.documents;
  for (std::size_t w = 0; w < words.size(); ++w) {
    for (std::uint64_t left = old.words[w] ^ words[w]; left != 0; left &= left - 1) {
      const std::uint64_t row =
          (first_row_ / 64 + w) * 64 + static_cast<std::uint64_t>(std::countr_zero(left));
      const std::uint32_t doc = inverted::document_of(*part_, row);
      if (doc != inverted::kNoPosting) bits[doc / 64] ^= std::uint64_t{1} << (doc % 64);
    }
  }
  return bits;
}

std::uint64_t TermsPart::retired(const RetiredBits& retired) const {
  const auto bits = live(retired);
  return bits->empty() ? 0 : part_->documents() - count(*bits);
}

std::shared_ptr<const std::vector<std::uint64_t>> TermsPart::live(const RetiredBits& retired) const {
  const std::lock_guard lock(mutex_);
  if (live_ && live_->version == retired.version) return live_->documents;
  auto next = std::make_shared<Live>();
  next->version = retired.version;
  next->words.resize((end_row_ + 63) / 64 - first_row_ / 64);
  const std::size_t first = std::min<std::size_t>(first_row_ / 64, retired.words.size());
  const auto words = retired.words.subspan(first, std::min(next->words.size(), retired.words.size() - first));
  std::copy(words.begin(), words.end(), next->words.begin());
  // Most changes concern other parts' rows.
  if (live_ && live_->words == next->words) {
    next->documents = live_->documents;
  } else {
    auto bits = live_ && !live_->documents->empty() ? changed(*live_, next->words)
                                                    : inverted::documents_of(*part_, retired.words, true);
    if (count(bits) == part_->documents()) bits.clear();
    next->documents = std::make_shared<const std::vector<std::uint64_t>>(std::move(bits));
  }
  // An older view's answer is not kept, or two of them would take turns.
  if (!live_ || live_->version < next->version) live_ = next;
  return next->documents;
}

void TermsPart::verify(const Context& context) const {
  part_->verify(context);
  const std::uint32_t n = part_->documents();
  if (n > 0 && (part_->row(0) < first_row_ || part_->row(n - 1) >= end_row_))
    part_->damaged("the row numbers of the terms are not of this segment");
}

const std::uint64_t* TermsIndex::documents_of_rows(const inverted::TermSource& source) {
  live_.push_back(
      std::make_shared<const std::vector<std::uint64_t>>(inverted::documents_of(source, rows_, false)));
  return live_.back()->data();
}

void TermsIndex::add(const inverted::TermSource& newest) {
  views_.push_back({&newest, rows_.empty() ? nullptr : documents_of_rows(newest)});
}

void TermsIndex::add(const TermsPart& part, const RetiredBits& retired) {
  if (!rows_.empty()) {
    meeting_damage([&] { views_.push_back({&part.terms(), documents_of_rows(part.terms())}); });
    return;
  }
  meeting_damage([&] { live_.push_back(part.live(retired)); });
  views_.push_back({&part.terms(), live_.back()->empty() ? nullptr : live_.back()->data()});
}

CorpusStats TermsIndex::search(const TermNode& query, const RowFilter* filter, Context& context,
                               TopK& out) const {
  CorpusStats stats;
  meeting_damage([&] {
    inverted::TermSearch search(views_, query, context);
    search.run(Bm25{}, search.stats(), filter, context, out);
    stats = search.stats();
  });
  return stats;
}

}  // namespace vecstore::segment
