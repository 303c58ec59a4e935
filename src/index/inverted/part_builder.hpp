// TermPartBuilder, SparsePartBuilder: collect documents and write them as one part.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/context.hpp"
#include "index/inverted/part_writer.hpp"
#include "index/inverted/vocabulary.hpp"
#include "io/index_file.hpp"

namespace vecstore::inverted {

/// One occurrence of a term in a document.
struct TermToken {
  std::uint32_t term = 0;  ///< From TermPartBuilder::term().
  std::uint32_t position = 0;
  std::uint32_t field = 0;
};

/// Keeps 8 bytes per token and the terms; write() needs as much again. One thread at a time.
class TermPartBuilder {
 public:
  /// `field_weights`: one per text field, finite and > 0. Throws kInvalidArgument.
  explicit TermPartBuilder(std::vector<float> field_weights, bool positions = true);

  /// The number of a term; remember it per written form where that saves look-ups.
  std::uint32_t term(std::string_view term);
  /// Adds a document. Rows come in ascending order. Tokens in any order; none is allowed: such a document
  /// counts in the statistics and is never found. Positions behind 2^26 - 1 count as that. Throws
  /// kInvalidArgument, kTooLarge; nothing is changed then.
  void add(std::uint64_t row, std::span<const TermToken> tokens);

  std::uint32_t documents() const { return static_cast<std::uint32_t>(documents_.rows.size()); }
  /// What write() will need included: a caller with a limit writes when this comes near it.
  std::size_t memory_bytes() const;
  /// Writes all sections of the part. The builder is empty afterwards. Throws kCancelled, kDeadline,
  /// kDiskFull,
  /// ...; the file is then to be thrown away, and so is the builder.
  void write(io::IndexFileWriter& file, std::uint32_t first_section, const Context& context);

 private:
  struct Posting {
    std::uint32_t doc;
    std::uint32_t place;  // field << kPositionBits | position
  };
  void invert(std::vector<Posting>& postings, std::vector<std::uint64_t>& begins, const Context& context);

  bool positions_;
  Vocabulary vocabulary_;
  PartDocuments documents_;
  std::vector<std::uint32_t> terms_, places_;  // of all tokens, documents after one another
  std::vector<std::uint64_t> ends_;            // of each document's tokens
};

/// Sparse vectors. Keeps 12 bytes per component; write() needs as much again.
class SparsePartBuilder {
 public:
  /// Rows ascending; dimensions ascending, weights finite and > 0. Throws kInvalidArgument.
  void add(std::uint64_t row, std::span<const std::uint32_t> dimensions, std::span<const float> weights);
  std::uint32_t documents() const { return static_cast<std::uint32_t>(documents_.rows.size()); }
  std::size_t memory_bytes() const;
  /// `codes`: weights are kept as one byte each, else as floats. The builder is empty afterwards.
  void write(io::IndexFileWriter& file, std::uint32_t first_section, const Context& context,
             bool codes = false);

 private:
  PartDocuments documents_;
  std::vector<std::uint32_t> dimensions_;
  std::vector<float> weights_;
  std::vector<std::uint64_t> ends_;
};

/// The term that stands for a dimension of a sparse vector: terms sort like dimensions.
std::string sparse_term(std::uint32_t dimension);

}  // namespace vecstore::inverted
