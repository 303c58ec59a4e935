#include "shard/sparse_source.hpp"

#include <algorithm>
#include <cstring>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "shard/read_view.hpp"

namespace vecstore::shard {
namespace {

constexpr std::uint64_t kRowsPerCheck = 256;

}  // namespace

bool is_outdated(const segment::SparsePart& part, const catalog::Schema& schema, std::string_view name) {
  return part.terms() && part.has_codes() != (schema.sparse_codes(name) == Codes::kInt8);
}

SparseReader::SparseReader(const ReadView& view, std::uint16_t field)
    : view_(view), reader_(view.txn(), {storage::BlockKind::kVectors, view.shard().collection(), field, 0}) {}

// As encode_sparse wrote it: count, indices, values.
segment::SparseRow SparseReader::decode(std::string_view bytes) {
  const std::size_t count = bytes.size() < 4 ? 0 : load<std::uint32_t>(bytes.data());
  if (bytes.size() != 4 + 8 * count)
    fail(ErrorCode::kCorruption, "sparse vector: length differs from its count");
  if (count == 0) return {};
  const char* at = bytes.data() + 4;
  if (reinterpret_cast<std::uintptr_t>(at) % alignof(std::uint32_t) != 0) {
    copy_.resize(2 * count);
    std::memcpy(copy_.data(), at, 8 * count);
    at = reinterpret_cast<const char*>(copy_.data());
  }
  return {{reinterpret_cast<const std::uint32_t*>(at), count},
          {reinterpret_cast<const float*>(at + 4 * count), count}};
}

std::optional<segment::SparseRow> SparseReader::find(std::uint64_t row) {
  const auto stored = reader_.find(row);
  if (!stored) return std::nullopt;
  return decode(stored->bytes);
}

void SparseReader::walk(RowWalk& walk, std::uint64_t end_row, const Context& ctx, const Sink& fn) {
  std::uint64_t steps = 0;
  end_row = std::min(end_row, view_.state().next_row);
  if (walk.next_row >= end_row) return;
  const auto one = [&](const storage::BlockView& block, std::uint32_t i) {
    if (steps++ % kRowsPerCheck == 0) ctx.check();
    walk.next_row = block.row(i);
    bool more = true;
    try {
      if (!block.verify(i)) fail(ErrorCode::kCorruption, "row ", block.row(i), " is damaged");
      more = fn(block.row(i), decode(block.bytes(i)));
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      walk.unreadable.push_back(block.row(i));
    }
    ++walk.next_row;
    return more;
  };
  while (walk.next_row < end_row) {
    try {
      if (!reader_.seek(walk.next_row)) break;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      const std::uint64_t last = reader_.damaged_last_row();
      walk.unreadable.push_back(std::clamp(last, walk.next_row, end_row - 1));
      if (last < walk.next_row) break;  // the tree itself is damaged
      walk.next_row = last + 1;
      continue;
    }
    const storage::BlockView& block = reader_.block();
    for (std::uint32_t i = 0; i < block.count() && block.row(i) < end_row; ++i) {
      if (block.row(i) >= walk.next_row && view_.is_live(block.row(i)) && !one(block, i)) return;
    }
    walk.next_row = std::max(walk.next_row, block.last_row() + 1);
  }
  walk.next_row = end_row;
}

}  // namespace vecstore::shard
