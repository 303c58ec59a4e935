#include "shard/term_pieces.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <random>

#include "base/error.hpp"
#include "base/os_file.hpp"
#include "shard/read_view.hpp"
#include "shard/sparse_source.hpp"
#include "shard/text_source.hpp"

namespace vecstore::shard {
namespace {

constexpr std::uint64_t kRowsPerView = 4'096;
constexpr std::uint64_t kSpare = std::uint64_t{8} << 20;  // left to others on a disk

/// Unlike the number of any segment that is listed, in any process that uses the same folder.
std::uint64_t temporary_number() {
  thread_local std::random_device random;
  return std::uint64_t{1} << 63 | std::uint64_t{random()} << 31 | random() >> 1;
}

/// Where `bytes` find room: beside the store, else in the system's folder for temporary files, else in
/// memory.
std::string temporary_directory(const storage::Store& store, std::uint64_t bytes) {
  std::vector<std::string> places;
  if (!store.read_only()) places.push_back(store.directory() + "/tmp");
  std::error_code none;
  if (const auto system = std::filesystem::temp_directory_path(none); !none)
    places.push_back(system.string());
  places.push_back("/dev/shm");
  for (const std::string& place : places) {
    try {
      os::make_directories(place);
      if (os::disk_space(place).free_bytes < bytes + kSpare) continue;
      const std::string probe = os::temporary_path(place, "vecstore");
      os::make_directory(probe);
      os::remove_directory(probe);
      return place;
    } catch (const Error&) {
      // The next one then.
    }
  }
  return places.front();  // which says what is wrong
}

std::shared_ptr<const segment::Segment> write_temporary(
    Shard& shard, std::uint64_t first_row, std::uint64_t end_row, std::uint64_t bytes,
    const std::function<void(segment::SegmentWriter&)>& write) {
  const std::string directory = temporary_directory(shard.store(), bytes);
  os::make_directories(directory);
  storage::SegmentEntry entry;
  entry.number = temporary_number();
  entry.first_row = first_row;
  entry.end_row = end_row;
  const segment::SegmentIdentity identity = shard.segments().identity(entry);
  segment::SegmentWriter writer(directory, identity, 1);
  write(writer);
  writer.finish(false);
  const std::string path = concat(directory, "/", entry.number, ".vsx");
  std::shared_ptr<const segment::Segment> out;
  try {
    out = segment::Segment::open(path, identity);
  } catch (...) {
    os::remove_file(path);
    throw;
  }
  os::remove_file(path);  // what is mapped stays
  return out;
}

}  // namespace

bool TermPieces::enough() const { return memory_bytes() >= shard_.segment_options().term_bytes; }

bool TermPieces::add(const ReadView& view, std::uint64_t end_row, const Context& ctx) {
  if (!enough()) walk(view, walk_, end_row, ctx);
  if (enough()) flush(ctx);
  return walk_.next_row >= end_row;
}

void TermPieces::add_all(std::uint64_t end_row, const Context& ctx) {
  while (walk_.next_row < end_row) {
    const ReadView view(shard_);
    add(view, walk_.next_row + std::min(kRowsPerView, end_row - walk_.next_row), ctx);
  }
}

void TermPieces::flush(const Context& ctx) {
  if (empty()) return;
  ctx.check();
  // Once begun it is brought to its end, as a builder whose writing was interrupted is of no use.
  const Context undisturbed;
  segments_.push_back(write_temporary(shard_, written_, walk_.next_row, memory_bytes(),
                                      [&](segment::SegmentWriter& writer) { write(writer, undisturbed); }));
  written_ = walk_.next_row;
}

void TextPieces::walk(const ReadView& view, RowWalk& walk, std::uint64_t end_row, const Context& ctx) {
  walk_documents(view, walk, end_row, ctx, [&](std::uint64_t row, const storage::Document& document) {
    if (also_) also_(row, document);
    if (read_texts(view, document, texts_.fields(), row_)) texts_.add(row, row_);
    return !enough();
  });
}

void TextPieces::write(segment::SegmentWriter& writer, const Context& ctx) { writer.add_texts(texts_, ctx); }

void TextPieces::write_all(segment::SegmentWriter& writer, std::uint64_t terms, const Context& ctx) {
  if (segments().empty()) {
    writer.add_texts(texts_, ctx);
  } else {
    flush(ctx);
    std::vector<const segment::TermsPart*> parts;
    for (const auto& segment : segments()) parts.push_back(segment->texts());
    writer.merge_texts(parts, terms, {}, ctx);
  }
  writer.add_unreadable_texts(unreadable());
}

void SparsePieces::walk(const ReadView& view, RowWalk& walk, std::uint64_t end_row, const Context& ctx) {
  SparseReader(view, field_)
      .walk(walk, end_row, ctx, [&](std::uint64_t row, const segment::SparseRow& vector) {
        vectors_.add(row, vector);
        return !enough();
      });
}

void SparsePieces::write(segment::SegmentWriter& writer, const Context& ctx) {
  writer.add_sparse(field_, vectors_, false, ctx);
}

void SparsePieces::write_all(segment::SegmentWriter& writer, bool codes, const Context& ctx) {
  if (segments().empty()) {
    writer.add_sparse(field_, vectors_, codes, ctx);
  } else {
    flush(ctx);
    std::vector<const segment::SparsePart*> parts;
    for (const auto& segment : segments()) parts.push_back(segment->sparse(field_));
    writer.merge_sparse(field_, parts, {}, codes, ctx);
  }
  writer.add_unreadable_sparse(field_, unreadable());
}

}  // namespace vecstore::shard
