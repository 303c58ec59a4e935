// Analyzer: from text to the terms that a term index holds.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/segmenter.hpp"
#include "text/term_cache.hpp"

struct sb_stemmer;

namespace vecstore::text {

/// What an analyzer is made of. Segmentation and folding are the same for all.
struct AnalyzerSpec {
  std::string_view name;
  std::span<const std::string_view> stop_words;  ///< Folded and sorted.
  const char* stemmer;                           ///< A Snowball algorithm, or nullptr.
};

/// All analyzers, in the order of registration.
std::span<const AnalyzerSpec> analyzers();
/// Throws kInvalidArgument that lists the names.
const AnalyzerSpec& find_analyzer(std::string_view name);

/// One term of a text and where it stands.
struct Token {
  std::string_view term;       ///< Valid until trim() or the end of the Analyzer.
  std::uint32_t position = 0;  ///< Number of the word in the text; stop words are counted, so gaps show them.
  std::size_t start_byte = 0;  ///< Place of the word as written; half-open.
  std::size_t end_byte = 0;
};

/// Text -> segmentation -> folding -> stop words -> stemming -> tokens. Any bytes are accepted; those that
/// are no UTF-8 separate words.
///
/// It remembers the term of each written form, which saves most of the work; so it belongs to one thread at a
/// time. Making one costs microseconds. Documents and queries of a field must use analyzers of the same name.
class Analyzer {
 public:
  explicit Analyzer(std::string_view name) : Analyzer(find_analyzer(name)) {}
  explicit Analyzer(const AnalyzerSpec& spec);

  std::string_view name() const { return spec_->name; }

  /// Walks the tokens of one text. The text and the analyzer must outlive it.
  class Stream {
   public:
    /// False at the end.
    bool next(Token& token);

   private:
    friend class Analyzer;
    Stream(Analyzer& analyzer, std::string_view text) : analyzer_(analyzer), text_(text), segmenter_(text) {}
    Analyzer& analyzer_;
    std::string_view text_;
    Segmenter segmenter_;
    std::uint32_t position_ = 0;
  };
  Stream stream(std::string_view text) { return {*this, text}; }

  /// Calls sink(const Token&) for each token in the order of the text.
  template <class Sink>
  void analyze(std::string_view text, Sink&& sink) {
    Stream s = stream(text);
    for (Token token; s.next(token);) sink(std::as_const(token));
  }
  /// The terms alone, as copies: for queries and tests.
  std::vector<std::string> terms(std::string_view text);

  /// Call it between documents: forgets the remembered forms when they hold more than `limit` bytes, and with
  /// them all terms handed out. Without it memory grows with the number of distinct forms.
  void trim(std::size_t limit = std::size_t{16} << 20);
  std::size_t memory_bytes() const { return cache_.memory_bytes(); }

 private:
  struct StemmerDeleter {
    void operator()(sb_stemmer* s) const;
  };

  std::string_view term_of(std::string_view text, const Segment& segment);
  std::string_view learn(std::string_view key, std::uint64_t hash, bool ascii);

  const AnalyzerSpec* spec_;
  std::unique_ptr<sb_stemmer, StemmerDeleter> stemmer_;
  TermCache cache_;
  std::string folded_;
};

}  // namespace vecstore::text
