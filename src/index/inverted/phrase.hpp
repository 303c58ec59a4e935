// Phrase: the documents that have all words of a phrase, and how often they have the phrase.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/context.hpp"
#include "index/inverted/term_source.hpp"
#include "index/term_query.hpp"

namespace vecstore::inverted {

/// Everything is borrowed. One thread.
class Phrase {
 public:
  Phrase(const TermSource& source, const TermNode& leaf, const Norm& norm, Context& context);

  /// Documents with all words, ascending.
  std::span<const std::uint32_t> docs() const { return docs_; }
  /// What frequency(i) cannot exceed, known without a look at positions.
  float most(std::size_t i) const;
  /// How often docs()[i] has the phrase, by the weights of its fields; 0: not at all. Quick in ascending
  /// order.
  float frequency(std::size_t i);

 private:
  struct Word {
    const std::string* text = nullptr;
    std::shared_ptr<const DecodedList> list;
    std::shared_ptr<const PositionList> positions;
    std::int64_t offset = 0;
    PositionCursor cursor;
    std::vector<std::int64_t> places;  // as if the phrase began there; the field in the upper half
    std::size_t at = 0;                // in places
    std::size_t last = 0;              // document that was asked for last
    std::uint32_t hint = 0;            // for find_next
  };
  /// Keeps the documents that the list has.
  void intersect(const DecodedList& list, Context& context);
  void read_places(Word& word, std::size_t i);
  float exact(std::size_t i);
  float sloppy(std::size_t i);

  const TermSource& source_;
  const TermNode& leaf_;
  std::vector<Word> words_;
  std::vector<std::uint32_t> docs_;
  std::vector<std::uint32_t> postings_;  // of the rarest word
  std::vector<std::uint32_t> raw_;
};

}  // namespace vecstore::inverted
