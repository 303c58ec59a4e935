#include "shard/vector_view.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "segment/sketch_part.hpp"
#include "shard/read_view.hpp"
#include "storage/rows.hpp"

namespace vecstore::shard {
namespace {

// Values with pages of their own begin 16 bytes into a page, which aligns everything in a block; copies are
// laid out alike.
constexpr std::size_t kValueOffset = 16;
constexpr std::size_t kAlignment = 64;
// From so many rows on sketches are quicker than the vectors.
constexpr std::uint64_t kSketchesFrom = 256;

std::shared_ptr<const std::vector<char>> aligned_copy(std::string_view value, std::string_view& copied) {
  auto buffer = std::make_shared<std::vector<char>>(value.size() + kAlignment + kValueOffset);
  const auto address = reinterpret_cast<std::uintptr_t>(buffer->data());
  char* at = buffer->data() + (kAlignment - address % kAlignment) % kAlignment + kValueOffset;
  std::memcpy(at, value.data(), value.size());
  copied = {at, value.size()};
  return buffer;
}

/// The rows of the block from `first_row` on; there is one at least.
VectorBlock to_vector_block(const storage::BlockView& block, std::uint64_t first_row) {
  std::uint32_t skipped = 0;
  while (block.row(skipped) < first_row) ++skipped;
  VectorBlock out;
  out.rows = reinterpret_cast<const float*>(block.data() + std::size_t{skipped} * block.row_bytes());
  out.stride_bytes = block.row_bytes();
  out.count = block.count() - skipped;
  out.first_row = block.row(skipped);
  if (block.row_numbers())
    out.row_numbers = reinterpret_cast<const std::uint64_t*>(block.row_numbers()) + skipped;
  if (block.inverse_norms())
    out.inverse_norms = reinterpret_cast<const float*>(block.inverse_norms()) + skipped;
  return out;
}

}  // namespace

// One walk over the blocks. What the previous directory knows of a block is taken over: its checksums were
// verified and its copy made. When no row was retired since, old blocks cannot have moved or changed, and
// only new ones are read.
std::shared_ptr<const BlockDirectory> BlockFollower::build(const ReadView& view,
                                                           const BlockDirectory* previous,
                                                           std::uint64_t first_row) const {
  auto out = std::make_shared<BlockDirectory>();
  out->txn = view.txn().id();
  out->map_epoch = view.txn().map_epoch();
  out->env = view.txn().env_number();
  // A new generation has blocks of its own, which may have the numbers of others.
  if (previous && previous->env != out->env) previous = nullptr;
  out->retired_sequence = view.state().retired_sequence;
  out->first_row = first_row;
  out->end_row = view.state().next_row;
  out->list = BlockList(field_.dimension);
  const storage::RowSpace space{storage::BlockKind::kVectors, view.shard().collection(), field_.number, 0};
  const std::size_t row_bytes = field_.dimension * sizeof(float);
  std::uint64_t from = first_row;
  const bool extends =
      previous && previous->first_row == first_row && previous->map_epoch == out->map_epoch &&
      previous->retired_sequence == out->retired_sequence && previous->end_row <= out->end_row;
  if (extends) {
    out->blocks = previous->blocks;
    out->bad_rows = previous->bad_rows;
    out->damaged_blocks = previous->damaged_blocks;
    from = previous->end_row;
  }
  std::size_t hint = 0;
  const auto known = [&](std::uint64_t last_row, std::uint64_t sequence) -> const BlockDirectory::Block* {
    if (!previous) return nullptr;
    while (hint < previous->blocks.size() && previous->blocks[hint].last_row < last_row) ++hint;
    if (hint == previous->blocks.size()) return nullptr;
    const auto& b = previous->blocks[hint];
    return b.last_row == last_row && b.sequence == sequence ? &b : nullptr;
  };
  storage::RowReader reader(view.txn(), space);
  std::optional<std::uint64_t> damaged_row;
  for (bool started = false;;) {
    try {
      if (!(started ? reader.next() : reader.seek(from))) break;
      started = true;
      const storage::BlockView& stored = reader.block();
      if (stored.row_bytes() != row_bytes) fail(ErrorCode::kCorruption, "row size differs from the schema's");
      BlockDirectory::Block block;
      block.last_row = stored.last_row();
      block.sequence = stored.sequence();
      const BlockDirectory::Block* old = known(stored.last_row(), stored.sequence());
      // What lies in a leaf page may be elsewhere in the next transaction, aligned by chance or not.
      const bool moves = !view.txn().has_own_pages(reader.value());
      if (old && old->copy && old->view.first_row >= first_row) {
        block = *old;
      } else {
        if (!old) {
          for (std::uint32_t i = 0; i < stored.count(); ++i) {
            if (!stored.verify(i)) out->bad_rows.push_back(stored.row(i));
          }
        }
        if (moves) {
          std::string_view copied;
          block.copy = aligned_copy(reader.value(), copied);
          block.view = to_vector_block(storage::BlockView(copied, space.meta(), false), first_row);
        } else {
          block.view = to_vector_block(stored, first_row);
        }
      }
      out->blocks.push_back(std::move(block));
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      started = true;
      ++out->damaged_blocks;  // at least one; verify tells how many
      if (damaged_row == reader.damaged_last_row())
        break;  // the tree itself is damaged: the walk does not get on
      damaged_row = reader.damaged_last_row();
    }
  }
  if (previous && !extends) {
    for (std::uint64_t row : previous->bad_rows) {
      if (row >= first_row) out->bad_rows.push_back(row);
    }
  }
  std::sort(out->bad_rows.begin(), out->bad_rows.end());
  out->bad_rows.erase(std::unique(out->bad_rows.begin(), out->bad_rows.end()), out->bad_rows.end());
  for (const auto& b : out->blocks) out->list.add(b.view);
  out->degraded = out->damaged_blocks;
  for (std::uint64_t row : out->bad_rows) out->degraded += view.is_live(row);
  return out;
}

/// nullptr where sketches are of no use. Rows are sketched when a view first meets them; what an older view
/// may not see is passed over by it.
std::unique_ptr<segment::VectorPart> BlockFollower::sketched_part(const BlockDirectory& directory) {
  if (!segment::has_sketches(field_.metric, field_.dimension)) return nullptr;
  if (directory.list.row_count() < kSketchesFrom) return nullptr;
  if (!sketches_) sketches_ = std::make_unique<SketchStore>(field_.dimension, field_.metric == Metric::kDot);
  sketches_->drop_before(directory.first_row);
  const auto cursor = directory.list.cursor();
  VectorBlock block;
  for (bool more = cursor->seek(sketches_->next_row(), block); more; more = cursor->next(block)) {
    for (std::uint32_t i = 0; i < block.count; ++i) {
      if (block.row(i) < sketches_->next_row()) continue;
      sketches_->append(block.row(i), block.vector(i), block.inverse_norms ? block.inverse_norms[i] : 0.0f);
    }
  }
  return std::make_unique<segment::SketchedTail>(directory.list, sketches_->view(), directory.first_row);
}

VectorView BlockFollower::view(const ReadView& view, std::uint64_t first_row, bool sketched) {
  VectorView out;
  const std::uint64_t epoch = view.txn().map_epoch();
  const std::uint64_t env = view.txn().env_number();
  const bool same = directory_ && directory_->env == env && directory_->txn == view.txn().id() &&
                    directory_->map_epoch == epoch && directory_->first_row == first_row;
  const bool newer =
      !directory_ || directory_->env < env ||
      (directory_->env == env && (directory_->txn < view.txn().id() || directory_->map_epoch != epoch));
  // An older view whose list of segments ends earlier, or that sees rows which were retired since and may be
  // gone: what newer ones share has not all of its rows.
  const bool has_more =
      directory_ &&
      (directory_->first_row > first_row ||
       (!same && !newer &&
        (directory_->env != env || directory_->retired_sequence != view.state().retired_sequence)));
  if (has_more) {
    out.directory = build(view, nullptr, first_row);
    out.index = make_segment().index(out.directory->list);
    return out;
  }
  if (!same) {
    const bool moved = directory_ && directory_->first_row != first_row;
    out.directory = build(view, directory_.get(), first_row);
    if (newer || moved) directory_ = out.directory;
    if (moved) segment_ = make_segment();
  } else {
    out.directory = directory_;
  }
  if (!sketched) sketches_.reset();
  if (sketched && (out.part = sketched_part(*out.directory))) return out;
  // The first search reads all vectors anyway; codes are made when a second one comes.
  if (scanned_) segment_.follow(out.directory->list, out.directory->bad_rows, view.state().next_row);
  scanned_ = true;
  out.index = segment_.index(out.directory->list);
  out.has_codes = segment_.has_codes();
  return out;
}

namespace {

/// Reads full vectors from the truth, as a view sees it.
class TruthVectors final : public segment::VectorLookup {
 public:
  TruthVectors(const ReadView& view, const catalog::VectorFieldSchema& field)
      : view_(view),
        space_{storage::BlockKind::kVectors, view.shard().collection(), field.number, 0},
        row_bytes_(field.dimension * sizeof(float)),
        reader_(view.txn(), space_) {}

