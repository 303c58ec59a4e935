#include "index/vector/sketch_store.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/os_memory.hpp"

namespace vecstore {
namespace {
constexpr std::size_t kGroups = 128;  // per chunk
}  // namespace

struct SketchStore::Chunk {
  explicit Chunk(const SketchRotation& rotation)
      : groups(os::allocate_bytes(kGroups * rotation.group_words() * sizeof(std::uint64_t))),
        fine(std::make_unique_for_overwrite<std::uint64_t[]>(kGroups * simd::kSketchRows *
                                                             rotation.fine_words())) {}
  std::uint64_t* words() { return reinterpret_cast<std::uint64_t*>(groups.get()); }

  os::AlignedBytes groups;
  std::unique_ptr<std::uint64_t[]> fine;
  std::uint64_t rows[kGroups * simd::kSketchRows] = {};
  float norms[kGroups * simd::kSketchRows] = {};
  float most_norm[kGroups] = {};  // of the groups up to this one
};

void SketchStore::append(std::uint64_t row, const float* vector, float inverse_norm) {
  if (row < next_row_) invalid("row ", row, ": rows of sketches must ascend, the next one is ", next_row_);
  next_row_ = row + 1;
  if (!(inverse_norm > 0)) {
    const std::lock_guard lock(mutex_);
    apart_.push_back(row);
    return;
  }
  constexpr std::size_t kRows = kGroups * simd::kSketchRows;
  if (chunks_.empty() || last_rows_ == kRows) {
    auto chunk = std::make_shared<Chunk>(rotation());
    const std::lock_guard lock(mutex_);
    chunks_.push_back(std::move(chunk));
    last_rows_ = 0;
  }
  Chunk& chunk = *chunks_.back();
  const std::size_t group = last_rows_ / simd::kSketchRows, lane = last_rows_ % simd::kSketchRows;
  encoder_.encode(vector, inverse_norm, chunk.words() + group * rotation().group_words(), lane,
                  chunk.fine.get() + last_rows_ * rotation().fine_words());
  chunk.rows[last_rows_] = row;
  chunk.norms[last_rows_] = norms_ ? 1 / inverse_norm : 1;
  if (lane == 0) chunk.most_norm[group] = group > 0 ? chunk.most_norm[group - 1] : 0;
  chunk.most_norm[group] = std::max(chunk.most_norm[group], chunk.norms[last_rows_]);
  const std::lock_guard lock(mutex_);
  ++last_rows_;
  if (lane + 1 == simd::kSketchRows) end_row_ = next_row_;
}

void SketchStore::drop_before(std::uint64_t row) {
  const std::lock_guard lock(mutex_);
  const auto kept = std::find_if(chunks_.begin(), chunks_.end(), [&](const auto& chunk) {
    return chunk == chunks_.back() || chunk->rows[kGroups * simd::kSketchRows - 1] >= row;
  });
  chunks_.erase(chunks_.begin(), kept);
  apart_.erase(apart_.begin(), std::lower_bound(apart_.begin(), apart_.end(), row));
}

SketchView SketchStore::view() const {
  SketchView out;
  const std::lock_guard lock(mutex_);
  for (const auto& chunk : chunks_) {
    const std::size_t groups = chunk == chunks_.back() ? last_rows_ / simd::kSketchRows : kGroups;
    if (groups == 0) continue;
    out.runs.push_back({chunk->words(), chunk->fine.get(), chunk->rows, norms_ ? chunk->norms : nullptr,
                        groups, chunk->most_norm[groups - 1]});
    out.owners.push_back(chunk);
  }
  out.apart = apart_;
  out.end_row = end_row_;
  return out;
}

}  // namespace vecstore
