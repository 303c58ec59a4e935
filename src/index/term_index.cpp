#include "index/term_index.hpp"

#include "base/error.hpp"

namespace vecstore {

CorpusStats& CorpusStats::operator+=(const CorpusStats& o) {
  if (doc_freq.empty()) doc_freq.resize(o.doc_freq.size());
  if (doc_freq.size() != o.doc_freq.size()) {
    invalid("corpus statistics of ", o.doc_freq.size(), " terms cannot be added to those of ",
            doc_freq.size());
  }
  documents += o.documents;
  total_length += o.total_length;
  for (std::size_t i = 0; i < doc_freq.size(); ++i) doc_freq[i] += o.doc_freq[i];
  return *this;
}

}  // namespace vecstore
