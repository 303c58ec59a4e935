// PartWriter: writes the sections of one part, term by term.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.hpp"
#include "index/inverted/dictionary.hpp"
#include "index/inverted/list_codec.hpp"
#include "index/inverted/part_format.hpp"
#include "io/index_file.hpp"

namespace vecstore::inverted {

/// The documents of a part that is written.
struct PartDocuments {
  std::vector<std::uint64_t> rows;                  ///< Ascending.
  std::vector<float> field_weights;                 ///< None: sparse vectors.
  std::vector<std::vector<std::uint32_t>> lengths;  ///< Tokens per field and document.
};

/// How a part keeps what its postings say.
struct PartClasses {
  ClassTable table;
  std::vector<std::uint64_t> uses;  ///< Occurrences of each class.
};

/// Writes sections first_section to first_section + kPartSections - 1. Lists go to the file as they come; the
/// dictionary (and of vectors the weights) is kept in memory until finish().
class PartWriter {
 public:
  PartWriter(io::IndexFileWriter& file, std::uint32_t first_section, const PartDocuments& documents,
             const PartClasses& classes, std::uint32_t flags);

  /// A text's term; terms come in ascending order. `positions` is empty unless the part has positions.
  void add(std::string_view term, std::span<const std::uint32_t> docs, std::span<const std::uint32_t> classes,
           std::span<const std::uint32_t> positions);
  /// A vector's term. Weights are > 0.
  void add_weights(std::string_view term, std::span<const std::uint32_t> docs,
                   std::span<const float> weights);
  void finish();

 private:
  void write_documents();
  void write_classes();

  io::IndexFileWriter& file_;
  const std::uint32_t first_;
  const PartDocuments& documents_;
  const PartClasses& classes_;
  PartHeader header_{};
  DictionaryWriter dictionary_;
  std::uint64_t list_offset_ = 0;
  std::string bytes_, weights_;
};

/// The classes of a part from the counts of its postings.
class ClassCounter {
 public:
  explicit ClassCounter(std::uint32_t fields) : fields_(fields) {}
  /// A number for these counts that stays; order() tells which class it becomes.
  std::uint32_t number(std::span<const std::uint32_t> counts, std::uint64_t uses = 1);
  /// Classes with the most frequent first; `class_of`: by number.
  PartClasses order(std::vector<std::uint32_t>& class_of) const;

 private:
  std::uint32_t fields_;
  std::vector<std::uint32_t> counts_;
  std::vector<std::uint64_t> uses_;
  std::vector<std::uint32_t> simple_;                           // by count in the only field, plus one
  std::vector<std::pair<std::uint64_t, std::uint32_t>> table_;  // open addressing: hash, number + 1
  void grow();
};

}  // namespace vecstore::inverted
