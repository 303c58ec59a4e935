// Merges parts into one without looking at texts again.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/context.hpp"
#include "index/inverted/term_part.hpp"
#include "io/index_file.hpp"

namespace vecstore::inverted {

/// A part that goes into a merge.
struct MergeInput {
  const TermPart* part = nullptr;
  /// One bit per document; documents whose bit is not set are left out. nullptr: all stay.
  const std::uint64_t* live = nullptr;
};

/// Writes the documents of all inputs as one part: the same as if it were built from them, up to the numbers
/// of classes. The rows of each input lie behind those of the one before; fields, their weights and what is
/// kept are the same. Throws kInvalidArgument where they are not, kCorruption (naming the file), kCancelled,
/// ...; the file is then to be thrown away. Memory: 12 bytes per document, the dictionary, the longest list.
///
/// `codes`: weights, which the inputs have as floats, become codes. Inputs with codes are kInvalidArgument:
/// codes of codes would be worse with every merge.
void merge_parts(std::span<const MergeInput> inputs, io::IndexFileWriter& file, std::uint32_t first_section,
                 const Context& context, bool codes = false);

}  // namespace vecstore::inverted
