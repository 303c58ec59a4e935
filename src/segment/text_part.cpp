#include "segment/text_part.hpp"

#include <bit>

#include "base/bytes.hpp"
#include "base/crc32c.hpp"
#include "segment/segment_format.hpp"

namespace vecstore::segment {
std::uint64_t terms_fingerprint(std::span<const TextField> fields) {
  if (fields.empty()) return 0;
  std::string bytes;
  for (const TextField& f : fields) {
    put(bytes, static_cast<std::uint32_t>(f.path.size()));
    bytes += f.path;
    put(bytes, f.weight);
    put(bytes, text::make_analyzer_spec(f.analyzer, f.analysis)->fingerprint);
  }
  return std::uint64_t{crc32c(std::as_bytes(std::span(bytes)))} << 32 | (bytes.size() & 0xffffffff) | 1;
}

TextAnalysis::TextAnalysis(std::span<const TextField> fields) : fields_(fields.begin(), fields.end()) {
  for (const TextField& f : fields_) {
    analyzers_.push_back(std::make_unique<text::Analyzer>(text::make_analyzer_spec(f.analyzer, f.analysis)));
  }
}

std::vector<float> TextAnalysis::weights() const {
  std::vector<float> out;
  for (const TextField& f : fields_) out.push_back(f.weight);
  return out;
}

void TextAnalysis::trim() {
  for (auto& analyzer : analyzers_) analyzer->trim();
}

void TextPartBuilder::add(std::uint64_t row, std::span<const FieldTexts> texts) {
  tokens_.clear();
  const bool has_text =
      analysis_.analyze(texts, [&](std::string_view term, std::uint32_t position, std::uint32_t field) {
        tokens_.push_back({terms_.term(term), position, field});
      });
  if (has_text) terms_.add(row, tokens_);
  analysis_.trim();
}

void TextTail::add(std::uint64_t row, std::span<const FieldTexts> texts) {
  tokens_.clear();
  const bool has_text =
      analysis_.analyze(texts, [&](std::string_view term, std::uint32_t position, std::uint32_t field) {
        tokens_.push_back({term, position, field});
      });
  if (has_text) terms_.add(row, tokens_);
  analysis_.trim();
}

TextPart::TextPart(std::shared_ptr<const io::IndexFile> file, std::uint64_t first_row, std::uint64_t end_row)
    : part_(inverted::TermPart::open(std::move(file), kTermSections)),
      first_row_(first_row),
      end_row_(end_row) {}

std::uint64_t TextPart::retired(const RetiredBits& retired) const {
  std::uint64_t count = 0;
  for (const std::uint64_t word : inverted::documents_of(*part_, retired.words, false))
    count += static_cast<std::uint64_t>(std::popcount(word));
  return count;
}

std::shared_ptr<const std::vector<std::uint64_t>> TextPart::live(const RetiredBits& retired) const {
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

void TextIndex::add(const TextPart& part, const RetiredBits& retired) {
  live_.push_back(part.live(retired));
  views_.push_back({&part.terms(), live_.back()->empty() ? nullptr : live_.back()->data()});
}

CorpusStats TextIndex::search(const TermNode& query, const RowFilter* filter, Context& context,
                              TopK& out) const {
  inverted::TermSearch search(views_, query, context);
  search.run(Bm25{}, search.stats(), filter, context, out);
  return search.stats();
}

}  // namespace vecstore::segment
