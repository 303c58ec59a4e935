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
    const WriteLock lock(*this);
    postings_.add(row, terms);
  }

  bool retire(std::uint64_t row) override {
    const WriteLock lock(*this);
    const bool was_live = postings_.retire(row);
    if (was_live && postings_.wants_compaction()) postings_ = postings_.compacted();
    return was_live;
  }

  CorpusStats stats(std::span<const QueryTerm> terms) const override {
    const std::shared_lock lock = read_lock();
    return postings_.stats(terms);
  }

  void search(const TermQuery& query, Context& context, TopK& out) const override {
    const std::shared_lock lock = read_lock();
    if (query.stats != nullptr) return inverted::search_bm25(postings_, query, *query.stats, context, out);
    inverted::search_bm25(postings_, query, postings_.stats(query.terms), context, out);
  }

  std::uint64_t size() const override {
    const std::shared_lock lock = read_lock();
    return postings_.size();
  }

  std::size_t memory_bytes() const override {
    const std::shared_lock lock = read_lock();
    return postings_.memory_bytes();
  }

 private:
  // A reader-writer lock alone lets readers that follow one another shut the writer out: a waiting writer
  // closes the gate behind the readers that are inside.
  struct WriteLock {
    explicit WriteLock(MemoryTermIndex& index) : gate(index.gate_), lock(index.mutex_) {}
    std::unique_lock<std::mutex> gate;
    std::unique_lock<std::shared_mutex> lock;
  };
  std::shared_lock<std::shared_mutex> read_lock() const {
    const std::lock_guard gate(gate_);
    return std::shared_lock(mutex_);
  }

  mutable std::mutex gate_;
  mutable std::shared_mutex mutex_;
  inverted::Postings postings_;
};

}  // namespace

std::unique_ptr<TermIndex> make_memory_term_index() { return std::make_unique<MemoryTermIndex>(); }

}  // namespace vecstore
