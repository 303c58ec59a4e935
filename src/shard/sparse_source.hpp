// The sparse vectors of one field, read from the truth.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "segment/sparse_part.hpp"
#include "shard/shard.hpp"
#include "storage/rows.hpp"

namespace vecstore::shard {

class ReadView;

/// Reads a view's vectors by row, quickest in ascending order. One thread at a time.
class SparseReader {
 public:
  SparseReader(const ReadView& view, std::uint16_t field);

  /// nullopt when the row has none; kCorruption when it is damaged. Good until the next call.
  std::optional<segment::SparseRow> find(std::uint64_t row);
  /// Calls `fn` for each live row from `first_row` on and before `end_row`, ascending; how many could not be
  /// read. (Of a damaged block's rows it counts one.)
  using Sink = std::function<void(std::uint64_t row, const segment::SparseRow&)>;
  std::uint64_t scan(std::uint64_t first_row, std::uint64_t end_row, const Context& ctx, const Sink& fn);

 private:
  segment::SparseRow decode(std::string_view bytes);

  const ReadView& view_;
  storage::RowReader reader_;
  std::vector<std::uint32_t> copy_;
};

/// Adds the live vectors between two rows, a few thousand in one transaction: rows that are retired meanwhile
/// may be left out, damaged ones are. kClosed, kNotFound.
void add_sparse(Shard& shard, std::uint16_t field, std::uint64_t first_row, std::uint64_t end_row,
                segment::SparseRowsBuilder& out, const Context& context);

}  // namespace vecstore::shard
