#include "io/index_file.hpp"

#include <algorithm>
#include <utility>

#include "base/crc32c.hpp"
#include "base/error.hpp"
#include "io/index_file_format.hpp"

namespace vecstore::io {

namespace f = index_file_format;

std::shared_ptr<const IndexFile> IndexFile::open(const std::string& path) {
  std::shared_ptr<IndexFile> file(new IndexFile(os::MappedFile::open(path)));
  file->parse();
  return file;
}

void IndexFile::damaged(std::string_view what) const { fail(ErrorCode::kCorruption, path(), ": ", what); }

// Every number is compared with the true length of the file before it is used to compute an address.
void IndexFile::parse() {
  const std::span<const std::byte> bytes = map_.bytes();
  const std::byte* p = bytes.data();
  if (bytes.size() < f::kTableAt + f::kHeaderCrc) damaged(concat("is too short (", bytes.size(), " bytes)"));
  if (std::memcmp(p, f::kMagic, sizeof f::kMagic) != 0) damaged("is no index file");
  const auto version = f::load<std::uint32_t>(p + f::kVersionAt);
  if (version != f::kVersion) {
    fail(ErrorCode::kUnsupportedFormat, path(), ": format version ", version, ", this program knows ",
         f::kVersion);
  }
  const std::uint64_t count = f::load<std::uint32_t>(p + f::kSectionsAt);
  if (count > f::kMaxSections) damaged(concat("names ", count, " sections, the limit is ", f::kMaxSections));
  const std::uint64_t table_end = f::kTableAt + count * f::kSectionEntry;
  if (table_end + f::kHeaderCrc > bytes.size()) damaged("ends within its section table");
  if (crc32c(bytes.first(table_end)) != f::load<std::uint32_t>(p + table_end))
    damaged("the header's checksum does not match");

  const auto file_length = f::load<std::uint64_t>(p + f::kFileLengthAt);
  if (file_length != bytes.size())
    damaged(concat("has ", bytes.size(), " bytes, its header says ", file_length));
  if (f::load<std::uint32_t>(p + f::kBlockSizeAt) != f::kBlock) damaged("has an unknown block size");
  body_offset_ = f::load<std::uint64_t>(p + f::kBodyOffsetAt);
  body_length_ = f::load<std::uint64_t>(p + f::kBodyLengthAt);
  if (body_offset_ % f::kBodyAlignment != 0 || body_offset_ < table_end + f::kHeaderCrc ||
      body_offset_ > bytes.size() || body_length_ % f::kSectionAlignment != 0 ||
      body_length_ > bytes.size() - body_offset_) {
    damaged("its body lies outside the file");
  }
  blocks_ = (body_length_ + f::kBlock - 1) / f::kBlock;
  const std::uint64_t body_end = body_offset_ + body_length_;
  if ((bytes.size() - body_end) != blocks_ * sizeof(std::uint32_t))
    damaged("its table of checksums has the wrong length");
  checksums_ = p + body_end;
  if (crc32c(bytes.subspan(body_end)) != f::load<std::uint32_t>(p + f::kChecksumsCrcAt)) {
    damaged("the checksum of its table of checksums does not match");
  }
  good_ = std::make_unique<std::atomic<std::uint64_t>[]>(blocks_ / 64 + 1);

  info_.kind = f::load<std::uint32_t>(p + f::kKindAt);
  std::memcpy(info_.store_uuid.data(), p + f::kUuidAt, f::kUuidBytes);
  info_.collection = f::load<std::uint32_t>(p + f::kCollectionAt);
  info_.covers_sequence = f::load<std::uint64_t>(p + f::kSequenceAt);
  parse_sections(count, body_end);
}

void IndexFile::parse_sections(std::uint64_t count, std::uint64_t body_end) {
  std::uint64_t free_from = body_offset_;
  sections_.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::byte* entry = map_.bytes().data() + f::kTableAt + i * f::kSectionEntry;
    const Section s{f::load<std::uint32_t>(entry), f::load<std::uint64_t>(entry + 8),
                    f::load<std::uint64_t>(entry + 16)};
    if (s.offset % f::kSectionAlignment != 0 || s.offset < free_from || s.offset > body_end ||
        s.length > body_end - s.offset) {
      damaged(concat("section ", s.id, " lies outside the body"));
    }
    free_from = s.offset + s.length;
    sections_.push_back(s);
  }
  std::sort(sections_.begin(), sections_.end(),
            [](const Section& a, const Section& b) { return a.id < b.id; });
  const auto twice = std::adjacent_find(sections_.begin(), sections_.end(),
                                        [](const Section& a, const Section& b) { return a.id == b.id; });
  if (twice != sections_.end()) damaged(concat("names section ", twice->id, " twice"));
}