  std::size_t read(std::span<const std::uint64_t> rows, const Found& found) override {
    std::size_t left_out = 0;
    reader_.prefetch(rows, view_.shard().block_tables().at(view_, space_).get());
    for (std::uint64_t row : rows) {
      try {
        const auto stored = reader_.find(row);
        if (stored && stored->bytes.size() == row_bytes_) {
          found(row, aligned(stored->bytes), stored->inverse_norm);
          continue;
        }
      } catch (const Error& e) {
        if (e.code() != ErrorCode::kCorruption) throw;
      }
      ++left_out;
    }
    return left_out;
  }

 private:
  const float* aligned(std::string_view bytes) {
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(float) == 0)
      return reinterpret_cast<const float*>(bytes.data());
    copy_.resize(bytes.size() / sizeof(float));  // of a lone row's block, which lies among others
    std::memcpy(copy_.data(), bytes.data(), bytes.size());
    return copy_.data();
  }

  const ReadView& view_;
  const storage::RowSpace space_;
  const std::size_t row_bytes_;
  storage::RowReader reader_;
  std::vector<float> copy_;
};

}  // namespace

VectorView VectorFollower::view(const ReadView& view, bool exact, bool sketched) {
  std::shared_ptr<const SegmentSet> set;
  if (!exact) set = view.shard().segments().at(view.txn());
  if (set && !set->usable)
    view.shard().look_after_segments();  // to be made anew; until then the truth answers
  const std::lock_guard lock(mutex_);
  if (!set || !set->usable || set->items.empty()) return all_.view(view, 0, false);
  VectorView out = tail_.view(view, set->end_row(), sketched);
  segment::SearchedParts parts;
  parts.metric = field_.metric;
  parts.dimension = field_.dimension;
  for (const SegmentSet::Item& item : set->items) {
    const segment::Segment::PartEntry* entry = item.segment->find(field_.number);
    if (!entry) continue;
    const segment::VectorPart* part = entry->part.get();
    if (!belongs_to(*entry, field_)) {
      view.shard().segments().report_damage(item.entry.number);
      view.shard().look_after_segments();
      return all_.view(view, 0, false);
    }
    if (part->kind() == segment::PartKind::kNothing) return all_.view(view, 0, false);
    parts.parts.push_back(part);
    out.part_segments.push_back(item.entry.number);
  }
  if (out.part) {
    parts.parts.push_back(out.part.get());
    parts.own_part = std::move(out.part);
  } else if (out.directory->list.row_count() > 0) {
    parts.tail = std::move(out.index);
  }
  parts.vectors = std::make_unique<TruthVectors>(view, field_);
  parts.retired = view.retired().words();
  parts.retired_version = view.state().retired_sequence;
  out.index = std::make_unique<segment::SegmentedIndex>(std::move(parts));
  out.segments = std::move(set);
  return out;
}

}  // namespace vecstore::shard
