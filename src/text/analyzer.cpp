#include "text/analyzer.hpp"

#include <libstemmer.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "text/fold.hpp"

namespace vecstore::text {
namespace {

using CaseTable = std::array<char, 128>;

constexpr CaseTable make_lower_case() {
  CaseTable table{};
  for (int c = 0; c < 128; ++c) table[c] = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return table;
}
constexpr CaseTable make_turkish_lower_case() {
  CaseTable table = make_lower_case();
  table['I'] = 'I';  // its small letter is not ASCII
  return table;
}
constexpr CaseTable kLowerCase = make_lower_case();
constexpr CaseTable kTurkishLowerCase = make_turkish_lower_case();

bool is_ascii(std::string_view s) {
  return std::none_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

}  // namespace

void Analyzer::StemmerDeleter::operator()(sb_stemmer* s) const { sb_stemmer_delete(s); }

Analyzer::Analyzer(std::shared_ptr<const AnalyzerSpec> spec) : spec_(std::move(spec)) {
  const bool turkish = spec_->prelude == Prelude::kTurkish;
  lower_case_ = turkish ? kTurkishLowerCase.data() : kLowerCase.data();
  if (spec_->stemmer == nullptr) return;
  stemmer_.reset(sb_stemmer_new(spec_->stemmer, "UTF_8"));
  if (!stemmer_) fail(ErrorCode::kOutOfMemory, "analyzer '", spec_->name, "': no memory for a stemmer");
}

bool Analyzer::Stream::next_word(Token& token) {
  for (Segment segment; segmenter_.next(segment);) {
    const std::uint32_t position = position_++;
    const std::string_view term = analyzer_.term_of(text_, segment);
    if (term.empty()) continue;
    token = {term, position, false, false, segment.start, segment.end};
    return true;
  }
  return false;
}

std::string_view Analyzer::term_of(std::string_view text, const Segment& segment) {
  std::array<char, kMaxSegmentBytes> lower;
  std::string_view key = text.substr(segment.start, segment.end - segment.start);
  if (segment.ascii) {
    for (std::size_t i = 0; i < key.size(); ++i) lower[i] = lower_case_[static_cast<unsigned char>(key[i])];
    key = {lower.data(), key.size()};
  }
  const std::uint64_t hash = TermCache::hash(key);
  if (const TermCache::Entry* known = cache_.find(key, hash)) return known->term();
  return learn(key, hash, segment.ascii);
}

std::string_view Analyzer::learn(std::string_view key, std::uint64_t hash, bool ascii) {
  normalize(key, ascii);
  if (spec_->is_stop_word(word_)) return cache_.insert(key, hash, {});
  stem();
  return cache_.insert(key, hash, word_);
}

void Analyzer::normalize(std::string_view word, bool ascii) {
  if (!ascii || spec_->prelude == Prelude::kTurkish) return spec_->normalize(word, word_);
  word_ = spec_->elisions.empty() ? word : spec_->without_elision(word);
}

void Analyzer::stem() {
  if (stemmer_ && !word_.empty()) {
    const auto* bytes = reinterpret_cast<const sb_symbol*>(word_.data());
    const sb_symbol* stem = sb_stemmer_stem(stemmer_.get(), bytes, static_cast<int>(word_.size()));
    if (stem == nullptr)
      fail(ErrorCode::kOutOfMemory, "analyzer '", spec_->name, "': no memory to stem a word");
    const auto length = static_cast<std::size_t>(sb_stemmer_length(stemmer_.get()));
    if (length > 0) word_.assign(reinterpret_cast<const char*>(stem), length);
  }
  if (spec_->folds_accents && !spec_->accents_first && !is_ascii(word_)) {
    fold(word_, folded_);
    word_.swap(folded_);
  }
}

std::string_view Analyzer::unstopped(std::string_view word, bool stemmed) {
  spec_->normalize(word, word_);
  if (stemmed) {
    stem();
  } else if (spec_->folds_accents && !spec_->accents_first) {
    fold(word_, folded_);
    word_.swap(folded_);
  }
  const std::uint64_t hash = TermCache::hash(word_);
  if (const TermCache::Entry* known = passing_.find(word_, hash)) return known->key();
  passing_.insert(word_, hash, {});
  return passing_.find(word_, hash)->key();
}

std::vector<std::string> Analyzer::terms(std::string_view text) {
  std::vector<std::string> out;
  analyze(text, [&](const Token& token) { out.emplace_back(token.term); });
  return out;
}

void Analyzer::trim(std::size_t limit) {
  if (memory_bytes() <= limit) return;
  cache_.clear();
  passing_.clear();
}

}  // namespace vecstore::text
