#include "segment/text_part.hpp"

#include "base/bytes.hpp"
#include "base/crc32c.hpp"

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
  return std::uint64_t{crc32c(std::as_bytes(std::span(bytes)))} << 32 | 1;
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

}  // namespace vecstore::segment
