// TermSource: documents with terms, as searches see them. In a file (TermPart) or in memory.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.hpp"
#include "base/row_bits.hpp"
#include "index/inverted/decoded_list.hpp"
#include "index/inverted/list_codec.hpp"
#include "index/term_query.hpp"

namespace vecstore::inverted {

/// Where a term stands in its documents.
class PositionList {
 public:
  virtual ~PositionList() = default;
  /// Appends field << kPositionBits | position of each occurrence, ascending. `list` is the term's list over
  /// all fields. `cursor` starts fresh and makes ascending postings of one list quick.
  virtual void read(const DecodedList& list, std::uint32_t posting, PositionCursor& cursor,
                    std::vector<std::uint32_t>& out) const = 0;
};

/// A term that a prefix or a fuzzy word stands for.
struct Expansion {
  std::string term;
  std::uint32_t distance = 0;
};

/// A bit for each row from `first_word * 64` on, set where it is a document.
struct PresentRows {
  std::uint64_t first_word = 0;
  std::vector<std::uint64_t> words;
};

/// Documents are numbered from 0. Immutable and thread-safe. Damage that a call meets is kCorruption: the
/// source is then not to be asked any more.
class TermSource {
 public:
  virtual ~TermSource() = default;
  virtual std::uint32_t documents() const = 0;
  /// How many of them the statistics count.
  virtual std::uint32_t counted() const { return documents(); }
  virtual std::uint32_t fields() const = 0;
  virtual float field_weight(std::uint32_t field) const = 0;
  /// Of all documents' weighted lengths. 0 for sparse vectors.
  virtual double total_length() const = 0;
  /// By document; nullptr for sparse vectors.
  virtual const float* lengths() const = 0;
  /// Ascending with the documents.
  virtual std::uint64_t row(std::uint32_t doc) const = 0;
  /// nullptr: not known.
  virtual const PresentRows* present_rows() const { return nullptr; }

  /// Documents that have the term, in any field.
  virtual std::uint64_t doc_freq(std::string_view term) const = 0;
  /// The term's postings with codes for `norm` or one near it; nullptr when no document has it. `field`:
  /// kAnyField, or occurrences in this one only.
  virtual std::shared_ptr<const DecodedList> list(std::string_view term, std::uint32_t field,
                                                  const Norm& norm) const = 0;
  /// The same with codes for whatever norm, or without any: who has the term.
  virtual std::shared_ptr<const DecodedList> bare_list(std::string_view term, std::uint32_t field) const;
  /// The term's list over all fields, if it happens to be at hand, with codes for whatever norm.
  virtual std::shared_ptr<const DecodedList> known_list(std::string_view) const { return nullptr; }
  /// The postings of a rarely used term: values (weighted frequencies) without codes; not kept. 0 documents
  /// when there are none.
  virtual void postings(std::string_view term, std::uint32_t field, std::vector<std::uint32_t>& docs,
                        std::vector<float>& values) const = 0;
  /// nullptr when no document has it. kInvalidArgument when positions are not kept.
  virtual std::shared_ptr<const PositionList> positions(std::string_view term) const = 0;

  /// Appends the terms that begin with `prefix`, ascending, at most `limit` further ones.
  virtual void expand_prefix(std::string_view prefix, std::size_t limit, const Context& context,
                             std::vector<Expansion>& out) const = 0;
  /// Appends the terms within `distance` (at most kMostDistance) edits of the word that begin with its first
  /// `exact` code points, ascending, at most `limit` further ones.
  virtual void expand_fuzzy(std::string_view word, std::uint32_t distance, std::uint32_t exact,
                            std::size_t limit, const Context& context, std::vector<Expansion>& out) const = 0;
};

/// Bits of a source's documents, in whole windows: those whose row's bit is set in `rows` (one bit per row
/// number, rows behind its end are not set), or is not set when `inverted`. TermPartView::live is that of the
/// retired rows, inverted.
std::vector<std::uint64_t> documents_of(const TermSource& source, std::span<const std::uint64_t> rows,
                                        bool inverted);
/// The inverse: sets the bits of the rows of documents whose bit is set in `docs` (whole windows). Rows
/// behind the end of `rows` are left out.
void add_rows_of(const TermSource& source, std::span<const std::uint64_t> docs, RowBits& rows);
/// The document of a row, kNoPosting when it has none: for changing single bits.
std::uint32_t document_of(const TermSource& source, std::uint64_t row);

}  // namespace vecstore::inverted
