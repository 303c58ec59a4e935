// MemorySparse: the newest sparse vectors, which are in no file yet.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "index/inverted/term_source.hpp"

namespace vecstore::inverted {

/// Made for some ten thousand vectors: a list is put together when a query asks for it. Answers like a part
/// of a file with exact weights that was built from the same live vectors; terms are those of sparse_term.
/// One thread may add and retire while nobody else calls anything; other calls may run side by side.
class MemorySparse final : public TermSource {
 public:
  /// Rows ascending; dimensions ascending, weights finite and > 0.
  void add(std::uint64_t row, std::span<const std::uint32_t> dimensions, std::span<const float> weights);
  /// Takes a vector out of everything but the numbering. False when there is none of this row.
  bool retire(std::uint64_t row);
  std::uint32_t retired() const { return documents() - live_documents_; }

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

 private:
  struct Posting {
    std::uint32_t doc;
    float weight;
  };
  std::unordered_map<std::uint32_t, std::vector<Posting>> lists_;  // those of retired vectors stay
  std::vector<std::uint64_t> rows_;
  std::vector<bool> live_;
  std::uint32_t live_documents_ = 0;
};

}  // namespace vecstore::inverted
