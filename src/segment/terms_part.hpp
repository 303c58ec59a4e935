// TermsPart: the terms of rows in a segment file. TermsIndex: the search over the parts of a collection.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "index/inverted/term_part.hpp"
#include "index/inverted/term_rows.hpp"
#include "index/inverted/term_search.hpp"
#include "io/index_file.hpp"

namespace vecstore::segment {

/// Retired rows: bit per row number.
struct RetiredBits {
  std::span<const std::uint64_t> words;
  std::uint64_t version = 0;  ///< Grows whenever they change.

  bool contains(std::uint64_t row) const {
    return row / 64 < words.size() && (words[row / 64] >> (row % 64) & 1) != 0;
  }
};

/// Thrown where a search meets damage in what it reads of terms, instead of kCorruption: that the truth
/// throws, too. `what` names the file.
struct TermsDamaged {
  std::string what;
};

/// Calls `read`, which reads parts only.
template <class Read>
void meeting_damage(Read&& read) {
  try {
    read();
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    throw TermsDamaged{e.what()};
  }
}

/// The terms of texts or of sparse vectors in a segment file. Thread-safe. Damage that a call meets is
/// kCorruption.
class TermsPart {
 public:
  TermsPart(std::shared_ptr<const io::IndexFile> file, std::uint32_t first_section, std::uint64_t first_row,
            std::uint64_t end_row);

  const inverted::TermPart& terms() const { return *part_; }
  /// How many documents' rows are retired.
  std::uint64_t retired(const RetiredBits& retired) const;
  /// One bit per document, set where its row is not retired; empty when none is.
  std::shared_ptr<const std::vector<std::uint64_t>> live(const RetiredBits& retired) const;
  /// Reads everything that searches read, and what they rely on.
  void verify(const Context& context) const;

 private:
  struct Live {
    std::uint64_t version = 0;
    std::vector<std::uint64_t> words;  // of the retired rows' bitmap, around this part's rows
    std::shared_ptr<const std::vector<std::uint64_t>> documents;
  };
  std::vector<std::uint64_t> changed(const Live& old, std::span<const std::uint64_t> words) const;

  std::shared_ptr<const inverted::TermPart> part_;
  std::uint64_t first_row_;
  std::uint64_t end_row_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Live> live_;  // guarded by mutex_
};

/// What a search over terms reads. Lives for one call; what it points to has to outlive it.
class TermsIndex {
 public:
  TermsIndex() = default;
  /// `rows`: bit per row number; others are not found. They are not retired.
  explicit TermsIndex(std::span<const std::uint64_t> rows) : rows_(rows) {}
  /// TermsDamaged.
  void add(const TermsPart& part, const RetiredBits& retired);
  /// The newest rows: what is retired is not in it.
  void add(const inverted::TermSource& newest);

  /// Offers what the query matches to `out`; the filter is asked late. Returns the statistics that scores
  /// were made from. TermsDamaged.
  CorpusStats search(const TermNode& query, const RowFilter* filter, Context& context, TopK& out) const;

 private:
  const std::uint64_t* documents_of_rows(const inverted::TermSource& source);

  std::span<const std::uint64_t> rows_;
  std::vector<inverted::TermPartView> views_;
  std::vector<std::shared_ptr<const std::vector<std::uint64_t>>> live_;
};

}  // namespace vecstore::segment
