// Analyzer: from text to the terms that a term index holds.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/analyzer_spec.hpp"
#include "text/segmenter.hpp"
#include "text/term_cache.hpp"

struct sb_stemmer;

namespace vecstore::text {

/// One term of a text and where it stands.
struct Token {
  std::string_view term;       ///< Valid until trim() or the end of the Analyzer.
  std::uint32_t position = 0;  ///< See Analyzer. Stop words are counted, so gaps show them.
  bool whole = false;          ///< An identifier of which parts follow, the first at the same position.
  bool prefix = false;         ///< Of a query: stands for all terms that begin with it.
  std::size_t start_byte = 0;  ///< Place of what it was made of, as written; half-open.
  std::size_t end_byte = 0;
};

/// What tokens are for. Documents and queries differ where a document holds more terms than one needs to ask
/// for; the other two are for words that stand for others.
enum class Purpose : std::uint8_t {
  kDocument,
  kQuery,
  kPrefix,  ///< Words are folded only: they are beginnings of words, and of terms. No stop words.
  kFuzzy,   ///< Words are folded and stemmed. No stop words.
};

/// Text -> segmentation -> folding -> stop words -> stemming -> tokens. Any bytes are accepted; those that
/// are no UTF-8 separate words.
///
/// Positions number the words of a text; parts of an identifier count as words, and in Chinese, Japanese and
/// Korean (with pairs) and in n-grams each character does. Tokens come in the order of their positions. So a
/// run of words, characters or parts is a run of positions, in a document and in a query alike:
/// - pairs: at each character's position the pair that begins there, of a run's last character the character
///   alone. A query leaves that one out; a single character is a prefix.
/// - n-grams: at each character's position all that begin there; where less than min_gram characters are
/// left,
///   these. A query has the longest only; a word shorter than min_gram is a prefix.
/// - edge n-grams: all at the word's position; a word shorter than min_gram as it is. A query has the
/// longest.
/// - code: the whole at the position of its first part.
///
/// It remembers the term of each written form, which saves most of the work; so it belongs to one thread at a
/// time. Making one costs microseconds. Documents and queries of a field must use analyzers of equal
/// fingerprints.
class Analyzer {
 public:
  explicit Analyzer(std::string_view name) : Analyzer(find_analyzer(name)) {}
  explicit Analyzer(std::shared_ptr<const AnalyzerSpec> spec);

  std::string_view name() const { return spec_->name; }
  const AnalyzerSpec& spec() const { return *spec_; }

  /// Walks the tokens of one text. The text and the analyzer must outlive it.
  class Stream {
   public:
    /// False at the end.
    bool next(Token& token) { return plain_ ? next_word(token) : next_pending(token); }

   private:
    friend class Analyzer;
    Stream(Analyzer& analyzer, std::string_view text, Purpose purpose)
        : analyzer_(analyzer),
          text_(text),
          segmenter_(text),
          purpose_(purpose),
          plain_(analyzer.spec_->shape == Shape::kWords && purpose <= Purpose::kQuery) {}
    bool next_word(Token& token);
    bool next_pending(Token& token);
    bool read_more();
    bool read_characters();
    void put_grams(const Segment& segment);
    void read_identifier();
    void put_character(std::size_t start, std::size_t end);
    void end_run();
    std::string_view term_of(std::size_t start, std::size_t end, bool ascii);
    void put(std::string_view term, std::uint32_t position, std::size_t start, std::size_t end) {
      if (!term.empty()) pending_.push_back({term, position, false, false, start, end});
    }

    Analyzer& analyzer_;
    std::string_view text_;
    Segmenter segmenter_;
    std::uint32_t position_ = 0;
    Purpose purpose_;
    bool plain_;
    // What follows is of no use while plain_.
    std::vector<Token> pending_;
    std::size_t head_ = 0;
    bool has_segment_ = false;  // read, but not dealt with
    Segment segment_;
    std::size_t run_length_ = 0;  // characters of the run that is open; the last:
    std::size_t last_start_ = 0;
    std::size_t last_end_ = 0;
  };
  Stream stream(std::string_view text, Purpose purpose = Purpose::kDocument) {
    return {*this, text, purpose};
  }

  /// Calls sink(const Token&) for each token of a document in the order of the text.
  template <class Sink>
  void analyze(std::string_view text, Sink&& sink) {
    Stream s = stream(text);
    for (Token token; s.next(token);) sink(std::as_const(token));
  }
  /// The terms of a document alone, as copies.
  std::vector<std::string> terms(std::string_view text);

  /// Call it between documents: forgets the remembered forms when they hold more than `limit` bytes, and with
  /// them all terms handed out. Without it memory grows with the number of distinct forms.
  void trim(std::size_t limit = std::size_t{16} << 20);
  std::size_t memory_bytes() const { return cache_.memory_bytes() + passing_.memory_bytes(); }

 private:
  struct StemmerDeleter {
    void operator()(sb_stemmer* s) const;
  };

  std::string_view term_of(std::string_view text, const Segment& segment);
  std::string_view learn(std::string_view key, std::uint64_t hash, bool ascii);
  /// Uncached: for kPrefix and kFuzzy.
  std::string_view unstopped(std::string_view word, bool stemmed);
  void normalize(std::string_view word, bool ascii);
  void stem();

  std::shared_ptr<const AnalyzerSpec> spec_;
  std::unique_ptr<sb_stemmer, StemmerDeleter> stemmer_;
  const char* lower_case_;  // 128 characters: what ASCII becomes before it is looked up
  TermCache cache_;
  TermCache passing_;   // holds the terms of unstopped()
  std::string word_;    // the word at work, as far as it is done
  std::string folded_;  // scratch
};

}  // namespace vecstore::text
