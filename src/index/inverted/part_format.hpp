// How a part of the inverted index lies in an IndexFile: docs/format.md explains it. Frozen: an older number
// never changes its meaning.
#pragma once
#include <cstdint>

namespace vecstore::inverted {

inline constexpr std::uint32_t kPartVersion = 1;

/// Sections, counted from the part's first one.
enum Section : std::uint32_t {
  kHeaderSection = 0,
  kFieldsSection = 1,   ///< FieldHeader per field.
  kClassesSection = 2,  ///< Per class: occurrences (8), then a count (4) per field.
  kRowsSection = 3,     ///< Row - first row of each document, 4 or 8 bytes; absent when that is its number.
  kLengthsSection = 4,  ///< Per field, per document: tokens, in as many bytes as the field's header says.
  kListsSection = 5,    ///< Per term, in order of the terms: postings, then positions.
  kDictionarySection = 6,  ///< Blocks of terms.
  kBlocksSection = 7,      ///< Where each block begins in the dictionary (8).
  kWeightsSection = 8,     ///< Of sparse vectors: a weight (4) or code (1) per posting.
  kPartSections = 16,      ///< Room for one part.
};

enum Flags : std::uint32_t {
  kHasPositions = 1,  ///< Text only.
  kExactWeights = 2,  ///< Sparse vectors with weights as floats.
  kCodedWeights = 4,  ///< Sparse vectors with weights as codes.
};

struct PartHeader {
  std::uint32_t version;
  std::uint32_t flags;
  std::uint32_t documents;
  std::uint32_t fields;
  std::uint32_t terms;
  std::uint32_t classes;
  std::uint32_t row_bytes;  ///< 0, 4 or 8.
  std::uint32_t reserved;
  std::uint64_t first_row;
  std::uint64_t postings;
};
static_assert(sizeof(PartHeader) == 48);

struct FieldHeader {
  float weight;
  std::uint32_t length_bytes;  ///< 1, 2 or 4.
  std::uint64_t tokens;        ///< Of all documents.
};
static_assert(sizeof(FieldHeader) == 16);

inline constexpr std::uint32_t kTermsPerBlock = 16;
inline constexpr std::uint32_t kPostingsPerBlock = 128;         ///< Share their Rice parameters.
inline constexpr std::uint32_t kPostingsPerPositionBlock = 16;  ///< Positions are found by these.
inline constexpr unsigned kParameterBits = 5;

inline constexpr std::uint32_t kMostFields = 64;
inline constexpr unsigned kPositionBits = 26;
inline constexpr std::uint32_t kMostPosition = (1u << kPositionBits) - 1;
inline constexpr std::uint32_t kMostDocuments = 0xfffffff0u;
inline constexpr std::size_t kMostTermBytes = 65'535;

}  // namespace vecstore::inverted
