#include "index/inverted/bm25_search.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.hpp"

namespace vecstore::inverted {
namespace {

constexpr std::uint32_t kWindow = 4096;  // slots; 16 KiB of accumulators
constexpr std::uint32_t kStep = 1024;    // postings between two looks at the context
constexpr std::uint32_t kScanGroup = 16;

struct Cursor {
  const std::uint32_t* slots;
  const std::uint8_t* codes;
  std::uint32_t size;
  std::uint32_t next;
  std::uint32_t term;
  float weight;  // query weight times idf
};

/// What of the formula is the same for all terms: tf / (tf + base + slope * length).
struct Norm {
  float base;
  float slope;
};

double idf(std::uint64_t documents, std::uint64_t doc_freq) {
  const auto n = static_cast<double>(documents), df = static_cast<double>(std::min(doc_freq, documents));
  return std::log1p((n - df + 0.5) / (df + 0.5));
}

Norm make_norm(const Bm25& bm25, const CorpusStats& stats) {
  const double average = stats.average_length();
  const double k1 = bm25.k1, b = bm25.b;
  return {static_cast<float>(k1 * (1 - b)), average > 0 ? static_cast<float>(k1 * b / average) : 0.0f};
}

void check(const TermQuery& query, const CorpusStats& stats) {
  const Bm25& p = query.bm25;
  if (!(p.k1 >= 0) || !std::isfinite(p.k1)) invalid("bm25.k1 is ", p.k1, "; it must be at least 0");
  if (!(p.b >= 0 && p.b <= 1)) invalid("bm25.b is ", p.b, "; it must be between 0 and 1");
  if (stats.doc_freq.size() != query.terms.size()) {
    invalid("corpus statistics have ", stats.doc_freq.size(), " document frequencies for ",
            query.terms.size(), " terms");
  }
  for (const QueryTerm& t : query.terms) {
    if (!(t.weight > 0) || !std::isfinite(t.weight))
      invalid("weight of a query term is ", t.weight, "; it must be > 0");
  }
}

/// One cursor per distinct term, in the order of the query: sums are then rounded alike in every segment.
std::vector<Cursor> open_cursors(const Postings& postings, const TermQuery& query, const CorpusStats& stats) {
  std::vector<Cursor> cursors;
  std::vector<std::uint32_t> by_term;  // positions in `cursors`, sorted by term: long queries stay cheap
  for (std::size_t i = 0; i < query.terms.size(); ++i) {
    const PostingList* list = postings.find(query.terms[i].term);
    if (list == nullptr || list->live == 0) continue;
    const std::uint32_t term = postings.term_id(*list);
    const float weight = query.terms[i].weight * static_cast<float>(idf(stats.documents, stats.doc_freq[i]));
    const auto at = std::lower_bound(by_term.begin(), by_term.end(), term,
                                     [&](std::uint32_t c, std::uint32_t t) { return cursors[c].term < t; });
    if (at != by_term.end() && cursors[*at].term == term) {
      cursors[*at].weight += weight;
      continue;
    }
    by_term.insert(at, static_cast<std::uint32_t>(cursors.size()));
    cursors.push_back({list->slots(), list->codes(), list->size(), 0, term, weight});
  }
  return cursors;
}

class Search {
 public:
  Search(const Postings& postings, const TermQuery& query, const CorpusStats& stats, Context& context,
         TopK& out)
      : postings_(postings),
        filter_(query.filter),
        context_(context),
        out_(out),
        norm_(make_norm(query.bm25, stats)),
        cursors_(open_cursors(postings, query, stats)) {}

  void run() {
    scores_.fill(0);
    for (;;) {
      context_.check();
      std::uint32_t first = std::numeric_limits<std::uint32_t>::max();
      for (const Cursor& c : cursors_) {
        if (c.next < c.size) first = std::min(first, c.slots[c.next]);
      }
      if (first == std::numeric_limits<std::uint32_t>::max()) break;
      const std::uint32_t begin = first / kWindow * kWindow;
      for (Cursor& c : cursors_) accumulate(c, begin);
      collect(begin);
    }
  }

 private:
  void accumulate(Cursor& c, std::uint32_t begin) {
    const std::uint64_t end_slot = std::uint64_t{begin} + kWindow;
    const float* lengths = postings_.lengths();
    const float* values = postings_.frequencies().values();
    const std::uint32_t start = c.next;
    while (c.next < c.size && c.slots[c.next] < end_slot) {
      if (c.next != start) context_.check();
      const std::uint32_t stop = c.size - c.next > kStep ? c.next + kStep : c.size;
      for (; c.next < stop && c.slots[c.next] < end_slot; ++c.next) {
        const std::uint32_t slot = c.slots[c.next];
        const std::uint8_t code = c.codes[c.next];
        float tf = values[code];
        if (code == Frequencies::kEscape) [[unlikely]]
          tf = postings_.frequencies().decode(code, c.term, slot);
        scores_[slot - begin] += c.weight * tf / (tf + norm_.base + norm_.slope * lengths[slot]);
      }
    }
    context_.counters.postings_scored += c.next - start;
  }

  /// Offers what the window holds and clears it.
  void collect(std::uint32_t begin) {
    const std::uint32_t count = std::min(kWindow, postings_.slots() - begin);
    constexpr float kSmallest = std::numeric_limits<float>::denorm_min();  // no posting: exactly 0
    float bound = std::max(out_.bound(), kSmallest);
    for (std::uint32_t group = 0; group < count; group += kScanGroup) {
      float* scores = scores_.data() + group;
      std::uint32_t promising = 0;
      for (std::uint32_t i = 0; i < kScanGroup; ++i)
        promising |= scores[i] >= bound;  // no branch: vectorizes
      if (promising != 0) {
        for (std::uint32_t i = 0; i < kScanGroup; ++i) {
          if (scores[i] >= bound && offer(begin + group + i, scores[i]))
            bound = std::max(out_.bound(), kSmallest);
        }
      }
      std::fill(scores, scores + kScanGroup, 0.0f);
    }
  }

  bool offer(std::uint32_t slot, float score) {
    if (!postings_.is_live(slot)) return false;
    const std::uint64_t row = postings_.row(slot);
    if (filter_ != nullptr) {
      if ((++context_.counters.rows_filtered & (kStep - 1)) == 0) context_.check();
      if (!filter_->contains(row)) return false;
      ++context_.counters.rows_matched;
    }
    out_.push(row, score);
    return true;
  }

  const Postings& postings_;
  const RowFilter* filter_;
  Context& context_;
  TopK& out_;
  Norm norm_;
  std::vector<Cursor> cursors_;
  alignas(64) std::array<float, kWindow> scores_;
};

}  // namespace

void search_bm25(const Postings& postings, const TermQuery& query, const CorpusStats& stats, Context& context,
                 TopK& out) {
  check(query, stats);
  Search(postings, query, stats, context, out).run();
}

}  // namespace vecstore::inverted
