// The sections of a segment file, format version 4: docs/format.md explains them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vecstore::segment {

inline constexpr std::uint32_t kSegmentFile = 1;  ///< IndexFileInfo::kind.
inline constexpr std::uint32_t kMetaSection = 1;
inline constexpr std::uint32_t kMetaVersion = 4;

/// Sections of a vector field begin here: kVectorSections + 256 * field + what.
inline constexpr std::uint32_t kVectorSections = 0x01000000;
inline constexpr std::uint32_t kRowsSection = 0;      ///< Row number of each node (8 bytes each).
inline constexpr std::uint32_t kGroupsSection = 1;    ///< Flat: groups of 16 rows of 8-bit codes.
inline constexpr std::uint32_t kSketchesSection = 2;  ///< Sketched: groups of 8 rows.
inline constexpr std::uint32_t kNormsSection =
    3;  ///< Sketched, dot product: the largest, 15 floats 0, each row's.
inline constexpr std::uint32_t kFineSection = 4;    ///< Sketched: each row's fine code.
inline constexpr std::uint32_t kGraphSection = 16;  ///< Graph: from here on, the index's own sections.

/// Floats in front of the norms.
inline constexpr std::size_t kNormsHeader = 16;

inline constexpr std::uint32_t vector_section(std::uint16_t field, std::uint32_t what) {
  return kVectorSections + 256 * std::uint32_t{field} + what;
}

/// The meta section: this, then one PartMeta per part.
struct SegmentMeta {
  std::uint32_t version = kMetaVersion;
  std::uint32_t parts = 0;
  std::uint64_t number = 0;
  std::uint64_t first_row = 0;
  std::uint64_t end_row = 0;
};
static_assert(sizeof(SegmentMeta) == 32);

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
