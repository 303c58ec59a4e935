#include "index/vector/code_store.hpp"

#include <algorithm>
#include <new>

#include "quant/norms.hpp"

namespace vecstore {

namespace {

constexpr std::size_t kFirstGroups = 4;
constexpr std::size_t kMostGroups = 1024;

}  // namespace

// The writer fills group after group; readers look at complete ones only.
struct CodeStore::Block {
  Block(std::size_t group_bytes, std::size_t groups_wanted)
      : capacity(groups_wanted),
        groups(static_cast<std::uint8_t*>(std::aligned_alloc(64, group_bytes * groups_wanted))),
        rows(new std::uint64_t[groups_wanted * simd::kGroupRows]) {
    if (!groups) throw std::bad_alloc();
  }
  struct Free {
    void operator()(std::uint8_t* p) const { std::free(p); }
  };
  std::size_t capacity;
  std::unique_ptr<std::uint8_t, Free> groups;
  std::unique_ptr<std::uint64_t[]> rows;
};

CodeView CodeView::of(Metric metric, std::size_t dimension, CodeChunk chunk) {
  CodeView out;
  out.metric_ = metric;
  out.dimension_ = dimension;
  out.last_groups_ = out.group_count_ = chunk.capacity;
  auto chunks = std::make_shared<Chunks>();
  chunks->push_back(std::make_shared<CodeChunk>(std::move(chunk)));
  out.chunks_ = std::move(chunks);
  return out;
}

CodeStore::CodeStore(Metric metric, std::size_t dimension)
    : metric_(metric), dimension_(dimension), encoder_(metric, dimension) {
  published_.metric_ = metric;
  published_.dimension_ = dimension;
}

void CodeStore::append(std::uint64_t row, const float* vector, float inverse_norm) {
  if (row < next_row_) invalid("row ", row, ": rows of codes must ascend, the next one is ", next_row_);
  if (!last_ || last_rows_ == last_->capacity * simd::kGroupRows) add_chunk();
  const std::size_t lane = last_rows_ % simd::kGroupRows;
  const std::size_t group = last_rows_ / simd::kGroupRows;
  encoder_.encode(vector, inverse_norm, last_->groups.get() + group * code_group_bytes(metric_, dimension_),
                  lane);
  last_->rows[last_rows_] = row;
  ++last_rows_;
  next_row_ = row + 1;
  if (lane + 1 < simd::kGroupRows) return;
  const std::lock_guard lock(mutex_);
  published_.last_groups_ = group + 1;
  ++published_.group_count_;
  published_.end_row_ = next_row_;
}

void CodeStore::append(const VectorBlock& block) {
  for (std::uint32_t i = 0; i < block.count; ++i) {
    const float* vector = block.vector(i);
    float inverse = 0;
    if (metric_ == Metric::kCosine) {
      inverse = block.inverse_norms ? block.inverse_norms[i] : inverse_norm(vector, dimension_);
    }
    append(block.row(i), vector, inverse);
  }
}

CodeView CodeStore::view() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

std::size_t CodeStore::memory_bytes() const {
  const CodeView v = view();
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < v.chunk_count(); ++i) {
    bytes += v.chunk(i).capacity * (v.chunk(i).group_bytes + simd::kGroupRows * sizeof(std::uint64_t));
  }
  return bytes;
}

// Views share the list of chunks, so it is replaced, not changed: rare, as chunks double up to 16,384 rows.
void CodeStore::add_chunk() {
  const std::size_t groups = last_ ? std::min(last_->capacity * 2, kMostGroups) : kFirstGroups;
  const std::size_t group_bytes = code_group_bytes(metric_, dimension_);
  auto block = std::make_shared<Block>(group_bytes, groups);
  auto chunks = std::make_shared<CodeView::Chunks>();
  if (published_.chunks_) *chunks = *published_.chunks_;
  chunks->push_back(std::make_shared<CodeChunk>(
      CodeChunk{group_bytes, groups, block->groups.get(), block->rows.get(), block}));
  const std::lock_guard lock(mutex_);
  published_.chunks_ = std::move(chunks);
  published_.last_groups_ = 0;
  last_ = block.get();
  last_rows_ = 0;
}

}  // namespace vecstore
