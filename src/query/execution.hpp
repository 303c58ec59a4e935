// Execution: one query on its way from indexes to hits.
#pragma once
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "query/executor.hpp"
#include "query/note.hpp"
#include "query/record_filter.hpp"
#include "query/sparse_search.hpp"
#include "query/text_terms.hpp"
#include "shard/heads.hpp"

namespace vecstore::query {

/// One execution.
class Execution {
 public:
  Execution(const Request& request, shard::ReadView& view, Context& ctx)
      : request_(request), view_(view), ctx_(ctx) {}
  Hits run();

 private:
  /// What the leaves over terms read; nullptr where there is no such leaf, or nothing to read.
  struct Terms {
    const segment::TermsIndex* texts = nullptr;
    const segment::SparseIndex* sparse = nullptr;
  };
  std::vector<RowScore> run_leaf(const Leaf& leaf, const Terms& terms, Note& note);
  std::vector<std::vector<RowScore>> run_leaves(const Plan& plan, const Terms& terms,
                                                std::vector<Note>& notes);
  std::vector<std::vector<RowScore>> search(const Plan& plan, std::vector<Note>& notes);
  std::vector<RowScore> run_sparse(const Leaf& leaf, const segment::SparseIndex* index, Note& note,
                                   Context& ctx);
  std::optional<std::uint16_t> sparse_field() const;
  std::vector<RowScore> run_vector(const Leaf& leaf, Note& note, Context& ctx);
  std::vector<RowScore> search_vectors(const catalog::VectorFieldSchema& field, const IndexSettings& index,
                                       const shard::VectorView& vectors, bool exact, const Leaf& leaf,
                                       Note& note, Context& ctx);
  std::vector<RowScore> run_terms(const Leaf& leaf, const segment::TermsIndex& texts, Note& note,
                                  Context& ctx);
  std::vector<FusedRow> join(const Plan& plan, std::vector<std::vector<RowScore>> lists, Note& note);
  void read_hits(const Plan& plan, std::span<const FusedRow> rows, Hits& out, Note& note);
  /// What hits are read from.
  struct Records {
    explicit Records(const shard::ReadView& view) : documents(view), heads(view) {}
    shard::DocumentReader documents;
    shard::HeadReader heads;
    std::uint64_t read = 0;  // documents
  };
  bool is_row_of(std::string_view id, std::uint64_t row) const;
  bool read_head(Records& records, std::uint64_t row, Hit& hit);
  bool read_document(Records& records, std::uint64_t row, Hit& hit);
  void fill_from_document(Records& records, std::uint64_t row, Hit& hit);
  const Filter* filter() const {
    return request_.where && !request_.where->empty() ? &*request_.where : nullptr;
  }
  void find_matching(const shard::FieldsRead& fields, const shard::TermsRead* words);
  void note_filter(Note& note);

  const Request& request_;
  shard::ReadView& view_;
  Context& ctx_;
  std::optional<MatchingRows> matching_;  // nullopt: no filter
  std::optional<Note> found_matching_;
  std::optional<TextTerms> terms_;
  std::optional<text::Highlighter> highlighter_;
  std::mutex mutex_;  // guards what leaves add to: the context's counters and
  std::vector<std::string> warnings_;
};

}  // namespace vecstore::query
