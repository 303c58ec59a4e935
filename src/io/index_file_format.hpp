// The bytes of an IndexFile, format version 1. Frozen: an older number never changes its meaning.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vecstore::io::index_file_format {

static_assert(std::endian::native == std::endian::little, "files are little-endian and mapped as they are");

// offset  size  field
//      0     8  magic
//      8     4  format version
//     12     4  kind of file (the writer's enumeration)
//     16    16  uuid of the store
//     32     4  collection number
//     36     4  number of sections
//     40     8  sequence number that the file covers
//     48     8  offset of the body, a multiple of 4096
//     56     8  length of the body, a multiple of 64; the table of checksums follows, one CRC32C per block of
//     the body 64     8  length of the file 72     4  block size: 65536 76     4  CRC32C of the table of
//     checksums 80    24  per section: id (4), zero (4), offset in the file (8), length (8); ascending
//     offsets, no overlap
//    ...     4  CRC32C of everything before
// Zeros fill the space up to the body and between sections; the latter lie in the body and are covered by its
// checksums.
inline constexpr char kMagic[8] = {'V', 'S', 'I', 'N', 'D', 'E', 'X', '\n'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kMagicAt = 0, kVersionAt = 8, kKindAt = 12, kUuidAt = 16, kCollectionAt = 32,
                             kSectionsAt = 36, kSequenceAt = 40, kBodyOffsetAt = 48, kBodyLengthAt = 56,
                             kFileLengthAt = 64, kBlockSizeAt = 72, kChecksumsCrcAt = 76, kTableAt = 80;
inline constexpr std::size_t kSectionEntry = 24, kHeaderCrc = 4;
inline constexpr std::size_t kUuidBytes = 16;
inline constexpr std::uint64_t kBlock = 65536;
inline constexpr std::uint64_t kBodyAlignment = 4096;   ///< A page: sections can be advised one by one.
inline constexpr std::uint64_t kSectionAlignment = 64;  ///< A cache line.
inline constexpr std::uint32_t kMaxSections = 65536;

inline constexpr std::uint64_t align_up(std::uint64_t v, std::uint64_t a) { return (v + a - 1) / a * a; }

/// Where the body begins in a file made for up to `sections` sections.
inline constexpr std::uint64_t body_offset(std::uint64_t sections) {
  return align_up(kTableAt + sections * kSectionEntry + kHeaderCrc, kBodyAlignment);
}

template <class T>
T load(const std::byte* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
void store(std::byte* p, T v) {
  std::memcpy(p, &v, sizeof v);
}

}  // namespace vecstore::io::index_file_format