void IndexFile::expect(std::uint32_t kind, const std::array<std::byte, 16>& store_uuid,
                       std::uint32_t collection) const {
  if (info_.kind != kind) damaged(concat("is of kind ", info_.kind, ", expected was ", kind));
  if (info_.store_uuid != store_uuid) damaged("belongs to another store");
  if (info_.collection != collection)
    damaged(concat("belongs to collection ", info_.collection, ", expected was ", collection));
}

const IndexFile::Section* IndexFile::find(std::uint32_t id) const noexcept {
  const auto it = std::lower_bound(sections_.begin(), sections_.end(), id,
                                   [](const Section& s, std::uint32_t wanted) { return s.id < wanted; });
  return it != sections_.end() && it->id == id ? &*it : nullptr;
}

const IndexFile::Section& IndexFile::at(std::uint32_t id) const {
  const Section* s = find(id);
  if (!s) damaged(concat("has no section ", id));
  return *s;
}

std::vector<std::uint32_t> IndexFile::section_ids() const {
  std::vector<std::uint32_t> ids;
  ids.reserve(sections_.size());
  for (const Section& s : sections_) ids.push_back(s.id);
  return ids;
}

std::span<const std::byte> IndexFile::unchecked(std::uint32_t id) const {
  const Section& s = at(id);
  return map_.bytes().subspan(s.offset, s.length);
}

std::span<const std::byte> IndexFile::read(std::uint32_t id, std::uint64_t offset,
                                           std::uint64_t length) const {
  const Section& s = at(id);
  if (offset > s.length || length > s.length - offset) {
    damaged(concat("section ", id, " has ", s.length, " bytes, ", length, " at ", offset, " were wanted"));
  }
  const auto bytes = map_.bytes().subspan(s.offset + offset, length);
  admit(bytes);
  return bytes;
}

void IndexFile::check_block(std::uint64_t block) const {
  if (!verify_block(block))
    damaged(concat("block ", block, " (at byte ", body_offset_ + block * f::kBlock, ") is damaged"));
}

std::span<const std::byte> IndexFile::block_bytes(std::uint64_t block) const noexcept {
  const std::uint64_t begin = block * f::kBlock;
  return map_.bytes().subspan(body_offset_ + begin, std::min(f::kBlock, body_length_ - begin));
}

bool IndexFile::verify_block(std::uint64_t block) const noexcept {
  if (was_good(block)) return true;
  if (crc32c(block_bytes(block)) != f::load<std::uint32_t>(checksums_ + block * sizeof(std::uint32_t)))
    return false;
  good_[block / 64].fetch_or(std::uint64_t{1} << (block % 64), std::memory_order_relaxed);
  return true;
}

std::vector<std::uint64_t> IndexFile::verify(const Context& context) const {
  std::vector<std::uint64_t> bad;
  for (std::uint64_t block = 0; block < blocks_; ++block) {
    if (block % 16 == 0) context.check();
    // Read anew even when it was good before: the disk may have changed its mind.
    const bool good =
        crc32c(block_bytes(block)) == f::load<std::uint32_t>(checksums_ + block * sizeof(std::uint32_t));
    std::atomic<std::uint64_t>& word = good_[block / 64];
    const std::uint64_t bit = std::uint64_t{1} << (block % 64);
    if (good) {
      word.fetch_or(bit, std::memory_order_relaxed);
    } else {
      word.fetch_and(~bit, std::memory_order_relaxed);
      bad.push_back(block);
    }
  }
  return bad;
}

void IndexFile::advise(std::uint32_t id, os::MappedFile::Access access) const {
  const Section& s = at(id);
  map_.advise(access, s.offset, s.length);
}

}  // namespace vecstore::io
