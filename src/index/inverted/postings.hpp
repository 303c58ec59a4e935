// Postings: the data of an in-memory term index, without locks.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "index/inverted/frequencies.hpp"
#include "index/inverted/id_table.hpp"
#include "index/inverted/posting_list.hpp"
#include "index/inverted/vocabulary.hpp"
#include "index/term_index.hpp"

namespace vecstore::inverted {

/// Documents are numbered by slots in the order of their arrival. A retired document's slot and postings stay
/// until compacted(); its forward list (the ids of its terms) tells which document frequencies it leaves.
class Postings {
 public:
  void add(std::uint64_t row, std::span<const TermOccurrence> terms);
  bool retire(std::uint64_t row);

  /// True when so many retired documents are held that a copy without them is worth its cost.
  bool wants_compaction() const { return rows_.size() - live_documents_ > live_documents_ / 4 + 1024; }
  /// A copy without retired documents and without terms that no document has.
  Postings compacted() const;

  CorpusStats stats(std::span<const QueryTerm> terms) const;
  std::uint64_t size() const { return live_documents_; }
  std::size_t memory_bytes() const;

  const PostingList* find(std::string_view term) const {
    const std::uint32_t id = vocabulary_.find(term);
    return id == Vocabulary::kNone ? nullptr : &lists_[id];
  }
  std::uint32_t term_id(const PostingList& list) const {
    return static_cast<std::uint32_t>(&list - lists_.data());
  }
  const Frequencies& frequencies() const { return frequencies_; }
  std::uint32_t slots() const { return static_cast<std::uint32_t>(rows_.size()); }
  bool is_live(std::uint32_t slot) const { return live_[slot]; }
  std::uint64_t row(std::uint32_t slot) const { return rows_[slot]; }
  const float* lengths() const { return lengths_.data(); }

 private:
  struct TermCount {
    std::uint32_t term;
    float frequency;
  };

  std::uint32_t find_slot(std::uint64_t row) const;
  /// Takes a slot that is not live yet.
  std::uint32_t new_slot(std::uint64_t row, float length);
  void publish(std::uint32_t slot);
  void write_forward(std::span<const TermCount> terms);
  template <class F>
  void for_each_term(std::uint32_t slot, F&& f) const;

  Vocabulary vocabulary_;
  std::vector<PostingList> lists_;  // by term id
  Frequencies frequencies_;
  std::vector<std::uint64_t> rows_;  // by slot, like the next three
  std::vector<float> lengths_;
  std::vector<bool> live_;
  std::vector<std::uint64_t> forward_start_;
  std::deque<std::uint8_t> forward_;  // per slot: count, then ascending term ids as differences, all varints
  IdTable row_table_;                 // live rows only
  std::uint64_t live_documents_ = 0;
  double total_length_ = 0;  // exact: lengths are floats, so their sum needs fewer than 53 bits
  std::size_t list_bytes_ = 0;
  std::vector<TermCount> scratch_;
};

}  // namespace vecstore::inverted
