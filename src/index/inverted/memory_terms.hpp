// MemoryTerms: the terms of the newest documents, which are in no file yet.
#pragma once
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "index/inverted/growing_array.hpp"
#include "index/inverted/term_source.hpp"

namespace vecstore::inverted {

/// What a MemoryTerms held at some moment: it sees the documents that there were, whatever is added or
/// retired since, and copies a list when a search asks for it. Answers like a part of a file that was built
/// from the documents that were live then.
class MemoryTermsView : public TermSource {
 public:
  std::uint32_t documents() const override { return static_cast<std::uint32_t>(rows_.size()); }
  std::uint32_t counted() const override { return live_documents_; }
  std::uint32_t fields() const override { return static_cast<std::uint32_t>(weights_->size()); }
  float field_weight(std::uint32_t field) const override { return (*weights_)[field]; }
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

 protected:
  struct Place {
    std::uint32_t doc;
    std::uint32_t place;  // field << kPositionBits | position
  };
  struct Term {
    std::vector<Place> places;  // ascending; those of retired documents stay
    std::uint32_t live_docs = 0;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  /// Shared by all views.
  struct Lists {
    mutable std::shared_mutex mutex;  // guards what follows
    std::unordered_map<std::string, Term, Hash, std::equal_to<>> terms;
    std::uint64_t version = 0;  // grows with every change
  };
  class Positions;

  explicit MemoryTermsView(std::vector<float> field_weights)
      : lists_(std::make_shared<Lists>()),
        weights_(std::make_shared<const std::vector<float>>(std::move(field_weights))) {}

  bool is_live(std::uint32_t doc) const {
    return doc / 64 >= retired_->size() || ((*retired_)[doc / 64] >> (doc % 64) & 1) == 0;
  }

  std::shared_ptr<Lists> lists_;
  std::shared_ptr<const std::vector<float>> weights_;
  std::uint64_t version_ = 0;  // of the lists, when the view was taken
  GrowingArray<std::uint64_t> rows_;
  GrowingArray<float> lengths_;
  std::shared_ptr<std::vector<std::uint64_t>> retired_ =  // bit per document, as far as any is
      std::make_shared<std::vector<std::uint64_t>>();
  std::uint32_t live_documents_ = 0;
  double total_length_ = 0;

 private:
  // All of these with the lists' mutex held.
  const Term* find(std::string_view term) const;
  std::uint64_t live_docs(const Term& term) const;
  template <class F>
  void for_each_posting(const Term& term, F&& f) const;
  template <class F>
  void expand(std::size_t limit, const Context& context, std::vector<Expansion>& out, F&& distance_of) const;
};

/// Made for some ten thousand documents. One thread at a time adds, retires, takes views or searches; views
/// may be searched meanwhile.
class MemoryTerms final : public MemoryTermsView {
 public:
  /// `field_weights`: one per text field.
  explicit MemoryTerms(std::vector<float> field_weights) : MemoryTermsView(std::move(field_weights)) {}

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
  /// As it is now. Costs little: nothing is copied that grows with the documents but a bit for each.
  std::shared_ptr<const TermSource> view() const;
  /// About.
  std::size_t memory_bytes() const { return memory_bytes_; }

 private:
  std::vector<std::vector<Term*>> terms_of_;  // by document, each once
  std::size_t memory_bytes_ = 0;
  mutable bool retired_is_shared_ = false;
};

}  // namespace vecstore::inverted
