#include "shard/sparse_source.hpp"

#include <algorithm>
#include <cstring>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "shard/read_view.hpp"

namespace vecstore::shard {
namespace {

constexpr std::uint64_t kRowsPerStep = 4'096;
constexpr std::uint64_t kRowsPerCheck = 256;

}  // namespace

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

std::uint64_t SparseReader::scan(std::uint64_t first_row, std::uint64_t end_row, const Context& ctx,
                                 const Sink& fn) {
  std::uint64_t damaged = 0, steps = 0;
  std::optional<std::uint64_t> damaged_row;
  const auto one = [&](const storage::BlockView& block, std::uint32_t i) {
    if (steps++ % kRowsPerCheck == 0) ctx.check();
    try {
      if (!block.verify(i)) fail(ErrorCode::kCorruption, "row ", block.row(i), " is damaged");
      fn(block.row(i), decode(block.bytes(i)));
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      ++damaged;
    }
  };
  for (bool started = false;;) {
    try {
      if (!(started ? reader_.next() : reader_.seek(first_row))) return damaged;
      started = true;
      const storage::BlockView& block = reader_.block();
      if (block.first_row() >= end_row) return damaged;
      for (std::uint32_t i = 0; i < block.count(); ++i) {
        const std::uint64_t row = block.row(i);
        if (row >= first_row && row < end_row && view_.is_live(row)) one(block, i);
      }
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      ++damaged;
      started = true;
      if (damaged_row == reader_.damaged_last_row()) return damaged;  // the tree itself is damaged
      damaged_row = reader_.damaged_last_row();
    }
  }
}

void add_sparse(Shard& shard, std::uint16_t field, std::uint64_t first_row, std::uint64_t end_row,
                segment::SparseRowsBuilder& out, const Context& context) {
  for (std::uint64_t row = first_row; row < end_row;) {
    const std::uint64_t end = row + std::min(kRowsPerStep, end_row - row);
    const ReadView view(shard);
    // What is damaged has no place in a segment; verify reports it.
    SparseReader(view, field).scan(row, end, context, [&](std::uint64_t r, const segment::SparseRow& vector) {
      out.add(r, vector);
    });
    row = end;
  }
}

}  // namespace vecstore::shard
