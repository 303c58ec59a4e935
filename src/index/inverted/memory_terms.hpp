// MemoryTerms: the terms of the newest documents, which are in no file yet.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "index/inverted/term_source.hpp"

namespace vecstore::inverted {

/// Made for some ten thousand documents: a list is put together when a query asks for it. Answers like a part
/// of a file that was built from the same live documents. One thread may add and retire while nobody else
/// calls anything; other calls may run side by side.
class MemoryTerms final : public TermSource {
 public:
  /// `field_weights`: one per text field.
  explicit MemoryTerms(std::vector<float> field_weights);

  struct Token {
    std::string_view term;
    std::uint32_t position = 0;
    std::uint32_t field = 0;
  };
  /// Rows ascending. A document without tokens counts in the statistics and is never found.
  void add(std::uint64_t row, std::span<const Token> tokens);
  /// Takes a document out of everything but the numbering. False when there is none of this row.
  bool retire(std::uint64_t row);
  std::uint32_t retired() const { return documents() - live_documents_; }

  std::uint32_t documents() const override { return static_cast<std::uint32_t>(rows_.size()); }
  std::uint32_t counted() const override { return live_documents_; }
  std::uint32_t fields() const override { return static_cast<std::uint32_t>(weights_.size()); }
  float field_weight(std::uint32_t field) const override { return weights_[field]; }
  double total_length() const override { return total_length_; }
  const float* lengths() const override { return lengths_.data(); }
  std::uint64_t row(std::uint32_t doc) const override { return rows_[doc]; }

  std::uint64_t doc_freq(std::string_view term) const override;
  std::shared_ptr<const DecodedList> list(std::string_view term, std::uint32_t field,
                                          const Norm& norm) const override;
  void postings(std::string_view term, std::uint32_t field, std::vector<std::uint32_t>& docs,
                std::vector<float>& values) const override;
  std::shared_ptr<const PositionList> positions(std::string_view term) const override;
  void expand_prefix(std::string_view prefix, std::size_t limit, const Context& context,
                     std::vector<Expansion>& out) const override;
  void expand_fuzzy(std::string_view word, std::uint32_t distance, std::uint32_t exact, std::size_t limit,
                    const Context& context, std::vector<Expansion>& out) const override;

 private:
  struct Place {
    std::uint32_t doc;
    std::uint32_t place;  // field << kPositionBits | position
  };
  struct Term {
    std::vector<Place> places;  // ascending; those of retired documents stay
    std::uint32_t live_docs = 0;
  };
  class Positions;

  bool is_live(std::uint32_t doc) const { return live_[doc]; }
  const Term* find(std::string_view term) const;
  template <class F>
  void for_each_posting(const Term& term, F&& f) const;

  std::vector<float> weights_;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  template <class F>
  void expand(std::size_t limit, const Context& context, std::vector<Expansion>& out, F&& distance_of) const;

  std::unordered_map<std::string, Term, Hash, std::equal_to<>> terms_;
  std::vector<std::vector<Term*>> terms_of_;  // by document, each once
  std::vector<std::uint64_t> rows_;
  std::vector<float> lengths_;
  std::vector<bool> live_;
  std::uint32_t live_documents_ = 0;
  double total_length_ = 0;
};

}  // namespace vecstore::inverted
