#include "index/inverted/term_rows.hpp"

#include <algorithm>
#include <memory>
#include <vector>

namespace vecstore::inverted {
namespace {

using Lists = std::vector<std::shared_ptr<const DecodedList>>;

// Few documents: each is looked up in the other lists.
void add_few(const TermSource& source, const Lists& lists, RowBits& rows) {
  std::vector<std::uint32_t> docs;
  lists.front()->append_docs(docs);
  std::vector<std::uint8_t> found(docs.size());
  for (std::size_t l = 1; l < lists.size() && !docs.empty(); ++l) {
    lists[l]->contains_all(docs, found.data());
    std::size_t kept = 0;
    for (std::size_t i = 0; i < docs.size(); ++i) {
      if (found[i] != 0) docs[kept++] = docs[i];
    }
    docs.resize(kept);
  }
  for (const std::uint32_t doc : docs) {
    const std::uint64_t row = source.row(doc);
    if (row < rows.size()) rows.set(static_cast<std::size_t>(row));
  }
}

// Many: a bit for each document.
void add_many(const TermSource& source, const Lists& lists, RowBits& rows) {
  std::vector<std::uint64_t> docs((std::size_t{source.documents()} + kWindow - 1) / kWindow * (kWindow / 64));
  if (lists.front()->form() == DecodedList::Form::kDense) {
    std::copy_n(lists.front()->bits(), docs.size(), docs.begin());
  } else {
    lists.front()->for_each_doc(
        [&](std::uint32_t, std::uint32_t doc) { docs[doc / 64] |= std::uint64_t{1} << (doc % 64); });
  }
  for (std::size_t l = 1; l < lists.size(); ++l) lists[l]->restrict(docs, false);
  add_rows_of(source, docs, rows);
}

}  // namespace

void add_rows_with(const TermSource& source, std::span<const std::string> words, std::uint32_t field,
                   const Context& context, RowBits& rows) {
  // Before any list is made: often one of the words is not there.
  for (const std::string& word : words) {
    if (source.doc_freq(word) == 0) return;
  }
  Lists lists;
  for (const std::string& word : words) {
    context.check();
    lists.push_back(source.bare_list(word, field));
    if (!lists.back()) return;
  }
  if (lists.empty()) return;
  std::sort(lists.begin(), lists.end(), [](const auto& a, const auto& b) { return a->size() < b->size(); });
  if (lists.front()->form() == DecodedList::Form::kFew)
    add_few(source, lists, rows);
  else
    add_many(source, lists, rows);
}

Cardinality estimate_rows_with(const TermSource& source, std::span<const std::string> words,
                               std::uint32_t field) {
  Cardinality out;
  const std::uint64_t documents = source.documents();
  if (words.empty() || documents == 0) return out;
  double share = 1;
  std::uint64_t without = 0;  // documents that lack a word, each counted for each
  out.most = documents;
  for (const std::string& word : words) {
    const std::uint64_t n = std::min<std::uint64_t>(source.doc_freq(word), documents);
    share *= static_cast<double>(n) / static_cast<double>(documents);
    without += documents - n;
    out.most = std::min(out.most, n);
  }
  // Which of them have the word in this field is not known; and some may be retired.
  const bool any = field == kAnyField || source.fields() == 1;
  if (any && without < documents) out.least = documents - without;
  out.expected = std::clamp(share * static_cast<double>(documents), static_cast<double>(out.least),
                            static_cast<double>(out.most));
  return out;
}

}  // namespace vecstore::inverted
