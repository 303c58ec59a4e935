// The sections of a segment file, format version 7: docs/format.md explains them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vecstore::segment {

inline constexpr std::uint32_t kSegmentFile = 1;  ///< IndexFileInfo::kind.
inline constexpr std::uint32_t kMetaSection = 1;
inline constexpr std::uint32_t kMetaVersion = 7;

/// Sections of a vector field begin here: kVectorSections + 256 * field + what.
inline constexpr std::uint32_t kVectorSections = 0x01000000;
inline constexpr std::uint32_t kRowsSection = 0;      ///< Row number of each node (8 bytes each).
inline constexpr std::uint32_t kGroupsSection = 1;    ///< Flat: groups of 16 rows of 8-bit codes.
inline constexpr std::uint32_t kSketchesSection = 2;  ///< Sketched: groups of 8 rows.
inline constexpr std::uint32_t kNormsSection =
    3;  ///< Sketched, dot product: the largest, 15 floats 0, each row's.
inline constexpr std::uint32_t kFineSection = 4;    ///< Sketched: each row's fine code.
inline constexpr std::uint32_t kGraphSection = 16;  ///< Graph: from here on, the index's own sections.

/// The terms of the rows' texts: from here on, the inverted index's own sections.
inline constexpr std::uint32_t kTermSections = 0x02000000;

/// Behind the sections of texts, and of each sparse field: row number (8) of each live row that could not be
/// read from the truth when the part was built. Absent when there was none.
inline constexpr std::uint32_t kUnreadableSection = 33;

/// The sparse vectors of a field begin at kSparseSections + 256 * field: the inverted index's own sections,
/// then these.
inline constexpr std::uint32_t kSparseSections = 0x03000000;
inline constexpr std::uint32_t kApartSection = 32;  ///< Row number (8) of each vector that stands apart.

/// The ids of the rows, and where records come from.
inline constexpr std::uint32_t kIdGroupsSection = 0x04000000;   ///< 8 bytes per 64 rows.
inline constexpr std::uint32_t kIdRecordsSection = 0x04000001;  ///< What these point into.

/// The metadata of the rows by path and value: this section and the next one, src/index/field.
inline constexpr std::uint32_t kFieldsSection = 0x05000000;

/// Floats in front of the norms.
inline constexpr std::size_t kNormsHeader = 16;

inline constexpr std::uint32_t vector_section(std::uint16_t field, std::uint32_t what) {
  return kVectorSections + 256 * std::uint32_t{field} + what;
}

inline constexpr std::uint32_t sparse_section(std::uint16_t field, std::uint32_t what) {
  return kSparseSections + 256 * std::uint32_t{field} + what;
}

/// The meta section: this, then one PartMeta per part, then one SparseMeta per sparse field.
struct SegmentMeta {
  std::uint32_t version = kMetaVersion;
  std::uint32_t parts = 0;
  std::uint64_t number = 0;
  std::uint64_t first_row = 0;
  std::uint64_t end_row = 0;
  /// terms_fingerprint of the text fields whose terms are in the file; 0: it has none. Without any document
  /// the sections are absent.
  std::uint64_t terms = 0;
  std::uint64_t documents = 0;
  std::uint32_t sparse = 0;  ///< Sparse fields of which some row has a vector.
  std::uint32_t fields = 0;  ///< 1 when the file has the metadata of its rows.
  std::uint64_t ids = 0;     ///< Rows whose ids are in the file; without any the sections are absent.
};
static_assert(sizeof(SegmentMeta) == 64);

struct SparseMeta {
  std::uint32_t field = 0;
  std::uint32_t reserved = 0;
  std::uint64_t documents = 0;  ///< Vectors in the inverted index; without any its sections are absent.
  std::uint64_t apart = 0;      ///< Vectors that are read from the truth instead; likewise.
};
static_assert(sizeof(SparseMeta) == 24);

/// What was asked for when a part was built. A part that asks for something else is made anew.
struct PartBuild {
  std::uint32_t codes = 0;  ///< Codes
  std::uint32_t m = 0;      ///< 0 where no graph was asked for; so is what follows.
  std::uint32_t ef_construction = 0;

  bool operator==(const PartBuild&) const = default;
};

struct PartMeta {
  std::uint32_t field = 0;
  std::uint32_t kind = 0;    ///< PartKind
  std::uint32_t metric = 0;  ///< Metric
  std::uint32_t dimension = 0;
  std::uint64_t rows = 0;
  PartBuild build;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(PartMeta) == 40);

}  // namespace vecstore::segment
