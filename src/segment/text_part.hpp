// The texts of rows as terms: how they are analysed, the part of a segment file that holds them, and the
// search over the parts of a collection.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "index/inverted/memory_terms.hpp"
#include "index/inverted/part_builder.hpp"
#include "index/inverted/term_part.hpp"
#include "index/inverted/term_search.hpp"
#include "text/analyzer.hpp"
#include "vecstore/options.hpp"

namespace vecstore::segment {

/// The texts that a record has for one text field: one, or several of an array.
using FieldTexts = std::vector<std::string>;

/// Equal when the same texts become the same terms, with the same weights. Never 0, which stands for no
/// terms.
std::uint64_t terms_fingerprint(std::span<const TextField> fields);

/// The analyzers of a collection's text fields. One thread at a time.
class TextAnalysis {
 public:
  explicit TextAnalysis(std::span<const TextField> fields);

  const std::vector<TextField>& fields() const { return fields_; }
  std::vector<float> weights() const;
  /// Calls sink(term, position, field) for each token; `texts` is parallel to the fields. False when there is
  /// no text at all: such a row is no document. One whose texts hold no term is.
  template <class Sink>
  bool analyze(std::span<const FieldTexts> texts, Sink&& sink) {
    bool has_text = false;
    for (std::uint32_t f = 0; f < fields_.size(); ++f) {
      std::uint32_t begin = 0, next = 0;
      for (const std::string& text : texts[f]) {
        has_text = true;
        analyzers_[f]->analyze(text, [&](const text::Token& token) {
          sink(token.term, begin + token.position, f);
          next = std::max(next, begin + token.position + 1);
        });
        begin = next + kGap;
      }
    }
    return has_text;
  }
  /// Between documents, when their terms are no longer used.
  void trim();

 private:
  static constexpr std::uint32_t kGap = 100;  // between two texts of one field: no phrase goes across

  std::vector<TextField> fields_;
  std::vector<std::unique_ptr<text::Analyzer>> analyzers_;
};

/// Collects the terms of rows for a part. Rows ascending. One thread at a time.
class TextPartBuilder {
 public:
  explicit TextPartBuilder(std::span<const TextField> fields)
      : analysis_(fields), terms_(analysis_.weights()) {}

  const std::vector<TextField>& fields() const { return analysis_.fields(); }
  void add(std::uint64_t row, std::span<const FieldTexts> texts);
  inverted::TermPartBuilder& terms() { return terms_; }

 private:
  TextAnalysis analysis_;
  inverted::TermPartBuilder terms_;
  std::vector<inverted::TermToken> tokens_;
};

/// The newest rows' terms, in memory. One thread at a time adds and retires, while nobody searches.
class TextTail {
 public:
  explicit TextTail(std::span<const TextField> fields) : analysis_(fields), terms_(analysis_.weights()) {}

  const std::vector<TextField>& fields() const { return analysis_.fields(); }
  void add(std::uint64_t row, std::span<const FieldTexts> texts);
  void retire(std::uint64_t row) { terms_.retire(row); }
  /// Whether most of what it holds is of retired rows.
  bool is_stale() const { return terms_.retired() > terms_.documents() / 2 + 1024; }
  const inverted::TermSource& terms() const { return terms_; }

 private:
  TextAnalysis analysis_;
  inverted::MemoryTerms terms_;
  std::vector<inverted::MemoryTerms::Token> tokens_;
};

/// Retired rows: bit per row number.
struct RetiredBits {
  std::span<const std::uint64_t> words;
  std::uint64_t version = 0;  ///< Grows whenever they change.
};

/// The terms in a segment file. Thread-safe. Damage that a call meets is kCorruption.
class TextPart {
 public:
  TextPart(std::shared_ptr<const io::IndexFile> file, std::uint64_t first_row, std::uint64_t end_row);

  const inverted::TermPart& terms() const { return *part_; }
  /// How many documents' rows are retired.
  std::uint64_t retired(const RetiredBits& retired) const;
  /// One bit per document, set where its row is not retired; empty when none is.
  std::shared_ptr<const std::vector<std::uint64_t>> live(const RetiredBits& retired) const;

 private:
  struct Live {
    std::uint64_t version = 0;
    std::vector<std::uint64_t> words;  // of the retired rows' bitmap, around this part's rows
    std::shared_ptr<const std::vector<std::uint64_t>> documents;
  };
  std::shared_ptr<const inverted::TermPart> part_;
  std::uint64_t first_row_;
  std::uint64_t end_row_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Live> live_;  // guarded by mutex_
};

/// What a text search of a collection reads. Lives for one call; what it points to has to outlive it.
class TextIndex {
 public:
  void add(const TextPart& part, const RetiredBits& retired);
  void add(const TextTail& tail) { views_.push_back({&tail.terms(), nullptr}); }

  /// Offers what the query matches to `out`; the filter is asked late. Returns the statistics that scores
  /// were made from. kCorruption: some part is damaged.
  CorpusStats search(const TermNode& query, const RowFilter* filter, Context& context, TopK& out) const;

 private:
  std::vector<inverted::TermPartView> views_;
  std::vector<std::shared_ptr<const std::vector<std::uint64_t>>> live_;
};

}  // namespace vecstore::segment
