// The texts of rows as terms: how they are analysed, and how they become part of a segment or of the newest
// rows.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "index/inverted/memory_terms.hpp"
#include "index/inverted/part_builder.hpp"
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
  std::uint32_t documents() const { return terms_.documents(); }
  std::size_t memory_bytes() const { return terms_.memory_bytes(); }
  inverted::TermPartBuilder& terms() { return terms_; }

 private:
  TextAnalysis analysis_;
  inverted::TermPartBuilder terms_;
  std::vector<inverted::TermToken> tokens_;
};

/// The newest rows' terms, in memory. One thread at a time; views may be searched meanwhile.
class TextTail {
 public:
  explicit TextTail(std::span<const TextField> fields) : analysis_(fields), terms_(analysis_.weights()) {}

  const std::vector<TextField>& fields() const { return analysis_.fields(); }
  void add(std::uint64_t row, std::span<const FieldTexts> texts);
  void retire(std::uint64_t row) { terms_.retire(row); }
  /// Whether most of what it holds is of retired rows.
  bool is_stale() const { return terms_.retired() > terms_.documents() / 2 + 1024; }
  std::size_t memory_bytes() const { return terms_.memory_bytes(); }
  /// As it is now, whatever is added and retired later.
  std::shared_ptr<const inverted::TermSource> view() const { return terms_.view(); }

 private:
  TextAnalysis analysis_;
  inverted::MemoryTerms terms_;
  std::vector<inverted::MemoryTerms::Token> tokens_;
};

}  // namespace vecstore::segment
