// IndexFile: the one on-disk container of derived data: numbered sections, checksums, the sequence number it
// covers.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.hpp"
#include "base/os_file.hpp"
#include "io/index_file_format.hpp"

namespace vecstore::io {

/// What a file says about itself.
struct IndexFileInfo {
  std::uint32_t kind = 0;                  ///< What the sections mean; the writer's enumeration.
  std::array<std::byte, 16> store_uuid{};  ///< A file copied from another store is found by it.
  std::uint32_t collection = 0;
  std::uint64_t covers_sequence = 0;  ///< Every change up to here is contained.

  bool operator==(const IndexFileInfo&) const = default;
};

/// An immutable mapped file. open() checks header, section table and the table of checksums; a block of the
/// body (64 KiB) is checked on its first use and never again. Const calls are thread-safe. Nothing that the
/// file contains makes a call read outside it: damage is kCorruption with the file's name.
class IndexFile {
 public:
  /// Throws kNotFound, kCorruption, kUnsupportedFormat (another format version), kIo, ... Costs a few pages
  /// and 4 bytes per 64 KiB, whatever the size.
  static std::shared_ptr<const IndexFile> open(const std::string& path);

  const IndexFileInfo& info() const noexcept { return info_; }
  const std::string& path() const noexcept { return map_.path(); }
  std::uint64_t size() const noexcept { return map_.bytes().size(); }
  /// kCorruption unless kind, store and collection are the expected ones: a file in another's place is
  /// damage.
  void expect(std::uint32_t kind, const std::array<std::byte, 16>& store_uuid,
              std::uint32_t collection) const;

  bool has_section(std::uint32_t id) const noexcept { return find(id) != nullptr; }
  /// kCorruption when the file has no such section.
  std::uint64_t section_size(std::uint32_t id) const { return at(id).length; }
  std::vector<std::uint32_t> section_ids() const;

  /// A range of a section, its blocks checked. kCorruption when a block is damaged or the range leaves the
  /// section.
  std::span<const std::byte> read(std::uint32_t id, std::uint64_t offset, std::uint64_t length) const;
  /// The whole section, checked. Sections begin at multiples of 64 bytes.
  std::span<const std::byte> read(std::uint32_t id) const { return read(id, 0, section_size(id)); }
  /// The whole section as an array of T, checked; kCorruption when its length is no multiple of sizeof(T).
  template <class T>
  std::span<const T> array(std::uint32_t id) const;
  /// The whole section, unchecked: for walks that call admit() per neighbourhood, or after verify().
  std::span<const std::byte> unchecked(std::uint32_t id) const;
  /// Checks the blocks that hold `bytes`, a part of this file. One load per block when they were checked
  /// before.
  void admit(std::span<const std::byte> bytes) const {
    if (bytes.empty()) return;
    const auto begin = static_cast<std::uint64_t>(bytes.data() - map_.bytes().data()) - body_offset_;
    const std::uint64_t last = (begin + bytes.size() - 1) / index_file_format::kBlock;
    for (std::uint64_t block = begin / index_file_format::kBlock; block <= last; ++block) {
      if (!was_good(block)) check_block(block);
    }
  }

  /// Reads the whole body and returns the numbers of the damaged blocks. Blocks found good count as checked.
  std::vector<std::uint64_t> verify(const Context& context = {}) const;
  std::uint64_t block_count() const noexcept { return blocks_; }
  /// False when the block is damaged. For checks in the background, a few blocks at a time. `block` <
  /// block_count().
  bool verify_block(std::uint64_t block) const noexcept;
  /// Where block 0 begins in the file.
  std::uint64_t body_offset() const noexcept { return body_offset_; }

  void advise(std::uint32_t id, os::MappedFile::Access access) const;

 private:
  struct Section {
    std::uint32_t id;
    std::uint64_t offset;  // in the file
    std::uint64_t length;
  };

  explicit IndexFile(os::MappedFile map) : map_(std::move(map)) {}
  void parse();
  void parse_sections(std::uint64_t count, std::uint64_t body_end);
  [[noreturn]] void damaged(std::string_view what) const;
  const Section* find(std::uint32_t id) const noexcept;
  const Section& at(std::uint32_t id) const;
  bool was_good(std::uint64_t block) const noexcept {
    return (good_[block / 64].load(std::memory_order_relaxed) >> (block % 64) & 1) != 0;
  }
  void check_block(std::uint64_t block) const;
  std::span<const std::byte> block_bytes(std::uint64_t block) const noexcept;

  os::MappedFile map_;
  IndexFileInfo info_;
  std::vector<Section> sections_;  // sorted by id
  std::uint64_t body_offset_ = 0;
  std::uint64_t body_length_ = 0;
  std::uint64_t blocks_ = 0;
  const std::byte* checksums_ = nullptr;
  // One bit per block, set when the block was found good. Relaxed: the bytes never change, nothing is
  // published by it.
  mutable std::unique_ptr<std::atomic<std::uint64_t>[]> good_;
};

template <class T>
std::span<const T> IndexFile::array(std::uint32_t id) const {
  static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 64);
  const auto bytes = read(id);
  if (bytes.size() % sizeof(T) != 0)
    damaged(concat("section ", id, " has ", bytes.size(), " bytes, not whole items of ", sizeof(T)));
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

/// Writes an IndexFile front to back with constant memory: add() or begin() and append() per section, then
/// finish(). Until finish() returns, a reader sees the old file or none. One thread; not movable.
class IndexFileWriter {
 public:
  /// Makes a temporary file in `dir` (name + ".tmp-<pid>-<n>"). `max_sections` only reserves space in front.
  IndexFileWriter(const std::string& dir, const std::string& name, const IndexFileInfo& info,
                  std::uint32_t max_sections = 64);
  IndexFileWriter(const IndexFileWriter&) = delete;
  IndexFileWriter& operator=(const IndexFileWriter&) = delete;
  /// Removes the temporary file unless finish() has succeeded.
  ~IndexFileWriter();

  /// Starts the next section; ids are unique, in any order.
  void begin(std::uint32_t id);
  /// Adds to the section that was begun last.
  void append(std::span<const std::byte> bytes);
  template <class T>
  void append_array(std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    append(std::as_bytes(values));
  }
  void add(std::uint32_t id, std::span<const std::byte> bytes) {
    begin(id);
    append(bytes);
  }
  /// Bytes written to the current section so far.
  std::uint64_t section_size() const noexcept {
    return sections_.empty() ? 0 : position_ - sections_.back().offset;
  }

  /// Writes checksums and header, syncs, renames over dir/name, syncs the directory. Returns the file's
  /// length. Not `durable`: without syncing, for files that no other process will open.
  std::uint64_t finish(bool durable = true);

 private:
  struct Section {
    std::uint32_t id;
    std::uint64_t offset;
    std::uint64_t length;
  };

  void put(std::span<const std::byte> bytes);
  void flush_block();
  void pad(std::uint64_t alignment);
  std::vector<std::byte> header(std::uint64_t body_length, std::uint64_t file_length,
                                std::uint32_t checksums_crc) const;

  std::string dir_;
  std::string name_;
  std::string temp_;
  IndexFileInfo info_;
  std::uint32_t max_sections_;
  std::uint64_t body_offset_;
  std::uint64_t position_;  // in the file, of the next byte
  std::vector<Section> sections_;
  std::vector<std::byte> block_;  // the part of the current block that is not written yet
  std::vector<std::uint32_t> checksums_;
  os::File file_;
  bool finished_ = false;
};

}  // namespace vecstore::io
