// The in-memory TermIndex: postings behind a reader-writer lock.
#include <mutex>
#include <shared_mutex>

#include "index/inverted/bm25_search.hpp"
#include "index/inverted/postings.hpp"
#include "index/term_index.hpp"

namespace vecstore {
namespace {

class MemoryTermIndex final : public TermIndex {
 public:
  void add(std::uint64_t row, std::span<const TermOccurrence> terms) override {
    std::unique_lock lock(mutex_);
    postings_.add(row, terms);
  }

  bool retire(std::uint64_t row) override {
    std::unique_lock lock(mutex_);
    const bool was_live = postings_.retire(row);
    if (was_live && postings_.wants_compaction()) postings_ = postings_.compacted();
    return was_live;
  }

  CorpusStats stats(std::span<const QueryTerm> terms) const override {
    std::shared_lock lock(mutex_);
    return postings_.stats(terms);
  }

  void search(const TermQuery& query, Context& context, TopK& out) const override {
    std::shared_lock lock(mutex_);
    if (query.stats != nullptr) return inverted::search_bm25(postings_, query, *query.stats, context, out);
    inverted::search_bm25(postings_, query, postings_.stats(query.terms), context, out);
  }

  std::uint64_t size() const override {
    std::shared_lock lock(mutex_);
    return postings_.size();
  }

  std::size_t memory_bytes() const override {
    std::shared_lock lock(mutex_);
    return postings_.memory_bytes();
  }

 private:
  mutable std::shared_mutex mutex_;
  inverted::Postings postings_;
};

}  // namespace

std::unique_ptr<TermIndex> make_memory_term_index() { return std::make_unique<MemoryTermIndex>(); }

}  // namespace vecstore
