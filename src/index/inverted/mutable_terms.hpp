// MutableTerms: the newest documents, in memory, until they are written as a part.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/context.hpp"
#include "index/inverted/part_builder.hpp"
#include "index/inverted/term_source.hpp"
#include "io/index_file.hpp"

namespace vecstore::inverted {

/// For some ten thousand documents: a list that a search asks for is copied once per state, and prefixes look
/// at every term. One writer at a time calls add; snapshots are taken and used by any number of threads
/// meanwhile.
class MutableTerms {
 public:
  /// As TermPartBuilder. Throws kInvalidArgument.
  explicit MutableTerms(std::vector<float> field_weights);

  /// The number of a term, for add. The writer's.
  std::uint32_t term(std::string_view term);
  /// As TermPartBuilder::add.
  void add(std::uint64_t row, std::span<const TermToken> tokens);

  /// The documents so far: later ones do not show. The same object while nothing is added. Valid for as long
  /// as it is held, whatever happens to this one.
  std::shared_ptr<const TermSource> snapshot() const;
  std::uint32_t documents() const;
  std::size_t memory_bytes() const;

  /// Writes the documents whose bits are set in `live` (nullptr: all) as a part.
  void write(io::IndexFileWriter& file, std::uint32_t first_section, const std::uint64_t* live,
             const Context& context) const;

 private:
  struct State;
  class Snapshot;
  class Positions;
  std::shared_ptr<State> state_;
  mutable std::shared_ptr<const TermSource> last_;  // the newest snapshot; guarded by the state's mutex
};

}  // namespace vecstore::inverted
