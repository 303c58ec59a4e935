#include "text/analyzer.hpp"

#include <libstemmer.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "text/fold.hpp"
#include "text/stop_words.hpp"

namespace vecstore::text {
namespace {

constexpr std::array<char, 128> make_lower_case() {
  std::array<char, 128> table{};
  for (int c = 0; c < 128; ++c) table[c] = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return table;
}
constexpr std::array<char, 128> kLowerCase = make_lower_case();

}  // namespace

std::span<const AnalyzerSpec> analyzers() {
  static const AnalyzerSpec kAnalyzers[] = {
      {"english", english_stop_words(), "english"},
      {"neutral", {}, nullptr},
  };
  return kAnalyzers;
}

const AnalyzerSpec& find_analyzer(std::string_view name) {
  std::string known;
  for (const AnalyzerSpec& spec : analyzers()) {
    if (spec.name == name) return spec;
    known += known.empty() ? "" : ", ";
    known += spec.name;
  }
  invalid("analyzer '", name, "' is unknown; known are ", known);
}

void Analyzer::StemmerDeleter::operator()(sb_stemmer* s) const { sb_stemmer_delete(s); }

Analyzer::Analyzer(const AnalyzerSpec& spec) : spec_(&spec) {
  if (spec.stemmer == nullptr) return;
  stemmer_.reset(sb_stemmer_new(spec.stemmer, "UTF_8"));
  if (!stemmer_) invalid("analyzer '", spec.name, "': this libstemmer has no algorithm '", spec.stemmer, "'");
}

bool Analyzer::Stream::next(Token& token) {
  for (Segment segment; segmenter_.next(segment);) {
    const std::uint32_t position = position_++;
    const std::string_view term = analyzer_.term_of(text_, segment);
    if (term.empty()) continue;
    token = {term, position, segment.start, segment.end};
    return true;
  }
  return false;
}

std::string_view Analyzer::term_of(std::string_view text, const Segment& segment) {
  std::array<char, kMaxSegmentBytes> lower;
  std::string_view key = text.substr(segment.start, segment.end - segment.start);
  if (segment.ascii) {
    for (std::size_t i = 0; i < key.size(); ++i) lower[i] = kLowerCase[static_cast<unsigned char>(key[i])];
    key = {lower.data(), key.size()};
  }
  const std::uint64_t hash = TermCache::hash(key);
  if (const TermCache::Entry* known = cache_.find(key, hash)) return known->term();
  return learn(key, hash, segment.ascii);
}

std::string_view Analyzer::learn(std::string_view key, std::uint64_t hash, bool ascii) {
  std::string_view term = key;
  if (!ascii) {
    fold(key, folded_);
    term = folded_;
  }
  if (std::binary_search(spec_->stop_words.begin(), spec_->stop_words.end(), term)) {
    term = {};
  } else if (stemmer_ && !term.empty()) {
    const auto* bytes = reinterpret_cast<const sb_symbol*>(term.data());
    const sb_symbol* stem = sb_stemmer_stem(stemmer_.get(), bytes, static_cast<int>(term.size()));
    if (stem == nullptr)
      fail(ErrorCode::kOutOfMemory, "analyzer '", spec_->name, "': no memory to stem a word");
    term = {reinterpret_cast<const char*>(stem), static_cast<std::size_t>(sb_stemmer_length(stemmer_.get()))};
  }
  return cache_.insert(key, hash, term);
}

std::vector<std::string> Analyzer::terms(std::string_view text) {
  std::vector<std::string> out;
  analyze(text, [&](const Token& token) { out.emplace_back(token.term); });
  return out;
}

void Analyzer::trim(std::size_t limit) {
  if (cache_.memory_bytes() > limit) cache_.clear();
}

}  // namespace vecstore::text
