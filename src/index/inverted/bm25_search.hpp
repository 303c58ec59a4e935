// BM25 over in-memory postings.
#pragma once
#include "index/inverted/postings.hpp"
#include "index/term_index.hpp"

namespace vecstore::inverted {

/// TermIndex::search on these postings. Term at a time within windows of slots, so that the accumulators stay
/// in the first-level cache; every score is computed in full.
void search_bm25(const Postings& postings, const TermQuery& query, const CorpusStats& stats, Context& context,
                 TopK& out);

}  // namespace vecstore::inverted
