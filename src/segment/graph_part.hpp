// GraphPart: a neighbour graph in a segment file, walked with small codes.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "index/vector/hnsw_index.hpp"
#include "io/index_file.hpp"
#include "segment/segment_format.hpp"
#include "segment/vector_part.hpp"

namespace vecstore::segment {

/// The rows that a segment may have.
struct RowRange {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
};

class GraphPart final : public VectorPart {
 public:
  GraphPart(std::shared_ptr<const io::IndexFile> file, const PartMeta& meta, RowRange range);
  PartKind kind() const override { return PartKind::kGraph; }
  std::size_t rows() const override { return rows_; }
  void search(const PartQuery& query, Context& context, std::vector<PartCandidate>& out) const override;
  std::span<const std::uint64_t> row_numbers() const override;
  bool warm_up(Context& context) const override;
  const HnswIndex& index() const { return *index_; }

 private:
  /// Nodes whose rows were retired when the bitmap of rows was that of `version`.
  struct Retired {
    std::uint64_t version = 0;
    std::vector<std::uint64_t> words;  // of the bitmap of rows, from the word of the first row on
    std::vector<std::uint64_t> nodes;
    std::uint32_t count = 0;
  };
  bool walks_for(std::span<const float> vector) const;
  std::shared_ptr<const Retired> retired_nodes(const PartQuery& query) const;
  std::size_t admitted_nodes(std::span<const std::uint64_t> bits, const Retired& retired,
                             std::vector<std::uint64_t>& out) const;

  std::shared_ptr<const io::IndexFile> file_;
  std::uint16_t field_;
  std::size_t rows_;
  RowRange range_;
  std::shared_ptr<const HnswIndex> index_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Retired> retired_;  // guarded by mutex_
};

}  // namespace vecstore::segment
