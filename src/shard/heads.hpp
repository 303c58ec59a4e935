// Ids of a view's rows, and where its records come from: out of segments, or out of the documents.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "segment/ids_part.hpp"
#include "shard/read_view.hpp"

namespace vecstore::shard {

/// One thread at a time; several readers may share a view. What a damaged segment cannot say, which is
/// reported, the documents do. That a row is live has to be known: a segment is silent about what came later.
class HeadReader {
 public:
  explicit HeadReader(const ReadView& view);

  /// nullopt when no segment has it, and the document has to be read. Good as long as this reader lives.
  std::optional<std::string_view> find_id(std::uint64_t row);
  std::optional<segment::RecordHead> find(std::uint64_t row);
  /// Rows that `find` will be asked for: waiting for the memory once instead of once each.
  void prefetch(std::uint64_t row);

 private:
  /// nullptr when no segment that can be read covers the row.
  const segment::Segment* covering(std::uint64_t row);
  template <class Find>
  auto in_segment(std::uint64_t row, Find&& find) -> decltype(find(std::declval<const segment::IdsPart&>()));

  const ReadView& view_;
  std::shared_ptr<const SegmentSet> set_;
  const SegmentSet::Item* last_ = nullptr;  // most rows are of the largest segment
};

}  // namespace vecstore::shard
