// The sparse vectors of one field, read from the truth.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/context.hpp"
#include "catalog/schema.hpp"
#include "segment/sparse_part.hpp"
#include "shard/row_walk.hpp"
#include "storage/rows.hpp"

namespace vecstore::shard {

class ReadView;

/// Whether a part of the sparse vectors of this name is not what the schema asks for.
bool is_outdated(const segment::SparsePart& part, const catalog::Schema& schema, std::string_view name);

/// Reads a view's vectors by row, quickest in ascending order. One thread at a time.
class SparseReader {
 public:
  SparseReader(const ReadView& view, std::uint16_t field);

  /// nullopt when the row has none; kCorruption when it is damaged. Good until the next call.
  std::optional<segment::SparseRow> find(std::uint64_t row);
  /// Gets the vector of one row; false ends the walk behind it.
  using Sink = std::function<bool(std::uint64_t row, const segment::SparseRow&)>;
  /// Calls `fn` for each live row from the walk's next one on and before `end_row`. (Of a damaged block's
  /// rows one counts as unreadable, its last: which of them have a vector is not known.)
  void walk(RowWalk& walk, std::uint64_t end_row, const Context& ctx, const Sink& fn);

 private:
  segment::SparseRow decode(std::string_view bytes);

  const ReadView& view_;
  storage::RowReader reader_;
  std::vector<std::uint32_t> copy_;
};

}  // namespace vecstore::shard
