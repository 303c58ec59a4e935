// MemorySparse: the newest sparse vectors, which are in no file yet.
#pragma once
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "index/inverted/growing_array.hpp"
#include "index/inverted/term_source.hpp"

namespace vecstore::inverted {

/// What a MemorySparse held at some moment: it sees the vectors that there were, whatever is added or retired
/// since, and copies a list when a search asks for it. Answers like a part of a file with exact weights that
/// was built from the vectors that were live then; terms are those of sparse_term.
class MemorySparseView : public TermSource {
 public:
  std::uint32_t documents() const override { return static_cast<std::uint32_t>(rows_.size()); }
  std::uint32_t counted() const override { return live_documents_; }
  std::uint32_t fields() const override { return 0; }
  float field_weight(std::uint32_t) const override { return 1; }
  double total_length() const override { return 0; }
  const float* lengths() const override { return nullptr; }
  std::uint64_t row(std::uint32_t doc) const override { return rows_[doc]; }

  std::uint64_t doc_freq(std::string_view term) const override;
  std::shared_ptr<const DecodedList> list(std::string_view term, std::uint32_t field,
                                          const Norm& norm) const override;
  void postings(std::string_view term, std::uint32_t field, std::vector<std::uint32_t>& docs,
                std::vector<float>& values) const override;
  /// kInvalidArgument: vectors have none.
  std::shared_ptr<const PositionList> positions(std::string_view term) const override;
  /// Nothing: dimensions have no spelling.
  void expand_prefix(std::string_view, std::size_t, const Context&, std::vector<Expansion>&) const override {}
  void expand_fuzzy(std::string_view, std::uint32_t, std::uint32_t, std::size_t, const Context&,
                    std::vector<Expansion>&) const override {}

 protected:
  struct Posting {
    std::uint32_t doc;
    float weight;
  };
  /// Shared by all views.
  struct Lists {
    mutable std::shared_mutex mutex;                                // guards what follows
    std::unordered_map<std::uint32_t, std::vector<Posting>> lists;  // those of retired vectors stay
  };
  bool is_live(std::size_t doc) const {
    return doc / 64 >= retired_->size() || ((*retired_)[doc / 64] >> (doc % 64) & 1) == 0;
  }

  std::shared_ptr<Lists> lists_ = std::make_shared<Lists>();
  GrowingArray<std::uint64_t> rows_;
  std::shared_ptr<std::vector<std::uint64_t>> retired_ =  // bit per vector, as far as any is
      std::make_shared<std::vector<std::uint64_t>>();
  std::uint32_t live_documents_ = 0;
};

/// Made for some ten thousand vectors. One thread at a time adds, retires, takes views or searches; views may
/// be searched meanwhile.
class MemorySparse final : public MemorySparseView {
 public:
  /// Rows ascending; dimensions ascending, weights finite and > 0.
  void add(std::uint64_t row, std::span<const std::uint32_t> dimensions, std::span<const float> weights);
  /// Takes a vector out of everything but the numbering. False when there is none of this row.
  bool retire(std::uint64_t row);
  std::uint32_t retired() const { return documents() - live_documents_; }
  /// As it is now. Costs little: nothing is copied that grows with the vectors but a bit for each.
  std::shared_ptr<const TermSource> view() const;
  /// About.
  std::size_t memory_bytes() const { return memory_bytes_; }

 private:
  std::size_t memory_bytes_ = 0;
  mutable bool retired_is_shared_ = false;
};

}  // namespace vecstore::inverted
