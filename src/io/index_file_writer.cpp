#include <algorithm>
#include <utility>

#include "base/crc32c.hpp"
#include "base/error.hpp"
#include "io/index_file.hpp"
#include "io/index_file_format.hpp"

namespace vecstore::io {

namespace f = index_file_format;

IndexFileWriter::IndexFileWriter(const std::string& dir, const std::string& name, const IndexFileInfo& info,
                                 std::uint32_t max_sections)
    : dir_(dir), name_(name), temp_(os::temporary_path(dir, name)), info_(info), max_sections_(max_sections) {
  if (max_sections > f::kMaxSections)
    invalid("max_sections is ", max_sections, ", the limit is ", f::kMaxSections);
  body_offset_ = f::body_offset(max_sections);
  position_ = body_offset_;
  block_.reserve(f::kBlock);
  file_ = os::File::open(temp_, os::OpenMode::kCreateNew);
}

IndexFileWriter::~IndexFileWriter() {
  if (finished_) return;
  file_.close();
  // A destructor must not throw; a file that stays behind is removed when the directory is next cleaned.
  try {
    os::remove_file(temp_);
  } catch (const Error&) {
  }
}

void IndexFileWriter::begin(std::uint32_t id) {
  if (finished_) fail(ErrorCode::kClosed, temp_, ": the file is finished");
  if (sections_.size() == max_sections_) {
    fail(ErrorCode::kTooLarge, temp_, ": section ", id, " is above the limit of ", max_sections_,
         " sections");
  }
  if (std::any_of(sections_.begin(), sections_.end(), [&](const Section& s) { return s.id == id; })) {
    fail(ErrorCode::kAlreadyExists, temp_, ": section ", id, " exists");
  }
  if (!sections_.empty()) sections_.back().length = section_size();
  pad(f::kSectionAlignment);
  sections_.push_back({id, position_, 0});
}

void IndexFileWriter::append(std::span<const std::byte> bytes) {
  if (finished_) fail(ErrorCode::kClosed, temp_, ": the file is finished");
  if (sections_.empty()) invalid("append() before begin()");
  put(bytes);
}

void IndexFileWriter::put(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::size_t n = std::min<std::size_t>(bytes.size(), f::kBlock - block_.size());
    block_.insert(block_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    position_ += n;
    bytes = bytes.subspan(n);
    if (block_.size() == f::kBlock) flush_block();
  }
}

void IndexFileWriter::flush_block() {
  file_.pwrite(block_, position_ - block_.size());
  checksums_.push_back(crc32c(block_));
  block_.clear();
}

void IndexFileWriter::pad(std::uint64_t alignment) {
  static constexpr std::byte kZeros[f::kSectionAlignment] = {};
  const std::uint64_t n = f::align_up(position_, alignment) - position_;
  put(std::span(kZeros, static_cast<std::size_t>(n)));
}

std::vector<std::byte> IndexFileWriter::header(std::uint64_t body_length, std::uint64_t file_length,
                                               std::uint32_t checksums_crc) const {
  const std::size_t table_end = f::kTableAt + sections_.size() * f::kSectionEntry;
  std::vector<std::byte> out(table_end + f::kHeaderCrc);
  std::byte* p = out.data();
  std::memcpy(p + f::kMagicAt, f::kMagic, sizeof f::kMagic);
  f::store(p + f::kVersionAt, f::kVersion);
  f::store(p + f::kKindAt, info_.kind);
  std::memcpy(p + f::kUuidAt, info_.store_uuid.data(), f::kUuidBytes);
  f::store(p + f::kCollectionAt, info_.collection);
  f::store(p + f::kSectionsAt, static_cast<std::uint32_t>(sections_.size()));
  f::store(p + f::kSequenceAt, info_.covers_sequence);
  f::store(p + f::kBodyOffsetAt, body_offset_);
  f::store(p + f::kBodyLengthAt, body_length);
  f::store(p + f::kFileLengthAt, file_length);
  f::store(p + f::kBlockSizeAt, static_cast<std::uint32_t>(f::kBlock));
  f::store(p + f::kChecksumsCrcAt, checksums_crc);
  for (std::size_t i = 0; i < sections_.size(); ++i) {
    std::byte* entry = p + f::kTableAt + i * f::kSectionEntry;
    f::store(entry, sections_[i].id);
    f::store(entry + 8, sections_[i].offset);
    f::store(entry + 16, sections_[i].length);
  }
  f::store(p + table_end, crc32c(std::span(out).first(table_end)));
  return out;
}

std::uint64_t IndexFileWriter::finish(bool durable) {
  if (finished_) fail(ErrorCode::kClosed, temp_, ": the file is finished");
  if (!sections_.empty()) sections_.back().length = section_size();
  pad(f::kSectionAlignment);
  if (!block_.empty()) flush_block();
  const auto checksums = std::as_bytes(std::span(checksums_));
  file_.pwrite(checksums, position_);
  const std::uint64_t file_length = position_ + checksums.size();
  if (file_.size() < file_length)
    file_.truncate(file_length);  // An empty body: the header does not reach its end.
  file_.pwrite(header(position_ - body_offset_, file_length, crc32c(checksums)), 0);
  if (durable) file_.sync_unpublished();
  file_.close();
  os::Directory directory(dir_);
  os::rename_file(temp_, dir_ + "/" + name_);
  finished_ = true;
  if (durable) directory.sync();
  return file_length;
}

}  // namespace vecstore::io
