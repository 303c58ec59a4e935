// The numbers of the disk format, frozen: docs/format.md explains them, tests/compat/ holds files of every
// version.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vecstore::storage {

inline constexpr std::uint32_t kFormatVersion = 1;  ///< FORMAT and every store record carry it.
inline constexpr std::uint64_t kFormatMagic = 0x45524f5453434556ULL;  ///< "VECSTORE"
inline constexpr std::uint32_t kByteOrderMark = 0x01020304;

/// Keyspaces of the truth; the number is the index in the table of names in lmdb_env.cpp.
enum class Keyspace : std::uint8_t { kMain = 0, kVectors = 1, kDocuments = 2, kIds = 3, kAux = 4, kLog = 5 };
inline constexpr std::size_t kKeyspaces = 6;

/// First byte of all our keys in the main keyspace, apart from LMDB's own names of the other keyspaces.
inline constexpr char kMainPrefix = 0x01;
/// Second byte of a key in the main keyspace.
enum class MainKind : char { kStore = 'S', kCollection = 'C', kName = 'N', kGarbage = 'G' };
/// Fifth byte of a key in the aux keyspace.
enum class AuxKind : char {
  kSchema = 'S',
  kFieldName = 'F',
  kRetired = 'R',
  kOverlay = 'M',
  kSegments = 'I'
};
/// What an envelope holds.
enum class ValueKind : std::uint8_t {
  kStore = 1,
  kCollection = 2,
  kName = 3,
  kSchema = 4,
  kFieldName = 5,
  kRetired = 6,
  kOverlay = 7,
  kLog = 8,
  kGarbage = 9,
  kSegments = 10
};
/// What a row block holds.
enum class BlockKind : std::uint8_t { kVectors = 1, kDocuments = 2 };

inline constexpr std::uint64_t kRowsPerSlice = 8192;     ///< Rows in one slice of the bitmap of retired rows.
inline constexpr std::size_t kBlockTarget = 192 * 1024;  ///< Bytes of rows in a full row block.
inline constexpr std::size_t kMaxRowsPerBlock = 1024;
inline constexpr std::size_t kMinRowsPerBlock = 16;
inline constexpr std::size_t kMaxCommitBytes = std::size_t{64} << 20;
inline constexpr std::size_t kMaxIdBytes = 512;
inline constexpr std::size_t kMaxKeyId = 480;  ///< Longer ids are keyed by a hash.

}  // namespace vecstore::storage
