#include "shard/row_source.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "segment/graph_part.hpp"
#include "shard/read_view.hpp"
#include "storage/rows.hpp"

namespace vecstore::shard {
namespace {

constexpr std::uint64_t kRowsPerStep = 4'096;
// What a thread reads ahead, at most.
constexpr std::size_t kWindowRows = 64;
constexpr std::size_t kWindowBytes = std::size_t{256} << 10;

/// What one thread has read of a source.
struct Window {
  std::uint64_t serial = 0;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  std::vector<float> values;
};

std::uint64_t next_serial() {
  static std::atomic<std::uint64_t> counter{0};
  return counter.fetch_add(1, std::memory_order_relaxed) + 1;
}

/// The live vectors of one field between two rows, as the view sees them.
segment::VectorRows vectors_of(const ReadView& view, const catalog::VectorFieldSchema& field,
                               std::uint64_t from, std::uint64_t to) {
  return [&view, &field, from, to](const std::function<void(const segment::SourceRow&)>& fn) {
    const std::size_t row_bytes = field.dimension * sizeof(float);
    storage::RowReader reader(view.txn(),
                              {storage::BlockKind::kVectors, view.shard().collection(), field.number, 0});
    std::vector<float> copy;
    std::optional<std::uint64_t> damaged_row;
    for (bool started = false;;) {
      try {
        if (!(started ? reader.next() : reader.seek(from))) return;
        started = true;
        const storage::BlockView& block = reader.block();
        if (block.first_row() >= to) return;
        if (block.row_bytes() != row_bytes) continue;
        const bool moves = !view.txn().has_own_pages(reader.value());
        for (std::uint32_t i = 0; i < block.count(); ++i) {
          const std::uint64_t row = block.row(i);
          if (row < from || row >= to || !view.is_live(row) || !block.verify(i)) continue;
          const char* bytes = block.bytes(i).data();
          const auto* vector = reinterpret_cast<const float*>(bytes);
          if (reinterpret_cast<std::uintptr_t>(bytes) % alignof(float) != 0) {
            copy.resize(field.dimension);
            std::memcpy(copy.data(), bytes, row_bytes);
            vector = copy.data();
          }
          fn({row, vector, block.inverse_norm(i), moves || vector == copy.data()});
        }
      } catch (const Error& e) {
        // What is damaged has no place in a segment; exact searches and verify report it.
        if (e.code() != ErrorCode::kCorruption) throw;
        started = true;
        if (damaged_row == reader.damaged_last_row()) return;
        damaged_row = reader.damaged_last_row();
      }
    }
  };
}

}  // namespace

segment::VectorRows vectors_in_steps(Shard& shard, const catalog::VectorFieldSchema& field,
                                     std::uint64_t first_row, std::uint64_t end_row) {
  return [&shard, &field, first_row, end_row](const std::function<void(const segment::SourceRow&)>& fn) {
    for (std::uint64_t row = first_row; row < end_row;) {
      const std::uint64_t end = row + std::min(kRowsPerStep, end_row - row);
      const ReadView view(shard);
      vectors_of(view, field, row, end)(fn);
      row = end;
    }
  };
}

RowSource::RowSource(Shard& shard, const catalog::VectorFieldSchema& field, std::uint64_t first_row,
                     std::uint64_t end_row, const segment::VectorPart* base, const Context& context)
    : shard_(shard), field_(field), base_(base), serial_(next_serial()) {
  vectors_in_steps(shard, field, first_row, end_row)([&](const segment::SourceRow& row) {
    if (rows_.size() % 1024 == 0) context.check();
    rows_.push_back(row.row);
  });
}

const float* RowSource::vector(std::uint32_t i) const {
  thread_local Window window;
  if (window.serial != serial_) window = {serial_, i, 0, std::move(window.values)};
  if (i - window.first >= window.count) {
    const std::size_t row_bytes = field_.dimension * sizeof(float);
    const bool in_order = i == window.first + window.count;
    const std::size_t most = in_order ? std::clamp<std::size_t>(kWindowBytes / row_bytes, 1, kWindowRows) : 1;
    const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(most, rows_.size() - i));
    window.count = 0;  // until all have been read
    window.values.resize(most * field_.dimension);
    read(i, count, window.values.data());
    window.first = i;
    window.count = count;
  }
  return window.values.data() + (i - window.first) * field_.dimension;
}

void RowSource::read(std::uint32_t first, std::uint32_t count, float* out) const {
  const std::size_t row_bytes = field_.dimension * sizeof(float);
  const storage::Store::Session session(shard_.store());
  const storage::ReadTxn txn(shard_.store().env());
  storage::RowReader reader(txn, {storage::BlockKind::kVectors, shard_.collection(), field_.number, 0});
  bool required = false;
  for (std::uint32_t i = first; i < first + count; ++i, out += field_.dimension) {
    try {
      const auto stored = reader.find(rows_[i]);
      if (stored && stored->bytes.size() == row_bytes) {
        std::memcpy(out, stored->bytes.data(), row_bytes);
        continue;
      }
      if (!stored && !std::exchange(required, true)) require_field(txn);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
    }
    substitute(rows_[i], out);
  }
}

// Without it a dropped field or collection would be built to the end, of zeros.
void RowSource::require_field(const storage::ReadTxn& txn) const {
  const auto state = storage::read_collection_state(txn, shard_.collection());
  if (!state) fail(ErrorCode::kNotFound, "collection '", shard_.name(), "' was deleted");
  const auto schema = shard_.schema(txn, *state);
  if (std::none_of(schema->vectors.begin(), schema->vectors.end(),
                   [&](const auto& f) { return f.number == field_.number; }))
    throw FieldDropped{};
}

void RowSource::substitute(std::uint64_t row, float* out) const {
  std::fill_n(out, field_.dimension, 0.0f);
  if (!base_ || base_->kind() != segment::PartKind::kGraph) return;
  try {
    const auto rows = base_->row_numbers();
    const auto at = std::lower_bound(rows.begin(), rows.end(), row);
    if (at == rows.end() || *at != row) return;
    const auto node = static_cast<std::uint32_t>(at - rows.begin());
    static_cast<const segment::GraphPart*>(base_)->index().decode(node, out);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    throw BaseDamaged{};
  }
}

}  // namespace vecstore::shard
